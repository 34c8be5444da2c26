//! A file to look customers up in, without reading the whole inventory: who they are, what they
//! are known by, what is theirs. Where anybody stands is not in it, but in the ledger.
//!
//! There are two. [`Content::Live`], `state/lookup`, is a copy of the inventory beside the ledger:
//! never trusted over it, and made anew when one of its [`Source`]s changed. [`Content::Frozen`] is
//! what `evac snapshot` writes for dark hours: it holds how everybody stood then, and leaves out
//! whatever a stranger must not find. [`mod@format`] says what the bytes mean.

mod card;
mod format;
mod frozen;

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::inventory::{Customer, Host, Inventory};
use crate::ledger::find::names::{Names, known_by, ranks};
use crate::ledger::find::{Hits, search};
use crate::ledger::view::FleetView;
use crate::model::{CustomerId, Timestamp};

pub use card::Size;
pub use format::{Refused, VERSION};
pub use frozen::{Frozen, Told, freeze, told};

use card::{CustomerCard, HostCard};
use format::{Head, Slot};

/// A file that changed so shortly before another was made of it may have changed once more within
/// the same tick of its file system's clock.
const TICK_MS: i64 = 2_000;
/// Why a file may be read, but not be believed.
const DAMAGED: &str = "it is damaged";

/// What a look-up file was made of, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// When.
    pub made_at: Timestamp,
    /// The company's name.
    pub site: String,
    /// Where people are told times.
    pub timezone: String,
    /// Languages, the first is the default.
    pub languages: Vec<String>,
    /// What it holds.
    pub content: Content,
    /// Who takes calls of customers who need attention.
    pub colleague: Option<String>,
}

/// What a look-up file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    /// The inventory, as those files have it.
    Live {
        /// In the order they are read.
        sources: Vec<Source>,
        /// When they were looked at, in milliseconds since 1970.
        looked_at_ms: i64,
        /// What readers of the inventory are warned of.
        warnings: Vec<String>,
        /// The newest survey that sizes are from: how many hosts, and when.
        surveyed: (u64, i64),
    },
    /// Everybody as he stood then.
    Frozen,
}

/// A file as it was; any change of it changes this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its name in the site, or where it is.
    pub name: String,
    /// Length, number, and times of change in nanoseconds; `None`: there is no such file.
    pub stamp: Option<(u64, u64, i128, i128)>,
}

impl Source {
    /// `path` as it is now; whatever cannot be looked at counts as another one each time.
    pub fn of(name: &str, path: &Path) -> Self {
        let stamp = match std::fs::metadata(path) {
            Ok(found) => {
                let time = |second, nanosecond| {
                    i128::from(second) * 1_000_000_000 + i128::from(nanosecond)
                };
                let changed = time(found.ctime(), found.ctime_nsec());
                let written = time(found.mtime(), found.mtime_nsec());
                Some((found.len(), found.ino(), written, changed))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(_) => Some((u64::MAX, 0, i128::MAX, i128::MAX)),
        };
        Self { name: name.to_owned(), stamp }
    }

    /// Had it been at rest for a while at `at_ms`?
    pub fn is_settled(&self, at_ms: i64) -> bool {
        let changed = self.stamp.map_or(0, |(_, _, _, changed)| changed / 1_000_000);
        changed + i128::from(TICK_MS) < i128::from(at_ms)
    }
}

/// Where the bytes of cards are.
#[derive(Debug)]
enum Kept {
    File { file: File, path: PathBuf },
    Memory(Vec<u8>),
}

/// A look-up file, open.
#[derive(Debug)]
pub struct Lookup {
    about: About,
    names: Names,
    slots: Vec<Slot>,
    kept: Kept,
    cards_at: u64,
    /// How many cards were read.
    read: AtomicU64,
}

impl Lookup {
    /// Opens the file at `path`; `None` where there is none.
    pub fn open(path: &Path) -> Result<Option<Self>, Refused> {
        let failed = |source| Refused::Io { path: path.to_owned(), source };
        let mut file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(failed)?,
        };
        let mut start = [0; format::START_BYTES];
        let refuse = |why: &'static str| Refused::Damaged { path: path.to_owned(), why };
        if file.read_exact(&mut start).is_err() {
            return Err(Refused::Foreign { path: path.to_owned() });
        }
        let frame = format::frame(&start).map_err(|fault| fault.at(path))?;
        // A length that is damaged must not ask for memory that the file has no bytes for.
        let most = file.metadata().map_err(failed)?.len();
        let mut part = |len: u64| {
            let mut bytes = Vec::with_capacity(usize::try_from(len.min(most)).unwrap_or_default());
            (&mut file).take(len).read_to_end(&mut bytes).map(|_| bytes)
        };
        let (lines, head) =
            (part(frame.lines_len).map_err(failed)?, part(frame.head_len).map_err(failed)?);
        let (lines, head) = format::parts(lines, &head, &frame).ok_or_else(|| refuse(DAMAGED))?;
        let cards_at = format::START_BYTES as u64 + frame.lines_len + frame.head_len;
        let kept = Kept::File { file, path: path.to_owned() };
        Self::over(head, lines, kept, cards_at).map(Some).ok_or_else(|| refuse(DAMAGED))
    }

    fn over(head: Head, lines: String, kept: Kept, cards_at: u64) -> Option<Self> {
        let Head { about, blocks, slots } = head;
        let names = Names::of_parts(lines, blocks)?;
        let fits = slots.len() >= names.customers();
        fits.then(|| Self { about, names, slots, kept, cards_at, read: AtomicU64::new(0) })
    }

    /// The inventory as a look-up file, with whose names `view` has; the bytes are the file's.
    pub fn of(about: About, inventory: &Inventory, view: &FleetView) -> Option<(Self, Vec<u8>)> {
        let mut names = Names::default();
        for (rank, known) in ranks(view).into_iter().zip(known_by(view)) {
            names.push(rank, &known);
        }
        let mut cards = CustomerCard::all(inventory)?;
        cards.extend(HostCard::all(inventory)?);
        cards.push(Size::all(view)?);
        Self::made(about, names, &cards)
    }

    fn made(about: About, names: Names, cards: &[Vec<u8>]) -> Option<(Self, Vec<u8>)> {
        let bytes = format::bytes(&about, &names, cards)?;
        let slots = format::slots(cards);
        let cards_at = (bytes.len() - cards.iter().map(Vec::len).sum::<usize>()) as u64;
        let (kept, read) = (Kept::Memory(bytes.clone()), AtomicU64::new(0));
        Some((Self { about, names, slots, kept, cards_at, read }, bytes))
    }

    /// What it was made of.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// How many customers it knows.
    pub fn customers(&self) -> usize {
        self.names.customers()
    }

    /// Everybody whom `text` may mean, the best fit first.
    pub fn search(&self, text: &str) -> Hits {
        search(&self.names, text)
    }

    /// Where the customer of this id is, if there is one.
    pub fn place(&self, id: &CustomerId) -> Result<Option<usize>, Refused> {
        for place in self.names.of_id(id.as_str()) {
            if self.card::<CustomerCard>(place)?.id == *id {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    /// How many customers and hosts were read of it so far.
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// The customers at these places, in the order given, and all hosts that something of theirs is
    /// on. What look-ups ask is in it; how hosts are reached is not.
    pub fn inventory(&self, places: impl Iterator<Item = usize>) -> Result<Inventory, Refused> {
        let mut hosts: Vec<u32> = Vec::new();
        let mut inventory = Inventory::default();
        for place in places {
            let card: CustomerCard = self.card(place)?;
            hosts.extend(&card.hosts);
            inventory.customers.push(Customer::from(card));
        }
        hosts.sort_unstable();
        hosts.dedup();
        for host in hosts {
            let card: HostCard = self.card(self.customers() + host as usize)?;
            inventory.hosts.push(Host::from(card));
        }
        Ok(inventory)
    }

    /// How large every workload is thought to be.
    pub fn sizes(&self) -> Result<Vec<Size>, Refused> {
        self.card(self.slots.len() - 1)
    }

    fn card<T: serde::de::DeserializeOwned>(&self, place: usize) -> Result<T, Refused> {
        let bytes = self.slot(place).ok_or_else(|| self.damaged())?;
        postcard::from_bytes(&bytes).map_err(|_| self.damaged())
    }

    /// The bytes of a card, as they were written or not at all.
    fn slot(&self, place: usize) -> Option<Vec<u8>> {
        let slot = self.slots.get(place)?;
        self.read.fetch_add(1, Ordering::Relaxed);
        let at = self.cards_at.checked_add(slot.start)?;
        // Nor must the length of a card.
        let end = at.checked_add(u64::from(slot.len))?;
        let is_there = match &self.kept {
            Kept::File { file, .. } => file.metadata().is_ok_and(|it| end <= it.len()),
            Kept::Memory(all) => end <= all.len() as u64,
        };
        if !is_there {
            return None;
        }
        let mut bytes = vec![0; slot.len as usize];
        match &self.kept {
            Kept::File { file, .. } => file.read_exact_at(&mut bytes, at).ok()?,
            Kept::Memory(all) => {
                let at = usize::try_from(at).ok()?;
                bytes.copy_from_slice(all.get(at..at.checked_add(slot.len as usize)?)?);
            }
        }
        (format::sum(&bytes) == slot.sum).then_some(bytes)
    }

    fn damaged(&self) -> Refused {
        let path = match &self.kept {
            Kept::File { path, .. } => path.clone(),
            Kept::Memory(_) => PathBuf::new(),
        };
        Refused::Damaged { path, why: DAMAGED }
    }
}

#[cfg(test)]
mod tests;
