//! Which folders are disks of the store, and which of them are there.
//!
//! **A disk is there** when its folder holds its mark, or packs without a legible one. An empty
//! folder where a disk is known to be is a mount point without its disk.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::model::{Bytes, PackId, Timestamp};
use crate::store::disk::{Disk, DiskError};
use crate::store::disks::mark::{self, Found, Mark};
use crate::store::disks::register::{Register, Registered};
use crate::store::disks::{DiskView, Disks, DisksError, Member};
use crate::store::local::LocalDisk;

/// What stays free unless somebody says otherwise: a hundredth, within these.
const RESERVE_BYTES: (u64, u64) = (64 << 20, 10_000_000_000);

/// A disk that evac.toml names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskWanted {
    /// Its folder, absolute.
    pub path: PathBuf,
    /// What stays free; `None`: nobody said.
    pub reserve: Option<Bytes>,
}

/// How a store's disks are opened.
#[derive(Debug, Clone, Copy)]
pub struct How<'a> {
    /// The state folder.
    pub state: &'a Path,
    /// What evac.toml names; at least one.
    pub wanted: &'a [DiskWanted],
    /// May anything be written, and new disks be taken in?
    pub writes: bool,
    /// Who opens it.
    pub by: &'a str,
    /// Now.
    pub at: Timestamp,
}

/// What stays free in `folder`, where nobody says.
pub fn default_reserve(folder: &Path) -> Bytes {
    let size = rustix::fs::statvfs(folder).map_or(0, |it| it.f_blocks.saturating_mul(it.f_frsize));
    Bytes((size / 100).clamp(RESERVE_BYTES.0, RESERVE_BYTES.1))
}

impl Disks {
    /// Opens every disk that is there; says what people should know of the others.
    pub fn open(how: &How<'_>) -> Result<(Self, Vec<String>), DisksError> {
        let former = Register::read(how.state)?;
        let mut register = match &former {
            Some(register) => register.clone(),
            None => first_register(how)?,
        };
        follow_moves(&mut register, how)?;
        let mut opening = Opening { how, told: Vec::new(), members: Vec::new(), away: Vec::new() };
        let is_new = former.is_none();
        for disk in &mut register.disks {
            opening.known(disk, register.home, is_new)?;
        }
        for wanted in how.wanted.iter().filter(|_| how.writes) {
            opening.wanted(&mut register, wanted)?;
        }
        let Opening { told, mut members, away, .. } = opening;
        members.sort_by_key(|(_, member)| (member.number != register.home, member.number));
        for (found, member) in members.iter().filter(|_| how.writes) {
            let mark = Mark { store: register.id().unwrap_or_default(), number: member.number };
            if *found != Found::Marked(mark) {
                mark::put(&*member.disk, mark)?;
            }
        }
        if how.writes && former.as_ref() != Some(&register) {
            register.write(how.state)?;
        }
        let members = members.into_iter().map(|(_, member)| Arc::new(member)).collect();
        Ok((Self::new(members, away), told))
    }

    /// Takes a further disk in; it is used at once, and by every later opening.
    pub fn add(
        &self,
        state: &Path,
        (path, reserve): (&Path, Option<Bytes>),
        may_share_device: bool,
        (by, at): (&str, Timestamp),
    ) -> Result<DiskView, DisksError> {
        let mut register = Register::read(state)?.ok_or_else(|| DisksError::Register {
            path: state.join(super::REGISTER),
            why: "it is not there".to_owned(),
        })?;
        let is_away = |(_, away): &(u32, PathBuf)| away == path;
        if self.paths().iter().any(|it| is_same(it, path)) || self.state().away.iter().any(is_away)
        {
            return Err(DisksError::Known { path: path.to_owned() });
        }
        let place = if path.exists() { path } else { path.parent().unwrap_or(path) };
        if !may_share_device && let Some(other) = shares_device(place, &self.paths()) {
            return Err(DisksError::SameDevice { path: path.to_owned(), other });
        }
        let (disk, found) = make(path)?;
        let number = number_of(&register, path, found)?;
        let reserve = reserve.unwrap_or_else(|| default_reserve(path));
        mark::put(&disk, Mark { store: register.id().unwrap_or_default(), number })?;
        register.disks.retain(|disk| disk.number != number);
        let (path, by) = (disk.root().to_owned(), by.to_owned());
        let reserved = Some(reserve);
        register.disks.push(Registered {
            number,
            path: path.clone(),
            reserve: reserved,
            added: true,
            by,
            at,
        });
        register.write(state)?;
        let free = Some(disk.free_bytes()?);
        self.insert(member(number, &path, reserve, (Arc::new(disk), true)));
        Ok(DiskView { path, free, reserve })
    }
}

struct Opening<'a> {
    how: &'a How<'a>,
    told: Vec<String>,
    members: Vec<(Found, Member)>,
    away: Vec<(u32, PathBuf)>,
}

impl Opening<'_> {
    /// A disk that the register knows; one that was just put there may still have to be made.
    fn known(&mut self, disk: &mut Registered, home: u32, is_new: bool) -> Result<(), DisksError> {
        let wanted = self.how.wanted.iter().find(|wanted| wanted.path == disk.path);
        let (disk_there, found) = if is_new && self.how.writes {
            let local = LocalDisk::open(&disk.path)?;
            let found = mark::look(&local)?;
            (Some(local), found)
        } else {
            find(&disk.path)?
        };
        let is_there = match found {
            Found::Marked(mark) => mark.number == disk.number,
            Found::Unmarked => true,
            Found::Empty => is_new,
        };
        let Some(local) = disk_there.filter(|_| is_there) else {
            if disk.number == home {
                return Err(DisksError::HomeAway { path: disk.path.clone() });
            }
            self.told.push(format!(
                "the disk {} is not there; what is on it cannot be read until it is mounted",
                disk.path.display()
            ));
            self.away.push((disk.number, disk.path.clone()));
            return Ok(());
        };
        let takes_packs = disk.added || wanted.is_some() || disk.number == home;
        if !takes_packs {
            self.told.push(format!(
                "the disk {} is read and gets nothing new: evac.toml does not name it any more",
                disk.path.display()
            ));
        }
        if let Some(wanted) = wanted {
            disk.reserve = wanted.reserve;
        }
        let reserve = disk.reserve.unwrap_or_else(|| default_reserve(&disk.path));
        let disk_and = (Arc::new(local) as Arc<dyn Disk>, takes_packs);
        self.members.push((found, member(disk.number, &disk.path, reserve, disk_and)));
        Ok(())
    }

    /// A disk that evac.toml names; is it new?
    fn wanted(&mut self, register: &mut Register, wanted: &DiskWanted) -> Result<(), DisksError> {
        let paths: Vec<PathBuf> = self.members.iter().map(|(_, it)| it.path.clone()).collect();
        let is_known = register.disks.iter().any(|disk| disk.path == wanted.path)
            || paths.iter().any(|path| is_same(path, &wanted.path));
        if is_known {
            return Ok(());
        }
        let (disk, found) = match make(&wanted.path) {
            Err(DisksError::NoFolder { path }) => {
                let (path, wanted) = (path.display(), wanted.path.display());
                self.told.push(format!("the disk {wanted} is not there: no folder {path}"));
                return Ok(());
            }
            made => made?,
        };
        if let Some(other) = shares_device(&wanted.path, &paths) {
            let (path, other) = (wanted.path.display(), other.display());
            self.told.push(format!("{path} is on the same device as {other}: is it mounted?"));
        }
        let number = number_of(register, &wanted.path, found)?;
        register.disks.push(Registered {
            number,
            path: wanted.path.clone(),
            reserve: wanted.reserve,
            added: false,
            by: self.how.by.to_owned(),
            at: self.how.at,
        });
        let reserve = wanted.reserve.unwrap_or_else(|| default_reserve(&wanted.path));
        let member = member(number, &wanted.path, reserve, (Arc::new(disk), true));
        self.members.push((found, member));
        Ok(())
    }
}

fn member(
    number: u32,
    path: &Path,
    reserve: Bytes,
    (disk, takes_packs): (Arc<dyn Disk>, bool),
) -> Member {
    let has_failed = AtomicBool::new(false);
    Member { number, path: path.to_owned(), reserve, disk, takes_packs, has_failed }
}

/// The register of a store that has none: of one that is new, made by an older evac, or moved here.
fn first_register(how: &How<'_>) -> Result<Register, DisksError> {
    let first = &how.wanted[0];
    let mut home = Registered {
        number: 0,
        path: first.path.clone(),
        reserve: first.reserve,
        added: false,
        by: how.by.to_owned(),
        at: how.at,
    };
    let mut store = None;
    for wanted in how.wanted {
        if let (_, Found::Marked(mark)) = find(&wanted.path)? {
            store = Some((mark.store, store.is_some_and(|(_, home)| home) || mark.number == 0));
            if mark.number == 0 {
                home.path.clone_from(&wanted.path);
                home.reserve = wanted.reserve;
            }
        }
    }
    let id = match store {
        Some((id, true)) => id,
        Some(_) => return Err(DisksError::HomeAway { path: first.path.clone() }),
        None => new_id()?,
    };
    let mut register = Register::new(PackId(id).to_hex());
    register.disks.push(home);
    Ok(register)
}

/// A disk that is mounted elsewhere now is the same disk.
fn follow_moves(register: &mut Register, how: &How<'_>) -> Result<(), DisksError> {
    let id = register.id();
    for wanted in how.wanted {
        if register.disks.iter().any(|disk| disk.path == wanted.path) {
            continue;
        }
        let (_, Found::Marked(mark)) = find(&wanted.path)? else { continue };
        let moved = register.disks.iter_mut().find(|disk| disk.number == mark.number);
        if let Some(disk) = moved.filter(|_| Some(mark.store) == id)
            && find(&disk.path)?.1 != Found::Marked(mark)
        {
            disk.path.clone_from(&wanted.path);
        }
    }
    Ok(())
}

/// Which number a folder has, or gets.
fn number_of(register: &Register, path: &Path, found: Found) -> Result<u32, DisksError> {
    match found {
        Found::Marked(mark) if Some(mark.store) == register.id() => Ok(mark.number),
        Found::Marked(_) | Found::Unmarked => Err(DisksError::Foreign { path: path.to_owned() }),
        Found::Empty => Ok(register.next_number()),
    }
}

/// Looks into a folder that should be a disk; makes none.
fn find(path: &Path) -> Result<(Option<LocalDisk>, Found), DisksError> {
    if !path.is_dir() {
        return Ok((None, Found::Empty));
    }
    let disk = LocalDisk::open(path)?;
    let found = mark::look(&disk)?;
    Ok((Some(disk), found))
}

/// Makes a folder that is to be a disk. What it lies in must be there: it may be a mount point.
fn make(path: &Path) -> Result<(LocalDisk, Found), DisksError> {
    let parent = path.parent().unwrap_or(path);
    if !parent.is_dir() {
        return Err(DisksError::NoFolder { path: parent.to_owned() });
    }
    let disk = LocalDisk::open(path)?;
    let found = mark::look(&disk)?;
    Ok((disk, found))
}

fn is_same(a: &Path, b: &Path) -> bool {
    let place = |path: &Path| path.metadata().map(|it| (it.dev(), it.ino())).ok();
    a == b || place(a).is_some_and(|it| place(b) == Some(it))
}

/// One of `others` on the device of `path`.
fn shares_device(path: &Path, others: &[PathBuf]) -> Option<PathBuf> {
    let device = path.metadata().ok()?.dev();
    others.iter().find(|other| other.metadata().is_ok_and(|it| it.dev() == device)).cloned()
}

fn new_id() -> Result<[u8; 16], DiskError> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|error| {
        DiskError::new("name", "a new store", std::io::Error::other(error.to_string()))
    })?;
    Ok(id)
}
