//! The bulk run: many hosts, one coordinator.
