//! Logging in.
//!
//! **Promises.** The keys of [`super::keyring`] are offered once each, in order, and after them the
//! password, if there is one and the host takes any. A login that is refused is told from a
//! connection that is lost. RSA signs with SHA-2, but for [`super::Means::legacy`].

use std::sync::Arc;
use std::time::Duration;

use russh::client::{AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{Certificate, HashAlg, PrivateKeyWithHashAlg};
use russh::{MethodKind, MethodSet};
use tokio::time::timeout;

use super::connect::{Greeting, Watcher};
use super::keyring::{Keyring, Offer};
use super::{Endpoint, Refusal, SshError, password};
use crate::model::text::bounded;

/// The program that says the password has its own limit within it.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(50);

/// Offers one key after the other, then the password.
pub(super) async fn log_in(
    greeting: &mut Greeting,
    endpoint: &Endpoint,
    (offers, keyring): (&[Offer], &Keyring),
) -> Result<(), SshError> {
    let host = || endpoint.address.clone();
    match timeout(LOGIN_TIMEOUT, offer_all(greeting, endpoint, (offers, keyring))).await {
        Ok(result) => result,
        Err(_) => Err(SshError::Silent {
            host: host(),
            doing: "logging in",
            seconds: LOGIN_TIMEOUT.as_secs(),
        }),
    }
}

async fn offer_all(
    greeting: &mut Greeting,
    endpoint: &Endpoint,
    (offers, keyring): (&[Offer], &Keyring),
) -> Result<(), SshError> {
    let (mut tried, mut methods) = (Vec::new(), None);
    for offer in offers {
        let handle = &mut greeting.handle;
        let outcome = match make_offer(handle, endpoint, offer).await {
            Ok(outcome) => outcome,
            // The agent declined, or the session is over; the latter shows below.
            Err(why) => {
                tried.push(format!("{} ({})", offer.label(), bounded(&why, 100)));
                if handle.is_closed() {
                    return Err(cut_off(greeting, endpoint, tried));
                }
                continue;
            }
        };
        match outcome {
            AuthResult::Success => return Ok(()),
            AuthResult::Failure { partial_success, remaining_methods } => {
                let no_more_keys = !remaining_methods.contains(&MethodKind::PublicKey);
                let mut label = offer.label().to_owned();
                if partial_success {
                    let more: Vec<&str> = remaining_methods.iter().map(Into::into).collect();
                    label = format!("{label} (accepted, but {} is wanted too)", more.join(" or "));
                }
                tried.push(label);
                if handle.is_closed() {
                    return Err(cut_off(greeting, endpoint, tried));
                }
                methods = Some(remaining_methods);
                if no_more_keys {
                    break;
                }
            }
        }
    }
    give_password(greeting, endpoint, keyring, (methods, tried)).await
}

/// Nothing that was tried so far is enough.
async fn give_password(
    greeting: &mut Greeting,
    endpoint: &Endpoint,
    keyring: &Keyring,
    (methods, tried): (Option<MethodSet>, Vec<String>),
) -> Result<(), SshError> {
    let Some(question) = &endpoint.means.password else { return Err(refused(endpoint, tried)) };
    let methods = match methods {
        Some(methods) => methods,
        None => match methods_of(greeting, endpoint).await? {
            Some(methods) => methods,
            None => return Ok(()),
        },
    };
    if !password::is_taken(&methods) {
        let label = format!("{}'s password (passwords are not taken)", endpoint.user);
        return Err(refused(endpoint, [tried, vec![label]].concat()));
    }
    let (host, user) = (endpoint.address.clone(), endpoint.user.clone());
    let secret = keyring.secrets().ask(question).await;
    let secret = secret.map_err(|why| Refusal::PasswordCommand { host, user, why })?;
    password::give(greeting, endpoint, &methods, &secret, tried).await
}

/// What the host takes, by asking to be let in for nothing: sshd counts the first such try not as
/// a failure. `None`: it let us in.
async fn methods_of(
    greeting: &mut Greeting,
    endpoint: &Endpoint,
) -> Result<Option<MethodSet>, SshError> {
    match greeting.handle.authenticate_none(&endpoint.user).await {
        Ok(AuthResult::Success) => Ok(None),
        Ok(AuthResult::Failure { .. }) | Err(_) if greeting.handle.is_closed() => {
            Err(cut_off(greeting, endpoint, Vec::new()))
        }
        Ok(AuthResult::Failure { remaining_methods, .. }) => Ok(Some(remaining_methods)),
        Err(_) => Err(cut_off(greeting, endpoint, Vec::new())),
    }
}

fn refused(endpoint: &Endpoint, tried: Vec<String>) -> SshError {
    SshError::LoginRefused { host: endpoint.address.clone(), user: endpoint.user.clone(), tried }
}

/// The library answers "failure" for a connection that is gone. It was a refusal if sshd said
/// goodbye over it ("Too many authentication failures"), a lost connection otherwise.
fn cut_off(greeting: &Greeting, endpoint: &Endpoint, mut tried: Vec<String>) -> SshError {
    let farewell = greeting.notes.farewell().unwrap_or_default();
    if farewell.to_lowercase().contains("authentication") {
        tried.push(farewell);
        return refused(endpoint, tried);
    }
    SshError::Lost { host: endpoint.address.clone(), doing: "logging in", why: farewell }
}

async fn make_offer(
    handle: &mut Handle<Watcher>,
    endpoint: &Endpoint,
    offer: &Offer,
) -> Result<AuthResult, String> {
    let user = endpoint.user.clone();
    let failed = |error: russh::Error| error.to_string();
    match offer {
        Offer::Key { key, .. } => {
            let hash = rsa_hash(handle, endpoint, key.algorithm().is_rsa()).await;
            let key = PrivateKeyWithHashAlg::new(Arc::clone(key), hash);
            handle.authenticate_publickey(user, key).await.map_err(failed)
        }
        Offer::Certified { key, certificate, .. } => {
            let certificate = Certificate::clone(certificate);
            let login = handle.authenticate_openssh_cert(user, Arc::clone(key), certificate);
            login.await.map_err(failed)
        }
        Offer::Agent { identity, socket, .. } => {
            let mut agent = AgentClient::connect_uds(socket).await.map_err(|e| e.to_string())?;
            // Needed only for keys bound to destinations; old agents do not know it.
            if let Some(binding) = handle.agent_session_binding() {
                let _ = agent.bind_session(binding, false).await;
            }
            let is_rsa = identity.public_key().algorithm().is_rsa();
            let hash = rsa_hash(handle, endpoint, is_rsa).await;
            let login = match &**identity {
                AgentIdentity::PublicKey { key, .. } => {
                    handle.authenticate_publickey_with(user, key.clone(), hash, &mut agent).await
                }
                AgentIdentity::Certificate { certificate, .. } => {
                    let certificate = certificate.clone();
                    handle.authenticate_certificate_with(user, certificate, hash, &mut agent).await
                }
            };
            login.map_err(|error| error.to_string())
        }
    }
}

/// The hash an RSA key signs with: the best the host lists; where it lists none SHA-512, or SHA-1
/// if that is allowed.
async fn rsa_hash(handle: &Handle<Watcher>, endpoint: &Endpoint, is_rsa: bool) -> Option<HashAlg> {
    if !is_rsa {
        return None;
    }
    match handle.best_supported_rsa_hash().await {
        Ok(Some(Some(hash))) => Some(hash),
        _ if endpoint.means.legacy => None,
        _ => Some(HashAlg::Sha512),
    }
}
