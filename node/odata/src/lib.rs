//! ASK: OData 4.0 for reading tables, as spreadsheets and reporting programs ask it.
//!
//! - [`Model`] is what a caller may query, as entity sets; [`csdl`] writes it as `$metadata`, [`service`] as the service
//!   document.
//! - [`Options::parse`] reads the system query options of a request (`$filter`, `$select` …) against one [`EntitySet`];
//!   [`Expr`] is a filter with every name and kind checked.
//! - [`carry::carry`] says which part of a filter a query can carry that knows comparisons of single columns only, and
//!   whether that is all of it; [`Expr::holds`] does the rest, row by row.
//! - [`Accept::read`] chooses the form of the answer, [`answer`] writes rows, counts and errors.
//!
//! What it is not: no HTTP, no engine, no clock, no state. It decides nothing about who may see what: a model holds only
//! what its caller may see, so a column that is hidden and one that is not there are the same here.
//!
//! Sources: OData Version 4.0 and 4.01, Part 1: Protocol; Part 2: URL Conventions; CSDL XML and CSDL JSON; JSON Format;
//! the ABNF construction rules. Begin with [`Options::parse`].

mod accept;
pub mod answer;
pub mod carry;
pub mod csdl;
mod error;
mod eval;
mod expr;
mod functions;
mod lex;
pub mod limits;
mod literal;
mod model;
mod names;
mod options;
mod parse;
mod pushed;
pub mod service;
mod value;

pub use accept::{Accept, Metadata, version};
pub use error::{Fault, Kind};
pub use expr::{Compare, Expr};
pub use functions::Function;
pub use model::{Column, ColumnKind, EntitySet, Model, Property};
pub use names::{dataset_of, set_name};
pub use options::{Options, Order, Paging};
pub use parse::filter;
pub use value::Value;
