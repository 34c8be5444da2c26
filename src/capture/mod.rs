//! Reading a source's trees as data: entries with all their metadata, in one total order.
//!
//! [`Walk`] names what there is, [`open_for_reading`] reads what is in it, [`survey`] only
//! sums it up. Everything is found beneath one folder by [`Beneath`], which follows no link.
//!
//! **Invariant.** The source is only read (promise 4): nothing here opens a file for writing, and
//! times are kept with `O_NOATIME` where the system allows it.

pub mod beneath;
pub mod content;
pub mod entry;
pub mod exclude;
pub mod images;
pub mod look;
pub mod metadata;
pub mod mounts;
pub mod owners;
#[cfg(test)]
pub(crate) mod sample_tree;
pub mod survey;
pub mod walk;

pub use beneath::Beneath;
pub use content::{Finished, OpenError, ReadCounters, Reading, open_for_reading};
pub use entry::{Content, Cursor, Entry, FileTime, Fingerprint, Kind, Metadata, Record, Xattr};
pub use exclude::{Exclude, InvalidPattern};
pub use images::{Images, open_images};
pub use look::look_at;
pub use owners::Owners;
pub use walk::{Found, Step, Walk, WalkCounts, WalkError, WalkOptions};
