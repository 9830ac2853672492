//! Time-stamps: asks an authority (RFC 3161) for its word on the ledger's newest checkpoint, now and then, off the hot path.
//!
//! Promise: a token is verified by the configured roots before it is kept; it lies in the ledger's folder, and an
//! `anchor@v1` entry names it. Nothing waits for the authority: while it is silent, exchanges go on and the node's status
//! tells since when.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use http::{Request, header};
use http_body_util::Full;
use ledger::log::Published;
use ledger::statement::{Anchored, Deed};
use ledger::timestamp::{self, Roots, TOKEN_BYTES_MAX, Token, files};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::config::TimestampSection;
use crate::error::{Error, Result};
use crate::flow::statement;
use crate::node::Node;
use crate::operation::{random, rfc3339, stopped};
use crate::web::Web;

/// Longest pause between two looks at whether a stamp is due.
const LOOK: Duration = Duration::from_secs(60);

/// How stamping goes.
#[derive(Debug, Default)]
pub struct State(Mutex<Told>);

#[derive(Debug, Clone, Default)]
struct Told {
    size: u64,
    time: Option<i64>,
    failing_since: Option<i64>,
    why: Option<String>,
}

impl State {
    /// For the node's status.
    pub fn view(&self) -> Value {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        json!({
            "size": told.size,
            "time": told.time.map(rfc3339),
            "failing_since": told.failing_since.map(rfc3339),
            "why": told.why,
        })
    }

    fn change(&self, edit: impl FnOnce(&mut Told)) {
        edit(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn last(&self) -> (u64, Option<i64>) {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (told.size, told.time)
    }
}

/// Whom to ask, with what is needed to believe the answer.
struct Authority {
    section: TimestampSection,
    roots: Roots,
    web: Web,
}

/// The file of roots that the configuration names.
pub fn roots_file(dir: &Path, section: &TimestampSection) -> PathBuf {
    dir.join(&section.roots)
}

/// The roots by which a node's time-stamps are believed.
pub fn roots(dir: &Path, section: &TimestampSection) -> Result<Roots> {
    let path = roots_file(dir, section);
    let pem = std::fs::read(&path).map_err(|e| Error::io(&path, e))?;
    Roots::from_pem(&pem).map_err(|e| Error::usage(format!("`{}`: {e}", path.display())))
}

/// Runs until the node stops.
pub async fn run(node: Arc<Node>, section: TimestampSection) {
    let made = roots(&node.dir, &section).and_then(|roots| {
        let plain = section.authority.starts_with("http://");
        Ok(Authority { web: Web::new(None, plain)?, roots, section })
    });
    let authority = match made {
        Ok(authority) => authority,
        Err(error) => return failed(&node, &error),
    };
    recall(&node);
    let pause = LOOK.min(Duration::from_secs(authority.section.every_seconds));
    let mut stop = node.stop.subscribe();
    loop {
        if let Err(error) = stamp_if_due(&node, &authority).await {
            failed(&node, &error);
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stopped(&mut stop) => return,
        }
    }
}

fn failed(node: &Node, error: &Error) {
    tracing::warn!(%error, "the ledger was not time-stamped; it is tried again");
    let now = node.clock.now();
    node.stamping.change(|told| {
        told.failing_since.get_or_insert(now);
        told.why = Some(error.to_string());
    });
}

/// What was stamped before this start.
fn recall(node: &Node) {
    let Some(last) = files::list(&node.dir.join("ledger")).ok().and_then(|mut pairs| pairs.pop()) else {
        return;
    };
    let Ok(token) = files::read_token(&last) else { return };
    node.stamping.change(|told| {
        told.size = last.size;
        told.time = i64::try_from(token.time()).ok();
    });
}

async fn stamp_if_due(node: &Node, authority: &Authority) -> Result<()> {
    let published = node.ledger.checkpoint().map_err(|e| Error::Unavailable(e.to_string()))?;
    let size = published.checkpoint().size;
    let (last_size, last_time) = node.stamping.last();
    let rested = last_time.is_none_or(|time| {
        node.clock.now().saturating_sub(time)
            >= i64::try_from(authority.section.every_seconds).unwrap_or(i64::MAX)
    });
    // The entry about the last stamp alone is no news.
    if !rested || size <= last_size.saturating_add(1) {
        return Ok(());
    }
    let token = ask(node, authority, &published).await?;
    keep(node, &published, &token).await?;
    let time = i64::try_from(token.time()).map_err(Error::internal)?;
    tracing::info!(size, time, "the ledger was time-stamped");
    node.stamping.change(|told| *told = Told { size, time: Some(time), failing_since: None, why: None });
    Ok(())
}

async fn ask(node: &Node, authority: &Authority, published: &Published) -> Result<Token> {
    let note = published.signed.to_bytes();
    let digest: [u8; 32] = Sha256::digest(&note).into();
    let nonce = u64::from_be_bytes(random::<8>()?);
    let wrong = |e: timestamp::TimestampError| {
        Error::Peer(format!("the time-stamp of `{}`: {e}", authority.section.authority))
    };
    let question = timestamp::request(&digest, nonce).map_err(wrong)?;
    let request = Request::post(&authority.section.authority)
        .header(header::CONTENT_TYPE, "application/timestamp-query")
        .body(Full::new(Bytes::from(question)))
        .map_err(|e| Error::usage(format!("`{}` is no URL: {e}", authority.section.authority)))?;
    let answer = authority.web.ask(request, TOKEN_BYTES_MAX).await?;
    if !answer.status().is_success() {
        return Err(Error::Unreachable(format!(
            "`{}` answered {}",
            authority.section.authority,
            answer.status()
        )));
    }
    let token = timestamp::read_response(answer.body(), &digest, nonce).map_err(wrong)?;
    let now = u64::try_from(node.clock.now()).unwrap_or(0);
    timestamp::verify(&token, &note, &authority.roots, now).map_err(wrong)?;
    Ok(token)
}

/// The files first, then the entry: an entry never names a token that is not there.
async fn keep(node: &Node, published: &Published, token: &Token) -> Result<()> {
    let (folder, signed, kept) = (node.dir.join("ledger"), published.signed.clone(), token.clone());
    tokio::task::spawn_blocking(move || files::store(&folder, &signed, &kept))
        .await
        .map_err(Error::internal)?
        .map_err(Error::internal)?;
    let stamped = i64::try_from(token.time()).map_err(Error::internal)?;
    let deed = Deed::Anchored(Anchored {
        size: published.checkpoint().size,
        root: published.checkpoint().root,
        token: Sha256::digest(token.to_response()).into(),
        stamped: statement::seconds(stamped)?,
    });
    statement::own(node, node.clock.now(), None, deed).await.map(|_| ())
}
