//! The peer door's socket: mutual TLS 1.3 and nothing else, one task for each connection.
//!
//! The handshake runs in the connection's own task with a time-out, so that a slow or hostile caller holds up nobody.
//! Who is on the line is decided by the certificate and handed to the router as [`Line`].

use std::sync::Arc;

use axum::Router;
use axum::extract::Extension;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::limits;

/// What the TLS layer knows of the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// SHA-256 of the certificate's public key information (SPKI).
    pub spki: [u8; 32],
    /// SHA-256 of the certificate: what a transfer token is bound to (RFC 8705).
    pub certificate: [u8; 32],
}

/// Serves `router` on `listener` until `stop` says so.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<rustls::ServerConfig>,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let acceptor = TlsAcceptor::from(tls);
    let places = Arc::new(Semaphore::new(limits::PEER_CONNECTIONS_MAX));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = crate::operation::stopped(&mut stop) => return,
        };
        let Ok((stream, from)) = accepted else {
            // Out of file descriptors or the like: wait a little instead of spinning.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let (acceptor, router, stop) = (acceptor.clone(), router.clone(), stop.clone());
        tokio::spawn(async move {
            let _place = place;
            if let Err(reason) = connection(stream, acceptor, router, stop).await {
                tracing::debug!(%from, reason, "connection ended");
            }
        });
    }
}

async fn connection(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    router: Router,
    mut stop: watch::Receiver<bool>,
) -> Result<(), String> {
    stream.set_nodelay(true).map_err(|e| e.to_string())?;
    stays_alive(&stream).map_err(|e| e.to_string())?;
    let tls = tokio::time::timeout(limits::HANDSHAKE_TIMEOUT, acceptor.accept(stream))
        .await
        .map_err(|_| "handshake took too long".to_owned())?
        .map_err(|e| format!("handshake failed: {e}"))?;
    let certificates = tls.get_ref().1.peer_certificates().unwrap_or_default();
    let line = line(certificates)?;
    let service = TowerToHyperService::new(router.layer(Extension(line)));
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits::HEADER_TIMEOUT).max_headers(64);
    let serving = builder.serve_connection(TokioIo::new(tls), service);
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

/// Without this a connection whose other end lost its power would keep its place, and a chunk in memory, for a quarter of an
/// hour.
fn stays_alive(stream: &TcpStream) -> std::io::Result<()> {
    let socket = SockRef::from(stream);
    let keepalive =
        TcpKeepalive::new().with_time(limits::KEEPALIVE_AFTER).with_interval(limits::KEEPALIVE_EVERY);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(limits::UNCONFIRMED))
}

fn line(certificates: &[rustls::pki_types::CertificateDer<'_>]) -> Result<Line, String> {
    use sha2::Digest;
    let spki = certs::tls::peer_spki(certificates).map_err(|e| e.to_string())?;
    let first = certificates.first().ok_or("no certificate on the line")?;
    Ok(Line { spki, certificate: sha2::Sha256::digest(first.as_ref()).into() })
}
