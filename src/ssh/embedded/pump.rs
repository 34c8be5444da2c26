//! Bytes between a client's socket and the session, with the faults that were asked for.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;

use super::Faults;

const PIECE_BYTES: usize = 64 * 1024;

/// Runs until either side ends or the connection is cut.
pub(super) async fn pump(stream: TcpStream, near: DuplexStream, faults: Arc<Faults>) {
    let (mut from_client, to_client) = stream.into_split();
    let (from_session, mut to_session) = tokio::io::split(near);
    let incoming = async {
        // Ends with either side; which of them does not matter.
        let _ = tokio::io::copy(&mut from_client, &mut to_session).await;
    };
    tokio::select! {
        () = incoming => {}
        () = outgoing(from_session, to_client, &faults) => {}
    }
}

async fn outgoing(
    mut from_session: tokio::io::ReadHalf<DuplexStream>,
    mut to_client: tokio::net::tcp::OwnedWriteHalf,
    faults: &Faults,
) {
    let mut stalled = faults.stalled.subscribe();
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        let Ok(length @ 1..) = from_session.read(&mut buffer).await else { return };
        if stalled.wait_for(|stalled| !stalled).await.is_err() {
            return;
        }
        let allowed = allowance(faults, length as u64);
        let piece = &buffer[..usize::try_from(allowed).unwrap_or(length).min(length)];
        if to_client.write_all(piece).await.is_err() {
            return;
        }
        faults.sent_bytes.fetch_add(piece.len() as u64, Ordering::AcqRel);
        if piece.len() < length || allowed == 0 {
            return;
        }
        let rate = faults.rate.load(Ordering::Acquire);
        if rate > 0 {
            let pause = Duration::from_secs_f64(piece.len() as f64 / rate as f64);
            tokio::time::sleep(pause).await;
        }
    }
}

/// How many of `length` bytes may be sent; fewer than all means: cut after them. The cut is used
/// up.
fn allowance(faults: &Faults, length: u64) -> u64 {
    let mut allowed = length;
    let _ = faults.cut_in_bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| {
        allowed = left.min(length);
        match left {
            u64::MAX => None,
            left if left < length => Some(u64::MAX),
            left => Some(left - length),
        }
    });
    allowed
}
