//! What operators do to the order of work. The words are those of the commands.

use serde::{Deserialize, Serialize};

/// What is asked for some workloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Steer {
    /// Stop within the current segment; begin nothing of it.
    Pause,
    /// Go on with what is paused.
    Resume,
    /// Take it before everything else.
    First,
    /// Leave it out, on purpose.
    Skip,
    /// Try again what failed, and what was left out.
    Retry,
}

impl Steer {
    /// The command.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::First => "first",
            Self::Skip => "skip",
            Self::Retry => "retry",
        }
    }

    /// Once it is done: "paused".
    pub fn done(self) -> &'static str {
        match self {
            Self::Pause => "paused",
            Self::Resume => "resumed",
            Self::First => "put first",
            Self::Skip => "skipped",
            Self::Retry => "to be tried again",
        }
    }
}
