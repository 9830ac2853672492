//! WHO: keys, certificates, the federation registry, signed messages.
//!
//! What it is: everything that lets one node know another. A node has four keys ([`keys`]), tells them to others in
//! a signed descriptor ([`descriptor`]), finds the others in a registry signed by the federation's operators
//! ([`registry`]) or by pairing two nodes by hand ([`pairing`]), talks to them over mutual TLS ([`tls`]), signs each
//! request and answer ([`message`]) and hands out tokens for one transfer ([`token`]). Signed notes ([`note`]) are
//! the form of everything that goes into a ledger.
//!
//! What it is not: it decides nothing about data (that is `policy`), opens no socket, keeps no time and knows no
//! other crate of the house. Times are Unix seconds given by the caller; randomness is given too, except in
//! [`keys::NodeKeys::generate`] and for the names of temporary files.
//!
//! Where to begin: [`id::ParticipantId`], then [`descriptor::NodeDescriptor`], then [`message::verify_request`].

pub mod descriptor;
pub mod did;
mod encode;
pub mod id;
mod json;
pub mod keys;
pub mod message;
pub mod note;
pub mod pairing;
pub mod public;
pub mod registry;
#[cfg(test)]
mod testing;
pub mod tls;
pub mod token;

pub use id::ParticipantId;
pub use json::JsonError;
pub use keys::{NodeKeys, SigningKeyWithId};
pub use public::{DocSignature, KeyUse, Period, PublicKey};

/// Any error of this crate, for callers that only report it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A participant id.
    #[error(transparent)]
    Id(#[from] id::IdError),
    /// The node's own keys.
    #[error(transparent)]
    Key(#[from] keys::KeyError),
    /// A node descriptor.
    #[error(transparent)]
    Descriptor(#[from] descriptor::DescriptorError),
    /// A registry.
    #[error(transparent)]
    Registry(#[from] registry::RegistryError),
    /// A TLS configuration or certificate.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// A signed request or answer.
    #[error(transparent)]
    Message(#[from] message::MessageError),
    /// A transfer token.
    #[error(transparent)]
    Token(#[from] token::TokenError),
    /// A pairing invitation.
    #[error(transparent)]
    Pairing(#[from] pairing::PairingError),
}
