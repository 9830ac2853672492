//! The JSON forms. Peers may add fields and kinds of keys: they are ignored, but stay under the signature.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    DESCRIPTOR_FORMAT, DESCRIPTOR_KEYS_MAX, DescriptorError, KeyMaterial, Names, NodeDescriptor,
    PublishedKey, shown,
};
use crate::encode::{b64, unb64};
use crate::id::ParticipantId;
use crate::public::{DocSignature, KeyUse, Period, PublicKey};

/// A descriptor and its signatures.
#[derive(Clone, Serialize, Deserialize)]
pub struct Signed {
    pub(super) descriptor: Value,
    pub(super) signatures: Vec<DocSignature>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Descriptor {
    format: String,
    participant: ParticipantId,
    names: Names,
    country: String,
    endpoint: String,
    ledger_origin: String,
    issued: i64,
    keys: Vec<Value>,
}

#[derive(Serialize, Deserialize)]
struct Key {
    r#use: String,
    kty: String,
    public: String,
    valid_from: i64,
    valid_until: i64,
}

const ED25519: &str = "ed25519";
const SPKI_SHA256: &str = "spki-sha256";

pub(super) fn of(descriptor: &NodeDescriptor) -> Descriptor {
    Descriptor {
        format: DESCRIPTOR_FORMAT.to_owned(),
        participant: descriptor.participant.clone(),
        names: descriptor.names.clone(),
        country: descriptor.country.clone(),
        endpoint: descriptor.endpoint.clone(),
        ledger_origin: descriptor.ledger_origin.clone(),
        issued: descriptor.issued,
        keys: descriptor.keys.iter().map(key_value).collect(),
    }
}

fn key_value(key: &PublishedKey) -> Value {
    let kty = if key.material.key_use() == KeyUse::Channel { SPKI_SHA256 } else { ED25519 };
    serde_json::json!({
        "use": key.material.key_use().as_str(),
        "kty": kty,
        "public": b64(&key.material.bytes()),
        "valid_from": key.valid.from(),
        "valid_until": key.valid.until(),
    })
}

pub(super) fn to_descriptor(value: &Value) -> Result<NodeDescriptor, DescriptorError> {
    // The format first: a later format may well have another shape.
    match value.get("format").and_then(Value::as_str) {
        Some(DESCRIPTOR_FORMAT) => {}
        other => return Err(DescriptorError::Format(shown(other.unwrap_or("none")))),
    }
    let wire = Descriptor::deserialize(value).map_err(DescriptorError::Shape)?;
    if wire.keys.len() > DESCRIPTOR_KEYS_MAX {
        return Err(DescriptorError::TooManyKeys(wire.keys.len()));
    }
    let mut keys = Vec::new();
    for (index, value) in wire.keys.iter().enumerate() {
        keys.extend(to_key(index, value)?);
    }
    Ok(NodeDescriptor {
        participant: wire.participant,
        names: wire.names,
        country: wire.country,
        endpoint: wire.endpoint,
        ledger_origin: wire.ledger_origin,
        issued: wire.issued,
        keys,
    })
}

/// `None` for a use or kind of key that this version does not know.
fn to_key(index: usize, value: &Value) -> Result<Option<PublishedKey>, DescriptorError> {
    let refuse = |why: String| DescriptorError::Key { index, why };
    let word = |name| value.get(name).and_then(Value::as_str);
    let (Some(key_use), Some(kty)) = (word("use"), word("kty")) else {
        return Err(refuse("`use` and `kty` are needed".to_owned()));
    };
    let Some(key_use) = KeyUse::ALL.into_iter().find(|u| u.as_str() == key_use) else { return Ok(None) };
    let wanted = if key_use == KeyUse::Channel { SPKI_SHA256 } else { ED25519 };
    if kty != wanted {
        return Ok(None);
    }
    let key = Key::deserialize(value).map_err(|e| refuse(e.to_string()))?;
    let valid =
        Period::new(key.valid_from, key.valid_until).ok_or(DescriptorError::Time { field: "keys" })?;
    let material = material(key_use, key.public).map_err(refuse)?;
    Ok(Some(PublishedKey { material, valid }))
}

fn material(key_use: KeyUse, public: String) -> Result<KeyMaterial, String> {
    if key_use == KeyUse::Channel {
        let pin = unb64::<32>(&public).ok_or("`public` is the SHA-256 of the SPKI in standard base64")?;
        return Ok(KeyMaterial::Channel(pin));
    }
    let key = PublicKey::try_from(public).map_err(|e| e.to_string())?;
    Ok(match key_use {
        KeyUse::Ledger => KeyMaterial::Ledger(key),
        KeyUse::Witness => KeyMaterial::Witness(key),
        KeyUse::Signing | KeyUse::Channel => KeyMaterial::Signing(key),
    })
}
