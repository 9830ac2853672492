//! This node's own identity towards connectors: a P-256 key (ES256 is what every connector verifies), its document and
//! its self-issued tokens. It is a key of its own: what signs agreements between nodes never signs for other protocols.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::document::Service;
use super::limits::{KEY_FILE_BYTES_MAX, OWN_TOKEN_LIFETIME_S};
use super::{DidError, DidWeb};
use crate::encode::{b64url, sha256};

/// Name of the key file in the folder of keys.
pub const KEY_FILE: &str = "connector.key";

/// The key.
pub struct OwnKey {
    pair: KeyPair,
    x: String,
    y: String,
}

impl OwnKey {
    /// Makes a new key from the operating system's randomness.
    ///
    /// # Errors
    /// [`DidError::OwnKey`] if none can be made.
    pub fn generate() -> Result<Self, DidError> {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
            .map_err(|e| DidError::OwnKey(format!("cannot be made: {e}")))?;
        Self::of(pair)
    }

    /// Reads the key file, or makes it (mode 0600) if there is none.
    ///
    /// # Errors
    /// [`DidError::OwnKey`] if others can read it, it is malformed, or cannot be read or written.
    pub fn load_or_create(path: &Path) -> Result<Self, DidError> {
        let wrong = |why: String| DidError::OwnKey(format!("`{}` {why}", path.display()));
        match File::open(path) {
            Ok(file) => {
                let mode = file.metadata().map_err(|e| wrong(e.to_string()))?.mode() & 0o7777;
                if mode & 0o077 != 0 {
                    return Err(wrong(format!("has mode {mode:04o}, so others can use it: chmod 600 it")));
                }
                let mut text = Zeroizing::new(String::new());
                file.take(KEY_FILE_BYTES_MAX)
                    .read_to_string(&mut text)
                    .map_err(|e| wrong(format!("cannot be read: {e}")))?;
                let pair = KeyPair::from_pkcs8_pem_and_sign_algo(&text, &PKCS_ECDSA_P256_SHA256)
                    .map_err(|_| wrong("is no P-256 private key in PKCS#8 PEM".to_owned()))?;
                Self::of(pair)
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let key = Self::generate()?;
                let pem = Zeroizing::new(key.pair.serialize_pem());
                let mut options = OpenOptions::new();
                let file = options.write(true).create_new(true).mode(0o600).open(path);
                let written = file.and_then(|mut file| {
                    file.write_all(pem.as_bytes())?;
                    file.sync_all()
                });
                written.map_err(|e| wrong(format!("cannot be written: {e}")))?;
                Ok(key)
            }
            Err(e) => Err(wrong(format!("cannot be opened: {e}"))),
        }
    }

    fn of(pair: KeyPair) -> Result<Self, DidError> {
        // An uncompressed point: 4, x, y (SEC 1 §2.3.3).
        let (x, y) = match pair.public_key_raw() {
            [4, point @ ..] if point.len() == 64 => {
                let (x, y) = point.split_at(32);
                (b64url(x), b64url(y))
            }
            _ => return Err(DidError::OwnKey("has no point in the usual form".to_owned())),
        };
        Ok(Self { pair, x, y })
    }

    /// Its id within the document: the thumbprint of RFC 7638.
    #[must_use]
    pub fn fragment(&self) -> String {
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, self.x, self.y);
        b64url(&sha256(canonical.as_bytes()))
    }

    /// The DID document to publish.
    #[must_use]
    pub fn document(&self, did: &DidWeb, services: &[Service]) -> Value {
        let id = format!("{did}#{}", self.fragment());
        let service = |(n, service): (usize, &Service)| json!({"id": format!("{did}#service-{}", n + 1), "type": service.kind, "serviceEndpoint": service.endpoint});
        json!({
            "@context": [
                "https://www.w3.org/ns/did/v1",
                "https://w3id.org/security/suites/jws-2020/v1",
                "https://w3id.org/dspace/2025/1/context.jsonld",
            ],
            "id": did.as_str(),
            "verificationMethod": [{
                "id": id, "type": "JsonWebKey2020", "controller": did.as_str(),
                "publicKeyJwk": {
                    "kty": "EC", "crv": "P-256", "x": self.x, "y": self.y,
                    "alg": "ES256", "use": "sig", "kid": self.fragment(),
                },
            }],
            "authentication": [id],
            "assertionMethod": [id],
            "capabilityInvocation": [id],
            "service": services.iter().enumerate().map(service).collect::<Vec<_>>(),
        })
    }

    /// A self-issued token for one message to `audience`, carrying what opens `audience`'s own service, if anything.
    ///
    /// # Errors
    /// [`DidError::OwnKey`] if it cannot be signed.
    pub fn mint(
        &self,
        did: &DidWeb,
        audience: &str,
        jti: &str,
        now: i64,
        token: Option<&str>,
    ) -> Result<String, DidError> {
        let mut claims = json!({
            "iss": did.as_str(), "sub": did.as_str(), "aud": audience, "jti": jti,
            "iat": now, "nbf": now, "exp": now.saturating_add(OWN_TOKEN_LIFETIME_S),
        });
        if let (Some(token), Value::Object(map)) = (token, &mut claims) {
            map.insert("token".to_owned(), token.into());
        }
        crate::token::install_provider();
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(format!("{did}#{}", self.fragment()));
        let der = Zeroizing::new(self.pair.serialize_der());
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ec_der(&der))
            .map_err(|_| DidError::OwnKey("cannot sign".to_owned()))
    }
}

impl std::fmt::Debug for OwnKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OwnKey({})", self.fragment())
    }
}
