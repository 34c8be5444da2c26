//! A login for a look: soon tried again where that may help, and keys pinned on request.

use std::time::Duration;

use russh::keys::{HashAlg, PublicKey};
use serde::Serialize;

use super::{News, Surveyor};
use crate::model::Reason;
use crate::run::reach::talk_error;
use crate::run::stop::Phase;
use crate::run::talk::TalkError;
use crate::ssh::hosts::{PinError, pin};
use crate::ssh::{Connection, Endpoint, HostName, Purpose, SshError};

/// How long a machine is knocked at in all; the pauses that a full sshd asks for are in it.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two knocks.
const PAUSE: Duration = Duration::from_secs(1);
/// Knocks where nothing answers: a packet may be lost, more is a run's business.
const SILENT_TRIES_MAX: u32 = 2;
/// Knocks where sshd is full.
const FULL_TRIES_MAX: u32 = 4;
/// Unknown keys on one way: as many hops, and waits for a bastion's shared failure to be forgotten.
const UNKNOWN_KEYS_MAX: u32 = 16;

/// A key that was written down as known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pinned {
    /// The machine, as `known_hosts` names it.
    pub name: String,
    /// The kind of key.
    pub algorithm: String,
    /// `SHA256:…`, to be compared by another road.
    pub fingerprint: String,
}

impl Surveyor {
    /// Finds the way and logs in.
    pub(super) async fn knock_at(
        &self,
        endpoint: impl Future<Output = Result<Endpoint, TalkError>>,
    ) -> Result<Connection, TalkError> {
        self.knock(&endpoint.await?).await
    }

    /// Logs in.
    async fn knock(&self, endpoint: &Endpoint) -> Result<Connection, TalkError> {
        let mut last = None;
        tokio::select! {
            dialled = tokio::time::timeout(PATIENCE, self.knock_on(endpoint, &mut last)) => {
                if let Ok(dialled) = dialled {
                    return dialled;
                }
            }
            () = self.stop.reached(Phase::Draining) => {
                return Err(TalkError::new(Reason::Stopped, "it was interrupted"));
            }
        }
        let silent = || TalkError::new(Reason::Unreachable, "no way in within a minute");
        Err(last.unwrap_or_else(silent))
    }

    async fn knock_on(
        &self,
        endpoint: &Endpoint,
        last: &mut Option<TalkError>,
    ) -> Result<Connection, TalkError> {
        let (mut tries, mut unknown) = (0, 0);
        loop {
            let dialled = self.reach.dialler().dial_once(endpoint, Purpose::Bulk).await;
            let error = match dialled {
                Ok(connection) => return Ok(connection),
                Err(error) => error,
            };
            *last = Some(talk_error(&error));
            match error.unknown_key() {
                Some((name, key)) if self.trust_new && unknown < UNKNOWN_KEYS_MAX => {
                    unknown += 1;
                    if self.pin(name, key)? {
                        continue;
                    }
                    // Pinned by somebody else meanwhile; a bastion's failure is shared for a while.
                }
                _ => {
                    tries += 1;
                    if tries >= tries_max(&error) {
                        return Err(talk_error(&error));
                    }
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Writes a key down; says whether it was not there before.
    fn pin(&self, name: &HostName, key: &PublicKey) -> Result<bool, TalkError> {
        let added = pin(self.reach.known_hosts(), name, key).map_err(|error| {
            let reason = match &error {
                PinError::Contradicted { .. } => Reason::HostKeyChanged,
                PinError::Unwritable { .. } => Reason::Inventory,
                PinError::Write { .. } | PinError::Read(_) => Reason::LandingError,
            };
            TalkError::new(reason, crate::run::explain(&error))
        })?;
        if added {
            (self.tell)(&News::Pinned(Pinned {
                name: name.as_str().to_owned(),
                algorithm: key.algorithm().to_string(),
                fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
            }));
        }
        Ok(added)
    }
}

fn tries_max(error: &SshError) -> u32 {
    match error {
        SshError::NotAllowedNow { .. } | SshError::ResetBeforeBanner { .. } => FULL_TRIES_MAX,
        SshError::Jump { source, .. } => tries_max(source),
        error if error.is_temporary() => SILENT_TRIES_MAX,
        _ => 1,
    }
}
