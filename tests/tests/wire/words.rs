//! The words of the protocol as this test says them: plain JSON, written from the standard and not from the node's types.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::Signer as _;
use serde_json::{Value, json};

use super::Rogue;

/// The one context of DSP 2025-1.
pub const CONTEXT: &str = "https://w3id.org/dspace/2025/1/context.jsonld";
/// The purpose under which these tests ask: the shipped rules permit it to agencies of the state.
pub const PURPOSE: &str = "environment-monitoring";
/// The format that nodes pull with.
pub const FORMAT: &str = "HttpData-PULL";

/// A message with its context and type.
pub fn message(kind: &str, body: Value) -> Value {
    let mut whole = json!({"@context": [CONTEXT], "@type": kind});
    if let (Value::Object(whole), Value::Object(body)) = (&mut whole, body) {
        whole.extend(body);
    }
    whole
}

/// A message about a process.
pub fn about(kind: &str, provider_pid: &str, consumer_pid: &str) -> Value {
    message(kind, json!({"providerPid": provider_pid, "consumerPid": consumer_pid}))
}

/// A message about a process with one more property.
pub fn about_with(kind: &str, provider_pid: &str, consumer_pid: &str, key: &str, value: Value) -> Value {
    let mut message = about(kind, provider_pid, consumer_pid);
    message[key] = value;
    message
}

/// The permission that asks for a purpose on a legal basis.
pub fn permission(purpose: &str) -> Value {
    json!([{
        "action": "use",
        "constraint": [
            {"leftOperand": "odrl:purpose", "operator": "eq", "rightOperand": format!("urn:tram:purpose:{purpose}")},
            {"leftOperand": "urn:tram:ns:legalBasis", "operator": "eq", "rightOperand": "urn:tram:basis:law"},
        ],
    }])
}

/// An offer in a message.
pub fn offer(id: &str, target: &str, purpose: &str) -> Value {
    json!({"@id": id, "@type": "Offer", "target": target, "permission": permission(purpose)})
}

/// The first message of a consumer.
pub fn first_request(consumer_pid: &str, callback: &str, offer: &Value) -> Value {
    message(
        "ContractRequestMessage",
        json!({"consumerPid": consumer_pid, "callbackAddress": callback, "offer": offer}),
    )
}

/// The message that asks for data.
pub fn transfer_request(consumer_pid: &str, callback: &str, agreement: &str) -> Value {
    message(
        "TransferRequestMessage",
        json!({"consumerPid": consumer_pid, "callbackAddress": callback, "agreementId": agreement, "format": FORMAT}),
    )
}

/// The signature on an agreement: the prefix, then its RFC 8785 bytes.
pub fn agreement_signature(rogue: &Rogue, agreement: &Value) -> Value {
    let canonical = serde_json_canonicalizer::to_vec(agreement).unwrap();
    let bytes = [b"tram/agreement@v1\n".as_slice(), &canonical].concat();
    let signature = rogue.signer.key().sign(&bytes).to_bytes();
    json!({"urn:tram:ns:keyid": rogue.signer.keyid(), "urn:tram:ns:value": BASE64.encode(signature)})
}

/// The confirmation of an agreement.
pub fn verification(rogue: &Rogue, provider_pid: &str, consumer_pid: &str, agreement: &Value) -> Value {
    let signature = agreement_signature(rogue, agreement);
    about_with(
        "ContractAgreementVerificationMessage",
        provider_pid,
        consumer_pid,
        "urn:tram:ns:signature",
        signature,
    )
}

/// A pid in a path.
pub fn segment(pid: &str) -> String {
    pid.bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}
