//! A client for addresses that are no peers: mirrors of logs, time-stamping authorities. No identity of this node goes out
//! with it, redirects are not followed, and nothing that comes back is believed for where it came from.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::error::{Error, Result, chain};
use crate::limits;

/// The roots that the system keeps, where nobody says otherwise.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";
/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(20);

/// The client.
pub struct Web(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Web {
    /// With TLS roots from a PEM file, or the system's. `plain`: only `http://` is asked for, so no roots are needed.
    pub fn new(roots: Option<&Path>, plain: bool) -> Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(limits::CONNECT_TIMEOUT));
        let connector = HttpsConnector::from((tcp, tls(roots, plain)?));
        let mut client = Client::builder(TokioExecutor::new());
        client.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE);
        Ok(Self(client.build(connector)))
    }

    /// One request; the body of the answer is read up to `bytes_max`, all within the time of a request to a peer.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when the line fails, [`Error::Peer`] when the answer is too long or breaks off.
    pub async fn ask(&self, request: Request<Full<Bytes>>, bytes_max: usize) -> Result<Response<Bytes>> {
        let place = request.uri().to_string();
        let work = async {
            let sent = self.0.request(request).await;
            let response = sent.map_err(|e| Error::Unreachable(format!("`{place}`: {}", chain(&e))))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, bytes_max).collect().await.map_err(|e| {
                Error::Peer(format!("the answer of `{place}` broke off or is over {bytes_max} bytes: {e}"))
            })?;
            Ok(Response::from_parts(head, body.to_bytes()))
        };
        match tokio::time::timeout(limits::PEER_REQUEST_TIMEOUT, work).await {
            Ok(done) => done,
            Err(_) => Err(Error::Unreachable(format!("`{place}` gave no answer in time"))),
        }
    }
}

/// What TLS is spoken with. Roots are read only where TLS is spoken: a machine without any can still ask itself.
pub fn tls(roots: Option<&Path>, plain: bool) -> Result<Arc<rustls::ClientConfig>> {
    let mut store = rustls::RootCertStore::empty();
    let path = roots.unwrap_or(Path::new(SYSTEM_ROOTS));
    if !plain {
        let unreadable = |e: &dyn std::fmt::Display| {
            Error::usage(format!(
                "`{}` holds no certificates that can be used: {e}; name another file of roots",
                path.display()
            ))
        };
        for certificate in CertificateDer::pem_file_iter(path).map_err(|e| unreadable(&e))? {
            // A bundle of a system may hold some that this library does not take; the others count.
            let _ = store.add(certificate.map_err(|e| unreadable(&e))?);
        }
        if store.is_empty() {
            return Err(unreadable(&"none was found"));
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Error::internal)?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
