//! The words everybody uses: identifiers, sizes, rates, times, paths, events. No I/O.
//!
//! **Invariant.** Nothing in here reads a file, a socket or the clock of the machine except
//! [`clock::SystemClock`], which is handed in by the caller.

pub mod bell;
pub mod clock;
pub mod disk;
pub mod event;
pub mod id;
pub mod path;
pub mod reason;
pub mod size;
pub mod steer;
pub mod text;
pub mod time;
pub mod window;

pub use bell::Bell;
pub use clock::{Clock, FixedClock, SystemClock};
pub use disk::{DevicePath, DiskKind, FileSystemName, InvalidDisk, RootName};
pub use event::{Event, EventSink, PublicWord, RunReport, Tally};
pub use id::{
    ChunkId, CustomerId, Domain, Generation, GroupId, HostId, InvalidId, PackId, PassNumber,
    ResourceId, RunNumber, ShortId, SiteId, TargetId, TierName, WorkloadId,
};
pub use path::{InvalidPath, TreePath};
pub use reason::Reason;
pub use size::{Bytes, ParseSizeError, Rate};
pub use steer::Steer;
pub use time::{Span, Timestamp};
pub use window::{Window, Windows};
