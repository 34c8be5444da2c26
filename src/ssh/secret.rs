//! Passwords: asked of a program of the operator's when they are needed, kept in memory only.
//!
//! **Promises.** A program is asked once in a process with the same arguments, however many
//! connections need it; what it said is wiped when nobody needs it any more. No password is in an
//! argument, an error, a log or anything that can be shown. One that sudo refused is not given to
//! it again by itself.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::{Endpoint, program};

/// Less than the strictest sshds give a login: 30 s.
const WITHIN: Duration = Duration::from_secs(20);
/// Longest answer.
const ANSWER_BYTES_MAX: usize = 4096;
/// Programs at work: a password manager may ask a person each time.
const AT_ONCE: usize = 8;

/// A program and its arguments, and the folder it runs in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// The program first.
    pub argv: Vec<String>,
    /// Relative paths in it begin here.
    pub folder: PathBuf,
}

/// A password.
#[derive(Clone)]
pub(super) struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

type Slot = Arc<tokio::sync::Mutex<Option<Result<Secret, String>>>>;

/// What was asked so far.
pub(super) struct Secrets {
    slots: Mutex<HashMap<Question, Slot>>,
    permits: Semaphore,
    /// Logins, by sshd and user, whose password sudo refused.
    refused_by_sudo: Mutex<HashSet<(String, String)>>,
}

impl Default for Secrets {
    fn default() -> Self {
        let permits = Semaphore::new(AT_ONCE);
        Self { slots: Mutex::default(), permits, refused_by_sudo: Mutex::default() }
    }
}

impl Secrets {
    /// The answer to `question`, good or bad; asked now if it was not yet.
    pub(super) async fn ask(&self, question: &Question) -> Result<Secret, String> {
        let slot = {
            let mut slots = self.slots.lock().expect("no holder of this lock panics");
            Arc::clone(slots.entry(question.clone()).or_default())
        };
        let mut slot = slot.lock().await;
        if let Some(answer) = &*slot {
            return answer.clone();
        }
        let _permit = self.permits.acquire().await;
        let answer = answer(question).await;
        slot.insert(answer).clone()
    }

    /// Somebody acted: what `endpoint` needs is asked again when it is needed.
    pub(super) fn forget(&self, endpoint: &Endpoint) {
        let mut slots = self.slots.lock().expect("no holder of this lock panics");
        let means = &endpoint.means;
        for question in means.password.iter().chain(&means.sudo_password) {
            slots.remove(question);
        }
        self.refused_by_sudo().remove(&(endpoint.sshd(), endpoint.user.clone()));
    }

    /// Did sudo refuse the password there?
    pub(super) fn is_refused_by_sudo(&self, endpoint: &Endpoint) -> bool {
        self.refused_by_sudo().contains(&(endpoint.sshd(), endpoint.user.clone()))
    }

    pub(super) fn note_refused_by_sudo(&self, endpoint: &Endpoint) {
        self.refused_by_sudo().insert((endpoint.sshd(), endpoint.user.clone()));
    }

    fn refused_by_sudo(&self) -> std::sync::MutexGuard<'_, HashSet<(String, String)>> {
        self.refused_by_sudo.lock().expect("no holder of this lock panics")
    }
}

async fn answer(question: &Question) -> Result<Secret, String> {
    let Question { argv, folder } = question;
    let said = program::output(argv, folder, WITHIN, ANSWER_BYTES_MAX).await?;
    let line = said.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text = std::str::from_utf8(line).map_err(|_| "what it printed is not UTF-8".to_owned())?;
    if text.is_empty() {
        return Err("the first line it printed is empty".to_owned());
    }
    if text.contains('\0') {
        return Err("what it printed holds a zero byte".to_owned());
    }
    Ok(Secret(Arc::new(Zeroizing::new(text.to_owned()))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssh::Means;

    fn endpoint() -> Endpoint {
        Endpoint {
            address: "localhost".to_owned(),
            port: 22,
            user: "kim".to_owned(),
            identities: vec![],
            agent: None,
            jump: None,
            host_key_alias: None,
            host_key: None,
            known_hosts: vec![],
            means: Means::default(),
        }
    }

    fn question(script: &str, folder: &std::path::Path) -> Question {
        let argv = ["sh", "-c", script].map(str::to_owned).to_vec();
        Question { argv, folder: folder.to_owned() }
    }

    #[tokio::test]
    async fn a_program_is_asked_once_until_somebody_acts() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = Secrets::default();
        let question =
            question("echo x >>asked; printf 'open  sesame\\r\\nmore\\n'", folder.path());
        let asked = || std::fs::read_to_string(folder.path().join("asked")).unwrap().len() / 2;
        let (one, two) = tokio::join!(secrets.ask(&question), secrets.ask(&question));
        assert_eq!(
            (one.unwrap().expose(), two.unwrap().expose()),
            ("open  sesame", "open  sesame")
        );
        assert_eq!(asked(), 1);
        let means = Means { password: Some(question.clone()), ..Means::default() };
        secrets.forget(&Endpoint { means, ..endpoint() });
        let secret = secrets.ask(&question).await.unwrap();
        assert_eq!((asked(), format!("{secret:?}")), (2, "Secret(…)".to_owned()));
    }

    #[tokio::test]
    async fn what_is_no_password_is_refused_without_being_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let check = async |script: &str, why: &str| {
            let error = Secrets::default().ask(&question(script, folder.path())).await.unwrap_err();
            assert!(error.contains(why) && !error.contains("hidden"), "{script}: {error}");
        };
        check("printf '\\nhidden\\n'", "empty").await;
        check("printf 'hidden\\377\\n'", "UTF-8").await;
        check("printf 'hidden\\0\\n'", "zero byte").await;
        check("echo hidden; exit 1", "exit status: 1").await;
    }
}
