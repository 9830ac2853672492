//! How fast the lines to peers were, kept over a restart: the first chunks after it are cut as the last ones before it were.
//!
//! **What it is not.** Nothing hangs on it: a file that cannot be read, or is old, is as good as none, and a kill costs what was
//! measured since the last look.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Way;
use crate::error::{Error, Result};
use crate::files;

/// Longest file that is read, bytes: some 50 for each way to each peer.
const BYTES_MAX: usize = 4 << 20;
/// After how long what was measured says nothing of a line any more, seconds (30 days).
const AGE_SECONDS_MAX: i64 = 30 * 86_400;
/// Fastest rate that is believed, bytes a second: what no line of a node brings.
const RATE_MAX: u64 = 1 << 40;

/// Bytes a second by way and peer.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rates {
    /// When it was written, Unix seconds.
    at: i64,
    serve: BTreeMap<String, u64>,
    fetch: BTreeMap<String, u64>,
}

fn path(dir: &Path) -> PathBuf {
    dir.join("run").join("rates.json")
}

impl Rates {
    /// Of what was measured.
    pub(super) fn of<'a>(measured: impl Iterator<Item = (&'a (Way, String), &'a u64)>, at: i64) -> Self {
        let mut rates = Self { at, ..Self::default() };
        for ((way, peer), rate) in measured {
            let of = if *way == Way::Serve { &mut rates.serve } else { &mut rates.fetch };
            of.insert(peer.clone(), *rate);
        }
        rates
    }

    /// What a node's folder has and can still be meant.
    pub(super) fn read(dir: &Path, now: i64) -> impl Iterator<Item = ((Way, String), u64)> {
        let bytes = files::read_limited(&path(dir), BYTES_MAX).ok();
        let read = bytes.and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok());
        let young = |rates: &Self| (0..AGE_SECONDS_MAX).contains(&now.saturating_sub(rates.at));
        let rates = read.filter(young).unwrap_or_default();
        let named = |way: Way, of: BTreeMap<String, u64>| {
            of.into_iter()
                .filter(|(_, rate)| (1..RATE_MAX).contains(rate))
                .map(move |(peer, rate)| ((way, peer), rate))
        };
        named(Way::Serve, rates.serve).chain(named(Way::Fetch, rates.fetch))
    }

    /// Writes the file, whole or not at all.
    pub(super) fn write(&self, dir: &Path) -> Result<()> {
        files::write_atomic(&path(dir), &serde_json::to_vec(self).map_err(Error::internal)?)
    }
}
