//! What an agent says of how it gets on.

use serde::{Deserialize, Serialize};

use crate::wire::order::Levels;

/// How an agent sends, and what keeps it from sending more. Told when it changes, with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// Frames are compressed with this level from now on.
    pub level: i32,
    /// What most of its time of late went to waiting for; `None`: nothing stands out.
    pub hindrance: Option<Hindrance>,
}

/// What keeps an agent from sending more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hindrance {
    /// The connection takes no more.
    Wire,
    /// The processors of its machine.
    Processors,
    /// The landing site asks for no more of what is offered.
    Credit,
    /// Disks: there is nothing to compress.
    Reading,
}

impl Pace {
    pub(super) fn check(self) -> Result<(), &'static str> {
        if Levels::ALL.holds(self.level) { Ok(()) } else { Err("an impossible level") }
    }
}
