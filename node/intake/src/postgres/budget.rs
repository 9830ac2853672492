//! A socket that gives no more bytes than it was granted. The protocol lets a server announce a row of 1 GiB, and the
//! client library collects a row before it shows it; so the socket ends first.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::limits::ROW_BYTES_MAX;

/// Granted for each step: a row of the largest size and what is read ahead of it.
const GRANT: u64 = 4 * ROW_BYTES_MAX as u64;

/// What may still be read.
#[derive(Debug, Clone)]
pub(super) struct Budget(Arc<AtomicU64>);

impl Budget {
    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(GRANT)))
    }

    /// Grants a further step.
    pub(super) fn renew(&self) {
        self.0.store(GRANT, Ordering::Relaxed);
    }

    /// Nothing is left: the server sent too much at once.
    pub(super) fn spent(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

/// A socket under a [`Budget`].
#[derive(Debug)]
pub(super) struct Metered<S> {
    pub(super) socket: S,
    pub(super) budget: Budget,
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.budget.spent() {
            return Poll::Ready(Err(io::Error::other("the server sent more than a row may have")));
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.socket).poll_read(cx, buf);
        let read = buf.filled().len().saturating_sub(before) as u64;
        let left = self.budget.0.load(Ordering::Relaxed).saturating_sub(read);
        self.budget.0.store(left, Ordering::Relaxed);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
