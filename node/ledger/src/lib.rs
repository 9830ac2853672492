//! DID: the tamper-evident ledger of a node: what happened, in a form that nobody can change unseen.
//!
//! A log is a Merkle tree over entries (C2SP `tlog-tiles`), each entry a signed [`statement`]. The log signs
//! checkpoints over its size and root; with an inclusion proof, a checkpoint makes a [`receipt`] that a stranger
//! verifies offline, with this crate or with other people's tools.
//!
//! What it is not: it knows nothing of policies, datasets or the network, and it holds no personal data, only
//! [`commitment`]s whose keys can be destroyed.
//!
//! Begin with [`statement`] for what a leaf says, [`log`] for writing and reading, [`receipt`] for proofs that
//! leave the house, [`mod@verify`] for checking a whole log offline, [`source`] for reading one that lies anywhere. Among logs: [`witness`] cosigns others', [`trust`]
//! says whose cosignatures count, [`gossip`] remembers what logs told us, [`conflict`] is the proof that one told two
//! stories, [`tile_reader`] makes proofs out of others' tiles. The modules [`merkle`], [`bridge`], [`tile`],
//! [`tile_reader`], [`checkpoint`], [`proof`], [`conflict`], [`trust`], [`commitment`] and [`statement`] are pure.

pub mod bridge;
pub mod checkpoint;
pub mod commitment;
pub mod conflict;
mod error;
pub mod gossip;
pub mod log;
pub mod merkle;
pub mod promise;
pub mod proof;
pub mod receipt;
mod sealed;
pub mod source;
pub mod statement;
#[cfg(test)]
mod testing;
mod text;
pub mod tile;
pub mod tile_reader;
pub mod timestamp;
pub mod trust;
pub mod verify;
pub mod witness;

pub use certs::note::{Cosigner, KeyName, Note, NoteError, Signer, Vkey};
pub use error::{LedgerError, Result};
pub use log::{Archived, Committed, Log, LogOptions, Published, Recovery, export_tiles};
pub use receipt::{KeyBook, Receipt, Verdict, verify_receipt};
