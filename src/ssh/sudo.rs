//! Becoming root over there.
//!
//! Where sudo wants a password, it is asked to prompt with a word that nobody can guess (`-S -p`),
//! and gets the password when, and only when, that word has come, once. The shell that sudo starts
//! says another such word before it becomes the command; until then nothing else is written. So no
//! byte of a password can reach a command, and no byte of a command's input can be taken for one.
//! A second prompt means that the password is wrong: sudo gets no other.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use super::deploy::quoted;
use super::probe::Root;
use super::secret::Secret;
use super::{Connection, Exec, Exit, Output, Refusal, SshError};
use crate::model::text::bounded;

/// For sudo, PAM behind it, and its pauses after what is wrong.
const WITHIN: Duration = Duration::from_secs(30);
/// Noise on standard output before the shell's word.
const NOISE_BYTES_MAX: usize = 64 * 1024;
/// Longest word of sudo's that is repeated.
const SAID_CHARS_MAX: usize = 300;

/// What sudo says where it works on a terminal only.
pub(super) const NO_TERMINAL: &str = "must have a tty";

/// How it went.
enum Conversed {
    /// What comes now is the command's.
    Ready,
    /// The password is wrong: it asked again, or gave up.
    Wrong,
    /// It ended.
    Ended(Exit),
}

/// A word that nobody can guess.
fn random_word() -> Result<String, SshError> {
    let mut random = [0; 12];
    getrandom::fill(&mut random).map_err(|error| SshError::Local {
        host: "sudo".to_owned(),
        source: std::io::Error::other(error.to_string()),
    })?;
    let mut word = String::new();
    for byte in random {
        // Writing to a string does not fail.
        let _ = write!(word, "{byte:02x}");
    }
    Ok(word)
}

/// Two words that belong to one command.
struct Words {
    prompt: String,
    ready: String,
}

impl Words {
    fn random() -> Result<Self, SshError> {
        let word = random_word()?;
        Ok(Self { prompt: format!("[evac {word}]"), ready: format!("evac-root-{word}\n") })
    }

    /// `command`, a list of words for a shell, by way of sudo.
    fn command(&self, command: &str) -> String {
        let script = format!("echo {}; exec \"$@\"", self.ready.trim_end());
        let (prompt, script) = (quoted(&self.prompt), quoted(&script));
        format!("env LC_ALL=C sudo -S -p {prompt} -- sh -c {script} evac {command}")
    }
}

impl Connection {
    /// Starts `command`, a list of words for a shell, as root.
    pub(super) async fn exec_as(&self, root: &Root, command: &str) -> Result<Exec, SshError> {
        match root {
            Root::Already => self.exec(command).await,
            Root::Sudo => self.exec(&format!("sudo -n -- {command}")).await,
            Root::SudoPassword => self.exec_by_password(command).await,
            Root::SudoTerminal => self.exec_on_terminal(command, &random_word()?).await,
            Root::No(said) => Err(self.no_root(said)),
        }
    }

    /// A short command as root, see [`Connection::run`].
    pub(super) async fn run_as(
        &self,
        root: &Root,
        command: &str,
        stdin: Bytes,
        limit: usize,
    ) -> Result<Output, SshError> {
        self.feed_and_take(self.exec_as(root, command).await?, stdin, limit).await
    }

    /// Is there a password for sudo, and was it not refused?
    pub(super) fn has_sudo_password(&self) -> bool {
        self.inner.endpoint.means.sudo_password.is_some()
    }

    async fn exec_by_password(&self, command: &str) -> Result<Exec, SshError> {
        let (endpoint, secrets) = (&self.inner.endpoint, self.inner.keyring.secrets());
        let (host, user) = (self.host().to_owned(), self.user().to_owned());
        let Some(question) = &endpoint.means.sudo_password else {
            return Err(self.no_root("no password is known"));
        };
        if secrets.is_refused_by_sudo(endpoint) {
            let said = "it was refused before".to_owned();
            return Err(Refusal::SudoPassword { host, user, said }.into());
        }
        let secret = secrets.ask(question).await.map_err(|why| {
            let (host, user) = (host.clone(), user.clone());
            Refusal::PasswordCommand { host, user, why }
        })?;
        let words = Words::random()?;
        let mut exec = self.exec(&words.command(command)).await?;
        let conversed = timeout(WITHIN, exec.converse(&words, &secret)).await;
        let said = exec.reader.stderr().replace(&words.prompt, " ");
        let said = bounded(&said.split_whitespace().collect::<Vec<_>>().join(" "), SAID_CHARS_MAX);
        match conversed {
            Ok(Ok(Conversed::Ready)) => Ok(exec),
            Ok(Ok(Conversed::Wrong)) => {
                secrets.note_refused_by_sudo(endpoint);
                let said = if said.is_empty() { "it asks again".to_owned() } else { said };
                Err(Refusal::SudoPassword { host, user, said }.into())
            }
            Ok(Ok(Conversed::Ended(exit))) => Err(self.no_root(&format!("{exit}: {said}"))),
            Ok(Err(error)) => Err(error),
            Err(_) => {
                let said = format!("no answer in {} s: {said}", WITHIN.as_secs());
                Err(Refusal::SudoPassword { host, user, said }.into())
            }
        }
    }

    /// Why this user does not become root.
    pub(super) fn no_root(&self, said: &str) -> SshError {
        let (host, user) = (self.host().to_owned(), self.user().to_owned());
        let said = bounded(said, SAID_CHARS_MAX);
        if said.contains(NO_TERMINAL) {
            return Refusal::RequireTty { host, user, said }.into();
        }
        SshError::Sudo { host, user, said }
    }
}

impl Exec {
    async fn converse(&mut self, words: &Words, secret: &Secret) -> Result<Conversed, SshError> {
        let (mut seen, mut is_given) = (Vec::new(), false);
        loop {
            while let Some(bytes) = self.reader.come() {
                seen.extend_from_slice(&bytes);
            }
            let ready = words.ready.as_bytes();
            if let Some(at) = seen.windows(ready.len()).position(|window| window == ready) {
                self.reader.begin_with(seen.split_off(at + ready.len()).into());
                return Ok(Conversed::Ready);
            }
            if seen.len() > NOISE_BYTES_MAX {
                let host = self.reader.host();
                return Err(SshError::TooMuch { host, limit: NOISE_BYTES_MAX });
            }
            match self.reader.stderr().matches(&words.prompt).count() {
                0 => {}
                1 if is_given => {}
                1 => {
                    is_given = true;
                    self.write(Bytes::from(format!("{}\n", secret.expose()))).await?;
                }
                _ => {
                    // The end of its input ends sudo; what it says then is not needed.
                    let _ = self.writer.eof().await;
                    return Ok(Conversed::Wrong);
                }
            }
            if !self.reader.pump().await? {
                // With `passwd_tries=1` it does not ask again.
                if is_given && self.reader.stderr().contains("incorrect password") {
                    return Ok(Conversed::Wrong);
                }
                let exit = self.reader.finish().await?;
                return Ok(Conversed::Ended(exit));
            }
        }
    }
}
