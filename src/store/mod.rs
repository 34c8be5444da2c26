//! Chunks at rest: packs, index, manifests.

pub mod disk;
pub mod faulty;
pub mod local;
pub mod memory;
#[cfg(test)]
mod disk_tests;
