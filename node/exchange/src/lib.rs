//! HOW two nodes agree and move data: the words they say, the order in which they may say them, and the papers that
//! remain.
//!
//! What it is: the messages of the Dataspace Protocol 2025-1 as types ([`dsp`]), the two state machines
//! ([`negotiation`], [`transfer`]) between the same two parties ([`ends`]), the terms inside an offer ([`terms`]), the agreement with both parties' signatures
//! ([`agreement`]) and the signed list of a transfer's chunks ([`manifest`]).
//!
//! What it is not: it has no clock, no randomness, no network and no disk; it decides nothing about permission, signs
//! nothing and fetches nothing. Time, ids, signatures and decisions are arguments. The server joins it to the rest.
//!
//! Where to begin: [`dsp::Message::parse`] turns a body into a known message; [`negotiation::Negotiation::receive`] and
//! [`transfer::Transfer::receive`] say what it changes; everything that leaves is a type of [`dsp`] and is written with
//! [`dsp::to_bytes`].

pub mod agreement;
pub mod dsp;
pub mod ends;
pub mod json;
pub mod limits;
pub mod manifest;
pub mod negotiation;
pub mod refusal;
pub mod role;
mod signature;
pub mod terms;
pub mod transfer;

pub use agreement::{AgreementError, AgreementRecord};
pub use dsp::{Address, Id, Message, MessageError, Timestamp};
pub use json::Digest;
pub use manifest::{Manifest, ManifestError, SignedManifest};
pub use refusal::Refusal;
pub use role::Role;
pub use signature::{DetachedSignature, SignatureFormError};
