//! A time-stamp token: CMS signed data (RFC 5652) over a `TSTInfo` (RFC 3161 section 2.4.2).

use cms::cert::x509::Certificate;
use cms::cert::x509::attr::Attributes;
use cms::cert::{CertificateChoices, IssuerAndSerialNumber};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{SignedData, SignerIdentifier, SignerInfo};
use der::asn1::OctetString;
use der::oid::ObjectIdentifier;
use der::{Any, Decode, Encode as _, Tag, Tagged as _};
use sha2::{Digest as _, Sha256};
use x509_tsp::TstInfo;

use super::chain::{self, Roots};
use super::forms::{self, SigningCertificateV2};
use super::{CERTIFICATES_MAX, SKEW_SECONDS_MAX, Stamp, TOKEN_BYTES_MAX, TimestampError, query};

/// A token that was read, and not yet judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    der: Vec<u8>,
    info: TstInfo,
    /// The bytes of `info`, as they were signed.
    content: Vec<u8>,
    signer: SignerInfo,
    certificates: Vec<Certificate>,
}

/// Judges a token over a message, such as the bytes of a checkpoint note; `now` in POSIX seconds refuses tokens of
/// the future.
///
/// # Errors
/// [`TimestampError`], one kind per check.
pub fn verify(token: &Token, message: &[u8], roots: &Roots, now: u64) -> Result<Stamp, TimestampError> {
    if !token.is_over(&Sha256::digest(message).into()) {
        return Err(TimestampError::OtherMessage);
    }
    let (signer, others) = token.split_certificates()?;
    let encoded = signer.to_der().map_err(TimestampError::malformed("certificate"))?;
    let subject = crate::text::shortened(&signer.tbs_certificate.subject.to_string());
    token.check_signature(&encoded)?;
    if !chain::is_for_time_stamps_alone(signer) {
        return Err(TimestampError::Purpose(subject));
    }
    let time = token.time();
    roots.check(&encoded, &others, &subject, time)?;
    if time > now.saturating_add(SKEW_SECONDS_MAX) {
        return Err(TimestampError::Future { time, now });
    }
    Ok(Stamp {
        time,
        authority: subject,
        policy: token.info.policy.to_string(),
        serial: crate::text::to_hex(token.info.serial_number.as_bytes()),
    })
}

impl Token {
    /// Reads the answer of an authority again, as kept in a `.tsr` file.
    ///
    /// # Errors
    /// [`TimestampError::Refused`], [`TimestampError::Malformed`].
    pub fn from_response(bytes: &[u8]) -> Result<Self, TimestampError> {
        Self::from_der(&query::split(bytes)?)
    }

    /// Reads a token by itself (`ContentInfo`).
    ///
    /// # Errors
    /// [`TimestampError::Malformed`], [`TimestampError::Algorithm`].
    pub fn from_der(bytes: &[u8]) -> Result<Self, TimestampError> {
        let refuse = TimestampError::malformed;
        let wrong = |why: &str| TimestampError::Malformed { what: "token", why: why.to_owned() };
        if bytes.len() > TOKEN_BYTES_MAX {
            return Err(wrong("it is too long"));
        }
        let outer = ContentInfo::from_der(bytes).map_err(refuse("token"))?;
        if outer.content_type != forms::SIGNED_DATA {
            return Err(wrong("it is no signed data"));
        }
        let signed: SignedData = outer.content.decode_as().map_err(refuse("token"))?;
        let content = content(&signed).ok_or_else(|| wrong("it holds no `TSTInfo`"))?;
        let info = TstInfo::from_der(&content).map_err(refuse("token"))?;
        let signer =
            only_signer(&signed).ok_or_else(|| wrong("it must have one signer and nothing unsigned"))?;
        let certificates = certificates(&signed).ok_or_else(|| wrong("too many or odd certificates"))?;
        if info.message_imprint.hash_algorithm.oid != forms::SHA_256 {
            return Err(TimestampError::Algorithm(info.message_imprint.hash_algorithm.oid.to_string()));
        }
        Ok(Self { der: bytes.to_vec(), info, content, signer, certificates })
    }

    /// The bytes of an answer that holds it: what a `.tsr` file holds and `openssl ts -verify -in` reads.
    #[must_use]
    pub fn to_response(&self) -> Vec<u8> {
        query::join(&self.der)
    }

    /// When the authority says that it was made, in POSIX seconds. Unverified.
    #[must_use]
    pub fn time(&self) -> u64 {
        self.info.gen_time.to_unix_duration().as_secs()
    }

    /// Whether it is over this SHA-256 digest.
    #[must_use]
    pub fn is_over(&self, digest: &[u8; 32]) -> bool {
        self.info.message_imprint.hashed_message.as_bytes() == digest
    }

    pub(super) fn nonce(&self) -> Option<&[u8]> {
        self.info.nonce.as_ref().map(der::asn1::Int::as_bytes)
    }

    /// The signer's certificate, and the encoded others.
    fn split_certificates(&self) -> Result<(&Certificate, Vec<Vec<u8>>), TimestampError> {
        let at = self.certificates.iter().position(|certificate| is_of(certificate, &self.signer.sid));
        let at = at.ok_or(TimestampError::NoCertificate)?;
        let signer = self.certificates.get(at).ok_or(TimestampError::NoCertificate)?;
        let others = self.certificates.iter().enumerate().filter(|(n, _)| *n != at);
        let others = others.map(|(_, other)| other.to_der()).collect::<Result<_, _>>();
        Ok((signer, others.map_err(TimestampError::malformed("certificate"))?))
    }

    fn check_signature(&self, certificate: &[u8]) -> Result<(), TimestampError> {
        let digest = self.signer.digest_alg.oid;
        let attributes = self.signer.signed_attrs.as_ref().ok_or(TimestampError::Attribute("all"))?;
        let content_type: ObjectIdentifier = attribute(attributes, forms::CONTENT_TYPE, "contentType")?;
        if content_type != forms::TST_INFO {
            return Err(TimestampError::Attribute("contentType"));
        }
        let expected = forms::digest(&digest, &self.content)?;
        let stated: OctetString = attribute(attributes, forms::MESSAGE_DIGEST, "messageDigest")?;
        if stated.as_bytes() != expected {
            return Err(TimestampError::Attribute("messageDigest"));
        }
        let named: SigningCertificateV2 =
            attribute(attributes, forms::SIGNING_CERTIFICATE_V2, "signingCertificateV2")?;
        check_named(&named, certificate)?;
        // Signed is the SET OF itself, not its place in the message (RFC 5652 section 5.4).
        let message = attributes.to_der().map_err(TimestampError::malformed("attribute"))?;
        let algorithm = &self.signer.signature_algorithm;
        if !forms::no_parameters(algorithm.parameters.as_ref()) {
            return Err(TimestampError::Algorithm(algorithm.oid.to_string()));
        }
        chain::check_signature(
            certificate,
            &algorithm.oid,
            &digest,
            &message,
            self.signer.signature.as_bytes(),
        )
    }
}

/// RFC 5035 section 3: the first of the named certificates is the signer's.
fn check_named(named: &SigningCertificateV2, certificate: &[u8]) -> Result<(), TimestampError> {
    let first = named.certs.first().ok_or(TimestampError::Attribute("signingCertificateV2"))?;
    let algorithm = first.hash_algorithm.as_ref().map_or(forms::SHA_256, |algorithm| algorithm.oid);
    let hash = forms::digest(&algorithm, certificate)?;
    if first.cert_hash.as_bytes() == hash { Ok(()) } else { Err(TimestampError::OtherCertificate) }
}

/// The one value of the one attribute of that type.
fn attribute<T: for<'a> Decode<'a> + for<'a> der::DecodeValue<'a> + der::FixedTag>(
    attributes: &Attributes,
    oid: ObjectIdentifier,
    name: &'static str,
) -> Result<T, TimestampError> {
    let mut found = attributes.iter().filter(|attribute| attribute.oid == oid);
    let (Some(attribute), None) = (found.next(), found.next()) else {
        return Err(TimestampError::Attribute(name));
    };
    let mut values = attribute.values.iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(TimestampError::Attribute(name));
    };
    value.decode_as().map_err(|_| TimestampError::Attribute(name))
}

fn content(signed: &SignedData) -> Option<Vec<u8>> {
    let encapsulated = &signed.encap_content_info;
    let content: &Any = encapsulated.econtent.as_ref()?;
    let is_info = encapsulated.econtent_type == forms::TST_INFO && content.tag() == Tag::OctetString;
    is_info.then(|| content.value().to_vec())
}

/// The signer, when everything around it is as RFC 3161 section 2.4.2 has it: a part that nobody signed and that
/// may be anything could be changed unnoticed.
fn only_signer(signed: &SignedData) -> Option<SignerInfo> {
    let mut signers = signed.signer_infos.0.iter();
    let (Some(signer), None) = (signers.next(), signers.next()) else { return None };
    let mut digests = signed.digest_algorithms.iter();
    let (Some(digest), None) = (digests.next(), digests.next()) else { return None };
    let version = match signer.sid {
        SignerIdentifier::IssuerAndSerialNumber(_) => CmsVersion::V1,
        SignerIdentifier::SubjectKeyIdentifier(_) => CmsVersion::V3,
    };
    let sound = signed.version == CmsVersion::V3
        && signer.version == version
        && digest.oid == signer.digest_alg.oid
        && forms::no_parameters(digest.parameters.as_ref())
        && forms::no_parameters(signer.digest_alg.parameters.as_ref())
        && signed.crls.is_none()
        && signer.unsigned_attrs.is_none();
    sound.then(|| signer.clone())
}

fn certificates(signed: &SignedData) -> Option<Vec<Certificate>> {
    let Some(set) = &signed.certificates else { return Some(Vec::new()) };
    if set.0.len() > CERTIFICATES_MAX {
        return None;
    }
    let certificate = |choice: &CertificateChoices| match choice {
        CertificateChoices::Certificate(certificate) => Some(certificate.clone()),
        CertificateChoices::Other(_) => None,
    };
    set.0.iter().map(certificate).collect()
}

fn is_of(certificate: &Certificate, sid: &SignerIdentifier) -> bool {
    let tbs = &certificate.tbs_certificate;
    match sid {
        SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber { issuer, serial_number }) => {
            tbs.issuer == *issuer && tbs.serial_number == *serial_number
        }
        SignerIdentifier::SubjectKeyIdentifier(id) => {
            use cms::cert::x509::ext::pkix::SubjectKeyIdentifier;
            matches!(tbs.get::<SubjectKeyIdentifier>(), Ok(Some((_, own))) if own == *id)
        }
    }
}
