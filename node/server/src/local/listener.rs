//! The local door's socket: plain HTTP/1.1 on loopback.

use std::sync::Arc;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::limits;

/// Serves `router` on `listener` until `stop` says so.
pub async fn serve(listener: TcpListener, router: Router, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(limits::LOCAL_CONNECTIONS_MAX));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = crate::operation::stopped(&mut stop) => return,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let (router, mut stop) = (router.clone(), stop.clone());
        tokio::spawn(async move {
            let _place = place;
            let mut builder = hyper::server::conn::http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(limits::HEADER_TIMEOUT).max_headers(64);
            let serving = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
            tokio::pin!(serving);
            tokio::select! {
                ended = serving.as_mut() => if let Err(error) = ended {
                    tracing::debug!(%error, "local connection ended");
                },
                () = crate::operation::stopped(&mut stop) => {
                    serving.as_mut().graceful_shutdown();
                    tokio::time::timeout(limits::SHUTDOWN_GRACE, serving).await.ok();
                }
            }
        });
    }
}
