//! One run of a pass: a file of segments, written at its end and read from its start.
//!
//! **Invariants.** A segment is whole or not there. Paths never go back inside a run; a path that
//! stands twice in a row was begun again, and the later one counts. Reading keeps one segment in
//! memory, goes on behind damage, and says from where to where something is missing.

use std::sync::Arc;

use crate::capture::entry::Record;
use crate::model::{RunNumber, TreePath};
use crate::store::disk::{Append, Disk, DiskError, DiskErrorKind};
use crate::store::manifest::{ManifestError, PassName};
use crate::store::segment::{self, Prefix, Records, SegmentHead};

/// How much is searched for the next segment at a time.
const SEARCH_BYTES: usize = 1 << 20;

/// Appends segments to a run.
pub struct ManifestWriter {
    disk: Arc<dyn Disk>,
    name: String,
    /// `None` when a failure left the file's end in doubt.
    file: Option<Box<dyn Append>>,
    end_bytes: u64,
    next_number: u32,
    last: Option<TreePath>,
}

impl std::fmt::Debug for ManifestWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ManifestWriter({}, {} bytes)", self.name, self.end_bytes)
    }
}

impl ManifestWriter {
    /// Begins a run that is not there yet.
    pub fn create(
        disk: &Arc<dyn Disk>,
        pass: &PassName,
        run: RunNumber,
    ) -> Result<Self, ManifestError> {
        let name = pass.run_file(run);
        let file = disk.create(&name)?;
        Ok(Self::at(disk, name, file, 0, None))
    }

    /// Goes on with a run. `end_bytes` is where its latest receipt ends: what lies behind is cut,
    /// for nobody vouches for its chunks. Without one, everything behind the last whole segment is
    /// cut. Also gives the head of the last segment that is left.
    pub fn reopen(
        disk: &Arc<dyn Disk>,
        pass: &PassName,
        run: RunNumber,
        end_bytes: Option<u64>,
    ) -> Result<(Self, Option<SegmentHead>), ManifestError> {
        let name = pass.run_file(run);
        let missing = |error: &DiskError| error.kind == DiskErrorKind::NotFound;
        let length = match disk.length(&name) {
            // A power loss may take the file as long as no receipt speaks of it.
            Err(error) if missing(&error) && end_bytes.unwrap_or(0) == 0 => {
                return Ok((Self::create(disk, pass, run)?, None));
            }
            length => length?,
        };
        let limit = end_bytes.unwrap_or(length);
        let mut walk = Walk { disk: &**disk, name: &name, at: 0, limit };
        let (mut last, mut path) = (None, None);
        while let Some((found, _)) = walk.step(end_bytes.is_none())? {
            // A large file goes on through segments that hold nothing but its pieces.
            path = found.last.clone().or(path);
            last = Some(found);
        }
        if end_bytes.is_some_and(|end| end != walk.at) {
            let why = "it does not reach to its latest receipt";
            return Err(ManifestError::Damaged { file: name, why });
        }
        let end = walk.at;
        let file = disk.reopen(&name, end)?;
        let mut writer = Self::at(disk, name, file, end, last.as_ref());
        writer.last = path;
        Ok((writer, last))
    }

    fn at(
        disk: &Arc<dyn Disk>,
        name: String,
        file: Box<dyn Append>,
        end_bytes: u64,
        last: Option<&SegmentHead>,
    ) -> Self {
        Self {
            disk: Arc::clone(disk),
            name,
            file: Some(file),
            end_bytes,
            next_number: last.map_or(0, |head| head.number + 1),
            last: last.and_then(|head| head.last.clone()),
        }
    }

    /// Where the file ends.
    pub fn end_bytes(&self) -> u64 {
        self.end_bytes
    }

    /// The number that the next segment must have.
    pub fn next_number(&self) -> u32 {
        self.next_number
    }

    /// Adds a segment; gives where it ends. Not durable before [`Self::sync`].
    pub fn append(&mut self, head: &SegmentHead, records: &[Record]) -> Result<u64, ManifestError> {
        let refused = |what| ManifestError::Refused { file: self.name.clone(), what };
        if head.number != self.next_number {
            return Err(refused("a segment out of its turn"));
        }
        let last = check_order(self.last.as_ref(), records).map_err(refused)?.cloned();
        let bytes = segment::encode(head, records).map_err(refused)?;
        let file = self.file.as_mut().ok_or(ManifestError::InDoubt { file: self.name.clone() })?;
        if let Err(error) = file.append(&bytes) {
            self.file = self.disk.reopen(&self.name, self.end_bytes).ok();
            return Err(error.into());
        }
        self.end_bytes += bytes.len() as u64;
        self.next_number += 1;
        self.last = last.or_else(|| self.last.take());
        Ok(self.end_bytes)
    }

    /// Makes every segment durable. After an error the run has to be reopened where its latest
    /// receipt ends.
    pub fn sync(&mut self) -> Result<(), ManifestError> {
        let file = self.file.as_mut().ok_or(ManifestError::InDoubt { file: self.name.clone() })?;
        if let Err(error) = file.sync() {
            self.file = None;
            return Err(error.into());
        }
        Ok(())
    }
}

/// The last path of `records`, if none goes back.
fn check_order<'a>(
    mut last: Option<&'a TreePath>,
    records: &'a [Record],
) -> Result<Option<&'a TreePath>, &'static str> {
    for record in records {
        match (record.path(), last) {
            (Some(path), Some(before)) if path < before => return Err("paths that go back"),
            (None, None) => return Err("a piece without a file"),
            (path, _) => last = path.or(last),
        }
    }
    Ok(last)
}

/// Steps from one whole segment to the next.
pub(super) struct Walk<'a> {
    pub disk: &'a dyn Disk,
    pub name: &'a str,
    /// Where the latest whole segment ends.
    pub at: u64,
    pub limit: u64,
}

impl Walk<'_> {
    /// The next whole segment's head; `None` where there is none. The payload is read, checked and
    /// given only if that is wanted.
    pub fn step(
        &mut self,
        is_payload_wanted: bool,
    ) -> Result<Option<(SegmentHead, Records)>, DiskError> {
        let Some((prefix, head)) = read_head(self.disk, self.name, self.at)? else {
            return Ok(None);
        };
        let end = self.at + prefix.total_bytes();
        if end > self.limit {
            return Ok(None);
        }
        let mut records = Records::empty();
        if is_payload_wanted {
            let start = end - prefix.payload_bytes as u64;
            let payload = self.disk.read(self.name, start, prefix.payload_bytes)?;
            let Some(found) = prefix.records(&payload) else { return Ok(None) };
            records = found;
        }
        self.at = end;
        Ok(Some((head, records)))
    }
}

fn read_head(
    disk: &dyn Disk,
    name: &str,
    at: u64,
) -> Result<Option<(Prefix, SegmentHead)>, DiskError> {
    let bytes = disk.read(name, at, segment::PREFIX_BYTES)?;
    let Some(prefix) = Prefix::parse(&bytes) else { return Ok(None) };
    let head = disk.read(name, at + segment::PREFIX_BYTES as u64, prefix.head_bytes)?;
    Ok(prefix.head(&bytes, &head).map(|head| (prefix, head)))
}

/// A stretch of a run that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFault {
    /// The run's file.
    pub file: String,
    /// Where in it.
    pub offset: u64,
    /// What was seen.
    pub why: String,
    /// Nothing up to here is missing; `None` is the start of the run.
    pub from: Option<TreePath>,
    /// Nothing from here on is missing; `None` is its end.
    pub to: Option<TreePath>,
    /// The disk would not give it; `None`: what it gave is not what was written.
    pub failure: Option<DiskErrorKind>,
}

/// A record, or a stretch without any.
#[derive(Debug)]
pub(super) enum RunStep {
    Record(Record),
    Fault(SegmentFault),
}

/// Reads a run from its start.
pub(super) struct RunReader {
    disk: Arc<dyn Disk>,
    name: String,
    at: u64,
    /// Where the run should end.
    end: u64,
    /// Is `end` known from a seal or receipt? If not, a bad end is just a torn tail.
    is_end_certain: bool,
    next_number: u32,
    last: Option<TreePath>,
    records: Records,
    segment_at: u64,
}

impl RunReader {
    pub fn new(disk: &Arc<dyn Disk>, name: String, end: u64, is_end_certain: bool) -> Self {
        Self {
            disk: Arc::clone(disk),
            name,
            at: 0,
            end,
            is_end_certain,
            next_number: 0,
            last: None,
            records: Records::empty(),
            segment_at: 0,
        }
    }

    pub fn next(&mut self) -> Option<RunStep> {
        loop {
            match self.records.next() {
                Some(Ok(record)) => match self.admit(record) {
                    Ok(record) => return Some(RunStep::Record(record)),
                    Err(why) => return Some(RunStep::Fault(self.give_up(why.into()))),
                },
                Some(Err(why)) => return Some(RunStep::Fault(self.give_up(why.into()))),
                None if self.at >= self.end => return None,
                None => {
                    if let Some(fault) = self.next_segment() {
                        return Some(RunStep::Fault(fault));
                    }
                }
            }
        }
    }

    fn admit(&mut self, record: Record) -> Result<Record, &'static str> {
        if let Some(path) = record.path() {
            if self.last.as_ref().is_some_and(|last| path < last) {
                return Err("paths that go back");
            }
            self.last = Some(path.clone());
        }
        Ok(record)
    }

    /// What cannot have been written so: the rest of the run is not believed.
    fn give_up(&mut self, why: String) -> SegmentFault {
        self.records = Records::empty();
        self.at = self.end;
        self.fault(self.segment_at, why, None)
    }

    fn fault(&self, offset: u64, why: String, to: Option<TreePath>) -> SegmentFault {
        let (file, from) = (self.name.clone(), self.last.clone());
        SegmentFault { file, offset, why, from, to, failure: None }
    }

    /// The disk gives nothing more of this run.
    fn fail(&mut self, error: &DiskError) -> SegmentFault {
        SegmentFault { failure: Some(error.kind), ..self.give_up(error.source.to_string()) }
    }

    /// Moves on to the next segment, or says what is wrong with it.
    fn next_segment(&mut self) -> Option<SegmentFault> {
        self.segment_at = self.at;
        match self.load() {
            Err(error) => Some(self.fail(&error)),
            Ok(None) => self.skip_damage(),
            Ok(Some((head, None))) => {
                let fault = self.fault(self.segment_at, "its payload is damaged".into(), None);
                self.last = head.last.clone().or_else(|| self.last.take());
                Some(SegmentFault { to: head.last, ..fault })
            }
            Ok(Some((head, Some(records)))) => {
                let is_next = head.number == self.next_number;
                let fault = (!is_next)
                    .then(|| self.fault(self.at, "segments are missing".into(), head.first));
                self.next_number = head.number.saturating_add(1);
                self.records = records;
                fault
            }
        }
    }

    /// The segment at `at`, and moves behind it if its head is whole.
    fn load(&mut self) -> Result<Option<(SegmentHead, Option<Records>)>, DiskError> {
        let Some((prefix, head)) = read_head(&*self.disk, &self.name, self.at)? else {
            return Ok(None);
        };
        let end = self.at + prefix.total_bytes();
        if end > self.end {
            return Ok(None);
        }
        let start = end - prefix.payload_bytes as u64;
        let records = prefix.records(&self.disk.read(&self.name, start, prefix.payload_bytes)?);
        self.at = end;
        if records.is_none() {
            self.next_number = head.number.saturating_add(1);
        }
        Ok(Some((head, records)))
    }

    /// Looks for the next segment with a whole head. What is damaged without one behind it is the
    /// run's torn tail, unless the run is known to reach further.
    fn skip_damage(&mut self) -> Option<SegmentFault> {
        let offset = self.at;
        let why = || "it is damaged or cut short".to_owned();
        match self.search(offset + 1) {
            Err(error) => Some(self.fail(&error)),
            Ok(Some((at, head))) => {
                self.at = at;
                self.next_number = head.number;
                Some(self.fault(offset, why(), head.first))
            }
            Ok(None) => {
                self.at = self.end;
                self.is_end_certain.then(|| self.fault(offset, why(), None))
            }
        }
    }

    fn search(&self, mut from: u64) -> Result<Option<(u64, SegmentHead)>, DiskError> {
        let magic = segment::MAGIC;
        loop {
            let bytes = self.disk.read(&self.name, from, SEARCH_BYTES)?;
            for (step, window) in bytes.windows(magic.len()).enumerate() {
                let at = from + step as u64;
                if window == magic
                    && let Some((_, head)) = read_head(&*self.disk, &self.name, at)?
                {
                    return Ok(Some((at, head)));
                }
            }
            if bytes.len() < SEARCH_BYTES {
                return Ok(None);
            }
            from += (SEARCH_BYTES - magic.len() + 1) as u64;
        }
    }
}

#[cfg(test)]
mod tests;
