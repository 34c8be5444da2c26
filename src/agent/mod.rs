//! What runs on a source or target host: std threads over any `Read` and `Write`.
//!
//! The same binary as everything else, uploaded for the time of a run. It answers to one landing
//! site, does only what the session's grant allows, and takes itself away.
//!
//! **Invariants.**
//! - It keeps at most [`HELD_BYTES_MAX`] of file content between reading and sending.
//! - It never opens a file of the source for writing (promise 4); only a session granted
//!   `Grant::Write` writes, and only beneath the root named in the order.
//! - Without a sign of life for a minute it removes its folder and ends.
//!
//! ```text
//! walk ── small files ──> readers ─┐ in order        answers          frames
//!   └──── links, dirs, large files ┴> offers ──> landing site ──> packer ──> outbox ──> lines
//! ```

mod ahead;
mod capture_job;
mod compare;
mod crew;
mod door;
mod governor;
mod granted;
#[cfg(test)]
mod granted_tests;
pub mod lair;
pub mod lane;
#[cfg(test)]
mod lane_tests;
mod large;
mod lines;
mod links;
mod marks;
mod offers;
mod outbox;
mod packer;
mod patience;
pub mod place;
mod reader;
pub mod rescue;
mod session;
mod survey;
mod sweep;
mod walk_job;
mod write;
#[cfg(test)]
mod tests;

pub use governor::ProcessorTime;
pub use granted::Granted;
pub use lair::{Lair, LairError};
pub use rescue::hideout::Hideout;
pub use session::{Ending, Home, serve};

/// File content between reading and sending: offered and unanswered, or being compressed.
pub const HELD_BYTES_MAX: u64 = 32 << 20;
/// File content read ahead of the offer that will name it.
pub const AHEAD_BYTES_MAX: u64 = 16 << 20;

/// Why a session ended badly.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The landing site broke the protocol.
    #[error("the landing site broke the protocol")]
    Wire(#[from] crate::wire::WireError),
    /// The connection failed.
    #[error("the connection failed")]
    Io(#[from] std::io::Error),
    /// The landing site asked for what this session was not granted.
    #[error("refused: this session was not granted {0}")]
    NotGranted(&'static str),
    /// Both ends must be of one version.
    #[error("the landing site speaks version {0}")]
    Version(u16),
}
