//! The house rules, as tests: who may know whom, what must be written down, what must never be committed.
//!
//! Each rule collects all its breaches and prints them together, and says how many things it looked at where looking at
//! nothing would be a false comfort.

#![allow(clippy::expect_used, reason = "a rule that can't be looked up has failed")]

#[path = "house/arrows.rs"]
mod arrows;
#[path = "house/documents.rs"]
mod documents;
#[path = "house/scan.rs"]
mod scan;
#[path = "house/sources.rs"]
mod sources;
