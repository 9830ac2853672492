//! Whom a TLS connection to a source trusts: the machine's certificate authorities, or those of one file.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::IntakeError;
use crate::limits::CA_BYTES_MAX;

/// The one crypto provider of the node.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Certificates of the authorities that are trusted: those of the PEM file `ca`, else the machine's.
///
/// # Errors
/// [`IntakeError::Origin`] when there are none.
pub(crate) fn authorities(ca: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, IntakeError> {
    let found = match ca {
        Some(path) => of_file(path),
        None => rustls_native_certs::load_native_certs().certs,
    };
    if found.is_empty() {
        let at = ca.map_or_else(|| "ca-certificates".to_owned(), |path| path.display().to_string());
        return Err(IntakeError::origin(
            format!("không tìm thấy chứng chỉ gốc nào (PEM) trong {at}"),
            format!("no certificate of an authority (PEM) in {at}"),
        ));
    }
    Ok(found)
}

fn of_file(path: &Path) -> Vec<CertificateDer<'static>> {
    let mut pem = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(CA_BYTES_MAX).read_to_end(&mut pem));
    if read.is_err() {
        return Vec::new();
    }
    CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok).collect()
}

/// A client that proves nothing about itself and believes only `ca`, or the machine's authorities.
///
/// # Errors
/// [`IntakeError::Origin`] when there is nobody to trust.
pub(crate) fn client(ca: Option<&Path>) -> Result<rustls::ClientConfig, IntakeError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(authorities(ca)?);
    let config =
        rustls::ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let config = config.map_err(|e| IntakeError::origin(format!("TLS: {e}"), format!("TLS: {e}")))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
