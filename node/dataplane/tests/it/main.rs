//! The crate through its public face: real files, bad files, attacks, noninterference, chunks.

mod attacks;
mod chunks;
mod common;
mod files;
mod noninterference;
mod real;
