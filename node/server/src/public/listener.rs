//! The public door's socket: HTTP/1.1, with TLS 1.2 or 1.3 where the node has a certificate, plain where a proxy has.
//!
//! Strangers come here, so one address has few connections, a head that does not arrive ends its connection, and bytes that
//! nobody takes end it as well.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::config::PublicSection;
use crate::error::{Error, Result};
use crate::limits;

/// Serves `router` on `listener` until `stop` says so.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    router: Router,
    per_address: bool,
    mut stop: watch::Receiver<bool>,
) {
    let acceptor = tls.map(TlsAcceptor::from);
    let places = Arc::new(Semaphore::new(limits::PUBLIC_CONNECTIONS_MAX));
    let addresses = Addresses::default();
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = crate::operation::stopped(&mut stop) => return,
        };
        let Ok((stream, from)) = accepted else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        // Behind a proxy all connections come from one address.
        let held = per_address.then(|| addresses.take(from.ip()));
        if held.as_ref().is_some_and(Option::is_none) {
            tracing::debug!(%from, "too many connections from one address");
            continue;
        }
        let (acceptor, router, stop) = (acceptor.clone(), router.clone(), stop.clone());
        tokio::spawn(async move {
            let _places = (place, held);
            if let Err(reason) = connection(stream, acceptor, router, stop).await {
                tracing::debug!(%from, reason, "connection ended");
            }
        });
    }
}

async fn connection(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    router: Router,
    stop: watch::Receiver<bool>,
) -> std::result::Result<(), String> {
    stream.set_nodelay(true).map_err(|e| e.to_string())?;
    SockRef::from(&stream).set_tcp_user_timeout(Some(limits::UNCONFIRMED)).map_err(|e| e.to_string())?;
    match acceptor {
        None => speak(TokioIo::new(stream), router, stop).await,
        Some(acceptor) => {
            let tls = tokio::time::timeout(limits::HANDSHAKE_TIMEOUT, acceptor.accept(stream))
                .await
                .map_err(|_| "handshake took too long".to_owned())?
                .map_err(|e| format!("handshake failed: {e}"))?;
            speak(TokioIo::new(tls), router, stop).await
        }
    }
}

async fn speak<S>(io: S, router: Router, mut stop: watch::Receiver<bool>) -> std::result::Result<(), String>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits::HEADER_TIMEOUT).max_headers(64);
    let serving = builder.serve_connection(io, TowerToHyperService::new(router));
    tokio::pin!(serving);
    tokio::select! {
        ended = serving.as_mut() => ended.map_err(|e| e.to_string()),
        () = crate::operation::stopped(&mut stop) => {
            serving.as_mut().graceful_shutdown();
            tokio::time::timeout(limits::SHUTDOWN_GRACE, serving).await.ok();
            Ok(())
        }
    }
}

/// What the door shows of itself over TLS; none where it speaks plain HTTP.
///
/// # Errors
/// [`Error::Usage`] for files that are no certificate and key of one another.
pub fn tls(dir: &std::path::Path, section: &PublicSection) -> Result<Option<Arc<rustls::ServerConfig>>> {
    let (Some(certificate), Some(key)) = (&section.certificate, &section.key) else { return Ok(None) };
    let (certificate, key) = (dir.join(certificate), dir.join(key));
    let bad =
        |path: &std::path::Path, what: &str| Error::usage(format!("[public]: `{}` {what}", path.display()));
    let chain = CertificateDer::pem_file_iter(&certificate)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|e| bad(&certificate, &format!("holds no PEM certificates: {e}")))?;
    let secret = PrivateKeyDer::from_pem_file(&key).map_err(|_| bad(&key, "holds no PEM private key"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Error::internal)?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|e| bad(&certificate, &format!("and its key do not fit: {e}")))?;
    Ok(Some(Arc::new(config)))
}

/// Connections by address.
#[derive(Clone, Default)]
struct Addresses(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A connection's place among those of its address.
struct Held {
    addresses: Addresses,
    from: IpAddr,
}

impl Addresses {
    fn take(&self, from: IpAddr) -> Option<Held> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(from).or_default();
        if *count >= limits::PUBLIC_CONNECTIONS_PER_ADDRESS_MAX {
            return None;
        }
        *count += 1;
        Some(Held { addresses: self.clone(), from })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut counts = self.addresses.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.from) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_places_and_gets_them_back() {
        let addresses = Addresses::default();
        let from: IpAddr = "192.0.2.1".parse().unwrap();
        let held: Vec<_> =
            (0..limits::PUBLIC_CONNECTIONS_PER_ADDRESS_MAX).map(|_| addresses.take(from).unwrap()).collect();
        assert!(addresses.take(from).is_none());
        assert!(addresses.take("192.0.2.2".parse().unwrap()).is_some(), "others are not held up");
        drop(held);
        assert!(addresses.take(from).is_some());
    }
}
