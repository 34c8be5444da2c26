//! Are two trees the same? Walks both and compares, and knows nothing of manifests, chunks or
//! anything else of evac's own: it is the judge.
//!
//! **Promise.** Compared are names, kinds, content to the last byte, modes, owners, modification
//! times to the nanosecond, targets of links, extended attributes (ACLs and capabilities among
//! them), device numbers, and which names are links of one another. Holes that were filled count
//! too. Not compared is what nobody can restore: change times, inode numbers, times of access.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{lgetxattr, llistxattr};
use rustix::io::Errno;

use crate::model::Bytes;
use crate::model::text::printable;

/// Differences that are kept; all are counted.
const KEPT_MAX: usize = 100;
/// Content is compared so much at a time.
const PIECE_BYTES: usize = 1 << 20;
/// More blocks (of 512 bytes) than the source has, before a hole counts as filled.
const BLOCKS_SPARE: u64 = 2048;

/// What a comparison found, over one pair of trees or several.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Names looked at.
    pub entries: u64,
    /// Content compared.
    pub bytes: Bytes,
    /// The first differences, as `path: what`.
    pub differences: Vec<String>,
    /// All of them.
    pub difference_count: u64,
}

/// First name of every inode with several, on either side.
#[derive(Default)]
struct Links {
    first: [HashMap<(u64, u64), PathBuf>; 2],
}

impl Comparison {
    /// Compares what is at `source` with what is at `restored`.
    pub fn add(&mut self, source: &Path, restored: &Path) {
        let mut links = Links::default();
        self.entry(source, restored, Path::new(""), &mut links);
    }

    fn differ(&mut self, path: &Path, what: impl AsRef<str>) {
        self.difference_count += 1;
        if self.differences.len() < KEPT_MAX {
            let path = printable(path.as_os_str().as_bytes());
            self.differences.push(format!("{path}: {}", what.as_ref()));
        }
    }

    fn entry(&mut self, source: &Path, restored: &Path, inside: &Path, links: &mut Links) {
        self.entries += 1;
        let [here, there] = [source, restored].map(fs::symlink_metadata);
        let (here, there) = match (here, there) {
            (Ok(here), Ok(there)) => (here, there),
            (Err(error), _) => return self.differ(source, format!("at the source: {error}")),
            (_, Err(error)) => return self.differ(source, format!("restored: {error}")),
        };
        for (what, here, there) in fields(&here, &there) {
            if here != there {
                self.differ(source, format!("{what} {here}, restored {there}"));
            }
        }
        if here.file_type() != there.file_type() {
            return;
        }
        if let Err(error) = self.attributes(source, restored) {
            self.differ(source, format!("attributes cannot be read: {error}"));
        }
        if !here.is_dir() && links.note(0, &here, inside) != links.note(1, &there, inside) {
            self.differ(source, "is a link of another file than before");
        }
        let compared = if here.is_dir() {
            self.folder(source, restored, inside, links)
        } else if here.is_file() {
            self.content(source, restored, &here, &there)
        } else if here.is_symlink() {
            self.target(source, restored)
        } else {
            Ok(())
        };
        if let Err(error) = compared {
            self.differ(source, format!("cannot be compared: {error}"));
        }
    }

    fn folder(
        &mut self,
        source: &Path,
        restored: &Path,
        inside: &Path,
        links: &mut Links,
    ) -> io::Result<()> {
        let (here, there) = (names(source)?, names(restored)?);
        for name in here.union(&there) {
            if here.contains(name) && there.contains(name) {
                let inside = inside.join(name);
                self.entry(&source.join(name), &restored.join(name), &inside, links);
            } else {
                let what = if here.contains(name) { "is missing" } else { "was not there before" };
                self.differ(&source.join(name), what);
            }
        }
        Ok(())
    }

    fn content(
        &mut self,
        source: &Path,
        restored: &Path,
        here: &Metadata,
        there: &Metadata,
    ) -> io::Result<()> {
        if there.blocks() > here.blocks() + BLOCKS_SPARE {
            self.differ(source, "has holes that were filled");
        }
        let [mut here, mut there] = [File::open(source)?, File::open(restored)?];
        let mut pieces = [vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]];
        loop {
            let [one, other] = &mut pieces;
            let length = fill(&mut here, one)?;
            if fill(&mut there, other)? != length || one[..length] != other[..length] {
                self.differ(source, "has other content");
                return Ok(());
            }
            if length == 0 {
                return Ok(());
            }
            self.bytes += Bytes(length as u64);
        }
    }

    fn target(&mut self, source: &Path, restored: &Path) -> io::Result<()> {
        if fs::read_link(source)? != fs::read_link(restored)? {
            self.differ(source, "leads elsewhere");
        }
        Ok(())
    }

    fn attributes(&mut self, source: &Path, restored: &Path) -> rustix::io::Result<()> {
        let (here, there) = (attributes(source)?, attributes(restored)?);
        for name in here.keys().chain(there.keys()).collect::<BTreeSet<_>>() {
            if here.get(name) != there.get(name) {
                self.differ(source, format!("another {}", printable(name)));
            }
        }
        Ok(())
    }
}

impl Links {
    /// The first name of the inode that `metadata` is of, on `side`; none for a file with one name.
    fn note(&mut self, side: usize, metadata: &Metadata, inside: &Path) -> Option<PathBuf> {
        if metadata.nlink() < 2 {
            return None;
        }
        let inode = (metadata.dev(), metadata.ino());
        Some(self.first[side].entry(inode).or_insert_with(|| inside.to_owned()).clone())
    }
}

/// What a `stat` shows and a restore can bring back.
fn fields(here: &Metadata, there: &Metadata) -> Vec<(&'static str, String, String)> {
    let mut fields = vec![
        ("mode", format!("{:o}", here.mode()), format!("{:o}", there.mode())),
        ("owner", owner(here), owner(there)),
        ("modified", modified(here), modified(there)),
    ];
    if here.is_file() {
        fields.push(("size", here.len().to_string(), there.len().to_string()));
    }
    let kind = here.file_type();
    if kind.is_char_device() || kind.is_block_device() {
        fields.push(("device", here.rdev().to_string(), there.rdev().to_string()));
    }
    fields
}

fn owner(metadata: &Metadata) -> String {
    format!("{}:{}", metadata.uid(), metadata.gid())
}

fn modified(metadata: &Metadata) -> String {
    format!("{}.{:09}", metadata.mtime(), metadata.mtime_nsec())
}

fn names(folder: &Path) -> io::Result<BTreeSet<OsString>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect()
}

/// Reads until `buffer` is full or nothing is left.
fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read(&mut buffer[length..])? {
            0 => break,
            read => length += read,
        }
    }
    Ok(length)
}

/// All extended attributes; a file system without them has none.
fn attributes(path: &Path) -> rustix::io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    // Linux bounds both the list and a value to 64 KiB.
    let mut buffer = vec![0; 65_536];
    let length = match llistxattr(path, &mut buffer[..]) {
        Err(Errno::NOTSUP) => 0,
        listed => listed?,
    };
    let list = buffer[..length].to_vec();
    let mut attributes = BTreeMap::new();
    for name in list.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let length = lgetxattr(path, OsStr::from_bytes(name), &mut buffer[..])?;
        attributes.insert(name.to_owned(), buffer[..length].to_owned());
    }
    Ok(attributes)
}

/// A name for the state of everything beneath `root`, content aside: two walks that give the same
/// name had nothing written between them, since every write moves a change time.
pub fn fingerprint(root: &Path) -> io::Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    stamp(root, &mut hasher)?;
    Ok(hasher.finalize())
}

fn stamp(path: &Path, hasher: &mut blake3::Hasher) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    hasher.update(path.as_os_str().as_bytes());
    let (inode, modified) = (metadata.ino(), modified(&metadata));
    let (changed, nanoseconds) = (metadata.ctime(), metadata.ctime_nsec());
    hasher.update(format!("\0{inode} {modified} {changed} {nanoseconds}\0").as_bytes());
    if metadata.is_dir() {
        for name in names(path)? {
            stamp(&path.join(name), hasher)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
