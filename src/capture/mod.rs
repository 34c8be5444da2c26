//! Reading a source's trees as data: entries with all their metadata, in one total order.
//!
//! **Invariant.** The source is only read (promise 4): nothing here opens a file for writing, and
//! times are kept with `O_NOATIME` where the system allows it.

pub mod entry;

pub use entry::{Content, Cursor, Entry, FileTime, Fingerprint, Kind, Metadata, Record, Xattr};
