//! What people have in `~/.ssh/config`, asked of `ssh -G`: only OpenSSH reads it right, with its
//! `Match`, `Include` and patterns.
//!
//! **Promise.** What evac does not do of it is an error (nobody would get in, or on another way) or
//! a warning, never passed over in silence.

mod many;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::program;
use crate::model::text::{bounded, printable};

pub use crate::inventory::import::ssh_config::Hop;

pub use many::{Explained, explained};

/// A `Match exec` may take its time.
const WITHIN: Duration = Duration::from_secs(10);
const OUTPUT_BYTES_MAX: usize = 256 * 1024;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConfigQuestion {
    /// Another file than `ssh` reads by itself.
    pub file: Option<PathBuf>,
    /// The name as one would give it to `ssh`.
    pub name: String,
    /// `ssh -l`.
    pub user: Option<String>,
    /// `ssh -p`.
    pub port: Option<u16>,
}

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Configured {
    /// Where to dial.
    pub address: String,
    /// The port there.
    pub port: Option<u16>,
    /// Whom to log in as.
    pub user: String,
    /// Private keys that exist.
    pub identities: Vec<PathBuf>,
    /// Another agent than that of the environment; `Some(None)`: none at all.
    pub agent: Option<Option<PathBuf>>,
    /// Machines to go through, the nearest first.
    pub jumps: Vec<Hop>,
    /// Files of pinned keys.
    pub known_hosts: Vec<PathBuf>,
    /// What stands for the address in them.
    pub host_key_alias: Option<String>,
    /// What is said there and not done here.
    pub ignored: Vec<String>,
}

/// Asks; relative paths begin in `folder`.
pub async fn configured(question: &ConfigQuestion, folder: &Path) -> Result<Configured, String> {
    let mut argv = vec!["ssh".to_owned(), "-G".to_owned()];
    let mut add = |option: &str, value: String| argv.extend([option.to_owned(), value]);
    if let Some(file) = &question.file {
        // ssh takes a file that is not there for an empty one.
        std::fs::metadata(file).map_err(|error| format!("{}: {error}", file.display()))?;
        add("-F", file.display().to_string());
    }
    if let Some(user) = &question.user {
        add("-l", user.clone());
    }
    if let Some(port) = question.port {
        add("-p", port.to_string());
    }
    argv.extend(["--".to_owned(), question.name.clone()]);
    let said = program::output(&argv, folder, WITHIN, OUTPUT_BYTES_MAX).await;
    let said = said.map_err(|why| format!("`ssh -G {}`: {why}", question.name))?;
    let text = std::str::from_utf8(&said).map_err(|_| "it is not UTF-8".to_owned())?;
    read(text, question, &Around::here())
}

/// What stands for `%d`, `~` and the like.
struct Around {
    home: String,
    local_user: String,
    exists: fn(&Path) -> bool,
}

impl Around {
    fn here() -> Self {
        let variable = |name| std::env::var(name).unwrap_or_default();
        let exists = |path: &Path| path.exists() || path.with_added_extension("pub").exists();
        Self { home: variable("HOME"), local_user: variable("USER"), exists }
    }
}

fn read(text: &str, question: &ConfigQuestion, around: &Around) -> Result<Configured, String> {
    let lines = || text.lines().filter_map(|line| line.split_once(' '));
    let one = |key: &str| {
        let found = lines().find(|(found, _)| *found == key).map(|(_, value)| value.trim());
        found.filter(|value| *value != "none")
    };
    let mut it = Configured {
        address: one("hostname").unwrap_or(&question.name).to_owned(),
        port: one("port").and_then(|port| port.parse().ok()),
        user: one("user").unwrap_or_default().to_owned(),
        host_key_alias: one("hostkeyalias").map(str::to_owned),
        ..Configured::default()
    };
    if let Some(command) = one("proxycommand") {
        let command = bounded(&printable(command.as_bytes()), 80);
        return Err(format!("`ProxyCommand {command}` is not done by evac"));
    }
    it.jumps = one("proxyjump").map(jumps).transpose()?.unwrap_or_default();
    let path = |it: &Configured, text: &str| expanded(text, it, question, around);
    for (key, value) in lines() {
        match key {
            "identityfile" if value != "none" => {
                let path = path(&it, value)?;
                if (around.exists)(&path) {
                    it.identities.push(path);
                }
            }
            "userknownhostsfile" | "globalknownhostsfile" => {
                for file in value.split(' ').filter(|file| *file != "none") {
                    let file = path(&it, file)?;
                    it.known_hosts.push(file);
                }
            }
            _ => {}
        }
    }
    it.agent = match lines().find(|(key, _)| *key == "identityagent") {
        None | Some((_, "SSH_AUTH_SOCK")) => None,
        Some((_, "none")) => Some(None),
        Some((_, socket)) => Some(Some(path(&it, socket)?)),
    };
    if one("identitiesonly") == Some("yes") && it.agent.is_none() {
        it.agent = it.identities.iter().all(|path| path.is_file()).then_some(None);
    }
    it.ignored = ignored(one, &it.identities);
    Ok(it)
}

fn ignored<'a>(one: impl Fn(&str) -> Option<&'a str>, identities: &[PathBuf]) -> Vec<String> {
    let mut ignored = Vec::new();
    for (key, name) in [
        ("pkcs11provider", "PKCS11Provider"),
        ("bindaddress", "BindAddress"),
        ("bindinterface", "BindInterface"),
    ] {
        ignored.extend(one(key).map(|value| format!("{name} {value} is not done by evac")));
    }
    if let Some(file) = one("certificatefile") {
        let name =
            |path: &PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned());
        let beside = |path: &PathBuf| {
            name(path).is_some_and(|name| file.ends_with(&format!("{name}-cert.pub")))
        };
        if !identities.iter().any(beside) {
            let what =
                format!("CertificateFile {file}: evac looks for KEY-cert.pub beside the key");
            ignored.push(what);
        }
    }
    let strict = one("stricthostkeychecking").unwrap_or_default();
    if ["false", "no", "off"].contains(&strict) {
        ignored.push("StrictHostKeyChecking no: evac stays strict".to_owned());
    }
    ignored.iter().map(|text| bounded(&printable(text.as_bytes()), 200)).collect()
}

/// `[user@]name[:port],…`, or as URIs.
fn jumps(text: &str) -> Result<Vec<Hop>, String> {
    text.split(',').map(|hop| jump(hop.trim())).collect()
}

fn jump(text: &str) -> Result<Hop, String> {
    let bad = || format!("`ProxyJump {}` cannot be read", bounded(&printable(text.as_bytes()), 80));
    let bare = text.strip_prefix("ssh://").unwrap_or(text).trim_end_matches('/');
    let (user, place) = match bare.rsplit_once('@') {
        Some((user, place)) => (Some(user.to_owned()), place),
        None => (None, bare),
    };
    let (name, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, rest)) => (name, rest.strip_prefix(':')),
        None => match place.rsplit_once(':') {
            Some((name, port)) if !name.contains(':') => (name, Some(port)),
            _ => (place, None),
        },
    };
    let port = port.map(|port| port.parse::<u16>().map_err(|_| bad())).transpose()?;
    if name.is_empty() || name.starts_with('-') {
        return Err(bad());
    }
    Ok(Hop { name: name.to_owned(), user, port })
}

/// A path with `~` and the tokens that stand for something we know.
fn expanded(
    text: &str,
    it: &Configured,
    question: &ConfigQuestion,
    around: &Around,
) -> Result<PathBuf, String> {
    let unknown = |what: &str| format!("`{what}` in `{}` is not done by evac", bounded(text, 80));
    if text.contains("${") {
        return Err(unknown("${…}"));
    }
    let text_ = match text.strip_prefix("~/") {
        Some(rest) => format!("{}/{rest}", around.home),
        None => text.to_owned(),
    };
    let mut parts = text_.chars();
    let mut path = String::new();
    while let Some(c) = parts.next() {
        if c != '%' {
            path.push(c);
            continue;
        }
        match parts.next() {
            Some('%') => path.push('%'),
            Some('d') => path.push_str(&around.home),
            Some('u') => path.push_str(&around.local_user),
            Some('h') => path.push_str(&it.address),
            Some('n') => path.push_str(&question.name),
            Some('r') => path.push_str(&it.user),
            Some('p') => path.push_str(&it.port.unwrap_or(22).to_string()),
            other => return Err(unknown(&format!("%{}", other.unwrap_or(' ')))),
        }
    }
    Ok(PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(name: &str) -> ConfigQuestion {
        ConfigQuestion { file: None, name: name.to_owned(), user: None, port: None }
    }

    fn reading(text: &str) -> Result<Configured, String> {
        let around = Around {
            home: "/home/jo".to_owned(),
            local_user: "jo".to_owned(),
            exists: |path| !path.ends_with("id_dsa"),
        };
        read(text, &question("web"), &around)
    }

    #[test]
    fn what_counts_is_taken_and_what_is_not_done_is_said() {
        let it = reading(
            "host web\nuser kim\nhostname 192.0.2.9\nport 2200\nidentitiesonly no\n\
             identityfile ~/.ssh/id_dsa\nidentityfile ~/.ssh/%r@%h-%n-%p-%u%%\n\
             userknownhostsfile /home/jo/kh /etc/kh\nproxyjump a@[2001:db8::1]:33,c,ssh://d:44\n\
             pkcs11provider /usr/lib/p11.so\nstricthostkeychecking false\n",
        )
        .unwrap();
        assert_eq!((&*it.address, it.port, &*it.user), ("192.0.2.9", Some(2200), "kim"));
        assert_eq!(it.identities, [PathBuf::from("/home/jo/.ssh/kim@192.0.2.9-web-2200-jo%")]);
        assert_eq!(it.known_hosts, [PathBuf::from("/home/jo/kh"), PathBuf::from("/etc/kh")]);
        let hop = |name: &str, user: Option<&str>, port| Hop {
            name: name.to_owned(),
            user: user.map(str::to_owned),
            port,
        };
        let hops = [
            hop("2001:db8::1", Some("a"), Some(33)),
            hop("c", None, None),
            hop("d", None, Some(44)),
        ];
        assert_eq!(it.jumps, hops);
        assert_eq!(it.ignored.len(), 2, "{:?}", it.ignored);
        assert_eq!(it.agent, None);
    }

    #[test]
    fn what_would_lead_elsewhere_is_an_error() {
        let check = |text: &str, why: &str| {
            let error = reading(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        };
        check("proxycommand nc %h %p\n", "`ProxyCommand nc %h %p` is not done");
        check("proxyjump a:x\n", "`ProxyJump a:x` cannot be read");
        check("proxyjump -oProxyCommand=x\n", "cannot be read");
        check("identityfile ~/%C\n", "`%C`");
        check("identityfile ${HOME}/x\n", "`${…}`");
        assert_eq!(reading("proxycommand none\nproxyjump none\n").unwrap().jumps, []);
        assert_eq!(reading("identityagent none\n").unwrap().agent, Some(None));
    }

    #[tokio::test]
    async fn openssh_itself_reads_the_file() {
        if !Path::new("/usr/bin/ssh").exists() {
            println!("skipped: no ssh");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        let text = "Match originalhost web exec \"true\"\n HostName 192.0.2.7\nHost *\n User kim\n";
        std::fs::write(&file, text).unwrap();
        let asked = ConfigQuestion { file: Some(file), port: Some(24), ..question("web") };
        let it = configured(&asked, folder.path()).await.unwrap();
        assert_eq!((&*it.address, &*it.user, it.port), ("192.0.2.7", "kim", Some(24)));
        let nowhere = ConfigQuestion { file: Some("/nowhere/config".into()), ..question("web") };
        assert!(configured(&nowhere, folder.path()).await.unwrap_err().contains("/nowhere"));
        std::fs::write(folder.path().join("config"), "Hots web\n").unwrap();
        let error = configured(&asked, folder.path()).await.unwrap_err();
        assert!(error.contains("Bad configuration option"), "{error}");
    }
}
