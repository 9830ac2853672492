//! A log behind an address: `checkpoint` and `tile/…` below one URL, as C2SP `tlog-tiles` says.
//!
//! Limits: no redirects are followed, a token goes over TLS or to this machine only, answers are cut at what the format
//! allows, each request has its time. A line that drops is tried again a few times before it counts as down.

use std::path::Path;
use std::time::Duration;

use axum::body::Bytes;
use http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::Full;
use ledger::LedgerError;
use ledger::checkpoint::CHECKPOINT_BYTES_MAX;
use ledger::source::{BUNDLE_BYTES_MAX, Source, TILE_BYTES_MAX};
use ledger::tile::{Content, Tile};
use tokio::runtime::Handle;

use crate::error::{Error, Result};
use crate::web::Web;

/// Tries of one request before the line counts as down.
const TRIES: u32 = 3;
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(300);

/// A log behind an address. Calls block: use it in a thread that may.
pub struct Http {
    base: String,
    web: Web,
    token: Option<HeaderValue>,
    handle: Handle,
}

impl Http {
    /// For `base`, with TLS roots from a PEM file (the system's without one) and a bearer token.
    pub fn new(base: &str, roots: Option<&Path>, token: Option<&str>, handle: Handle) -> Result<Self> {
        let base = base.trim_end_matches('/').to_owned();
        let uri: Uri =
            base.parse().map_err(|e| Error::usage(format!("`{base}` is no address of a log: {e}")))?;
        let plain = uri.scheme_str() == Some("http");
        if token.is_some() && plain && !is_here(uri.host().unwrap_or_default()) {
            return Err(Error::usage(format!(
                "a token would go to `{base}` in the clear; use https://, or leave the token out"
            )));
        }
        let token = token.map(|token| HeaderValue::from_str(&format!("Bearer {token}"))).transpose();
        let mut token =
            token.map_err(|_| Error::usage("the token holds characters that a header cannot carry"))?;
        if let Some(token) = token.as_mut() {
            token.set_sensitive(true);
        }
        Ok(Self { base, web: Web::new(roots, plain)?, token, handle })
    }

    fn get(&self, name: &str, max: usize) -> std::result::Result<Option<Vec<u8>>, LedgerError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.handle.block_on(self.once(name, max)) {
                Err(Failed { passes: true, .. }) if tries < TRIES => std::thread::sleep(PAUSE),
                Err(failed) => {
                    return Err(LedgerError::Unreadable { place: self.place(name), why: failed.why });
                }
                Ok(found) => return Ok(found),
            }
        }
    }

    async fn once(&self, name: &str, max: usize) -> std::result::Result<Option<Vec<u8>>, Failed> {
        let mut request = Request::get(self.place(name));
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, token);
        }
        let request = request.body(Full::new(Bytes::new()));
        let request = request.map_err(|e| Failed { why: e.to_string(), passes: false })?;
        let answer = self.web.ask(request, max).await;
        let answer = answer.map_err(|e| Failed { why: e.to_string(), passes: true })?;
        match answer.status() {
            StatusCode::OK => Ok(Some(answer.into_body().to_vec())),
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let why = "the answer was 401 or 403: give the bearer token with --token-file FILE or in TRAM_LEDGER_TOKEN, or check it";
                Err(Failed { why: why.to_owned(), passes: false })
            }
            other => Err(Failed { why: format!("the answer was {other}"), passes: other.is_server_error() }),
        }
    }
}

struct Failed {
    why: String,
    /// Whether another try may do better.
    passes: bool,
}

impl Source for Http {
    fn checkpoint(&self) -> std::result::Result<Vec<u8>, LedgerError> {
        let found = self.get("checkpoint", CHECKPOINT_BYTES_MAX)?;
        found.ok_or_else(|| LedgerError::Unreadable {
            place: self.place("checkpoint"),
            why:
                "there is none; give the address below which `checkpoint` and `tile/` lie, of a running node \
                  http://HOST:PORT/v1/ledger/tlog"
                    .to_owned(),
        })
    }

    fn tile(&self, tile: &Tile) -> std::result::Result<Option<Vec<u8>>, LedgerError> {
        let max = match tile.content() {
            Content::Hashes { .. } => TILE_BYTES_MAX,
            Content::Entries => BUNDLE_BYTES_MAX,
        };
        self.get(&tile.to_string(), max)
    }

    fn place(&self, name: &str) -> String {
        format!("{}/{name}", self.base)
    }
}

fn is_here(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn a_token_goes_over_tls_or_to_this_machine_only() {
        let handle = tokio::runtime::Handle::current();
        let made = |base: &str| super::Http::new(base, None, Some("secret"), handle.clone());
        let refused = made("http://mirror.example/log").err().unwrap().to_string();
        assert!(refused.contains("in the clear") && !refused.contains("secret"), "{refused}");
        assert!(made("http://127.0.0.1:1/log").is_ok());
        assert!(made("http://[::1]:1/log").is_ok());
        assert!(made("http://127.0.0.1.example:1/log").is_err());
    }
}
