//! What must hold before anything is said to be online, decided from answers. No sockets here:
//! who asks is [`crate::run::gate`].
//!
//! [`question`] makes questions out of the checks of a workload, for its new place and for its
//! source. [`decide`] says from the answers whether the gate opens, and why not. [`holds`] is the
//! memory of who is held back, kept in [`log`], a file of its own; [`blocks`] says what a hold
//! keeps shut: its customer, and every machine with something of that customer in it.
//!
//! **Promises.** Only an answer as asked for passes: a time-out, an answer nobody understands and a
//! question nobody asked do not. A workload without checks never passes by itself. A hold is
//! stronger than the ledger and than the inventory, and ends by two people only (promise 7).

pub mod blocks;
pub mod decide;
pub mod holds;
pub mod log;
pub mod question;
#[cfg(test)]
mod tests;

pub use blocks::{Block, Blocks};
pub use decide::{Standing, Verdict, Why};
pub use holds::{Holds, Release};
pub use log::{HoldsError, HoldsLog};
pub use question::{Question, of_new_place, of_source};
