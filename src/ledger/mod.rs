//! SQLite: what happened. The ledger alone decides what is done.

pub mod snapshot;
