//! Tokens, from where the settings say. A secret is read for one call and shown nowhere.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::inventory::settings::resolve;
use crate::inventory::settings_publish::SecretSource;
use crate::publish::program;

/// A token. It cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// More is no token.
const BYTES_MAX: usize = 8 << 10;
/// Somebody may have to type something first.
const PRINTED_WITHIN: Duration = Duration::from_secs(60);

impl Secret {
    /// For whoever carries a call.
    pub(in crate::publish) fn reveal(&self) -> &str {
        &self.0
    }

    /// `text` without it, should anybody have put it into an error.
    pub(in crate::publish) fn hidden_in(&self, text: &str) -> String {
        text.replace(&self.0, "(secret)")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read the secret in {}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    /// The variable is not set.
    #[error("the variable `{name}`, which holds the secret, is not set")]
    Variable { name: String },
    /// The program failed.
    #[error("`{program}`, which prints the secret, {why}")]
    Command { program: String, why: String },
    /// What was found is none.
    #[error("the secret of `{id}` is empty, or no single line of text")]
    Unusable { id: String },
}

/// The secret of destination `id`.
pub fn read(id: &str, source: &SecretSource, site: &Path) -> Result<Secret, SecretError> {
    let text = match source {
        SecretSource::File(written) => {
            let home = std::env::var_os("HOME").map(PathBuf::from);
            let path = resolve(written, site, home.as_deref());
            std::fs::read_to_string(&path)
                .map_err(|source| SecretError::File { path: path.clone(), source })?
        }
        SecretSource::Variable(name) => {
            std::env::var(name).map_err(|_| SecretError::Variable { name: name.clone() })?
        }
        SecretSource::Command(words) => printed(words, site)?,
    };
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() || line.len() > BYTES_MAX || line.chars().any(char::is_control) {
        return Err(SecretError::Unusable { id: id.to_owned() });
    }
    Ok(Secret(line.to_owned()))
}

fn printed(words: &[String], site: &Path) -> Result<String, SecretError> {
    let program = words.first().cloned().unwrap_or_default();
    let fail = |why: String| SecretError::Command { program: program.clone(), why };
    let mut command = Command::new(&program);
    command.args(&words[1..]).current_dir(site);
    let output = program::run(command, PRINTED_WITHIN);
    let output = output.map_err(|error| fail(format!("cannot be run: {error}")))?;
    let output = output.ok_or_else(|| fail("did not end in time".to_owned()))?;
    if !output.status.success() {
        return Err(fail(format!("failed ({})", output.status)));
    }
    String::from_utf8(output.stdout).map_err(|_| fail("does not print text".to_owned()))
}
