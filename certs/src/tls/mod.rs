//! Mutual TLS between nodes.
//!
//! Promises: TLS 1.3 only, one named crypto provider (aws-lc-rs), a certificate on both ends, every certificate
//! checked (self-signature, validity period, extended key usage) *and* pinned by the SHA-256 of its
//! SubjectPublicKeyInfo, and no session resumption, because a resumed session never asks the verifier again and
//! so outlives a removal from the allow-list. Host names are not compared: the pinned key is the identity.
//!
//! Not here: sockets, time-outs, the registry. The server feeds the [`PeerGate`], asks it again on each request,
//! and closes the connections of a peer that it removed.

mod gate;
mod verifier;

use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::server::{NoServerSessionStorage, ParsedCertificate};
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use webpki::KeyUsage;

pub use gate::{GATE_PEERS_MAX, PeerGate, PeerGateError};
use verifier::{AllowListed, OnePeer};

use crate::encode::sha256;
use crate::keys::ChannelKey;

/// The protocol name that both ends offer (ALPN): HTTP/1.1.
pub const ALPN_HTTP_1_1: &[u8] = b"http/1.1";

/// Why a TLS configuration cannot be made or a certificate not be read.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The library refused our own key or certificate.
    #[error("the channel key cannot be used for TLS: {0}")]
    OwnKey(#[source] rustls::Error),
    /// No certificate on a connection that must have one.
    #[error("the peer showed no certificate; nodes authenticate each other with their channel keys")]
    NoCertificate,
    /// The certificate does not parse.
    #[error("the peer's certificate is malformed: {0}")]
    Malformed(#[source] rustls::Error),
}

/// What a node listens with: asks every client for a certificate and lets the gate decide.
///
/// # Errors
/// [`TlsError::OwnKey`].
pub fn server_config(key: &ChannelKey, gate: Arc<PeerGate>) -> Result<Arc<ServerConfig>, TlsError> {
    server_config_with_clock(key, gate, Arc::new(DefaultTimeProvider))
}

/// [`server_config`] with a clock of the caller's.
///
/// # Errors
/// [`TlsError::OwnKey`].
pub fn server_config_with_clock(
    key: &ChannelKey,
    gate: Arc<PeerGate>,
    clock: Arc<dyn TimeProvider>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = provider();
    let mut config = ServerConfig::builder_with_details(provider.clone(), clock)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::OwnKey)?
        .with_client_cert_verifier(Arc::new(AllowListed::new(gate, &provider)))
        .with_single_cert(vec![key.certificate().clone()], private_key(key))
        .map_err(TlsError::OwnKey)?;
    config.alpn_protocols = vec![ALPN_HTTP_1_1.to_vec()];
    // All three, so that no single forgotten default brings resumption back.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}

/// What a node calls one peer with: only the key whose SPKI has this SHA-256 is accepted.
///
/// # Errors
/// [`TlsError::OwnKey`].
pub fn client_config(key: &ChannelKey, expected_spki: [u8; 32]) -> Result<Arc<ClientConfig>, TlsError> {
    client_config_with_clock(key, expected_spki, Arc::new(DefaultTimeProvider))
}

/// [`client_config`] with a clock of the caller's.
///
/// # Errors
/// [`TlsError::OwnKey`].
pub fn client_config_with_clock(
    key: &ChannelKey,
    expected_spki: [u8; 32],
    clock: Arc<dyn TimeProvider>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = provider();
    let mut config = ClientConfig::builder_with_details(provider.clone(), clock)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::OwnKey)?
        .dangerous() // "dangerous" is the library's word for any verifier of one's own: see `verifier`
        .with_custom_certificate_verifier(Arc::new(OnePeer::new(expected_spki, &provider)))
        .with_client_auth_cert(vec![key.certificate().clone()], private_key(key))
        .map_err(TlsError::OwnKey)?;
    config.alpn_protocols = vec![ALPN_HTTP_1_1.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    Ok(Arc::new(config))
}

/// Checks our own certificate exactly as every peer will, so that a damaged or expired one is found at the start and not
/// by being refused everywhere. `now` in Unix seconds.
///
/// # Errors
/// [`TlsError::OwnKey`].
pub fn check_own(key: &ChannelKey, now: i64) -> Result<(), TlsError> {
    let algorithms = provider().signature_verification_algorithms;
    let now = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now).unwrap_or(0)));
    for usage in [KeyUsage::client_auth(), KeyUsage::server_auth()] {
        verifier::self_issued(key.certificate(), &[], now, usage, &algorithms).map_err(TlsError::OwnKey)?;
    }
    Ok(())
}

/// SHA-256 of the peer's SubjectPublicKeyInfo, from the certificates that a finished handshake reports.
///
/// # Errors
/// [`TlsError::NoCertificate`] for an empty list, [`TlsError::Malformed`] otherwise.
pub fn peer_spki(certificates: &[CertificateDer<'_>]) -> Result<[u8; 32], TlsError> {
    spki_sha256(certificates.first().ok_or(TlsError::NoCertificate)?)
}

/// SHA-256 of a certificate's SubjectPublicKeyInfo in DER: the pin.
///
/// # Errors
/// [`TlsError::Malformed`].
pub fn spki_sha256(certificate: &CertificateDer<'_>) -> Result<[u8; 32], TlsError> {
    let parsed = ParsedCertificate::try_from(certificate).map_err(TlsError::Malformed)?;
    Ok(sha256(&parsed.subject_public_key_info()))
}

/// SHA-256 of the peer's whole certificate: what a transfer token is bound to (RFC 8705 `x5t#S256`).
///
/// # Errors
/// [`TlsError::NoCertificate`].
pub fn peer_thumbprint(certificates: &[CertificateDer<'_>]) -> Result<[u8; 32], TlsError> {
    certificates.first().map(|certificate| sha256(certificate)).ok_or(TlsError::NoCertificate)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn private_key(key: &ChannelKey) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.private_der().to_vec()))
}

#[cfg(test)]
mod tests;
