//! Ways in that end before work begins, each with its own word: what the operator has to change is
//! different for each, and none of them gets better by trying again.

use crate::model::Reason;

/// Why nobody gets in, or gets no further.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The program that says the password did not.
    #[error("`password_command` for {user} on {host} said no password: {why}")]
    PasswordCommand {
        /// The host.
        host: String,
        /// The user.
        user: String,
        /// What became of it.
        why: String,
    },
    /// The password is wrong, or passwords of this user are not taken.
    #[error("{host} refuses the password of {user} (keys before it: {})", listed(tried))]
    Password {
        /// The host.
        host: String,
        /// The user.
        user: String,
        /// Keys that were refused before.
        tried: Vec<String>,
    },
    /// The password is right and has expired.
    #[error("{host} lets {user} in only to set a new password ({said})")]
    PasswordExpired {
        /// The host.
        host: String,
        /// The user.
        user: String,
        /// What it said.
        said: String,
    },
    /// It asks for something else than one password.
    #[error("{host} asks {user} for more than one password: {said}")]
    Prompts {
        /// The host.
        host: String,
        /// The user.
        user: String,
        /// What it asks.
        said: String,
    },
    /// So many logins failed lately that another might get us banned.
    #[error(
        "{failed} logins at {host} failed within ten minutes, and one more might get this machine \
         banned there; the next may follow in {seconds} s"
    )]
    Spared {
        /// The host.
        host: String,
        /// How many.
        failed: usize,
        /// When the next one may follow.
        seconds: u64,
    },
    /// The two ends have no algorithm in common.
    #[error("{host} has no {kind} that evac takes{}: it has {theirs}", without(*legacy))]
    NoCommonAlgorithm {
        /// The host.
        host: String,
        /// Which kind.
        kind: &'static str,
        /// What it offers.
        theirs: String,
        /// Were old ones allowed?
        legacy: bool,
    },
    /// The login is good for something else than commands.
    #[error("{host} runs no commands for {user} ({said})")]
    NoExec {
        /// The host.
        host: String,
        /// The user.
        user: String,
        /// What it said instead.
        said: String,
    },
    /// sudo wants a password and none is known, or the one known is wrong.
    #[error("sudo on {host} does not take the password of {user} ({said})")]
    SudoPassword {
        /// The host.
        host: String,
        /// The user.
        user: String,
        /// What it said.
        said: String,
    },
    /// sudo wants a terminal.
    #[error("sudo on {host} works for {user} only on a terminal ({said})")]
    RequireTty {
        /// The host.
        host: String,
        /// The user.
        user: String,
        /// What it said.
        said: String,
    },
    /// No folder of the host may hold a program.
    #[error("no folder on {host} lets a program run ({tried})")]
    NoExecFolder {
        /// The host.
        host: String,
        /// The folders, and what is wrong with each.
        tried: String,
    },
    /// The configuration of the client asks for what evac does not do.
    #[error("the ssh configuration for {host}: {why}")]
    ClientConfig {
        /// The host.
        host: String,
        /// What.
        why: String,
    },
}

impl Refusal {
    /// The word under which people find it.
    pub fn reason(&self) -> Reason {
        match self {
            Self::PasswordCommand { .. } => Reason::PasswordCommand,
            Self::Password { .. } => Reason::AuthPassword,
            Self::PasswordExpired { .. } => Reason::AuthChanged,
            Self::Prompts { .. } => Reason::AuthPrompts,
            Self::Spared { .. } => Reason::AuthSpared,
            Self::NoCommonAlgorithm { .. } => Reason::Legacy,
            Self::NoExec { .. } => Reason::NoExec,
            Self::SudoPassword { .. } => Reason::SudoPassword,
            Self::RequireTty { .. } => Reason::RequireTty,
            Self::NoExecFolder { .. } => Reason::NoExecFolder,
            Self::ClientConfig { .. } => Reason::ClientConfig,
        }
    }
}

fn listed(tried: &[String]) -> String {
    if tried.is_empty() { "none".to_owned() } else { tried.join(", ") }
}

fn without(legacy: bool) -> &'static str {
    if legacy { ", not even with `legacy`" } else { " without `legacy = true`" }
}
