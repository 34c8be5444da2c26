//! The way into an account that takes the page by SFTP.

use std::path::PathBuf;
use std::sync::Arc;

use super::Reply;
use super::carry::Carrier;
use super::upload::{self, UploadError};
use crate::inventory::settings::{DEFAULT_PORT, resolve};
use crate::inventory::settings_publish::{self as settings, SecretSource};
use crate::publish::Rendered;
use crate::publish::outbox::Answer;
use crate::publish::pulse::Pulse;
use crate::ssh::sftp::{Client, SftpError};
use crate::ssh::{Endpoint, Means, Question, SshError, agent_socket};

/// A folder of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// `sftp://HOST:PORT`
    pub url: String,
    pub user: String,
    /// As the account sees it.
    pub folder: String,
    /// Whose page it is.
    pub site: String,
}

/// Puts `page` there.
pub(super) fn put(
    carrier: &Carrier,
    to: &settings::Destination,
    place: &Place,
    (page, pulse): (&Rendered, &Arc<Pulse>),
) -> Result<Reply, Answer> {
    let mut client = open(carrier, to, place, pulse)?;
    let mark = upload::put(&mut client, (&place.folder, &place.site), page, &*carrier.clock);
    mark.map(Reply::marked).map_err(|error| answer(&error))
}

/// The first public file that is not as it was put there, if there is one.
pub(super) fn differing(
    carrier: &Carrier,
    to: &settings::Destination,
    place: &Place,
    (mark, pulse): (&str, &Arc<Pulse>),
) -> Result<Option<String>, Answer> {
    let mut client = open(carrier, to, place, pulse)?;
    upload::differing(&mut client, &place.folder, mark).map_err(|error| answer(&error))
}

fn open(
    carrier: &Carrier,
    to: &settings::Destination,
    place: &Place,
    pulse: &Arc<Pulse>,
) -> Result<Client, Answer> {
    let (endpoint, pulse) = (endpoint(carrier, to, place), Arc::clone(pulse));
    let (clock, hears) = (Arc::clone(&carrier.clock), Box::new(move || pulse.beats()));
    let opened = Client::open(carrier.dialler(), &endpoint, clock, hears);
    opened.map_err(|error| answer(&UploadError::Sftp(error)))
}

fn endpoint(carrier: &Carrier, to: &settings::Destination, place: &Place) -> Endpoint {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let at_home = |path: &PathBuf| resolve(path, &carrier.site, home.as_deref());
    let machine = place.url.strip_prefix("sftp://").unwrap_or(&place.url);
    let (address, port) = machine_and_port(machine);
    let written = if to.identity.is_empty() { &carrier.ssh.identity } else { &to.identity };
    Endpoint {
        address,
        port,
        user: place.user.clone(),
        identities: written.iter().map(at_home).collect(),
        agent: agent_socket(),
        jump: None,
        host_key_alias: None,
        host_key: to.host_key.clone(),
        known_hosts: vec![at_home(&carrier.ssh.known_hosts)],
        means: Means { password: password(carrier, to), ..Means::default() },
    }
}

/// Asked when no key is let in, and kept in memory only.
fn password(carrier: &Carrier, to: &settings::Destination) -> Option<Question> {
    let argv = match to.secret.as_ref()? {
        SecretSource::Command(words) => words.clone(),
        SecretSource::Variable(name) => vec!["printenv".to_owned(), name.clone()],
        SecretSource::File(written) => {
            let home = std::env::var_os("HOME").map(PathBuf::from);
            let path = resolve(written, &carrier.site, home.as_deref());
            ["head", "-n", "1", "--", &path.to_string_lossy()].map(str::to_owned).to_vec()
        }
    };
    Some(Question { argv, folder: carrier.site.clone() })
}

/// `host`, `host:22`, `[2001:db8::1]:22`
fn machine_and_port(text: &str) -> (String, u16) {
    let split =
        text.rsplit_once(':').filter(|(host, _)| !host.contains(':') || host.ends_with(']'));
    let parsed = split.and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = parsed.unwrap_or((text, DEFAULT_PORT));
    (host.trim_start_matches('[').trim_end_matches(']').to_owned(), port)
}

fn answer(error: &UploadError) -> Answer {
    let said = crate::run::explain(error);
    if error.is_temporary() {
        return Answer::NotSent { said };
    }
    let next = match error {
        UploadError::Sftp(SftpError::Ssh(SshError::HostKeyUnknown { .. })) => {
            "; compare it with what the provider says, and write `host_key` at the destination"
        }
        _ => "",
    };
    Answer::Refused { said: format!("{said}{next}") }
}

#[cfg(test)]
mod tests {
    use super::machine_and_port;

    #[test]
    fn a_machine_may_have_a_port() {
        assert_eq!(machine_and_port("a.example"), ("a.example".to_owned(), 22));
        assert_eq!(machine_and_port("a.example:2222"), ("a.example".to_owned(), 2222));
        assert_eq!(machine_and_port("[2001:db8::1]:2222"), ("2001:db8::1".to_owned(), 2222));
        assert_eq!(machine_and_port("2001:db8::1"), ("2001:db8::1".to_owned(), 22));
    }
}
