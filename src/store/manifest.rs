//! What a pass found: the folder `manifests/WORKLOAD/PASS/` (pass: eight digits).
//!
//! | file | written | what |
//! |---|---|---|
//! | `head` | once, first | [`PassHead`]: of what, how it was cut, when begun, what it builds on |
//! | `owners` | once, perhaps | [`Owners`]: names of users and groups, as the source has them |
//! | `run-NUMBER` (five digits) | appended to | segments, see [`crate::store::segment`] |
//! | `clock-NUMBER` | once, before the first segment of that run | see [`crate::store::lineage`] |
//! | `aside` | once, perhaps | why the pass is not to be used, see [`crate::store::lineage`] |
//! | `sealed` | once, last | [`PassSeal`]: what belongs to the pass, so a loss is noticed |
//!
//! A pass describes itself: with packs and keys it can be restored without the ledger. A delta pass
//! names in its head the runs of former passes that it builds on.
//!
//! # Layout of these files, but for runs
//!
//! | offset | bytes | field | bounds |
//! |---|---|---|---|
//! | 0 | 8 | magic: `EVACPASS`, `EVACOWNR`, `EVACTIME`, `EVACASID` or `EVACDONE` | |
//! | 8 | 1 | version | 1; of the head of a delta pass 2, so that an older evac refuses it |
//! | 9 | 3 | reserved | 0 |
//! | 12 | 4 | body length | 16 MiB at most |
//! | 16 | 16 | checksum over all before it, then the body | |
//! | 32 | | body: the type in postcard; of a head of version 2 followed by its [`PassBase`] | |

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::capture;
use crate::chunk::fields::Fields;
use crate::chunk::{CHECKSUM_BYTES, Cutting, checksum};
use crate::model::{Domain, HostId, PassNumber, RunNumber, Tally, Timestamp, TreePath, WorkloadId};
use crate::store::disk::{Disk, DiskError, DiskErrorKind};
use crate::store::lineage::PassBase;

/// Every manifest's name begins with this.
pub const PREFIX: &str = "manifests/";

const VERSION: u8 = 1;
/// Of the head of a pass that builds on another.
const DELTA_VERSION: u8 = 2;
const FIXED_BYTES: usize = 16;
const BODY_BYTES_MAX: usize = 16 << 20;
const HEAD_MAGIC: [u8; 8] = *b"EVACPASS";
const OWNERS_MAGIC: [u8; 8] = *b"EVACOWNR";
const SEAL_MAGIC: [u8; 8] = *b"EVACDONE";

/// What can go wrong with a manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The file is not what it was.
    #[error("manifest `{file}` is damaged: {why}")]
    Damaged {
        /// Which file.
        file: String,
        /// What was seen.
        why: &'static str,
    },
    /// What should be written breaks a bound or the order.
    #[error("manifest `{file}` cannot hold {what}")]
    Refused {
        /// Which file.
        file: String,
        /// What it cannot hold.
        what: &'static str,
    },
    /// An earlier failure left the end of the file in doubt.
    #[error("manifest `{file}` has to be reopened after a failure")]
    InDoubt {
        /// Which file.
        file: String,
    },
}

impl ManifestError {
    /// Is it one pass that is not what it was? Any other error is everybody's.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } => true,
            Self::Disk(error) => error.kind == DiskErrorKind::NotFound,
            Self::Refused { .. } | Self::InDoubt { .. } => false,
        }
    }
}

/// Which pass.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct PassName {
    /// Of which workload.
    pub workload: WorkloadId,
    /// Its number.
    pub pass: PassNumber,
}

impl PassName {
    /// The file `name` of this pass.
    pub fn file(&self, name: &str) -> String {
        format!("{PREFIX}{}/{:08}/{name}", self.workload, self.pass.0)
    }

    /// The file of a run.
    pub fn run_file(&self, run: RunNumber) -> String {
        self.file(&format!("run-{:05}", run.0))
    }

    /// Reads what [`Self::file`] writes: the pass and the name inside it.
    pub fn of_file(file: &str) -> Option<(Self, &str)> {
        let (workload, rest) = file.strip_prefix(PREFIX)?.split_once('/')?;
        let (pass, name) = rest.split_once('/')?;
        let pass = digits(pass, 8).map(PassNumber)?;
        Some((Self { workload: WorkloadId::new(workload).ok()?, pass }, name))
    }
}

/// The run that a file inside a pass is.
pub(super) fn run_of(name: &str) -> Option<RunNumber> {
    digits(name.strip_prefix("run-")?, 5).map(RunNumber)
}

fn digits(text: &str, count: usize) -> Option<u32> {
    (text.len() == count && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// What is known of a pass when it begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassHead {
    /// Of what.
    pub workload: WorkloadId,
    /// On which host.
    pub host: HostId,
    /// Its number, from 1.
    pub pass: PassNumber,
    /// How content is cut.
    pub cutting: Cutting,
    /// In which domain its chunks are named.
    pub domain: Domain,
    /// When it began.
    pub started_at: Timestamp,
    /// The trees that are taken.
    pub paths: Vec<TreePath>,
    /// What is left out of them, in gitignore syntax.
    pub excludes: Vec<String>,
    /// What it builds on; `None` for a pass that holds everything itself.
    #[serde(skip)]
    pub base: Option<PassBase>,
}

impl PassHead {
    /// Which pass this is.
    pub fn name(&self) -> PassName {
        PassName { workload: self.workload.clone(), pass: self.pass }
    }
}

/// What a sealed pass consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassSeal {
    /// Its runs, in order.
    pub runs: Vec<RunEnd>,
    /// What the pass counted.
    pub tally: Tally,
    /// When the closing sweep agreed.
    pub sealed_at: Timestamp,
}

/// How far a run reaches: as the seal, or the latest receipt, has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEnd {
    /// Which run.
    pub run: RunNumber,
    /// Length of its file.
    pub end_bytes: u64,
}

/// Names of users and groups on the source.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Owners {
    /// Number and name of users.
    pub users: Vec<(u32, serde_bytes::ByteBuf)>,
    /// Number and name of groups.
    pub groups: Vec<(u32, serde_bytes::ByteBuf)>,
}

impl From<&capture::Owners> for Owners {
    fn from(names: &capture::Owners) -> Self {
        let list = |names: &BTreeMap<u32, String>| {
            let entry = |(id, name): (&u32, &String)| (*id, name.clone().into_bytes().into());
            names.iter().map(entry).collect()
        };
        Self { users: list(&names.users), groups: list(&names.groups) }
    }
}

impl From<Owners> for capture::Owners {
    fn from(owners: Owners) -> Self {
        // What is no text has never been kept.
        let map = |list: Vec<(u32, serde_bytes::ByteBuf)>| {
            let entry = |(id, name): (u32, serde_bytes::ByteBuf)| {
                Some((id, String::from_utf8(name.into_vec()).ok()?))
            };
            list.into_iter().filter_map(entry).collect()
        };
        Self { users: map(owners.users), groups: map(owners.groups) }
    }
}

/// Begins a pass; refused if it was begun before.
pub fn create_pass(disk: &dyn Disk, head: &PassHead) -> Result<(), ManifestError> {
    let file = head.name().file("head");
    match &head.base {
        None => put_once(disk, &file, (HEAD_MAGIC, VERSION), head),
        Some(base) => put_once(disk, &file, (HEAD_MAGIC, DELTA_VERSION), &(head, base)),
    }
}

/// Keeps the names of owners beside a pass.
pub fn put_owners(disk: &dyn Disk, name: &PassName, owners: &Owners) -> Result<(), ManifestError> {
    let file = name.file("owners");
    Ok(disk.put(&file, &encode(&file, OWNERS_MAGIC, owners)?)?)
}

/// Ends a pass; refused if it was ended before.
pub fn seal_pass(disk: &dyn Disk, name: &PassName, seal: &PassSeal) -> Result<(), ManifestError> {
    put_once(disk, &name.file("sealed"), (SEAL_MAGIC, VERSION), seal)
}

/// Opens a sealed pass again: the ledger alone decides what is done, and it has not heard of this.
pub fn unseal_pass(disk: &dyn Disk, name: &PassName) -> Result<(), ManifestError> {
    Ok(disk.remove(&name.file("sealed"))?)
}

/// Every pass of which there is a file.
pub fn list_passes(disk: &dyn Disk) -> Result<Vec<PassName>, ManifestError> {
    let mut passes: Vec<_> = disk
        .list(PREFIX)?
        .iter()
        .filter_map(|file| PassName::of_file(&file.name).map(|(pass, _)| pass))
        .collect();
    passes.sort_unstable();
    passes.dedup();
    Ok(passes)
}

/// The newest pass of `workload` of which there is a file, readable or not.
pub fn newest_pass(
    disk: &dyn Disk,
    workload: &WorkloadId,
) -> Result<Option<PassNumber>, ManifestError> {
    let files = disk.list(&format!("{PREFIX}{workload}/"))?;
    let passes = files.iter().filter_map(|file| PassName::of_file(&file.name));
    Ok(passes.map(|(name, _)| name.pass).max())
}

pub(super) fn read_head(disk: &Arc<dyn Disk>, name: &PassName) -> Result<PassHead, ManifestError> {
    let file = name.file("head");
    let damaged = |why| ManifestError::Damaged { file: file.clone(), why };
    let bytes = read_bytes(&**disk, &file)?;
    let (version, body) = body_of(&bytes, HEAD_MAGIC).map_err(damaged)?;
    let head = if version == DELTA_VERSION {
        postcard::from_bytes(body).map(|(head, base)| PassHead { base: Some(base), ..head })
    } else {
        postcard::from_bytes(body)
    };
    let head: PassHead = head.map_err(|_| damaged(NONSENSE))?;
    head.cutting.check().map_err(damaged)?;
    if head.name() != *name {
        return Err(damaged("it belongs to another pass"));
    }
    if let Some(base) = &head.base {
        base.check(head.pass).map_err(damaged)?;
    }
    Ok(head)
}

pub(super) fn read_owners(
    disk: &Arc<dyn Disk>,
    name: &PassName,
) -> Result<Option<Owners>, ManifestError> {
    optional(read(&**disk, &name.file("owners"), OWNERS_MAGIC))
}

pub(super) fn read_seal(
    disk: &Arc<dyn Disk>,
    name: &PassName,
) -> Result<Option<PassSeal>, ManifestError> {
    optional(read(&**disk, &name.file("sealed"), SEAL_MAGIC))
}

pub(super) fn optional<T>(result: Result<T, ManifestError>) -> Result<Option<T>, ManifestError> {
    match result {
        Err(ManifestError::Disk(error)) if error.kind == DiskErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

fn put_once<T: Serialize>(
    disk: &dyn Disk,
    file: &str,
    kind: ([u8; 8], u8),
    body: &T,
) -> Result<(), ManifestError> {
    match disk.length(file) {
        Err(error) if error.kind == DiskErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
        Ok(_) => {
            return Err(ManifestError::Refused { file: file.into(), what: "it twice" });
        }
    }
    Ok(disk.put(file, &encode_as(file, kind, body)?)?)
}

pub(super) fn encode<T: Serialize>(
    file: &str,
    magic: [u8; 8],
    body: &T,
) -> Result<Vec<u8>, ManifestError> {
    encode_as(file, (magic, VERSION), body)
}

fn encode_as<T: Serialize>(
    file: &str,
    (magic, version): ([u8; 8], u8),
    body: &T,
) -> Result<Vec<u8>, ManifestError> {
    let refused = |what| ManifestError::Refused { file: file.into(), what };
    let body = postcard::to_stdvec(body).map_err(|_| refused("a value without an encoding"))?;
    if body.len() > BODY_BYTES_MAX {
        return Err(refused("so much"));
    }
    let mut bytes = magic.to_vec();
    bytes.extend_from_slice(&[version, 0, 0, 0]);
    bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
    let sum = checksum(&[&bytes, &body]);
    bytes.extend_from_slice(&sum);
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

pub(super) fn read<T: DeserializeOwned>(
    disk: &dyn Disk,
    file: &str,
    magic: [u8; 8],
) -> Result<T, ManifestError> {
    let bytes = read_bytes(disk, file)?;
    let damaged = |why| ManifestError::Damaged { file: file.into(), why };
    match body_of(&bytes, magic).map_err(damaged)? {
        (VERSION, body) => postcard::from_bytes(body).map_err(|_| damaged(NONSENSE)),
        _ => Err(damaged(UNKNOWN_VERSION)),
    }
}

const NONSENSE: &str = "its content makes no sense";
const UNKNOWN_VERSION: &str = "it is of an unknown version";

fn read_bytes(disk: &dyn Disk, file: &str) -> Result<Vec<u8>, DiskError> {
    disk.read(file, 0, FIXED_BYTES + CHECKSUM_BYTES + BODY_BYTES_MAX + 1)
}

/// Version and body of a whole file.
fn body_of(bytes: &[u8], magic: [u8; 8]) -> Result<(u8, &[u8]), &'static str> {
    let mut fields = Fields(bytes);
    let short = "it is cut short";
    if fields.array().ok_or(short)? != magic {
        return Err("it is another kind of file");
    }
    let [version @ VERSION..=DELTA_VERSION, 0, 0, 0] = fields.array().ok_or(short)? else {
        return Err(UNKNOWN_VERSION);
    };
    let length = fields.length().ok_or(short)?;
    let stated: [u8; CHECKSUM_BYTES] = fields.array().ok_or(short)?;
    if fields.0.len() != length {
        return Err("its length is wrong");
    }
    let is_right = checksum(&[&bytes[..FIXED_BYTES], fields.0]) == stated;
    if is_right { Ok((version, fields.0)) } else { Err("its checksum differs") }
}
