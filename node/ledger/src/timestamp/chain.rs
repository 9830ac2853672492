//! Whose certificates are believed, and what they must be for.

use std::time::Duration;

use cms::cert::x509::Certificate;
use cms::cert::x509::ext::pkix::ExtendedKeyUsage;
use der::Decode as _;
use der::oid::ObjectIdentifier;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use webpki::aws_lc_rs as algorithms;
use webpki::{EndEntityCert, KeyUsage};

use super::{TimestampError, forms};

/// Certificates of authorities that one file may name.
const ROOTS_MAX: usize = 64;
/// `id-kp-timeStamping` (RFC 3161 section 2.3) as the content of its DER.
const TIME_STAMPING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 8];

/// The roots that a caller believes when they speak about time.
#[derive(Clone)]
pub struct Roots(Vec<TrustAnchor<'static>>);

impl std::fmt::Debug for Roots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Roots({})", self.0.len())
    }
}

impl Roots {
    /// Reads one to 64 certificates in PEM.
    ///
    /// # Errors
    /// [`TimestampError::Roots`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, TimestampError> {
        let refuse = |why: String| TimestampError::Roots(why);
        let mut anchors = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| refuse(error.to_string()))?;
            let anchor = webpki::anchor_from_trusted_cert(&certificate);
            anchors.push(anchor.map_err(|error| refuse(error.to_string()))?.to_owned());
            if anchors.len() > ROOTS_MAX {
                return Err(refuse(format!("more than {ROOTS_MAX} certificates")));
            }
        }
        if anchors.is_empty() {
            Err(refuse("no certificate is in them".to_owned()))
        } else {
            Ok(Self(anchors))
        }
    }

    /// Whether the certificate led to a root at a time and may make time-stamps.
    pub(super) fn check(
        &self,
        signer: &[u8],
        others: &[Vec<u8>],
        subject: &str,
        time: u64,
    ) -> Result<(), TimestampError> {
        let signer = CertificateDer::from(signer);
        let others: Vec<_> = others.iter().map(|other| CertificateDer::from(other.as_slice())).collect();
        let chain = |error: webpki::Error| reason(subject, &error);
        let certificate = EndEntityCert::try_from(&signer).map_err(chain)?;
        let at = UnixTime::since_unix_epoch(Duration::from_secs(time));
        let usage = KeyUsage::required(TIME_STAMPING);
        let all = webpki::ALL_VERIFICATION_ALGS;
        certificate.verify_for_usage(all, &self.0, &others, at, usage, None, None).map_err(chain)?;
        Ok(())
    }
}

fn reason(subject: &str, error: &webpki::Error) -> TimestampError {
    let subject = subject.to_owned();
    match error {
        webpki::Error::CertExpired { .. } | webpki::Error::CertNotValidYet { .. } => {
            TimestampError::Expired(subject)
        }
        webpki::Error::UnknownIssuer => TimestampError::UnknownRoot(subject),
        webpki::Error::RequiredEkuNotFoundContext(_) => TimestampError::Purpose(subject),
        other => TimestampError::Chain { subject, why: other.to_string() },
    }
}

/// RFC 3161 section 2.3: the extended key usage is there once, critical, and names time-stamping alone.
pub(super) fn is_for_time_stamps_alone(certificate: &Certificate) -> bool {
    let extensions = certificate.tbs_certificate.extensions.as_deref().unwrap_or_default();
    let mut found = extensions.iter().filter(|extension| extension.extn_id == forms::EXTENDED_KEY_USAGE);
    let (Some(usage), None) = (found.next(), found.next()) else { return false };
    let purposes = ExtendedKeyUsage::from_der(usage.extn_value.as_bytes());
    usage.critical && purposes.is_ok_and(|purposes| purposes.0 == [forms::TIME_STAMPING])
}

/// Verifies a signature made by the key of a certificate.
pub(super) fn check_signature(
    certificate: &[u8],
    algorithm: &ObjectIdentifier,
    digest: &ObjectIdentifier,
    message: &[u8],
    signature: &[u8],
) -> Result<(), TimestampError> {
    let unknown = || TimestampError::Algorithm(format!("{algorithm} with {digest}"));
    let certificate = CertificateDer::from(certificate);
    let certificate = EndEntityCert::try_from(&certificate).map_err(|_| TimestampError::NoCertificate)?;
    let candidates = candidates(algorithm, digest);
    for candidate in candidates {
        match certificate.verify_signature(candidate, message, signature) {
            Ok(()) => return Ok(()),
            // Another curve or kind of key: the next one.
            Err(webpki::Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_)) => {}
            Err(_) => return Err(TimestampError::Signature),
        }
    }
    Err(unknown())
}

/// The ways to read a signature algorithm (RFC 5754, RFC 8419) under a digest algorithm.
fn candidates(
    algorithm: &ObjectIdentifier,
    digest: &ObjectIdentifier,
) -> Vec<&'static dyn SignatureVerificationAlgorithm> {
    use algorithms as a;
    let name = algorithm.to_string();
    match (name.as_str(), *digest) {
        ("1.2.840.10045.4.3.2", forms::SHA_256) => {
            vec![a::ECDSA_P256_SHA256, a::ECDSA_P384_SHA256, a::ECDSA_P521_SHA256]
        }
        ("1.2.840.10045.4.3.3", forms::SHA_384) => {
            vec![a::ECDSA_P256_SHA384, a::ECDSA_P384_SHA384, a::ECDSA_P521_SHA384]
        }
        ("1.2.840.10045.4.3.4", forms::SHA_512) => {
            vec![a::ECDSA_P256_SHA512, a::ECDSA_P384_SHA512, a::ECDSA_P521_SHA512]
        }
        ("1.2.840.113549.1.1.1" | "1.2.840.113549.1.1.11", forms::SHA_256) => {
            vec![a::RSA_PKCS1_2048_8192_SHA256]
        }
        ("1.2.840.113549.1.1.1" | "1.2.840.113549.1.1.12", forms::SHA_384) => {
            vec![a::RSA_PKCS1_2048_8192_SHA384]
        }
        ("1.2.840.113549.1.1.1" | "1.2.840.113549.1.1.13", forms::SHA_512) => {
            vec![a::RSA_PKCS1_2048_8192_SHA512]
        }
        ("1.3.101.112", forms::SHA_512) => vec![a::ED25519],
        _ => vec![],
    }
}
