//! The bulk run: many hosts, one coordinator.

pub mod coordinator;
