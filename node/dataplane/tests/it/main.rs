//! The crate through its public face: real files, bad files, attacks, noninterference, chunks.
#![allow(clippy::unwrap_used, reason = "tests may unwrap, their helpers too")]

mod answers;
mod attacks;
mod chunks;
mod common;
mod corpus;
mod disclosure;
mod files;
mod formats;
mod hostile;
mod hostile_pages;
mod joined;
mod landing;
mod leaks;
mod noninterference;
mod parts;
mod real;
mod sealed;
mod sql;
mod times;
