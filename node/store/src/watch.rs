//! A hint that something changed. Lossy by design: a reader that fell behind is told so and reads everything again.

use tokio::sync::broadcast;

use crate::Space;

/// A commit wrote to this space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The space written to.
    pub space: Space,
    /// The revision of the newest transaction of the group that wrote to it.
    pub revision: u64,
}

/// What a watcher is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Something in this space changed, durably.
    Changed(Changed),
    /// Hints were lost: anything may have changed.
    Missed,
}

/// A watcher of the whole store, from [`crate::Store::watch`].
#[derive(Debug)]
pub struct Watch(pub(crate) broadcast::Receiver<Changed>);

impl Watch {
    /// Waits for the next hint; `None` once the store is closed and all hints are read.
    pub async fn next(&mut self) -> Option<Hint> {
        match self.0.recv().await {
            Ok(changed) => Some(Hint::Changed(changed)),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Hint::Missed),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}
