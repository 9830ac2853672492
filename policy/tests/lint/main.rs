//! Lint: each kind of finding is made where it must be, and not made where nothing is wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic; that is how it fails")]

#[path = "../common/mod.rs"]
mod common;
mod cover;
mod help;
mod law;
mod rest;
mod sound;
