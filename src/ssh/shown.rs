//! Which key a machine of our own shows: a check of the gate, not a way in.
//!
//! This alone opens a connection without meaning to log in; it goes to new places, once a beat.

use std::net::IpAddr;

use super::connect::{self, Purpose};
use super::{Endpoint, Means, SshError};
use crate::model::Clock;

/// Agrees on keys with the SSH host there, and leaves. Asked for one key: is it that one? Asked for
/// none: its fingerprint.
pub async fn shown_key(
    address: IpAddr,
    port: u16,
    host_key: Option<&str>,
    clock: &dyn Clock,
) -> Result<Option<String>, SshError> {
    let endpoint = Endpoint {
        address: address.to_string(),
        port,
        user: String::new(),
        identities: Vec::new(),
        agent: None,
        jump: None,
        host_key_alias: None,
        host_key: host_key.map(str::to_owned),
        known_hosts: Vec::new(),
        means: Means::default(),
    };
    let (stream, rtt) = connect::open_socket(&endpoint, clock).await?;
    match connect::greet(stream, &endpoint, (Purpose::Control, rtt), clock).await {
        Ok(_greeting) => Ok(None),
        Err(SshError::HostKeyUnknown { fingerprint, .. }) if host_key.is_none() => {
            Ok(Some(fingerprint))
        }
        // No other key is known here: with one asked for, this is another one.
        Err(SshError::HostKeyUnknown { name, fingerprint, .. }) => Err(SshError::HostKeyChanged {
            name: name.to_string(),
            fingerprint,
            pinned: "the check".to_owned(),
        }),
        Err(error) => Err(error),
    }
}
