//! DID documents (W3C DID Core 1.0 §5): which keys may do what, and where services are.

use serde_json::{Map, Value};

use super::jwk::{self, Key};
use super::limits::{DOCUMENT_BYTES_MAX, METHODS_MAX, SERVICES_MAX};
use super::{DidError, DidWeb, Signer};
use crate::json::parse_bounded;

/// Verification relationships (DID Core §5.3): what a key is listed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// To act as the party: self-issued tokens. DCP 1.0.1 asks for `capabilityInvocation`; connectors before it list
    /// such keys under `authentication`.
    Act,
    /// To authenticate the holder of a presentation.
    Authentication,
    /// To issue credentials.
    Assertion,
}

impl Relation {
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Act => &["capabilityInvocation", "authentication"],
            Self::Authentication => &["authentication"],
            Self::Assertion => &["assertionMethod"],
        }
    }
}

/// What to make of a document that lists keys but no relationship whatsoever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unlisted {
    /// Its keys may do nothing, as DID Core says.
    #[default]
    Refuse,
    /// Its keys may do anything: for a party whose software writes such documents, named by the operator.
    Accept,
}

/// One service of a party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its type, such as `CredentialService`.
    pub kind: String,
    /// Its address.
    pub endpoint: String,
}

/// A DID document as far as it is used.
#[derive(Clone)]
pub struct Document {
    did: DidWeb,
    methods: Vec<(String, Option<Key>)>,
    relations: Vec<(&'static str, Vec<String>)>,
    services: Vec<Service>,
}

/// All relationships that are read.
const RELATIONS: [&str; 3] = ["capabilityInvocation", "authentication", "assertionMethod"];

impl Document {
    /// Reads the document that was fetched for `did`.
    ///
    /// # Errors
    /// [`DidError::Document`] if it is too large, no JSON object, another party's, or lists too much.
    pub fn read(did: &DidWeb, bytes: &[u8]) -> Result<Self, DidError> {
        let wrong = |why: &str| DidError::Document { did: did.to_string(), why: why.to_owned() };
        let value =
            parse_bounded(bytes, DOCUMENT_BYTES_MAX).map_err(|e| wrong(&format!("cannot be read: {e}")))?;
        let Value::Object(map) = value else { return Err(wrong("is no JSON object")) };
        if map.get("id").and_then(Value::as_str) != Some(did.as_str()) {
            return Err(wrong("is another party's: its `id` differs"));
        }
        let mut document =
            Self { did: did.clone(), methods: Vec::new(), relations: Vec::new(), services: Vec::new() };
        for method in list(&map, "verificationMethod") {
            document.method(method).ok_or_else(|| wrong("has a verification method without `id`"))?;
        }
        for name in RELATIONS {
            let mut ids = Vec::new();
            for entry in list(&map, name) {
                let id = match entry {
                    Value::String(id) => Some(document.absolute(id)),
                    embedded => document.method(embedded),
                };
                ids.push(id.ok_or_else(|| wrong("has an entry without `id`"))?);
            }
            document.relations.push((name, ids));
        }
        document.services = list(&map, "service").iter().filter_map(service).collect();
        let listed: usize = document.relations.iter().map(|(_, ids)| ids.len()).sum();
        if document.methods.len() > METHODS_MAX
            || listed > RELATIONS.len() * METHODS_MAX
            || document.services.len() > SERVICES_MAX
        {
            return Err(wrong("lists more keys or services than are taken"));
        }
        Ok(document)
    }

    /// Whose it is.
    #[must_use]
    pub fn did(&self) -> &DidWeb {
        &self.did
    }

    /// Address of the first service of a type.
    #[must_use]
    pub fn service(&self, kind: &str) -> Option<&str> {
        self.services.iter().find(|s| s.kind == kind).map(|s| s.endpoint.as_str())
    }

    /// The key that a token names, if it is listed for that use. Without a name there must be exactly one method.
    pub(crate) fn key(
        &self,
        signer: Signer<'_>,
        relation: Relation,
        unlisted: Unlisted,
    ) -> Result<&Key, DidError> {
        let wrong = |why: &str| DidError::Document { did: self.did.to_string(), why: why.to_owned() };
        let id = match signer {
            Some(kid) => self.absolute(kid),
            None => match self.methods.as_slice() {
                [(only, _)] => only.clone(),
                _ => return Err(wrong("lists several keys, and the token names none")),
            },
        };
        if !id.starts_with(&format!("{}#", self.did)) {
            return Err(wrong("is asked for a key of another party"));
        }
        let none_listed = self.relations.iter().all(|(_, ids)| ids.is_empty());
        let listed =
            self.relations.iter().any(|(name, ids)| relation.names().contains(name) && ids.contains(&id));
        let accepted = listed || (none_listed && unlisted == Unlisted::Accept);
        if !accepted {
            return Err(wrong(&format!("does not list the key under `{}`", relation.names().join("` or `"))));
        }
        let mut same = self.methods.iter().filter(|(method, _)| *method == id);
        match (same.next(), same.next()) {
            (Some((_, Some(key))), None) => Ok(key),
            (Some((_, None)), None) => {
                Err(wrong("gives the key in a form that is not taken (JWK of P-256 or Ed25519)"))
            }
            (None, _) => Err(wrong("has no such key")),
            _ => Err(wrong("lists two keys under one id")),
        }
    }

    /// Adds a method, whose id is returned; keys of others (`controller`) are kept without key material.
    fn method(&mut self, value: &Value) -> Option<String> {
        let map = value.as_object()?;
        let id = self.absolute(map.get("id")?.as_str()?);
        let own = map.get("controller").is_none_or(|c| c.as_str() == Some(self.did.as_str()));
        let key = map.get("publicKeyJwk").and_then(Value::as_object).filter(|_| own).and_then(jwk::key);
        self.methods.push((id.clone(), key));
        Some(id)
    }

    /// Ids may be written as `#key` or `key`, relative to the document.
    fn absolute(&self, id: &str) -> String {
        if id.starts_with("did:") {
            return id.to_owned();
        }
        format!("{}#{}", self.did, id.strip_prefix('#').unwrap_or(id))
    }
}

/// An array, or a single value in its place; nothing if absent.
pub(crate) fn list<'a>(map: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    match map.get(name) {
        Some(Value::Array(values)) => values,
        Some(Value::Null) | None => &[],
        Some(one) => std::slice::from_ref(one),
    }
}

fn service(value: &Value) -> Option<Service> {
    let map = value.as_object()?;
    let kind = list(map, "type").first()?.as_str()?.to_owned();
    let endpoint = map.get("serviceEndpoint")?.as_str()?.to_owned();
    Some(Service { kind, endpoint })
}
