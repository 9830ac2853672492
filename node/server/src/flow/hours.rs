//! Which exchanges wait for the hours of big transfers ([`crate::line::hours`]), and until when.
//!
//! How much there is is known when the manifest is here, at the end of a view that is still computed; until then what has
//! come counts. What has come stays, so nothing is fetched twice for having waited.

use std::path::Path;

use serde_json::{Value, json};

use super::receive;
use crate::line::hours::{Big, local};
use crate::node::Node;
use crate::operation::rfc3339;
use crate::records::{Exchange, Side, Stage};

/// That a transfer waits for its hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForHours {
    big: Big,
    /// When they begin, Unix seconds.
    pub until: i64,
}

impl ForHours {
    /// Of so many bytes from this peer, now; none where they may come.
    pub fn of(node: &Node, peer: &str, bytes: u64) -> Option<Self> {
        let big = node.lines.big(peer).filter(|big| bytes >= big.bytes())?;
        big.opens(&chrono::Local, node.clock.now()).map(|until| Self { big, until })
    }

    /// Of an exchange whose rows this node fetches.
    pub fn of_exchange(node: &Node, exchange: &Exchange) -> Option<Self> {
        let fetches = exchange.side == Side::Consumer
            && matches!(exchange.stage, Stage::Transferring | Stage::Receiving)
            && !exchange.any_hour;
        if !fetches || node.lines.big(&exchange.peer).is_none() {
            return None;
        }
        let here = held(&receive::inbox_of(node, exchange));
        Self::of(node, &exchange.peer, exchange.bytes.unwrap_or(0).max(here))
    }

    /// For people; `id` is the exchange.
    pub fn text(&self, id: &str) -> String {
        let (mb, from, to, until) = (self.big.mb, self.big.from, self.big.to, local(self.until));
        format!(
            "chờ giờ tải lớn (từ {mb} MB: {from}–{to}) đến {until} / waits for the hours of big transfers ({mb} MB and more: {from} to {to}) until {until}; tải ngay / at once: `tram exchange resume {id} --any-hour --out FILE`"
        )
    }

    /// For programs.
    pub fn view(&self) -> Value {
        json!({"for": "hours", "until": rfc3339(self.until), "hours": self.big})
    }
}

/// Bytes of the rows in an inbox. One that cannot be read has none.
pub fn held(inbox: &Path) -> u64 {
    let files = std::fs::read_dir(inbox).into_iter().flatten().flatten();
    let chunks = files.filter(|file| file.path().extension().is_some_and(|e| e == "chunk" || e == "part"));
    chunks.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
}
