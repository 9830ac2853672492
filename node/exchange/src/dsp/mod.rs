//! The words of the Dataspace Protocol 2025-1 (DSP), in its HTTPS binding.
//!
//! Promises: what is written here is valid by the official JSON Schemas: one `@context` URL in an array, `@type` as a
//! string, no empty arrays, compact names. What is read is taken as tolerantly as the standard allows: names with a
//! prefix (`dspace:`, `dcat:`, `odrl:`, `dct:`) or as full IRIs, a string or an object as reference, one object where a
//! list is due, unknown properties kept. What is wrong is named by its JSON pointer, with what to do.
//!
//! Deliberately absent: a JSON-LD processor. Contexts are never fetched; a foreign context is listed and ignored.

mod catalog;
mod description;
mod error;
mod id;
mod message;
mod names;
mod negotiation;
mod policy;
mod transfer;
mod version;
mod wire;

pub use catalog::{
    AccessService, Catalog, CatalogContent, CatalogError, CatalogRequestMessage, DataService, Dataset,
    DatasetRequestMessage, Distribution, RootDataset,
};
pub use description::{DatasetDescription, LangText, OlderVersion};
pub(crate) use error::short;
pub use error::{IdError, MessageError};
pub use id::{Address, Extra, Id, NonEmpty, Timestamp};
pub use message::{Message, NegotiationMessage, TransferMessage};
pub use negotiation::{
    ContractAgreementMessage, ContractAgreementVerificationMessage, ContractNegotiation,
    ContractNegotiationError, ContractNegotiationEventMessage, ContractNegotiationTerminationMessage,
    ContractOfferMessage, ContractRequestMessage, Event, Turn,
};
pub(crate) use policy::to_values;
pub use policy::{Agreement, Constraint, Logic, MessageOffer, Offer, Operator, Profile, Rule, RuleBody};
pub use transfer::{
    DataAddress, EndpointProperty, TransferCompletionMessage, TransferError, TransferProcess,
    TransferRequestMessage, TransferStartMessage, TransferSuspensionMessage, TransferTerminationMessage,
};
pub use version::{Version, VersionAuth, VersionResponse};
pub use wire::{Cause, Pids, Wire, parse, parse_value, to_bytes, to_value};

/// The one JSON-LD context of DSP 2025-1; every root message carries it.
pub const CONTEXT: &str = "https://w3id.org/dspace/2025/1/context.jsonld";

/// The name of this protocol version in the version document.
pub const VERSION: &str = "2025-1";

/// Prefix of everything that we add to DSP; each name is an absolute IRI.
pub const NS: &str = "urn:tram:ns:";
