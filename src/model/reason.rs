//! Why something did not come about: one word for each cause that calls for something else, and
//! the one sentence that says what.

use serde::{Deserialize, Serialize};

/// Why a host or workload could not be worked on. The words are contract: `reason/auth` selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// No address answered.
    Unreachable,
    /// The address answered and said no.
    Refused,
    /// Nothing came for too long.
    Timeout,
    /// The host's key is not pinned.
    HostKeyUnknown,
    /// The host's key is not the pinned one, or is revoked.
    HostKeyChanged,
    /// None of our keys is accepted.
    Auth,
    /// The password is wrong, or not taken.
    AuthPassword,
    /// The password has expired and must be changed.
    AuthChanged,
    /// The host asks for more than a password.
    AuthPrompts,
    /// So many logins failed there lately that one more might get us banned.
    AuthSpared,
    /// The program that says the password failed.
    PasswordCommand,
    /// sshd is full, or has had enough of us for a while.
    TurnedAway,
    /// The host's name leads nowhere.
    NoAddress,
    /// The jump host forbids connections through it.
    NoForward,
    /// The two ends have no algorithm in common.
    Legacy,
    /// `~/.ssh/config` asks for what evac does not do.
    ClientConfig,
    /// Logged in, but no command runs there.
    NoExec,
    /// Logged in, but `sudo -n` does not make us root.
    Sudo,
    /// sudo does not take the password.
    SudoPassword,
    /// sudo works only on a terminal.
    #[serde(rename = "requiretty")]
    RequireTty,
    /// No folder over there lets a program run.
    #[serde(rename = "noexec")]
    NoExecFolder,
    /// No folder over there lets the agent start.
    AgentPlace,
    /// A live or rescue system answers where nobody said that one would.
    Rescue,
    /// Another machine answers than the one that was surveyed.
    OtherMachine,
    /// In a rescue system: its disks do not hold one root that can be opened read-only.
    Disks,
    /// The far side broke the protocol or lied.
    Protocol,
    /// The connection ended in the middle.
    Lost,
    /// The source could not read what it should.
    SourceError,
    /// So much is gone from the source that it may be a mistake; the former copy stays in use.
    SetAside,
    /// The disk over there is full.
    SourceFull,
    /// The landing disk is full.
    LandingFull,
    /// The landing disk failed.
    LandingError,
    /// The target refused or failed.
    TargetError,
    /// A check that was asked of the new place did not pass.
    CheckFailed,
    /// The operator stopped it.
    Stopped,
    /// The inventory entry is unusable.
    Inventory,
    /// A fault in evac itself.
    Internal,
}

impl Reason {
    /// The word as users type and read it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::HostKeyUnknown => "host-key-unknown",
            Self::HostKeyChanged => "host-key-changed",
            Self::Auth => "auth",
            Self::AuthPassword => "auth-password",
            Self::AuthChanged => "auth-changed",
            Self::AuthPrompts => "auth-prompts",
            Self::AuthSpared => "auth-spared",
            Self::PasswordCommand => "password-command",
            Self::TurnedAway => "turned-away",
            Self::NoAddress => "no-address",
            Self::NoForward => "no-forward",
            Self::Legacy => "legacy",
            Self::ClientConfig => "client-config",
            Self::NoExec => "no-exec",
            Self::Sudo => "sudo",
            Self::SudoPassword => "sudo-password",
            Self::RequireTty => "requiretty",
            Self::NoExecFolder => "noexec",
            Self::AgentPlace => "agent-place",
            Self::Rescue => "rescue",
            Self::OtherMachine => "other-machine",
            Self::Disks => "disks",
            Self::Protocol => "protocol",
            Self::Lost => "lost",
            Self::SourceError => "source-error",
            Self::SetAside => "set-aside",
            Self::SourceFull => "source-full",
            Self::LandingFull => "landing-full",
            Self::LandingError => "landing-error",
            Self::TargetError => "target-error",
            Self::CheckFailed => "check-failed",
            Self::Stopped => "stopped",
            Self::Inventory => "inventory",
            Self::Internal => "internal",
        }
    }

    /// Is trying again, unchanged, likely to help?
    pub fn is_temporary(self) -> bool {
        matches!(
            self,
            Self::Unreachable
                | Self::Refused
                | Self::TurnedAway
                | Self::NoAddress
                | Self::Timeout
                | Self::Lost
        )
    }

    /// One sentence: what to do next.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Unreachable => "Check address, port and routing; the same command tries again.",
            Self::Refused => {
                "The port is closed or filtered from here; ask the provider to open it."
            }
            Self::Timeout => "The host is up but silent; look at its console.",
            Self::HostKeyUnknown => {
                "Compare the key by another road, then `evac survey --trust-new`."
            }
            Self::HostKeyChanged => {
                "Another machine, or a rescue system? Find out before you remove the old key."
            }
            Self::Auth => {
                "Set `user` or `identity` for this host or in [ssh], or install the key over there."
            }
            Self::AuthPassword => {
                "Mend what `password_command` says, then `evac retry`; it is not tried again by \
                 itself."
            }
            Self::AuthChanged => "Log in once by hand and set the new password, then `evac retry`.",
            Self::AuthPrompts => {
                "Install a key over there, or let this user in without a second factor meanwhile."
            }
            Self::AuthSpared => "Mend the login first; after the pause `evac retry` tries it.",
            Self::PasswordCommand => "Run it by hand as whoever runs evac; its first line counts.",
            Self::TurnedAway => "It is full or has had enough for now; evac tries again, slowly.",
            Self::NoAddress => "Write the IP address, or mend the name; the same command resumes.",
            Self::NoForward => "Allow AllowTcpForwarding on the jump host, or name another `jump`.",
            Self::Legacy => "Write `legacy = true` for this host if its sshd is that old.",
            Self::ClientConfig => "Write this host's address, `jump` and `identity` here instead.",
            Self::NoExec => "Log in as a user with a shell, or lift ForceCommand for the key.",
            Self::Sudo => "Allow `sudo -n`, write `sudo_password_command`, or log in as root.",
            Self::SudoPassword => "Mend what `sudo_password_command` says, then `evac retry`.",
            Self::RequireTty => {
                "Write `Defaults:USER !requiretty` into its sudoers, or log in as root."
            }
            Self::NoExecFolder => {
                "`mount -o remount,exec /dev/shm` over there, or another folder with 40 MB free."
            }
            Self::AgentPlace => "Every writable folder is full or noexec; free one, e.g. /dev/shm.",
            _ => self.hint_inside(),
        }
    }

    /// The same for what happens once evac is in.
    fn hint_inside(self) -> &'static str {
        match self {
            Self::Rescue => {
                "Set `access = \"rescue\"` for this host to take what is on its disks, or \
                 `access = \"diskless\"` if it always runs like this."
            }
            Self::OtherMachine => {
                "Is the address right, and is this a rescue system (`access = \"rescue\"`)? If the \
                 machine is meant: `evac survey --new-machine host/ID`."
            }
            Self::Disks => {
                "Set `rescue_root`, `rescue_disks` or `rescue_without` of this host as it says, or \
                 mend it over there without writing to the disks."
            }
            Self::Protocol => {
                "The host sent what no evac agent sends; do not trust it, look at it."
            }
            Self::Lost => "The same command resumes where it stopped.",
            Self::SourceError => "See the listed paths; `evac run` reads them again.",
            Self::SetAside => {
                "Is everything mounted and spelt right? A former copy stays in use; `evac run \
                 --again` looks anew, with --accept-losses it takes the loss for meant."
            }
            Self::SourceFull => "Free some megabytes over there; the agent needs them to start.",
            Self::LandingFull => "Free or add space for the store; the same command resumes.",
            Self::LandingError => {
                "Look at the landing disk (dmesg), then `evac verify`; `evac run` brings back \
                 what is bad."
            }
            Self::TargetError => "Look at the target's message; the same command resumes.",
            Self::CheckFailed => {
                "`evac gate` says what was asked and answered; mend it there, then ask again."
            }
            Self::Stopped => "The same command resumes.",
            Self::Inventory => "Run `evac check` and mend the entry.",
            // A fault in evac itself; whoever is hindered on the way in has a hint of his own.
            _ => "Please report this with the log; the same command resumes.",
        }
    }
}
