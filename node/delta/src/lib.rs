//! Delta Sharing as types: what its clients ask, and the lines that they are answered with.
//!
//! **What it is.** The messages of the open protocol (`PROTOCOL.md` of the project delta-io/delta-sharing): pages of shares,
//! schemas and tables ([`listing`]), the questions ([`ask`]), the lines of an answer in both of the protocol's forms
//! ([`lines`], [`capabilities`]), the schema as Spark writes it ([`schema`]), conditions by which files are left out
//! ([`hint`]), errors ([`error`]) and the file that a client is given ([`profile`]).
//!
//! **What it is not.** It decides nothing, opens nothing and knows no dataset: the server brings what a caller may see, and
//! signed addresses. A hint narrows a list of files by what the files' figures already say; it is never a filter on rows
//! and can show nothing that the list without it would not.
//!
//! **Where to begin.** [`ask::Query`] for what is asked, [`lines::Lines`] for what is answered.

pub mod ask;
pub mod capabilities;
pub mod error;
pub mod hint;
pub mod limits;
pub mod lines;
pub mod listing;
pub mod moment;
pub mod profile;
pub mod schema;

pub use ask::{Ask, Changes, Query};
pub use capabilities::{Capabilities, Form};
pub use error::{AskError, ErrorBody};
pub use hint::Hint;
pub use lines::{Change, File, Lines, Metadata};
pub use listing::{Page, Paging};
pub use profile::Profile;
pub use schema::{Column, Kind};
