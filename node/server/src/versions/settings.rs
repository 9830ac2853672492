//! `[versions]` of the node's configuration: how much is kept for those who come back for what changed.
//!
//! The limits cut only what costs a subscriber a longer answer (the whole instead of what changed). What an agreement or
//! a running exchange needs is kept whatever they say.

use serde::{Deserialize, Serialize};

/// `[versions]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VersionSection {
    /// Versions of one dataset that are kept for subscribers: those who come weekly to what changes daily find theirs.
    pub per_dataset_max: usize,
    /// For how long a subscriber's version is kept, days: a month of holidays or of a broken line.
    pub subscriber_days: u32,
    /// What all kept versions together may take on the disk, MiB: a tenth of an old machine's disk. A dataset that is longer
    /// is served and not kept.
    pub disk_max_mb: u64,
}

impl Default for VersionSection {
    fn default() -> Self {
        Self { per_dataset_max: 16, subscriber_days: 30, disk_max_mb: 20 << 10 }
    }
}

impl VersionSection {
    /// Whether nothing was set, so that nothing is written.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Bytes of [`Self::disk_max_mb`].
    pub fn disk_bytes_max(&self) -> u64 {
        self.disk_max_mb.saturating_mul(1 << 20)
    }

    /// Seconds of [`Self::subscriber_days`].
    pub fn subscriber_seconds(&self) -> i64 {
        i64::from(self.subscriber_days) * 86_400
    }
}
