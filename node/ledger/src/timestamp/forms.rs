//! Forms and names that the crates for CMS and time-stamps do not have.

use der::asn1::OctetString;
use der::{Any, Sequence};
use x509_tsp::TspVersion;

use super::TimestampError;
use der::oid::ObjectIdentifier;

type Oid = ObjectIdentifier;

pub(super) const SHA_256: Oid = Oid::new_unwrap("2.16.840.1.101.3.4.2.1");
pub(super) const SHA_384: Oid = Oid::new_unwrap("2.16.840.1.101.3.4.2.2");
pub(super) const SHA_512: Oid = Oid::new_unwrap("2.16.840.1.101.3.4.2.3");
pub(super) const SIGNED_DATA: Oid = Oid::new_unwrap("1.2.840.113549.1.7.2");
pub(super) const TST_INFO: Oid = Oid::new_unwrap("1.2.840.113549.1.9.16.1.4");
pub(super) const CONTENT_TYPE: Oid = Oid::new_unwrap("1.2.840.113549.1.9.3");
pub(super) const MESSAGE_DIGEST: Oid = Oid::new_unwrap("1.2.840.113549.1.9.4");
pub(super) const SIGNING_CERTIFICATE_V2: Oid = Oid::new_unwrap("1.2.840.113549.1.9.16.2.47");
pub(super) const EXTENDED_KEY_USAGE: Oid = Oid::new_unwrap("2.5.29.37");
pub(super) const TIME_STAMPING: Oid = Oid::new_unwrap("1.3.6.1.5.5.7.3.8");
pub(super) const VERSION: TspVersion = TspVersion::V1;

/// `SigningCertificateV2` (RFC 5035 section 3).
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub(super) struct SigningCertificateV2 {
    pub certs: Vec<EssCertIdV2>,
    #[asn1(optional = "true")]
    pub policies: Option<Any>,
}

/// `ESSCertIDv2` (RFC 5035 section 4); without an algorithm it is SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub(super) struct EssCertIdV2 {
    #[asn1(optional = "true")]
    pub hash_algorithm: Option<Algorithm>,
    pub cert_hash: OctetString,
    #[asn1(optional = "true")]
    pub issuer_serial: Option<Any>,
}

/// `AlgorithmIdentifier`.
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub(super) struct Algorithm {
    pub oid: Oid,
    #[asn1(optional = "true")]
    pub parameters: Option<Any>,
}

/// The digest by its name; SHA-1 and its elders are not there.
pub(super) fn digest(algorithm: &Oid, bytes: &[u8]) -> Result<Vec<u8>, TimestampError> {
    use sha2::Digest as _;
    match *algorithm {
        SHA_256 => Ok(sha2::Sha256::digest(bytes).to_vec()),
        SHA_384 => Ok(sha2::Sha384::digest(bytes).to_vec()),
        SHA_512 => Ok(sha2::Sha512::digest(bytes).to_vec()),
        other => Err(TimestampError::Algorithm(other.to_string())),
    }
}

/// Parameters of these algorithms say nothing: absent, or NULL.
pub(super) fn no_parameters(parameters: Option<&Any>) -> bool {
    parameters.is_none_or(|any| any.is_null())
}
