//! The two certificate verifiers.
//!
//! Promises: what they accept is a well-formed certificate, signed by its own key, valid now, meant for this end of
//! the connection, sent alone, and pinned. The proof that the peer holds the key (the handshake signature) is left
//! to the provider's own verification, never asserted here.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, PeerIncompatible,
    SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use subtle::ConstantTimeEq as _;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::gate::PeerGate;
use super::spki_sha256;
use crate::encode::hex;

/// A certificate of ours is under 1 KiB; nothing larger is worth parsing.
const CERTIFICATE_BYTES_MAX: usize = 16 * 1024;

/// Accepts clients whose key the gate admits.
pub(super) struct AllowListed {
    gate: Arc<PeerGate>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl AllowListed {
    pub(super) fn new(gate: Arc<PeerGate>, provider: &CryptoProvider) -> Self {
        Self { gate, algorithms: provider.signature_verification_algorithms }
    }
}

impl ClientCertVerifier for AllowListed {
    fn client_auth_mandatory(&self) -> bool {
        true
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let spki = self_issued(end_entity, intermediates, now, KeyUsage::client_auth(), &self.algorithms)?;
        if !self.gate.admits(&spki) {
            return Err(not_pinned(&spki));
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl fmt::Debug for AllowListed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AllowListed({:?})", self.gate)
    }
}

/// Accepts exactly one server key.
pub(super) struct OnePeer {
    expected_spki: [u8; 32],
    algorithms: WebPkiSupportedAlgorithms,
}

impl OnePeer {
    pub(super) fn new(expected_spki: [u8; 32], provider: &CryptoProvider) -> Self {
        Self { expected_spki, algorithms: provider.signature_verification_algorithms }
    }
}

impl ServerCertVerifier for OnePeer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let spki = self_issued(end_entity, intermediates, now, KeyUsage::server_auth(), &self.algorithms)?;
        if !bool::from(spki.ct_eq(&self.expected_spki)) {
            return Err(not_pinned(&spki));
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl fmt::Debug for OnePeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OnePeer({})", hex(&self.expected_spki))
    }
}

/// Checks the certificate as its own trust anchor and returns its pin.
pub(super) fn self_issued(
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    now: UnixTime,
    usage: KeyUsage,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<[u8; 32], Error> {
    if !intermediates.is_empty() || end_entity.len() > CERTIFICATE_BYTES_MAX {
        return Err(CertificateError::BadEncoding.into());
    }
    let parsed = EndEntityCert::try_from(end_entity).map_err(certificate_error)?;
    let anchor = anchor_from_trusted_cert(end_entity).map_err(certificate_error)?;
    parsed
        .verify_for_usage(algorithms.all, &[anchor], &[], now, usage, None, None)
        .map_err(certificate_error)?;
    spki_sha256(end_entity).map_err(|_| CertificateError::BadEncoding.into())
}

fn not_pinned(spki: &[u8; 32]) -> Error {
    CertificateError::Other(OtherError(Arc::new(NotPinned { spki: hex(spki) }))).into()
}

fn no_tls12() -> Error {
    Error::PeerIncompatible(PeerIncompatible::Tls12NotOfferedOrEnabled)
}

/// The alerts differ by cause, so that the other side's operator learns what to repair.
fn certificate_error(error: webpki::Error) -> Error {
    match error {
        webpki::Error::CertExpired { .. } => CertificateError::Expired.into(),
        webpki::Error::CertNotValidYet { .. } => CertificateError::NotValidYet.into(),
        webpki::Error::BadDer | webpki::Error::BadDerTime => CertificateError::BadEncoding.into(),
        webpki::Error::InvalidSignatureForPublicKey => CertificateError::BadSignature.into(),
        webpki::Error::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose.into(),
        other => CertificateError::Other(OtherError(Arc::new(other))).into(),
    }
}

/// The certificate is in order, but its key is not the expected one.
#[derive(thiserror::Error)]
#[error(
    "the channel key with SPKI SHA-256 `{spki}` is not on the allow-list; check the registry or pair the nodes"
)]
struct NotPinned {
    spki: String,
}

/// The library prints causes with `Debug`: the operator should read the sentence all the same.
impl fmt::Debug for NotPinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
