//! DATA: sources, governed views, formats, chunks and their digests.
//!
//! **What it is.** The one place that opens a dataset's file. It shows a consumer the view that a decision allows
//! ([`Restriction`]) narrowed by what the consumer asks ([`Query`]), as a stream of bytes in one of the
//! [`OutputFormat`]s, and cuts such a stream into chunks whose digests go into a signed manifest. On the consumer's
//! side it keeps chunks as they come ([`Landing`]; [`Inbox`] where they are [`sealing`]ed) and puts the answers of several
//! sources together ([`join`]).
//!
//! **What it is not.** It does not decide (crate `policy`), does not sign (crate `certs`), and knows nothing of
//! agreements or of the network. It runs no SQL: a request is a structure, a small part of SQL can be
//! written in its place ([`Query::from_sql`]) and is translated before anything is planned, and there is no EXPLAIN, no
//! `information_schema` and no second table to ask about.
//!
//! **The rule of the house.** A consumer must not learn anything of a row that the policy hides or of a value that
//! it masks: not through results, counts, errors or plans. So the policy's plan is built first and is closed by a
//! barrier node that no optimiser rule crosses (`engine::governed`); what the consumer asks runs on top of it.
//! Timing is not hidden.
//!
//! **Where to begin.** [`inspect()`] and [`validate()`] when a file is registered; [`output_schema`] to check a
//! request; [`run`] to answer it; [`spool`] to cut the answer into chunks. Only this crate may name DataFusion and
//! Arrow, and no type of theirs appears in its public face.

mod calendar;
pub mod canonical;
pub mod changes;
mod csv_rows;
mod disclosure;
mod encode;
mod engine;
mod error;
mod hashed;
mod inbox;
mod inspect;
mod joining;
mod landing;
pub mod limits;
pub mod merkle;
mod narrow;
mod parts;
mod period;
mod predicate;
mod query;
mod records;
mod restriction;
mod run;
mod schema;
pub mod sealing;
mod shape;
mod sheet;
mod source;
mod spool;
mod sql;

pub use disclosure::{Added, BOUND_MAX, DOMINANCE_N_MAX, Disclosure, Dominance, Laplace, Noise, RoundTo};
pub use encode::OutputFormat;
pub use error::{DataError, Problem};
pub use inbox::{Accepted, Inbox};
pub use inspect::{FileReport, Inspection, inspect, validate};
pub use joining::{JoinKind, Joined, Joining, Step, Table, join};
pub use landing::{Due, Landing, Synced};
pub use limits::Limits;
pub use narrow::{Narrowing, narrowing};
pub use parts::{ColumnStats, Part, PartLimits, PartsSummary, write_parts};
pub use period::{NoTimePart, Period, TimePart};
pub use predicate::{Op, Predicate, Test, Value};
pub use query::{Function, Measure, Order, Query};
pub use restriction::{AggregateOnly, HashKey, Mask, Restriction, Subject, TimeUnit, WATERMARK};
pub use run::{Answer, Job, Outcome, output_schema, run, visible_schema};
pub use schema::{Column, ColumnKind, Schema};
pub use source::{Format, Source};
pub use spool::{
    Chunk, ChunkDigest, ChunkFile, ChunkWriter, Progress, SpoolReader, SpoolState, SpoolSummary, spool,
};
pub use sql::{SqlError, THIS_DATASET};
