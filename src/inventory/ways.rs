//! How a machine is got into beyond address, user and key: passwords, old algorithms, and what
//! `~/.ssh/config` says.
//!
//! **Promise.** No password is ever written down: what is written is the program that says it.
//! A key left out at a host is as in `[ssh]`.

use std::path::PathBuf;

use crate::inventory::document::{Node, Value};
use crate::inventory::fields::{Fields, suggestion};
use crate::model::text::bounded;

/// What stands for a host in the arguments of a program, in braces.
pub const PLACEHOLDERS: [&str; 4] = ["id", "address", "port", "user"];
/// What stands for the file of a key, where one has a passphrase.
const KEY_PLACEHOLDER: &str = "key";
/// Longest piece of a user's text repeated in a message.
const SHOWN_MAX: usize = 80;
const COMMAND_HINT: &str =
    "Write a program and its arguments: password_command = [\"pass\", \"show\", \"ssh/{id}\"].";
const PASSWORD_HINT: &str = "evac keeps no passwords in files. Write \
     password_command = [\"PROGRAM\", …]; the first line it prints is the password.";
const PASSPHRASE_HINT: &str = "evac keeps no passphrases in files. Write \
     passphrase_command = [\"PROGRAM\", …]; the first line it prints opens the key.";

/// What is written of it; `None`: nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ways {
    /// The program that says the password, and its arguments; empty: none after all.
    pub password_command: Option<Vec<String>>,
    /// The same for sudo; without one, the password is that of the login.
    pub sudo_password_command: Option<Vec<String>>,
    /// The same for keys that have a passphrase; `{key}` stands for the key's file.
    pub passphrase_command: Option<Vec<String>>,
    /// May algorithms be used that only old sshds need?
    pub legacy: Option<bool>,
    /// Whose word counts where the inventory says nothing.
    pub config: Option<ClientConfig>,
    /// Is `user` written here, and not only its default?
    pub is_user_written: bool,
    /// Is `port` written here?
    pub is_port_written: bool,
}

/// A configuration of OpenSSH's client.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClientConfig {
    /// None is asked.
    Off,
    /// What `ssh` reads by itself.
    Usual,
    /// This file, as written.
    File(PathBuf),
}

impl Ways {
    /// These, and where they say nothing, `others`.
    #[must_use]
    pub fn or(&self, others: &Self) -> Self {
        let (mine, theirs) = (self.clone(), others.clone());
        Self {
            password_command: mine.password_command.or(theirs.password_command),
            sudo_password_command: mine.sudo_password_command.or(theirs.sudo_password_command),
            passphrase_command: mine.passphrase_command.or(theirs.passphrase_command),
            legacy: mine.legacy.or(theirs.legacy),
            config: mine.config.or(theirs.config),
            is_user_written: mine.is_user_written || theirs.is_user_written,
            is_port_written: mine.is_port_written,
        }
    }
}

/// The keys of a host or of `[ssh]`.
pub(super) fn ways(fields: &mut Fields<'_>) -> Ways {
    for (key, what, hint) in [
        ("password", "there is no key `password`", PASSWORD_HINT),
        ("passphrase", "there is no key `passphrase`", PASSPHRASE_HINT),
    ] {
        if let Some(field) = fields.raw(key) {
            // The value is not repeated: it may be one.
            fields.error(&field.origin.clone(), what, hint);
        }
    }
    Ways {
        password_command: command(fields, "password_command", &[]),
        sudo_password_command: command(fields, "sudo_password_command", &[]),
        passphrase_command: command(fields, "passphrase_command", &[KEY_PLACEHOLDER]),
        legacy: fields.boolean("legacy"),
        config: client_config(fields),
        is_user_written: fields.raw("user").is_some(),
        is_port_written: false,
    }
}

fn command(
    fields: &mut Fields<'_>,
    key: &'static str,
    own: &[&'static str],
) -> Option<Vec<String>> {
    let field = fields.raw(key)?;
    if let Value::Text(_) = field.node.value {
        let what = format!("`{key}` must be a list of texts, not a text");
        fields.error(&field.node.origin.clone(), what, COMMAND_HINT);
        return None;
    }
    let words = fields.placed_texts(key);
    for (word, at) in &words {
        let known = |name: &&str| PLACEHOLDERS.contains(name) || own.contains(name);
        for unknown in placeholders(word).filter(|name| !known(name)) {
            let what = format!("`{key}`: nothing is known as {{{}}}", bounded(unknown, SHOWN_MAX));
            let hint = match suggestion(unknown, &PLACEHOLDERS) {
                hint if hint.is_empty() => "There are {id}, {address}, {port}, {user}.".to_owned(),
                hint => hint,
            };
            fields.error(at, what, &hint);
        }
    }
    if words.first().is_some_and(|(program, _)| program.trim().is_empty()) {
        fields.error(&field.node.origin.clone(), format!("`{key}` names no program"), COMMAND_HINT);
    }
    Some(words.into_iter().map(|(word, _)| word.to_owned()).collect())
}

fn client_config(fields: &mut Fields<'_>) -> Option<ClientConfig> {
    let Node { value, origin } = &fields.raw("config")?.node;
    match value {
        Value::Boolean(true) => Some(ClientConfig::Usual),
        Value::Boolean(false) => Some(ClientConfig::Off),
        Value::Text(path) if !path.trim().is_empty() => Some(ClientConfig::File(path.into())),
        other => {
            let what = format!("`config` must be true, false or a path, not {}", other.kind());
            fields.error(origin, what, "true: as `ssh` itself reads it; or write a file.");
            None
        }
    }
}

/// What stands in braces and could be a name.
fn placeholders(word: &str) -> impl Iterator<Item = &str> {
    let is_name = |name: &&str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    };
    word.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0)).filter(is_name)
}

/// `word` with `values`, in the order of [`PLACEHOLDERS`], in their places. A value is never read
/// for braces again.
pub fn filled(word: &str, values: [&str; 4]) -> String {
    let mut parts = word.split('{');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let known = part.split_once('}').and_then(|(name, rest)| {
            let at = PLACEHOLDERS.iter().position(|known| *known == name)?;
            Some((values[at], rest))
        });
        match known {
            Some((value, rest)) => text.extend([value, rest]),
            None => text.extend(["{", part]),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_braces_are_filled_in_once_and_all_else_is_left() {
        let values = ["{user}", "192.0.2.1", "2222", "kim"];
        let check = |word: &str, expected: &str| assert_eq!(filled(word, values), expected);
        check("{id}@{address}:{port}", "{user}@192.0.2.1:2222");
        check("{user}{user}", "kimkim");
        check("awk '{print $1}' {id", "awk '{print $1}' {id");
        check("{nobody} {}", "{nobody} {}");
        check("", "");
    }

    #[test]
    fn what_a_host_leaves_out_is_as_for_all() {
        let command = |word: &str| Some(vec![word.to_owned()]);
        let all = Ways {
            password_command: command("all"),
            sudo_password_command: command("sudo"),
            legacy: Some(true),
            config: Some(ClientConfig::Usual),
            is_user_written: true,
            ..Ways::default()
        };
        assert_eq!(Ways::default().or(&all), all);
        let own = Ways {
            password_command: Some(Vec::new()),
            legacy: Some(false),
            config: Some(ClientConfig::Off),
            ..Ways::default()
        };
        let both = own.or(&all);
        assert_eq!((&both.password_command, both.legacy), (&Some(Vec::new()), Some(false)));
        assert_eq!(both.config, Some(ClientConfig::Off));
        assert_eq!(both.sudo_password_command, command("sudo"));
    }

    #[test]
    fn only_what_could_be_a_name_is_taken_for_one() {
        let found = |word| placeholders(word).collect::<Vec<_>>();
        assert_eq!(found("{id} {hots} {print $1} {} {A}"), ["id", "hots"]);
    }
}
