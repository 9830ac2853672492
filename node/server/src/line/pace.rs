//! A cap on bytes a second, and bodies that keep to it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_LENGTH;
use axum::response::Response;
use futures::StreamExt;
use hyper::body::Body as _;
use leaky_bucket::RateLimiter;

use super::Way;
use crate::node::Node;

/// How often a bucket is filled: fine enough that a capped line never looks dead.
const FILL: Duration = Duration::from_millis(100);
/// Largest piece of a body that is handed to the connection at once, bytes; with a cap, at most what half a second brings.
const PIECE_BYTES_MAX: usize = 256 << 10;
/// Smallest piece, bytes.
const PIECE_BYTES_MIN: usize = 512;

/// One cap.
#[derive(Debug)]
pub struct Pacer {
    bucket: RateLimiter,
    rate: u64,
}

impl Pacer {
    /// So many bytes a second, with a tenth of a second's worth at once.
    pub fn new(bytes_per_second: u64) -> Self {
        let fill = usize::try_from(bytes_per_second / 10).unwrap_or(usize::MAX).max(1);
        let bucket = RateLimiter::builder().max(fill).initial(fill).refill(fill).interval(FILL).build();
        Self { bucket, rate: bytes_per_second }
    }

    /// Waits until so many bytes may go.
    pub async fn wait(&self, bytes: usize) {
        let mut left = bytes;
        // Never more than the bucket holds at once.
        while left > 0 {
            let piece = left.min(self.bucket.max());
            self.bucket.acquire(piece).await;
            left -= piece;
        }
    }

    /// Bytes a second.
    pub fn rate(&self) -> u64 {
        self.rate
    }
}

/// The body of an answer with data, handed to the connection piece by piece: no faster than the caps allow, and measured.
pub fn served(node: &Arc<Node>, peer: &str, response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact() {
        // A body that comes in pieces has no length of its own to tell.
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    let told = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let total = told.and_then(|length| length.parse::<u64>().ok()).unwrap_or(u64::MAX);
    let under_way = UnderWay {
        node: node.clone(),
        peer: peer.to_owned(),
        body: body.into_data_stream(),
        rest: Bytes::new(),
        gone: 0,
        begun: Instant::now(),
    };
    let pieces = futures::stream::unfold(under_way, move |mut under_way| async move {
        let next = under_way.next(total).await?;
        Some((next, under_way))
    });
    Response::from_parts(head, Body::from_stream(pieces))
}

/// An answer on its way out.
struct UnderWay {
    node: Arc<Node>,
    peer: String,
    body: BodyDataStream,
    rest: Bytes,
    gone: u64,
    begun: Instant,
}

impl UnderWay {
    async fn next(&mut self, total: u64) -> Option<Result<Bytes, axum::Error>> {
        while self.rest.is_empty() {
            match self.body.next().await? {
                Ok(bytes) => self.rest = bytes,
                Err(error) => return Some(Err(error)),
            }
        }
        let len = self.rest.len().min(piece(&self.node, &self.peer));
        let next = self.rest.split_to(len);
        self.node.lines.wait(Way::Serve, &self.peer, next.len()).await;
        if self.gone.saturating_add(len as u64) >= total {
            // The connection asks for the last piece when the others are with the kernel.
            self.node.lines.measure(Way::Serve, &self.peer, self.gone, self.begun.elapsed());
        }
        self.gone += len as u64;
        Some(Ok(next))
    }
}

fn piece(node: &Node, peer: &str) -> usize {
    let cap = node.lines.cap(Way::Serve, peer).map(|cap| usize::try_from(cap / 2).unwrap_or(usize::MAX));
    cap.map_or(PIECE_BYTES_MAX, |half| half.clamp(PIECE_BYTES_MIN, PIECE_BYTES_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pacer_lets_through_no_more_than_it_says() {
        let pacer = Pacer::new(20_000);
        let begun = Instant::now();
        // The bucket begins full with 2,000; four more fills are needed, each after a tenth of a second.
        pacer.wait(10_000).await;
        assert!(begun.elapsed() >= Duration::from_millis(300), "{:?}", begun.elapsed());
    }
}
