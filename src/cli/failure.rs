//! What went wrong, in words for people: message, causes, one sentence of what to do next, and an
//! exit code. Stages return errors; the hints are only here.
//!
//! ```text
//! error: no site in /srv/x
//!   cause: No such file or directory (os error 2)
//! hint: `evac init /srv/x` writes one.
//! ```
//!
//! **Exit codes** are contract. Where several apply, 2 wins, then 4, 3, 1: [`Exit::and`].

use std::error::Error;
use std::fmt;
use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;

use crate::model::text::bounded;

mod stages;

/// Longest line of a message; remote text may be in it.
const LINE_CHARS_MAX: usize = 2_000;
/// Longest chain of causes.
const CAUSES_MAX: usize = 16;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Something failed and is listed.
    Failed = 1,
    /// Usage or invalid input; nothing was changed.
    Usage = 2,
    /// Stopped with work left; the same command resumes.
    Stopped = 3,
    /// Refused: hold, gate, guard rail, a run is already going.
    Refused = 4,
    /// Second Ctrl-C.
    Interrupted = 130,
}

impl Exit {
    /// The one to exit with where both apply.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if self.rank() >= other.rank() { self } else { other }
    }

    fn rank(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Stopped => 2,
            Self::Refused => 3,
            Self::Usage => 4,
            Self::Interrupted => 5,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What kind of failure it is; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What was typed or written cannot be used; nothing was changed.
    Usage,
    /// A guard rail says no.
    Refused,
    /// It did not work.
    Failed,
    /// Stopped with work left; the same command resumes.
    Stopped,
    /// A fault in evac itself.
    Internal,
}

/// Why a command did not do what was asked.
#[derive(Debug)]
pub struct Failure {
    /// Decides the exit code.
    pub kind: Kind,
    /// What did not work, and on what.
    pub message: String,
    /// Why, the nearest cause first.
    pub causes: Vec<String>,
    /// What to do next, one sentence.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure without causes and hint.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), causes: Vec::new(), hint: None }
    }
    /// What was typed or written cannot be used.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }
    /// A guard rail says no.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Kind::Refused, message)
    }
    /// It did not work.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }
    /// Stopped with work left.
    pub fn stopped(message: impl Into<String>) -> Self {
        Self::new(Kind::Stopped, message)
    }
    /// A fault in evac itself.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message).hint("Please report this.")
    }
    /// A stage's error with its whole chain of causes.
    pub fn of(kind: Kind, error: &dyn Error) -> Self {
        let failure = Self::new(kind, error.to_string());
        match error.source() {
            Some(source) => failure.because(source),
            None => failure,
        }
    }
    /// A file or folder could not be used: "cannot write /srv/x/evac.toml".
    pub fn io(action: &str, path: &Path, error: &std::io::Error) -> Self {
        let failure = Self::failed(format!("cannot {action} {}", shown(path))).because(error);
        match error.kind() {
            ErrorKind::NotFound => failure.hint("Make the folder it is in, or correct the path."),
            ErrorKind::PermissionDenied => failure.hint("See who owns it, and who runs evac."),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => failure.hint("Make room there."),
            ErrorKind::ReadOnlyFilesystem => failure.hint(
                "It is mounted read-only: see why (dmesg) before you mount it anew for writing.",
            ),
            _ => failure,
        }
    }
    /// The same, because of `cause` and all that caused it.
    #[must_use]
    pub fn because(mut self, cause: &dyn Error) -> Self {
        let mut next = Some(cause);
        while let Some(cause) = next.filter(|_| self.causes.len() < CAUSES_MAX) {
            self.causes.push(cause.to_string());
            next = cause.source();
        }
        self
    }
    /// The same, with what to do next.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
    /// What evac exits with because of it.
    pub fn exit(&self) -> Exit {
        match self.kind {
            Kind::Usage => Exit::Usage,
            Kind::Refused => Exit::Refused,
            Kind::Failed | Kind::Internal => Exit::Failed,
            Kind::Stopped => Exit::Stopped,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bounded = |text: &str| bounded(text, LINE_CHARS_MAX);
        writeln!(f, "error: {}", bounded(&self.message))?;
        for cause in &self.causes {
            writeln!(f, "  cause: {}", bounded(cause))?;
        }
        self.hint.iter().try_for_each(|hint| writeln!(f, "hint: {}", bounded(hint)))
    }
}

/// A path as people can read it.
pub fn shown(path: &Path) -> String {
    crate::model::text::printable(path.as_os_str().as_encoded_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_several_exit_codes_apply_the_contract_decides() {
        let by_rank = [Exit::Done, Exit::Failed, Exit::Stopped, Exit::Refused, Exit::Usage];
        for pair in by_rank.windows(2) {
            assert_eq!(pair[0].and(pair[1]), pair[1]);
            assert_eq!(pair[1].and(pair[0]), pair[1]);
        }
        assert_eq!(by_rank.map(|exit| exit as u8), [0, 1, 3, 4, 2]);
        assert_eq!(Exit::Interrupted as u8, 130);
    }

    #[test]
    fn a_failure_tells_message_causes_and_hint_a_line_each() {
        let cause = std::io::Error::other("disk\x1b[2J\ngone");
        let failure = Failure::io("write", Path::new("/srv/a\nb"), &cause).hint("Look at it.");
        let expected = "error: cannot write /srv/a\\nb\n  cause: disk\u{fffd}[2J\u{fffd}gone\n\
                        hint: Look at it.\n";
        assert_eq!(failure.to_string(), expected);
        assert_eq!(failure.exit(), Exit::Failed);
    }

    #[test]
    fn every_cause_of_a_stage_is_told() {
        let source = std::io::Error::from_raw_os_error(28);
        let disk = crate::store::DiskError::new("append", "packs/a/b", source);
        let failure = Failure::from(crate::store::StoreError::from(disk));
        assert_eq!((failure.kind, failure.causes.len()), (Kind::Stopped, 1));
        assert_eq!(failure.message, "cannot append `packs/a/b`");
        assert_eq!(failure.exit(), Exit::Stopped);
    }
}
