//! evac: gets hundreds of customers' servers out of a data centre while an access window of
//! unknown length is open, verified, with every customer told the truth meanwhile.
//!
//! # How data flows
//!
//! ```text
//! inventory → plan → capture → chunk → wire → store → ledger → restore → verify → gate → publish
//!                      └─ on the source, by the agent ─┘  └─ at the landing site ─┘
//! ```
//!
//! **The one law of direction.** The modules below stand in the order data flows, then the async
//! shell, then the readers, then the command line. A module may import only modules listed above
//! it; `tests/tidy.rs` reads this file and fails on anything else.
//!
//! **Invariants.** Packs, then index, then manifest, then receipt: each durable before the next; a
//! receipt names only durable chunks. The source is only read. Every byte is checked where it
//! arrives, against the name it was offered under. The ledger alone decides what is done. One bad
//! file fails its file, one bad host its host, never the run.
//!
//! Pure stages are synchronous and tested without a runtime; `async` is only in `ssh`, `run`
//! and `web`.

pub mod model;
pub mod inventory;
pub mod plan;
pub mod capture;
pub mod chunk;
pub mod wire;
pub mod agent;
pub mod store;
pub mod ledger;
pub mod restore;
pub mod gate;
pub mod ssh;
pub mod run;
pub mod publish;
pub mod web;
pub mod term;
pub mod cli;
