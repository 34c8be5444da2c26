//! Takes connections, each for one request, and bounds all that a client can make it hold.
//!
//! **Promises.** Whoever is slow, silent or endless is cut off: a head has [`HEAD_PATIENCE`] and
//! [`HEAD_BYTES_MAX`], the whole exchange [`PATIENCE`], and there are [`AT_ONCE`] at once. HTTP/1.1
//! only. Told to stop, it takes no more and lets answers that are under way go out.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::run::stop::{Phase, Stop};
use crate::web::{App, routes};

/// Connections at once.
pub const AT_ONCE: usize = 256;
/// How long a head may take.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// How long a request and its answer may take: a note may wait for a run to listen.
const PATIENCE: Duration = Duration::from_secs(45);
/// How long answers may go on after a stop.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// Longest head.
const HEAD_BYTES_MAX: usize = 16 << 10;
const HEADERS_MAX: usize = 64;
/// After a connection could not be taken: out of files, as a rule, and it passes.
const PAUSE: Duration = Duration::from_millis(100);

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub IpAddr);

/// Serves `app` on `listener` until `stop`.
pub async fn serve(listener: TcpListener, app: App, stop: &Stop) {
    let router = routes::router(Arc::new(app));
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let place = tokio::select! {
            () = stop.reached(Phase::Draining) => break,
            place = places.clone().acquire_owned() => place,
        };
        // It is never closed.
        let Ok(place) = place else { break };
        let taken = tokio::select! {
            () = stop.reached(Phase::Draining) => break,
            taken = listener.accept() => taken,
        };
        let Ok((stream, peer)) = taken else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let router = router.clone();
        tokio::spawn(async move {
            // Whoever is cut off, or goes away, gets no answer.
            let _ = tokio::time::timeout(PATIENCE, exchange(stream, router, peer.ip())).await;
            drop(place);
        });
    }
    drop(listener);
    let all = u32::try_from(AT_ONCE).unwrap_or(u32::MAX);
    tokio::select! {
        _ = places.acquire_many(all) => {}
        () = tokio::time::sleep(LAST_ANSWERS) => {}
        () = stop.reached(Phase::Stopping) => {}
    }
}

async fn exchange(stream: TcpStream, router: Router, peer: IpAddr) -> hyper::Result<()> {
    let router = router.layer(Extension(Peer(peer.to_canonical())));
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .keep_alive(false)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .await
}
