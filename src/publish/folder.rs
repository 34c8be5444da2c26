//! Puts rendered files in place as a folder, in one step.
//!
//! Everything is written and synced beside the folder (`status.new-PID`), then the two names are
//! exchanged (`RENAME_EXCHANGE`) and what was there before is removed. Where a file system cannot
//! exchange, two renames do it, and for a moment there is no page at all, but never half of one.
//!
//! **Invariants.** A reader finds one whole page or another. A file whose content did not change
//! keeps its inode and times (a hard link), so web servers answer 304; a page that did not change
//! is not touched. What a killed run left behind is removed by the next. Writers take turns (a lock
//! on the folder's parent). Only what evac wrote is ever replaced: `.evac-files` lists it, and a
//! folder with anything else in it is refused. A web server may serve that list too, so customers'
//! own pages, whose addresses are secrets, stand in it by a hash.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with};
use rustix::io::Errno;

use crate::model::text::printable;
use crate::publish::own::{PAGE, is_secret};
use crate::publish::{PublishError, Rendered};

/// Lists every other file of the folder, one path a line.
const LIST: &str = ".evac-files";

/// How deep our own folders go (`api/v2/…`), with room to grow.
const MAX_DEPTH: usize = 8;

/// What became of the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The new page is in place and durable.
    Written,
    /// It was there already, byte for byte.
    Unchanged,
}

/// Puts `rendered` in place as folder `dir`. The parent of `dir` must exist.
pub fn publish_folder(rendered: &Rendered, dir: &Path) -> Result<Outcome, PublishError> {
    publish_with(rendered, dir, exchange, &|| {})
}

/// The same, and says so after each file.
pub(super) fn publish_telling(
    rendered: &Rendered,
    dir: &Path,
    gets_on: &dyn Fn(),
) -> Result<Outcome, PublishError> {
    publish_with(rendered, dir, exchange, gets_on)
}

/// Swaps two names, or fails with [`Errno`] where that cannot be done.
pub(super) type Exchange = fn(&Path, &Path) -> Result<(), Errno>;

pub(super) fn publish_with(
    rendered: &Rendered,
    dir: &Path,
    exchange: Exchange,
    gets_on: &dyn Fn(),
) -> Result<Outcome, PublishError> {
    // A name that is a symlink stays one: what it points at is replaced.
    let dir = &fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let parent = match dir.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let lock = at("open", parent, File::open(parent))?;
    at("lock", parent, flock(&lock, FlockOperation::LockExclusive).map_err(io::Error::from))?;
    let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    sweep(parent, &name)?;
    let mut files = rendered.files.clone();
    let list: Vec<String> = rendered.files.keys().map(|path| listed(path)).collect();
    files.insert(LIST.to_owned(), (list.join("\n") + "\n").into_bytes());
    let rendered = &Rendered { files };
    let existed = dir.is_dir();
    if existed {
        refuse_foreign(dir)?;
        if is_equal(rendered, dir) {
            return Ok(Outcome::Unchanged);
        }
    }
    let fresh = parent.join(format!("{name}.new-{}", std::process::id()));
    write_all(rendered, dir, &fresh, gets_on)?;
    if existed {
        replace(&fresh, dir, exchange)?;
    } else {
        at("put in place", dir, fs::rename(&fresh, dir))?;
    }
    at("sync", parent, lock.sync_all())?;
    sweep(parent, &name)?;
    Ok(Outcome::Written)
}

/// Gives an I/O error its place.
fn at<T>(action: &'static str, path: &Path, result: io::Result<T>) -> Result<T, PublishError> {
    result.map_err(|source| PublishError::Io { action, path: path.to_owned(), source })
}

/// Removes what a killed run, or the run just done, left beside the folder. A page that was moved
/// aside and never replaced is put back first.
fn sweep(parent: &Path, name: &str) -> Result<(), PublishError> {
    let dir = parent.join(name);
    for entry in at("list", parent, fs::read_dir(parent))? {
        let entry = at("list", parent, entry)?;
        let file_name = entry.file_name();
        let rest = file_name.to_str().and_then(|text| text.strip_prefix(name)).unwrap_or_default();
        let is_old = is_numbered(rest, ".old-");
        if is_old && !dir.exists() {
            at("put back", &dir, fs::rename(entry.path(), &dir))?;
        } else if is_old || is_numbered(rest, ".new-") {
            at("remove", &entry.path(), fs::remove_dir_all(entry.path()))?;
        }
    }
    Ok(())
}

/// `.new-123`
fn is_numbered(text: &str, start: &str) -> bool {
    text.strip_prefix(start)
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// How a path stands in a list that a web server may serve.
pub(super) fn listed(path: &str) -> String {
    if is_secret(path) { hashed(path.as_bytes()) } else { path.to_owned() }
}

/// A secret path in the list: its digest says nothing of the 128 random bits in it.
fn hashed(path: &[u8]) -> String {
    format!("#{}", blake3::hash(path).to_hex())
}

/// What stands for a page with these files.
pub(super) fn digest(files: &BTreeMap<String, Vec<u8>>) -> String {
    let mut hasher = blake3::Hasher::new();
    for (path, content) in files {
        hasher.update(path.as_bytes()).update(&[0]).update(&content.len().to_le_bytes());
        hasher.update(content);
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

/// The same of what lies in a folder.
pub(super) fn digest_of_folder(dir: &Path) -> Result<String, PublishError> {
    let mut files = BTreeMap::new();
    let mut open = vec![PathBuf::new()];
    while let Some(under) = open.pop() {
        let here = dir.join(&under);
        for entry in at("list", &here, fs::read_dir(&here))? {
            let entry = at("list", &here, entry)?;
            let (path, name) = (entry.path(), under.join(entry.file_name()));
            if at("look at", &path, entry.file_type())?.is_dir() {
                if name.components().count() <= MAX_DEPTH {
                    open.push(name);
                }
            } else if name != Path::new(LIST) {
                let content = at("read", &path, fs::read(&path))?;
                files.insert(name.to_string_lossy().into_owned(), content);
            }
        }
    }
    Ok(digest(&files))
}

/// A folder that holds anything but what evac wrote into it is not ours to replace.
fn refuse_foreign(dir: &Path) -> Result<(), PublishError> {
    let list = fs::read_to_string(dir.join(LIST)).unwrap_or_default();
    let mut ours: BTreeSet<PathBuf> = list.lines().map(PathBuf::from).collect();
    ours.insert(PathBuf::from(LIST));
    match foreign(dir, Path::new(""), &ours, 0)? {
        None => Ok(()),
        Some(found) => Err(PublishError::Foreign {
            path: dir.to_owned(),
            found: printable(found.as_os_str().as_encoded_bytes()),
        }),
    }
}

/// The first entry below `dir/under` that is neither a listed file nor a folder on the way to one.
fn foreign(
    dir: &Path,
    under: &Path,
    ours: &BTreeSet<PathBuf>,
    depth: usize,
) -> Result<Option<PathBuf>, PublishError> {
    let here = dir.join(under);
    for entry in at("list", &here, fs::read_dir(&here))? {
        let entry = at("list", &here, entry)?;
        let path = under.join(entry.file_name());
        let kind = at("look at", &entry.path(), entry.file_type())?;
        let is_ours = |path: &Path| {
            ours.contains(path)
                || ours.contains(Path::new(&hashed(path.as_os_str().as_encoded_bytes())))
        };
        let is_way = kind.is_dir()
            && (ours.iter().any(|file| file.starts_with(&path)) || is_ours(&path.join(PAGE)));
        if is_way && depth < MAX_DEPTH {
            if let Some(found) = foreign(dir, &path, ours, depth + 1)? {
                return Ok(Some(found));
            }
        } else if !kind.is_file() || !is_ours(&path) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Does `dir`, which holds only our files, hold exactly these?
fn is_equal(rendered: &Rendered, dir: &Path) -> bool {
    // The list is one of the files, so a file too many shows as a different list.
    rendered.files.iter().all(|(path, content)| has(&dir.join(path), content))
}

fn has(path: &Path, content: &[u8]) -> bool {
    let len = fs::symlink_metadata(path).map(|meta| if meta.is_file() { meta.len() } else { 0 });
    len.is_ok_and(|len| len == content.len() as u64)
        && fs::read(path).is_ok_and(|bytes| bytes == content)
}

/// Writes and syncs the whole page as `fresh`, taking unchanged files over from `old`.
fn write_all(
    rendered: &Rendered,
    old: &Path,
    fresh: &Path,
    gets_on: &dyn Fn(),
) -> Result<(), PublishError> {
    let mut folders = BTreeSet::from([fresh.to_owned()]);
    make_folder(fresh)?;
    for (path, content) in &rendered.files {
        let relative = Path::new(path);
        debug_assert!(relative.components().all(|part| matches!(part, Component::Normal(_))));
        let mut way = fresh.to_owned();
        for part in relative.parent().into_iter().flat_map(Path::components) {
            way.push(part);
            if folders.insert(way.clone()) {
                make_folder(&way)?;
            }
        }
        let (kept, new) = (old.join(relative), fresh.join(relative));
        if !(has(&kept, content) && fs::hard_link(&kept, &new).is_ok()) {
            at("write", &new, write(&new, content))?;
        }
        gets_on();
    }
    // Inner folders first: a folder's names are durable before the name of the folder is.
    for folder in folders.iter().rev() {
        at("sync", folder, File::open(folder).and_then(|opened| opened.sync_all()))?;
    }
    Ok(())
}

/// A web server runs as somebody else: what is public is readable, whatever the umask.
fn make_folder(path: &Path) -> Result<(), PublishError> {
    at("create", path, DirBuilder::new().mode(0o755).create(path))?;
    at("create", path, fs::set_permissions(path, Permissions::from_mode(0o755)))
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(path)?;
    file.write_all(content)?;
    file.set_permissions(Permissions::from_mode(0o644))?;
    file.sync_all()
}

pub(super) fn exchange(fresh: &Path, dir: &Path) -> Result<(), Errno> {
    renameat_with(CWD, fresh, CWD, dir, RenameFlags::EXCHANGE)
}

/// After this `dir` is the new page, and the former one has a name that [`sweep`] removes.
fn replace(fresh: &Path, dir: &Path, exchange: Exchange) -> Result<(), PublishError> {
    match exchange(fresh, dir) {
        Ok(()) => Ok(()),
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            let old = fresh.with_extension(format!("old-{}", std::process::id()));
            at("move aside", dir, fs::rename(dir, &old))?;
            at("put in place", dir, fs::rename(fresh, dir))
        }
        Err(errno) => at("put in place", dir, Err(errno.into())),
    }
}
