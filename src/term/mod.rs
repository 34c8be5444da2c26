//! For people at a terminal and for programs at the end of a pipe.
//!
//! During a run: [`bars()`] on a terminal, [`plain()`] where stderr is none, [`json()`] for
//! `--json`. Each gives an [`Output`], which is an [`crate::model::EventSink`]. Between runs:
//! [`status()`] and [`Table`].
//!
//! **Invariants.** A sink never waits for its reader: events are folded under a lock that is held
//! for microseconds, and a thread of its own writes; a terminal stopped by Ctrl-S or a pipe that
//! nobody reads does not stop an evacuation. JSON events are never lost, except
//! [`crate::model::Event::Received`], which promises nothing. What came from elsewhere is shown
//! bounded and without control characters. Nothing is coloured that is not also said in words.

mod bars;
mod brief;
mod calm;
mod fleet;
mod json;
mod notice;
mod output;
mod plain;
mod rate;
mod status;
mod style;
mod table;

pub use bars::bars;
pub use brief::{brief, is_between_windows};
pub use fleet::Roster;
pub use json::json;
pub use notice::{restore_hint, told};
pub use output::Output;
pub use plain::plain;
pub use rate::{EtaRange, RateEstimator};
pub use status::{customer, status};
pub use style::Style;
pub use table::{Align, Table};
