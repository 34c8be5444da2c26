//! Opens a store: believes the index log where it can, reads packs where it must, and as the
//! writer puts in order what a crash left. See the parent for what counts.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use crate::model::{Domain, PackId};
use crate::store::damaged::Listed;
use crate::store::disk::{Disk, DiskError, DiskErrorKind};
use crate::store::index::{Index, PackState, insert_frames};
use crate::store::keys::{KeyError, KeyRing};
use crate::store::load::{Logs, Target};
use crate::store::log::{self, LogWriter, PackEnd, PackNews};
use crate::store::pack::{Footer, PackName};
use crate::store::scan::{PackContents, read_pack};
use crate::store::tenants::Tenants;
use crate::store::verify::BadKind;
use crate::store::{LostPack, Shared, StoreError};

/// Packs whose news are collected before they are logged.
const NEWS_MAX: usize = 64;

/// What was found while opening.
#[derive(Debug, Default)]
pub struct OpenReport {
    /// Packs there are.
    pub packs: u32,
    /// Different chunks there are.
    pub chunks: u64,
    /// Packs that were read because the index log does not vouch for them.
    pub read_packs: u32,
    /// Of these, the ones that were cut where needed, and sealed.
    pub sealed_packs: u32,
    /// Bytes behind the last whole frames that were cut, or ignored.
    pub torn_bytes: u64,
    /// Files in which not one whole frame had arrived; removed.
    pub removed_packs: Vec<String>,
    /// Packs with damage; what is whole of them counts.
    pub damaged_packs: Vec<DamagedPack>,
    /// Packs that the index log knows and the disk does not have.
    pub missing_packs: Vec<String>,
    /// Packs that must be on a disk that is not there: their chunks count, and cannot be read.
    pub away_packs: u32,
    /// Index logs that could not be read; they are made good from the packs.
    pub damaged_logs: Vec<String>,
    /// Keys without which packs cannot be checked; the writer refuses to open then.
    pub missing_keys: Vec<PathBuf>,
}

/// A pack that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedPack {
    /// Its file.
    pub file: String,
    /// What was seen.
    pub why: String,
}

struct Opening {
    disk: Arc<dyn Disk>,
    keys: Arc<KeyRing>,
    is_read_only: bool,
    tenants: Tenants,
    index: Index,
    logs: Logs,
    /// Packs on the disk.
    listed: Vec<(PackName, u64)>,
    /// Trusted packs by id.
    trusted: HashMap<PackId, u32>,
    /// Packs that are gone or cut short, by their number in `lost_packs`.
    missing: HashMap<PackId, u32>,
    lost_packs: Vec<LostPack>,
    damaged: Listed,
    news: Vec<PackNews>,
    log: LogWriter,
    report: OpenReport,
}

pub(super) fn open(
    disk: Arc<dyn Disk>,
    keys: Arc<KeyRing>,
    is_read_only: bool,
    tenants: Tenants,
) -> Result<(Shared, OpenReport, u32), StoreError> {
    let logs: Vec<String> = disk.list(log::PREFIX)?.into_iter().map(|file| file.name).collect();
    let next_log = logs.iter().filter_map(|file| log::number_of(file)).max().unwrap_or(0) + 1;
    let read = Logs::read(&*disk, &logs);
    let damaged = Listed::read(&*disk);
    let mut opening = Opening {
        disk,
        keys,
        is_read_only,
        tenants,
        index: Index::default(),
        logs: read,
        listed: Vec::new(),
        trusted: HashMap::new(),
        missing: HashMap::new(),
        lost_packs: Vec::new(),
        damaged,
        news: Vec::new(),
        log: LogWriter::new(next_log),
        report: OpenReport::default(),
    };
    opening.report.damaged_logs.append(&mut opening.logs.damaged);
    opening.take_trusted()?;
    opening.insert_logged()?;
    opening.read_packs()?;
    opening.write_news(1)?;
    Ok(opening.finish(next_log))
}

impl Opening {
    /// Lists the packs and takes in those that need not be read.
    fn take_trusted(&mut self) -> Result<(), StoreError> {
        for file in self.disk.list(PackName::PREFIX)? {
            if let Some(name) = PackName::of_file(&file.name) {
                self.listed.push((name, file.length));
            }
        }
        let lengths: HashMap<PackId, u64> =
            self.listed.iter().map(|(name, length)| (name.id, *length)).collect();
        let is_away = !self.disk.away().is_empty();
        let mut known: Vec<_> = self.logs.known.iter().collect();
        known.sort_unstable_by(|a, b| (&a.1.name.workload, a.0).cmp(&(&b.1.name.workload, b.0)));
        for (id, known) in known {
            let length = lengths.get(id).copied();
            if let Some(sealed) = known.sealed_bytes.filter(|s| Some(u64::from(*s)) == length) {
                let number = self.index.set_pack(PackState {
                    name: known.name.clone(),
                    domain: Some(known.domain),
                    durable_bytes: sealed,
                    sealed_bytes: Some(sealed),
                    tenant: self.tenants.of(&known.name.workload),
                });
                self.damaged.number(&known.name, number, &mut self.lost_packs);
                self.trusted.insert(*id, number);
            } else if is_away && length.is_none() && known.seen_frames > 0 {
                let number = self.index.set_pack(PackState {
                    name: known.name.clone(),
                    domain: Some(known.domain),
                    durable_bytes: known.sealed_bytes.unwrap_or(known.seen_bytes),
                    sealed_bytes: known.sealed_bytes,
                    tenant: self.tenants.of(&known.name.workload),
                });
                self.trusted.insert(*id, number);
                self.report.away_packs += 1;
            } else if known.seen_frames > 0 && (length.is_none() || known.sealed_bytes.is_some()) {
                let file = known.name.file();
                self.missing.insert(*id, self.lost_packs.len() as u32);
                let is_cut = length.is_some();
                let kind = if is_cut { BadKind::TruncatedPack } else { BadKind::MissingPack };
                self.lost_packs.push(LostPack { file: file.clone(), kind });
                if length.is_none() {
                    self.report.missing_packs.push(file);
                }
            }
        }
        let domains: BTreeSet<Domain> =
            self.trusted.keys().filter_map(|id| Some(self.logs.known.get(id)?.domain)).collect();
        Ok(domains.into_iter().try_for_each(|domain| self.check_key(domain))?)
    }

    /// The chunks of trusted packs, and of those that are gone.
    fn insert_logged(&self) -> Result<(), DiskError> {
        self.logs.insert(&*self.disk, &self.index, &self.damaged, |id| {
            let trusted = self.trusted.get(id).map(|number| Target::Pack(*number));
            trusted.or_else(|| self.missing.get(id).map(|number| Target::Missing(*number)))
        })
    }

    fn read_packs(&mut self) -> Result<(), StoreError> {
        for (name, length) in std::mem::take(&mut self.listed) {
            if !self.trusted.contains_key(&name.id) {
                self.read_pack(&name, length)?;
                self.write_news(NEWS_MAX)?;
            }
        }
        Ok(())
    }

    fn read_pack(&mut self, name: &PackName, length: u64) -> Result<(), StoreError> {
        let file = name.file();
        let known = self.logs.known.get(&name.id);
        let (sealed, condemned) =
            known.map_or((None, None), |known| (known.sealed_bytes, known.condemned_at));
        let contents = match read_pack(&*self.disk, name, length, condemned) {
            Ok(contents) => contents,
            Err(error) if error.kind == DiskErrorKind::NotFound => return Ok(()),
            Err(error) => {
                self.damaged(file, error.source.to_string());
                return Ok(());
            }
        };
        self.report.read_packs += 1;
        if let Some(domain) = contents.domain {
            self.check_key(domain)?;
        }
        if let Some(sealed) = sealed {
            self.damaged(file.clone(), format!("{length} bytes of {sealed} are there"));
        } else if contents.damaged_bytes > 0 {
            let why = format!("{} bytes belong to no whole frame", contents.damaged_bytes);
            self.damaged(file.clone(), why);
        }
        if !contents.is_sealed {
            self.report.torn_bytes += length.saturating_sub(contents.end.into());
        }
        let is_ours = !self.is_read_only && sealed.is_none();
        if contents.frames.is_empty() {
            if is_ours {
                self.disk.remove(&file)?;
                self.report.removed_packs.push(file);
            }
            return Ok(());
        }
        let is_to_seal = is_ours && condemned.is_none();
        let sealed_bytes =
            if is_to_seal { Some(self.seal(name, &contents, length)?) } else { None };
        self.take(name, contents, sealed_bytes);
        Ok(())
    }

    /// Cuts the tail, writes the footer, and makes all of it durable.
    fn seal(
        &mut self,
        name: &PackName,
        contents: &PackContents,
        length: u64,
    ) -> Result<u32, DiskError> {
        let file = name.file();
        if contents.is_sealed {
            // Its footer was written, but nobody has noted that it was synced.
            self.disk.reopen(&file, length)?.sync()?;
            return Ok(length as u32);
        }
        let mut footer = Footer::default();
        for frame in &contents.frames {
            footer.push(frame.offset, frame.length, frame.chunks.iter().copied());
        }
        let bytes = footer.encode(name.id);
        let mut handle = self.disk.reopen(&file, contents.end.into())?;
        handle.append(&bytes)?;
        handle.sync()?;
        self.report.sealed_packs += 1;
        Ok(contents.end + bytes.len() as u32)
    }

    fn take(&mut self, name: &PackName, contents: PackContents, sealed_bytes: Option<u32>) {
        let PackContents { domain, frames, end, .. } = contents;
        let number = self.index.set_pack(PackState {
            name: name.clone(),
            domain,
            durable_bytes: sealed_bytes.unwrap_or(end),
            sealed_bytes,
            tenant: self.tenants.of(&name.workload),
        });
        self.damaged.number(name, number, &mut self.lost_packs);
        let lose = |id, loss| self.index.set_lost(id, loss);
        let well = self.damaged.leave_out(number, &frames, lose);
        insert_frames(&self.index, number, &well);
        if let (Some(length), Some(domain)) = (sealed_bytes, domain) {
            self.news.push(PackNews {
                number,
                id: name.id,
                workload: name.workload.clone(),
                domain,
                first_frame: 0,
                frames,
                end: Some(PackEnd::Sealed(length)),
            });
        }
    }

    fn damaged(&mut self, file: String, why: String) {
        self.report.damaged_packs.push(DamagedPack { file, why });
    }

    /// The writer must have every key: a new one under the old name would end all checks.
    fn check_key(&mut self, domain: Domain) -> Result<(), KeyError> {
        if self.keys.get(domain).is_some() {
            return Ok(());
        }
        let path = self.keys.path(domain);
        if !self.is_read_only {
            return Err(KeyError::Missing { path });
        }
        if !self.report.missing_keys.contains(&path) {
            self.report.missing_keys.push(path);
        }
        Ok(())
    }

    fn write_news(&mut self, at_least: usize) -> Result<(), DiskError> {
        if self.news.len() >= at_least {
            self.log.write(&*self.disk, &self.news)?;
            self.news.clear();
        }
        Ok(())
    }

    fn finish(mut self, next_log: u32) -> (Shared, OpenReport, u32) {
        self.index.forget_found();
        self.report.packs = self.index.pack_count();
        self.report.chunks = self.index.len();
        let shared = Shared {
            disk: self.disk,
            keys: self.keys,
            index: self.index,
            is_read_only: self.is_read_only,
            tenants: RwLock::new(self.tenants),
            lost_packs: self.lost_packs,
            damaged: self.damaged.into_places(),
        };
        let next_log = next_log + u32::from(self.log.is_begun());
        (shared, self.report, next_log)
    }
}
