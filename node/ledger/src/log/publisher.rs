//! The thread that signs: at most one checkpoint per interval, of what is durable; and that tidies up segments.
//!
//! Promise: the guard file outside of the log's folder durably knows a checkpoint before anybody else sees it, so
//! a restored backup of the folder is noticed before it signs a fork.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use certs::note::Signer;
use tokio::sync::watch;

use super::wal::Segment;
use super::{Clock, Published, Shared, disk};
use crate::checkpoint::Checkpoint;
use crate::error::Result;

/// What the writer tells.
pub(super) enum News {
    /// More is durable.
    Grown,
    /// A segment is no longer written on.
    Replaced(Segment),
}

pub(super) struct Publisher {
    pub shared: Arc<Shared>,
    pub signer: Signer,
    pub clock: Clock,
    pub checkpoint: PathBuf,
    pub guard: PathBuf,
    pub folder: PathBuf,
    pub interval: Duration,
    pub published: watch::Sender<Option<Arc<Published>>>,
}

impl Publisher {
    /// Publishes until the writer ends; the last thing it does is to publish what is not published yet.
    pub fn run(self, news: &Receiver<News>) {
        if let Err(error) = self.serve(news) {
            self.shared.poison(&error.to_string());
        }
    }

    fn serve(&self, news: &Receiver<News>) -> Result<()> {
        let mut grown = false;
        let mut last = Instant::now();
        loop {
            let left = self.interval.saturating_sub(last.elapsed());
            if grown && left.is_zero() {
                self.publish()?;
                last = Instant::now();
                grown = false;
                continue;
            }
            let heard = if grown {
                news.recv_timeout(left)
            } else {
                news.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match heard {
                Ok(News::Grown) => grown = true,
                Ok(News::Replaced(segment)) => self.recycle(&segment)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return if grown { self.publish() } else { Ok(()) },
            }
        }
    }

    /// Signs the newest durable tree.
    pub fn publish(&self) -> Result<()> {
        let snapshot = self.shared.snapshot();
        let origin = self.signer.vkey().name().clone();
        let checkpoint = Checkpoint { origin, size: snapshot.size, root: snapshot.root };
        let signed = checkpoint.sign(&self.signer)?;
        let bytes = signed.to_bytes();
        disk::replace(&self.guard, &bytes)?;
        disk::replace(&self.checkpoint, &bytes)?;
        let published = Published { signed, signed_at: (self.clock)() };
        self.published.send_replace(Some(Arc::new(published)));
        Ok(())
    }

    /// Deletes a segment after what it holds is durable in the flat files.
    fn recycle(&self, segment: &Segment) -> Result<()> {
        self.shared.flat.sync()?;
        disk::remove(&segment.path)?;
        disk::sync_folder(&self.folder)
    }
}
