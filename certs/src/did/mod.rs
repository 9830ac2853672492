//! Identities of connectors that are no nodes of this house: `did:web`, self-issued tokens, presented credentials.
//!
//! Promises: nothing is believed before its signature fits a key that the right document lists for the right use; the
//! algorithm comes from the key, never from the token; every claim that the profile asks for is required; a token is
//! good once ([`replay`]); a credential counts only if its subject is the one who presents it, its issuer is one that
//! the operator names, it is valid now and its status can be read and is clear. Doubt is an error, never a pass.
//!
//! What it is not: it opens no socket. Whoever calls fetches the documents and lists ([`web::DidWeb::url`] says where)
//! and hands in the bytes: resolution, caching and what may be fetched from where is the server's. JSON-LD is not
//! processed; the JWT forms are plain JSON.
//!
//! Where to begin: [`token::Unverified::read`], then [`presentation`]. Sources: W3C DID Core 1.0, the did:web method,
//! Eclipse Decentralized Claims Protocol 1.0.1 (DCP), W3C Verifiable Credentials 1.1 and 2.0, StatusList2021 and
//! Bitstring Status List 1.0.

pub mod credential;
pub mod document;
mod jwk;
mod jwt;
pub mod limits;
pub mod own;
pub mod presentation;
pub mod replay;
pub mod status;
#[cfg(test)]
mod tests;
pub mod token;
pub mod web;

pub use document::{Document, Relation, Unlisted};
pub use jwt::{JwtError, Signer};
pub use own::OwnKey;
pub use replay::Replays;
pub use token::SelfIssued;
pub use web::DidWeb;

/// Why an identity is not believed. The text names what is wrong, never the token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DidError {
    /// Not a `did:web` that can be used.
    #[error("`{did}` is no usable did:web: {why}")]
    Did {
        /// What was given, cut to a readable length.
        did: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A DID document.
    #[error("the DID document of `{did}` {why}")]
    Document {
        /// Whose.
        did: String,
        /// What is wrong with it.
        why: String,
    },
    /// A token of any kind.
    #[error("the {what} {source}")]
    Jwt {
        /// Which token.
        what: &'static str,
        /// What is wrong with it.
        source: JwtError,
    },
    /// A claim of a token is missing or says something else.
    #[error("the {what}: {why}")]
    Claim {
        /// Which token.
        what: &'static str,
        /// What is wrong.
        why: &'static str,
    },
    /// A token that was used before, or cannot be known not to have been.
    #[error("the token {0}")]
    Replay(&'static str),
    /// The answer of a credential service.
    #[error("the credential service's answer {0}")]
    Response(&'static str),
    /// A credential that does not hold.
    #[error("a credential does not hold: {0}")]
    Credential(String),
    /// A status list that cannot be used; the credential that names it does not count.
    #[error("the status list `{list}` {why}")]
    Status {
        /// Its address.
        list: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The own key.
    #[error("the connector key {0}")]
    OwnKey(String),
}

/// One claim that is not as it must be.
pub(crate) fn claim(what: &'static str, why: &'static str) -> DidError {
    DidError::Claim { what, why }
}
