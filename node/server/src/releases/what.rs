//! Which rows of a dataset a release is made of.

use serde_json::{Value, json};

use crate::datasets::Dataset;
use crate::versions::Version;

/// Which rows.
#[derive(Debug, Clone, Default)]
pub enum What {
    /// Those that are served now.
    #[default]
    Present,
    /// Those of a kept version.
    Version(Box<Version>),
    /// What changed from a kept version, with the Unix second as of which its rows were made, to another.
    Changes {
        /// The older one.
        from: Box<(Version, i64)>,
        /// The newer one.
        to: Box<Version>,
    },
}

impl What {
    /// The dataset as it was, where that is not the one that is served.
    pub fn dataset<'a>(&'a self, served: &'a Dataset) -> &'a Dataset {
        match self {
            Self::Present => served,
            Self::Version(version) | Self::Changes { to: version, .. } => &version.dataset,
        }
    }

    /// What tells it from others, for names.
    pub fn name(&self) -> Option<Value> {
        match self {
            Self::Present => None,
            Self::Version(version) => Some(json!(["version", version.number])),
            Self::Changes { from, to } => Some(json!(["changes", from.0.number, from.1, to.number])),
        }
    }
}
