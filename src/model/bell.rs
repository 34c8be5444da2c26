//! Why somebody is called.

use serde::{Deserialize, Serialize};

/// What happened that people want to be called for. The words are contract: they are in every
/// message that is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bell {
    /// Hosts answer that were waited for.
    WindowOpened,
    /// No host answers any more, and work is left.
    WindowShut,
    /// Nothing has arrived for a while, and work is left.
    Standstill,
    /// The store's disk fills.
    StoreFilling,
    /// The store's disk is full, or at its reserve.
    StoreFull,
    /// Many hosts fail for one reason.
    Failing,
    /// By the plan, some work will not make it.
    AtRisk,
    /// The run ended.
    RunEnded,
    /// Somebody tries the bells.
    Test,
}

impl Bell {
    /// The word as people and programs read it.
    pub fn word(self) -> &'static str {
        match self {
            Self::WindowOpened => "window-opened",
            Self::WindowShut => "window-shut",
            Self::Standstill => "standstill",
            Self::StoreFilling => "store-filling",
            Self::StoreFull => "store-full",
            Self::Failing => "failing",
            Self::AtRisk => "at-risk",
            Self::RunEnded => "run-ended",
            Self::Test => "test",
        }
    }
}
