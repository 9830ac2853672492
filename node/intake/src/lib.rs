//! INTAKE: reads rows from where an agency keeps them.
//!
//! **What it is.** An [`Origin`] says where rows are: a text file as an old program wrote it, a spreadsheet, a folder, a
//! database, an object store, an HTTP interface. [`Origin::open`] gives its [`Rows`] one after another as text in one form
//! (ISO days, decimal points, NFC), with the place of each, and with [`Remark`]s on what a person should know. What the
//! rows become (a snapshot that a decision is applied to) is for others.
//!
//! **What it is not.** It decides nothing, keeps nothing and serves nobody: a consumer's question reaches an
//! origin only where a steward wants it to ([`live`]). It never writes to an origin. It holds no credentials: an origin names the file or the environment variable
//! that does ([`Secret`]).
//!
//! **The rule of the house.** Nothing is guessed silently: what was found out is a remark, what cannot be told is
//! refused with its place. Every reader is bounded ([`limits`]): a file that lies about its size stops, whatever it is.
//!
//! **What rows become.** [`mapping`] makes them fit the columns of a data contract, and tells what it did; [`quality`] holds
//! them against the contract's rules; [`profile`] says what they look like, and how good they are.
//!
//! **Where to begin.** [`Origin`] for what can be read, [`Rows`] for what a reader gives. Everything here blocks: call it
//! from a blocking thread.

mod error;
mod excel;
mod file;
mod flat;
mod folder;
mod font;
mod header;
mod health;
pub mod http;
mod json;
pub mod limits;
pub mod live;
pub mod mapping;
mod origin;
pub mod postgres;
pub mod profile;
pub mod quality;
mod remote;
mod rows;
pub mod s3;
mod secret;
pub mod sqlite;
mod syllable;
mod text;
mod text_form;
mod tls;

#[cfg(test)]
mod testing;

pub use error::{IntakeError, Misfits, Place, Problem, Said};
pub use excel::ExcelOrigin;
pub use folder::{FileForm, FolderOrigin, Take};
pub use font::Font;
pub use health::Health;
pub use json::JsonOrigin;
pub use origin::Origin;
pub use rows::{Cell, Remark, Rows};
pub use secret::Secret;
pub use text::{Delimiter, Encoding, TextOrigin};
