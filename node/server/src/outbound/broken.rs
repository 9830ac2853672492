//! Answers that broke off in the middle, kept so that the next request goes on where the line died.
//!
//! **Promise.** Nothing is believed by being kept: the head of the first answer is signed over the digest of the whole body,
//! and the whole is held against it when the last byte is here. What does not fit is thrown away and asked for anew.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use certs::message::{RequestContext, SignatureEvidence};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};

use super::Call;
use crate::limits;
use crate::line::Way;
use crate::node::Node;
use crate::peers::Route;

/// An answer of which only a beginning is here.
#[derive(Debug)]
pub struct Broken {
    /// Status and fields.
    pub head: http::response::Parts,
    /// What the answer is bound to.
    pub context: RequestContext,
    /// What this node signed to ask.
    pub asked: SignatureEvidence,
    /// When the head came, Unix seconds.
    pub arrived: i64,
    /// What came of the body.
    pub bytes: Vec<u8>,
}

/// Beginnings by address, within [`limits::BROKEN_BYTES_MAX`].
#[derive(Debug, Default)]
pub struct Beginnings(Mutex<HashMap<String, Broken>>);

impl Beginnings {
    /// Takes out what is kept of the answer from this address.
    pub fn take(&self, url: &str) -> Option<Broken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(url)
    }

    /// Keeps a beginning; the oldest ones make room for it.
    pub fn keep(&self, url: &str, broken: Broken) {
        if broken.bytes.is_empty() {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(url.to_owned(), broken);
        while kept.values().map(|b| b.bytes.len()).sum::<usize>() > limits::BROKEN_BYTES_MAX {
            let oldest = kept.iter().min_by_key(|(_, b)| b.arrived).map(|(url, _)| url.clone());
            match oldest {
                Some(url) => drop(kept.remove(&url)),
                None => return,
            }
        }
    }
}

/// Why a body ended before its end.
#[derive(Debug)]
pub enum Ended {
    /// The line: another try may go on from here.
    Line(String),
    /// More than is read.
    TooLong,
}

impl Ended {
    /// The reason in words.
    pub fn why(&self, bytes_max: usize) -> String {
        match self {
            Self::Line(why) => format!("its answer broke off: {why}"),
            Self::TooLong => format!("its answer is over {bytes_max} bytes"),
        }
    }
}

/// Reads a body to its end into `bytes`, data no faster than the caps allow; a line that stands still is dead.
pub async fn read(
    node: &Node,
    route: &Route,
    call: &Call,
    until: Instant,
    mut body: Incoming,
    bytes: &mut Vec<u8>,
) -> Result<(), Ended> {
    let peer = route.participant.as_str();
    let is_data = call.token.is_some();
    let begun = Instant::now();
    // What the peer says of the length saves copying; it is believed as far as so much may come.
    let said = body.size_hint().exact().and_then(|len| usize::try_from(len).ok()).unwrap_or(0);
    bytes.reserve(said.min(call.answer_bytes_max));
    loop {
        let patience = limits::ANSWER_QUIET.min(until.saturating_duration_since(Instant::now()));
        let frame = match tokio::time::timeout(patience, body.frame()).await {
            Err(_) => return Err(Ended::Line(format!("nothing came for {} s", patience.as_secs()))),
            Ok(None) => break,
            Ok(Some(Err(error))) => return Err(Ended::Line(crate::error::chain(&error))),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len().saturating_add(data.len()) > call.answer_bytes_max {
            return Err(Ended::TooLong);
        }
        bytes.extend_from_slice(&data);
        if is_data {
            node.lines.wait(Way::Fetch, peer, data.len()).await;
        }
    }
    if is_data {
        node.lines.measure(Way::Fetch, peer, bytes.len() as u64, begun.elapsed());
    }
    Ok(())
}

/// Whether an answer is the rest of a body from `from` on (RFC 9110 §14.4).
pub fn is_rest(head: &http::response::Parts, from: usize) -> bool {
    let said = head.headers.get(http::header::CONTENT_RANGE).and_then(|value| value.to_str().ok());
    head.status == http::StatusCode::PARTIAL_CONTENT
        && said.is_some_and(|said| said.starts_with(&format!("bytes {from}-")))
}

#[cfg(test)]
mod tests {
    use super::super::sign;
    use super::*;

    #[tokio::test]
    async fn beginnings_are_kept_within_their_bound_and_the_oldest_go_first() {
        let (_dir, node) = crate::testing::node().await;
        let beginning = |arrived: i64, len: usize| {
            let call = Call::get("https://127.0.0.1:1/x");
            let (_, context, asked) = sign(&node, &call, "urn:agency:vn:b").unwrap();
            let (head, ()) = http::Response::new(()).into_parts();
            Broken { head, context, asked, arrived, bytes: vec![7; len] }
        };
        let kept = Beginnings::default();
        kept.keep("empty", beginning(1, 0));
        assert!(kept.take("empty").is_none(), "nothing came, so there is nothing to go on from");
        let third = limits::BROKEN_BYTES_MAX / 3;
        for (url, arrived) in [("b", 20), ("a", 10), ("c", 30), ("d", 40)] {
            kept.keep(url, beginning(arrived, third));
        }
        assert!(kept.take("a").is_none(), "the oldest made room");
        assert_eq!(kept.take("d").map(|broken| broken.bytes.len()), Some(third));
        assert!(kept.take("d").is_none(), "it is taken once");
        kept.keep("e", beginning(50, limits::BROKEN_BYTES_MAX + 1));
        assert!(kept.take("e").is_none() && kept.take("b").is_none());
        crate::boot::close(&node).await;
    }

    #[test]
    fn only_a_part_that_begins_where_the_beginning_ends_is_its_rest() {
        let head = |status: u16, range: Option<&str>| {
            let mut response = http::Response::builder().status(status);
            if let Some(range) = range {
                response = response.header("content-range", range);
            }
            response.body(()).unwrap().into_parts().0
        };
        assert!(is_rest(&head(206, Some("bytes 100-199/200")), 100));
        for (status, range) in [
            (200, Some("bytes 100-199/200")),
            (206, None),
            (206, Some("bytes 10-199/200")),
            (206, Some("bytes 1000-1999/2000")),
            (416, None),
        ] {
            assert!(!is_rest(&head(status, range), 100), "{status} {range:?}");
        }
    }
}
