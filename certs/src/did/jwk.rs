//! Public keys as documents list them (RFC 7517, RFC 8037): P-256 for ES256, Ed25519 for EdDSA, and no others.

use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value};

use crate::encode::unb64url;
use crate::public::PublicKey;

/// A key with the one algorithm that it verifies.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) algorithm: Algorithm,
    pub(crate) decoding: DecodingKey,
}

/// From a public JWK; `None` for other kinds, malformed points and anything that holds a private part.
pub(crate) fn key(jwk: &Map<String, Value>) -> Option<Key> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    if jwk.contains_key("d") || text("use").is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    let key = match (text("kty")?, text("crv")?) {
        ("EC", "P-256") => {
            let (x, y) = (text("x")?, text("y")?);
            unb64url::<32>(x)?;
            unb64url::<32>(y)?;
            Key { algorithm: Algorithm::ES256, decoding: DecodingKey::from_ec_components(x, y).ok()? }
        }
        ("OKP", "Ed25519") => {
            // Refuses points off the curve and weak ones.
            let raw = PublicKey::from_bytes(&unb64url::<32>(text("x")?)?).ok()?.to_bytes();
            Key { algorithm: Algorithm::EdDSA, decoding: DecodingKey::from_ed_der(&raw) }
        }
        _ => return None,
    };
    let named = match key.algorithm {
        Algorithm::ES256 => "ES256",
        _ => "EdDSA",
    };
    // RFC 9864 names the curve in the algorithm; both names are the same signature.
    text("alg").is_none_or(|alg| alg == named || (named == "EdDSA" && alg == "Ed25519")).then_some(key)
}
