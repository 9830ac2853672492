//! KEEPS: what the node remembers.
//!
//! Agreements, negotiations, transfers, peers, rule sets, the outbox: small records that must still be there after a
//! crash or a power cut. [`Store`] keeps them in one folder, read and written by one process.
//!
//! What it promises:
//!
//! - **Durable when it answers.** [`Store::commit`] returns only after the records are on the disk. A reader may see a
//!   write a little earlier, so an answer or a signature leaves the node only after *its own* commit has returned.
//! - **All or nothing.** A [`Tx`] carries checks (absent, at revision) and writes (put, delete). If one check fails,
//!   nothing is written; after a crash the whole transaction is there or none of it.
//! - **Never a guess.** Each record carries a checksum over its key and its content. A record that does not fit it is
//!   an error that names space and key.
//! - **Fail stop.** When the disk refuses one sync, the store is read-only until the program starts again: what a
//!   disk did with the data of a failed sync cannot be known.
//!
//! What it is not: it is not the ledger (the tamper-evident log), it holds no datasets (they stay in their sources), it
//! keeps no secrets in clear (overwritten values survive for a while in the engine's files), and it is not a
//! query language: keys are bytes, built so that what is asked for is one key or one range of keys.
//!
//! The engine is sled 0.34.7, which alone does not survive a power cut. The rules that make it survive (one committer,
//! one `fdatasync` per group of transactions, pieces of at most 4 KiB) live in `engine`, `committer` and `frame`;
//! `tests/powerloss.rs` shows both the need and the cure.
//!
//! Begin with [`Store::open`], then [`Tx`].

mod committer;
mod directory;
mod engine;
mod error;
mod export;
mod frame;
mod gate;
pub mod limits;
mod reader;
mod space;
mod store;
mod tx;
mod verify;
mod watch;

#[cfg(test)]
mod store_tests;

pub use error::StoreError;
pub use export::ExportSummary;
pub use space::Space;
pub use store::{OpenOptions, Store};
pub use tx::{Page, Record, Tx, Versioned, prefix_end};
pub use verify::{BadRecord, Report};
pub use watch::{Changed, Hint, Watch};
