//! One conversation with a mail server (RFC 5321), step by step, so that what its end means is
//! known: before the last byte of a mail nothing was taken, after it nobody knows without an
//! answer.
//!
//! **Promises.** The mail is on record as begun before its first byte leaves, and not before that.
//! Where encryption is asked for, nothing is said to a server without it, and a login
//! least of all.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, SmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::ClientId;

use crate::inventory::settings::resolve;
use crate::inventory::settings_mail::{Encryption, Relay};
use crate::model::text::bounded;
use crate::publish::mail::queue::Verdict;
use crate::publish::to::secret::{self, Secret};

/// A command without an answer for so long has none.
const WITHIN: Duration = Duration::from_secs(20);
/// Servers look at a whole mail before they take it; who hangs up meanwhile sends it twice.
const TAKEN_WITHIN: Duration = Duration::from_secs(60);
const SAID_CHARS_MAX: usize = 300;
/// The service goes away, whatever was asked.
const SHUTTING_DOWN: &str = "421";

/// What is handed over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mail<'a> {
    pub(super) from: &'a Address,
    pub(super) to: &'a Address,
    pub(super) bytes: &'a [u8],
}

/// Asked before what cannot be taken back; an `Err` says why it must not be.
pub(super) type Begins<'a> = &'a mut dyn FnMut() -> Result<(), String>;

/// Talks to one relay; the connection stays open between mails.
pub(super) struct Line<'a> {
    relay: &'a Relay,
    site: &'a Path,
    hello: ClientId,
    open: Option<SmtpConnection>,
    secret: Option<Secret>,
}

impl<'a> Line<'a> {
    /// For the site in that folder; `from` names the domain that we greet with.
    pub(super) fn new(relay: &'a Relay, site: &'a Path, from: &Address) -> Self {
        let hello = ClientId::Domain(from.domain().to_owned());
        Self { relay, site, hello, open: None, secret: None }
    }

    /// Hands over one mail; `begins` is asked before the first byte of it leaves.
    pub(super) fn send(&mut self, mail: &Mail<'_>, begins: Begins<'_>) -> Verdict {
        let was_open = self.open.is_some();
        let verdict = self.try_once(mail, begins);
        // A server hangs up on who says nothing for long; that says nothing of the mail.
        let again = was_open && matches!(verdict, Verdict::NoRelay { .. });
        let verdict = if again { self.try_once(mail, begins) } else { verdict };
        match &self.secret {
            Some(secret) => hidden(verdict, secret),
            None => verdict,
        }
    }

    fn try_once(&mut self, mail: &Mail<'_>, begins: Begins<'_>) -> Verdict {
        let mut open = match self.open.take().map_or_else(|| self.dial(), Ok) {
            Ok(open) => open,
            Err(said) => return Verdict::NoRelay { said },
        };
        let verdict = hand_over(&mut open, mail, begins);
        let is_usable = match &verdict {
            Verdict::Accepted { .. } => true,
            // The next mail begins anew.
            Verdict::Later { .. } | Verdict::Refused { .. } => open.command("RSET\r\n").is_ok(),
            Verdict::NoRelay { .. } | Verdict::Unsure { .. } => false,
        };
        if is_usable {
            self.open = Some(open);
        } else {
            open.abort();
        }
        verdict
    }

    fn dial(&mut self) -> Result<SmtpConnection, String> {
        let Relay { host, port, encryption, .. } = self.relay;
        let place = format!("{host}:{port}");
        let fail = |doing: &str, error: &Error| format!("{doing} {place}: {}", said(error));
        let login = match &self.relay.login {
            None => None,
            Some((user, source)) => {
                let secret = secret::read("mail", source, self.site);
                let secret = secret.map_err(|error| crate::run::explain(&error))?;
                self.secret = Some(secret.clone());
                Some(Credentials::new(user.clone(), secret.reveal().to_owned()))
            }
        };
        let tls = match encryption {
            Encryption::Plain => None,
            _ => Some(self.tls()?),
        };
        let first = tls.as_ref().filter(|_| *encryption == Encryption::Required);
        let address = (host.as_str(), *port);
        let dialled = SmtpConnection::connect(address, Some(WITHIN), &self.hello, first, None);
        let mut open = dialled.map_err(|error| fail("cannot talk to", &error))?;
        if let Some(tls) = tls.as_ref().filter(|_| *encryption == Encryption::Starttls) {
            let secured = open.starttls(tls, &self.hello);
            secured.map_err(|error| fail("no encryption with", &error))?;
        }
        if let Some(login) = login {
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            let entered = open.auth(&mechanisms, &login);
            entered.map_err(|error| fail("no login at", &error))?;
        }
        Ok(open)
    }

    fn tls(&self) -> Result<TlsParameters, String> {
        let mut builder = TlsParameters::builder(self.relay.host.clone());
        if let Some(written) = &self.relay.authority {
            let home = std::env::var_os("HOME").map(PathBuf::from);
            let path = resolve(written, self.site, home.as_deref());
            let fail = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
            let pem = std::fs::read(&path).map_err(|error| fail(&error))?;
            let certificate = Certificate::from_pem(&pem).map_err(|error| fail(&error))?;
            builder = builder.add_root_certificate(certificate);
        }
        builder.build().map_err(|error| said(&error))
    }
}

fn hand_over(open: &mut SmtpConnection, mail: &Mail<'_>, begins: Begins<'_>) -> Verdict {
    let Mail { from, to, bytes } = *mail;
    if let Err(error) = open.command(MailFrom::new(Some(from.clone()), Vec::new())) {
        return Verdict::NoRelay { said: said(&error) };
    }
    let asked = open.command(Rcpt::new(to.clone(), Vec::new()));
    if let Err(error) = asked.and_then(|_| open.command(Data)) {
        return no(&error).unwrap_or_else(|| Verdict::NoRelay { said: said(&error) });
    }
    if let Err(said) = begins() {
        return Verdict::NoRelay { said };
    }
    // Without this only the wait would be shorter.
    let _ = open.set_timeout(Some(TAKEN_WITHIN));
    let taken = open.message(bytes);
    let _ = open.set_timeout(Some(WITHIN));
    match taken {
        Ok(answer) => {
            let text: Vec<&str> = answer.message().collect();
            let said = format!("{} {}", answer.code(), text.join(" "));
            Verdict::Accepted { said: bounded(&said, SAID_CHARS_MAX) }
        }
        Err(error) => no(&error).unwrap_or_else(|| Verdict::Unsure { said: said(&error) }),
    }
}

/// What an answer that is a no means; `None`: it is no answer.
fn no(error: &Error) -> Option<Verdict> {
    let code = error.status()?;
    let said = said(error);
    Some(match () {
        () if code.to_string() == SHUTTING_DOWN => Verdict::NoRelay { said },
        () if error.is_permanent() => Verdict::Refused { said },
        () => Verdict::Later { said },
    })
}

fn said(error: &Error) -> String {
    bounded(&crate::run::explain(error), SAID_CHARS_MAX)
}

fn hidden(verdict: Verdict, secret: &Secret) -> Verdict {
    match verdict {
        Verdict::NoRelay { said } => Verdict::NoRelay { said: secret.hidden_in(&said) },
        Verdict::Refused { said } => Verdict::Refused { said: secret.hidden_in(&said) },
        Verdict::Later { said } => Verdict::Later { said: secret.hidden_in(&said) },
        Verdict::Unsure { said } => Verdict::Unsure { said: secret.hidden_in(&said) },
        taken @ Verdict::Accepted { .. } => taken,
    }
}
