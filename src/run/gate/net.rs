//! Does a port take connections, does it speak SSH, and with which key?

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::mpsc;
use std::time::Duration;

use super::Said;
use crate::ledger::Outcome;
use crate::model::{Clock, Reason};
use crate::ssh::{SshError, shown_key};

/// Opens a connection and closes it.
pub fn connect(place: IpAddr, port: u16, within: Duration) -> Said {
    match TcpStream::connect_timeout(&SocketAddr::new(place, port), within) {
        Ok(_) => (Outcome::Passed, "it takes connections".to_owned()),
        Err(error) => of_io(&error),
    }
}

/// What the system said, as an answer.
pub(super) fn of_io(error: &std::io::Error) -> Said {
    match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => {
            (Outcome::TimedOut, "no connection".to_owned())
        }
        ErrorKind::ConnectionRefused => (Outcome::Failed, "connection refused".to_owned()),
        ErrorKind::ConnectionReset => (Outcome::Failed, "connection reset".to_owned()),
        _ => (Outcome::Failed, error.to_string()),
    }
}

/// The first address of a name. The system's resolver cannot be told how long it may take: it is
/// left behind.
pub fn resolve(address: &str, within: Duration) -> Result<IpAddr, Said> {
    if let Ok(ip) = address.parse() {
        return Ok(ip);
    }
    let (tell, told) = mpsc::channel();
    let name = address.to_owned();
    std::thread::spawn(move || {
        // Nobody may be waiting any more.
        let _ = tell.send((name.as_str(), 0).to_socket_addrs().map(|mut found| found.next()));
    });
    match told.recv_timeout(within) {
        Ok(Ok(Some(place))) => Ok(place.ip()),
        Ok(Ok(None)) => Err((Outcome::Failed, "the name has no address".to_owned())),
        Ok(Err(error)) => Err((Outcome::Failed, format!("the name cannot be found: {error}"))),
        Err(_) => Err((Outcome::TimedOut, "the name service does not answer".to_owned())),
    }
}

/// Agrees on keys and looks at the host's.
pub async fn ssh(
    place: IpAddr,
    port: u16,
    host_key: Option<&str>,
    within: Duration,
    clock: &dyn Clock,
) -> Said {
    let shown = tokio::time::timeout(within, shown_key(place, port, host_key, clock)).await;
    match shown {
        Err(_) => (Outcome::TimedOut, "no SSH greeting".to_owned()),
        Ok(Ok(Some(key))) => (Outcome::Passed, format!("SSH with the key {key}")),
        Ok(Ok(None)) => (Outcome::Passed, "SSH with that key".to_owned()),
        Ok(Err(SshError::HostKeyChanged { fingerprint, .. })) => {
            (Outcome::Failed, format!("another key: {fingerprint}"))
        }
        Ok(Err(error)) if error.reason() == Reason::Timeout => {
            (Outcome::TimedOut, error.to_string())
        }
        Ok(Err(error)) => (Outcome::Failed, crate::run::explain(&error)),
    }
}
