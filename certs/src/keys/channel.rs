//! The channel key: an Ed25519 TLS key with a self-signed certificate.
//!
//! Promises: the certificate names the participant as a URI and the hosts as DNS names or addresses, serves both
//! ends of a connection and nothing else, and is valid for exactly the period given. Peers pin the SHA-256 of its
//! SubjectPublicKeyInfo, so a renewed certificate over the same key needs no ceremony.

use std::fmt;
use std::net::IpAddr;

use ed25519_dalek::SigningKey;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ED25519, SanType,
};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::{KeyError, pkcs8_der};
use crate::encode::sha256;
use crate::id::ParticipantId;
use crate::public::{Period, PublicKey};

/// A node has a handful of names; more would bloat every handshake.
pub const CERTIFICATE_HOSTS_MAX: usize = 16;
/// Longest common name (RFC 5280 upper bound `ub-common-name`).
const COMMON_NAME_CHARS_MAX: usize = 64;
/// DER of an Ed25519 SubjectPublicKeyInfo up to its 32 key bytes (RFC 8410 §4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// What goes into the channel certificate.
#[derive(Debug, Clone)]
pub struct CertificateDetails {
    /// Becomes the URI name.
    pub participant: ParticipantId,
    /// Host names and IP addresses of the node, at most [`CERTIFICATE_HOSTS_MAX`].
    pub hosts: Vec<String>,
    /// When the certificate is valid.
    pub valid: Period,
}

/// The channel key and its certificate.
pub struct ChannelKey {
    seed: Zeroizing<[u8; 32]>,
    certificate: CertificateDer<'static>,
}

impl ChannelKey {
    /// Issues a self-signed certificate for the key with this secret.
    ///
    /// # Errors
    /// [`KeyError::Certificate`] says which name or time does not fit.
    pub fn issue(seed: &[u8; 32], details: &CertificateDetails) -> Result<Self, KeyError> {
        let der = pkcs8_der(seed);
        let pair =
            KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(der.as_slice()), &PKCS_ED25519)
                .map_err(|e| KeyError::Certificate(e.to_string()))?;
        let certificate =
            parameters(details)?.self_signed(&pair).map_err(|e| KeyError::Certificate(e.to_string()))?;
        Ok(Self { seed: Zeroizing::new(*seed), certificate: certificate.der().clone() })
    }

    /// Puts a stored key and a stored certificate together; `None` if the certificate is for another key.
    pub(crate) fn from_parts(
        seed: Zeroizing<[u8; 32]>,
        certificate: CertificateDer<'static>,
    ) -> Option<Self> {
        let key = Self { seed, certificate };
        (crate::tls::spki_sha256(&key.certificate).ok()? == key.spki_sha256()).then_some(key)
    }

    /// The certificate in DER.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// SHA-256 of the SubjectPublicKeyInfo: what peers pin.
    #[must_use]
    pub fn spki_sha256(&self) -> [u8; 32] {
        sha256(&[SPKI_PREFIX.as_slice(), &self.public().to_bytes()].concat())
    }

    /// SHA-256 of the certificate: what a transfer token is bound to (RFC 8705 `x5t#S256`).
    #[must_use]
    pub fn certificate_sha256(&self) -> [u8; 32] {
        sha256(&self.certificate)
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey::of(&SigningKey::from_bytes(&self.seed))
    }

    /// When the certificate is valid, read back from it; `None` if it cannot be read.
    #[must_use]
    pub fn certificate_period(&self) -> Option<Period> {
        let (_, parsed) = x509_parser::parse_x509_certificate(&self.certificate).ok()?;
        let validity = parsed.validity();
        Period::new(validity.not_before.timestamp(), validity.not_after.timestamp())
    }

    /// The private key in PKCS#8 DER, for the TLS library.
    pub(crate) fn private_der(&self) -> Zeroizing<Vec<u8>> {
        pkcs8_der(&self.seed)
    }

    pub(super) fn seed(&self) -> &[u8; 32] {
        &self.seed
    }
}

impl fmt::Debug for ChannelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChannelKey(spki sha256 {})", crate::encode::hex(&self.spki_sha256()))
    }
}

fn parameters(details: &CertificateDetails) -> Result<CertificateParams, KeyError> {
    if details.hosts.len() > CERTIFICATE_HOSTS_MAX {
        return Err(KeyError::Certificate(format!("more than {CERTIFICATE_HOSTS_MAX} hosts")));
    }
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(ia5(details.participant.as_str())?)];
    for host in &details.hosts {
        params.subject_alt_names.push(host_name(host)?);
    }
    params.distinguished_name = common_name(&details.participant);
    params.not_before = instant(details.valid.from())?;
    params.not_after = instant(details.valid.until())?;
    // Not a CA: it certifies itself and nobody else.
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

fn common_name(participant: &ParticipantId) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    let short: String = participant.as_str().chars().take(COMMON_NAME_CHARS_MAX).collect();
    name.push(DnType::CommonName, short);
    name
}

fn host_name(host: &str) -> Result<SanType, KeyError> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if host.is_empty() || host.len() > 253 || !host.chars().all(plain) {
        return Err(KeyError::Certificate(format!("`{}` is no host name", host.escape_default())));
    }
    Ok(SanType::DnsName(ia5(host)?))
}

fn ia5(text: &str) -> Result<rcgen::string::Ia5String, KeyError> {
    text.try_into().map_err(|_| KeyError::Certificate(format!("`{}` is not ASCII", text.escape_default())))
}

fn instant(unix_s: i64) -> Result<OffsetDateTime, KeyError> {
    OffsetDateTime::from_unix_timestamp(unix_s)
        .map_err(|_| KeyError::Certificate(format!("`{unix_s}` is no time that a certificate can hold")))
}
