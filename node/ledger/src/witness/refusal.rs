//! Why a witness did not cosign, and the status by which it says so (C2SP `tlog-witness`).

use certs::note::KeyName;

use super::wire;
use crate::checkpoint::SignedCheckpoint;
use crate::conflict::Evidence;
use crate::error::LedgerError;

/// Two signed checkpoints of one log that seem to contradict each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspicion {
    /// What this witness cosigned last, with the log's signature and its own.
    pub last: SignedCheckpoint,
    /// What the log's signature was shown on now.
    pub offered: SignedCheckpoint,
    /// The proof for others, when these two and what came with them are already one. Otherwise a bridge out of
    /// the larger tree decides (see [`Evidence::find`]): a wrong proof may also be a client's mistake.
    pub evidence: Option<Evidence>,
}

/// A refusal to cosign. Nothing was signed, and what the witness knows is as it was.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The body is not in the grammar or over its limit.
    #[error(transparent)]
    Malformed(LedgerError),
    /// A log that this witness does not serve.
    #[error("this witness does not know the log `{0}`; ask its keeper to add it")]
    UnknownOrigin(KeyName),
    /// No trusted key of the log signed, or such a signature is wrong.
    #[error("no trusted key of the log `{origin}` signed the checkpoint: {why}")]
    NotSigned {
        /// The log.
        origin: KeyName,
        /// Why not.
        why: LedgerError,
    },
    /// The client wants to go backwards.
    #[error("the old size {old} is over the checkpoint's size {size}; send the size cosigned last")]
    OldOverSize {
        /// What the client named.
        old: u64,
        /// The checkpoint's.
        size: u64,
    },
    /// The client starts from elsewhere than this witness is.
    #[error("this witness cosigned the log last at size {size}; start from there")]
    Stale {
        /// Where this witness is; 0 when it never cosigned.
        size: u64,
        /// The checkpoint has that very size and another root.
        fork: Option<Box<Suspicion>>,
    },
    /// A tree without entries has one root only.
    #[error("the checkpoint is of size 0, and its root is not that of the empty tree")]
    EmptyRoot,
    /// The same size and another root: the log signed two histories.
    #[error("the log signed another root at the same size; this is a fork")]
    OtherRoot(Box<Suspicion>),
    /// The proof does not lead from what was cosigned last to this checkpoint.
    #[error(
        "the proof does not lead from the last cosigned checkpoint to this one; send the right path, or the log has forked"
    )]
    WrongProof(Option<Box<Suspicion>>),
    /// This witness's clock went backwards by more than [`super::CLOCK_BACK_MAX`].
    #[error("this witness's clock says {now}, but it cosigned at {last} already; set the clock right")]
    ClockBack {
        /// POSIX seconds.
        now: u64,
        /// POSIX seconds.
        last: u64,
    },
    /// [`super::ORIGINS_MAX`] logs are remembered.
    #[error("this witness remembers as many logs as it can")]
    Full,
    /// The disk said no; from then on this witness cosigns nothing until it is opened again.
    #[error("this witness could not remember and so did not cosign: {0}")]
    Storage(LedgerError),
    /// An earlier write failed.
    #[error("this witness stopped after a failure of its disk; restart the node once the disk is well")]
    Stopped,
}

impl Refusal {
    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::OldOverSize { .. } => 400,
            Self::NotSigned { .. } => 403,
            Self::UnknownOrigin(_) => 404,
            Self::Stale { .. } => 409,
            Self::EmptyRoot | Self::OtherRoot(_) | Self::WrongProof(_) => 422,
            Self::Storage(_) => 500,
            Self::ClockBack { .. } | Self::Full | Self::Stopped => 503,
        }
    }

    /// The body that the protocol prescribes, with its content type: for a stale client only.
    #[must_use]
    pub fn body(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Stale { size, .. } => Some((wire::SIZE_CONTENT_TYPE, wire::size_body(*size))),
            _ => None,
        }
    }

    /// The two checkpoints to keep, when they seem to contradict each other.
    #[must_use]
    pub fn suspicion(&self) -> Option<&Suspicion> {
        match self {
            Self::Stale { fork: Some(found), .. }
            | Self::OtherRoot(found)
            | Self::WrongProof(Some(found)) => Some(found),
            _ => None,
        }
    }
}
