//! Passes on the shelf: begun, gone on with, counted and sealed.

use std::sync::Arc;

use crate::capture::{Content, Kind, Record};
use crate::chunk::Cutting;
use crate::ledger::snapshot::Consistency;
use crate::ledger::{Ledger, OpenPass, PassDescription};
use crate::model::{Bytes, Event, PassNumber, RunNumber, Tally, WorkloadId};
use crate::run::coordinator::{Input, SessionId};
use crate::run::engine::ToEngine;
use crate::run::shelf::{OpenManifest, OpenedPass, PassRequest, Shelf, ShelfError, ToShelf};
use crate::run::vouched;
use crate::store::{
    Disk, DiskErrorKind, ManifestError, ManifestWriter, Pass, PassHead, PassName, PassSeal, Step,
    create_pass, newest_pass, seal_pass,
};

impl Shelf {
    /// What an earlier session of the workload has pending becomes durable, and it is heard no more.
    pub(super) fn hand_over(&mut self, request: &PassRequest) {
        let id = &request.workload.id;
        if self.pending.iter().any(|(_, segment)| segment.workload == *id) {
            self.flush_or_fail();
        }
        self.writers.insert(id.clone(), request.session);
    }

    /// Does an order come of a session after which another opened a pass?
    pub(super) fn is_late(&self, order: &ToShelf) -> bool {
        let (session, workload) = match order {
            ToShelf::Commit(session, segment) => (session, &segment.workload),
            ToShelf::Seal(session, workload, _) | ToShelf::Counted(session, workload, ..) => {
                (session, workload)
            }
            ToShelf::Unread(session, pass, _) => (session, &pass.workload),
            _ => return false,
        };
        self.writers.get(workload).is_some_and(|writer| session < writer)
    }

    pub(super) fn open(&mut self, request: &PassRequest) -> Result<OpenedPass, ShelfError> {
        let workload = &request.workload;
        let Some(open) = self.ledger.open_pass(&workload.id)? else {
            return self.begin(request);
        };
        let name = PassName { workload: workload.id.clone(), pass: open.number };
        if self.damaged.contains(&name) {
            return self.begin(request);
        }
        let reopened = vouched::reopen(self.store.disk(), &self.ledger, &name);
        match reopened.and_then(|is_ours| is_ours.then(|| self.go_on(request, &open)).transpose()) {
            // What is stored is evidence and stays; its chunks are not sent again.
            Err(error) if error.is_damage() => {
                self.note_damage(&name, &crate::run::explain(&error));
                self.begin(request)
            }
            Ok(None) => self.begin(request),
            Ok(Some(opened)) => Ok(opened),
            Err(error) => Err(error),
        }
    }

    fn go_on(&mut self, request: &PassRequest, open: &OpenPass) -> Result<OpenedPass, ShelfError> {
        let workload = &request.workload;
        let described = postcard::from_bytes(&open.cutting);
        let cutting =
            described.map_err(|_| ShelfError::Description(workload.id.clone(), open.number))?;
        let name = PassName { workload: workload.id.clone(), pass: open.number };
        self.ensure_head(&self.head(request, open.number, cutting))?;
        // A sweep that was interrupted is done anew, against everything that is durable.
        if open.run > RunNumber(0) {
            let run = RunNumber(open.run.0 + 1);
            let segment = 0;
            let (pass, is_resumed) = (open.number, true);
            return Ok(OpenedPass { pass, is_resumed, run, segment, cursor: None, cutting });
        }
        let end = Some(open.manifest_end);
        let (writer, _) = ManifestWriter::reopen(self.store.disk(), &name, open.run, end)?;
        self.manifests.insert(name, OpenManifest { writer, run: open.run });
        Ok(OpenedPass {
            pass: open.number,
            is_resumed: true,
            run: open.run,
            segment: open.segments,
            cursor: open.cursor.clone(),
            cutting,
        })
    }

    fn begin(&mut self, request: &PassRequest) -> Result<OpenedPass, ShelfError> {
        let workload = &request.workload;
        let cutting = Cutting::TREE;
        let encoded = postcard::to_stdvec(&cutting).expect("a cutting is a few numbers");
        let description = PassDescription {
            workload: workload.id.clone(),
            customer: workload.customer.clone(),
            host: workload.host.clone(),
            domain: request.domain,
            cutting: encoded,
        };
        let stored = newest_pass(&**self.store.disk(), &workload.id)?;
        let pass = self.ledger.begin_pass(&description, stored, &self.by)?;
        self.ensure_head(&self.head(request, pass, cutting))?;
        let (is_resumed, run) = (false, RunNumber(0));
        Ok(OpenedPass { pass, is_resumed, run, segment: 0, cursor: None, cutting })
    }

    fn head(&self, request: &PassRequest, pass: PassNumber, cutting: Cutting) -> PassHead {
        PassHead {
            workload: request.workload.id.clone(),
            host: request.workload.host.clone(),
            pass,
            cutting,
            domain: request.domain,
            started_at: self.clock.now(),
            paths: request.workload.paths.clone(),
            excludes: request.workload.exclude.clone(),
        }
    }

    /// The ledger may have begun a pass just before a crash that took the manifest's head.
    fn ensure_head(&self, head: &PassHead) -> Result<(), ShelfError> {
        match Pass::open(self.store.disk(), &head.name()) {
            Ok(_) => Ok(()),
            Err(ManifestError::Disk(error)) if error.kind == DiskErrorKind::NotFound => {
                Ok(create_pass(&**self.store.disk(), head)?)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Reads the whole pass back on a thread of its own: what is sealed is what can be read.
    pub(super) fn count(&self, session: SessionId, workload: WorkloadId, pass: PassNumber) {
        let (disk, ledger) = (self.store.disk().clone(), self.ledger.clone());
        let itself = self.itself.clone();
        std::thread::spawn(move || {
            let name = PassName { workload: workload.clone(), pass };
            let tally = count_pass(&disk, &ledger, &name);
            let _ = itself.send(ToShelf::Counted(session, workload, pass, tally));
        });
    }

    /// A pass that was read back whole is sealed.
    pub(super) fn counted(
        &mut self,
        session: SessionId,
        pass: PassName,
        tally: Result<Tally, ShelfError>,
    ) -> Result<(), ShelfError> {
        match tally {
            Ok(tally) => self.seal(session, &pass.workload, pass.pass, tally),
            Err(error) => self.unread(session, pass, error),
        }
    }

    /// Damage costs the pass it is in: its session ends, and the workload's next begins anew. Any
    /// other reason why it cannot be read is the landing disk's.
    pub(super) fn unread(
        &mut self,
        session: SessionId,
        pass: PassName,
        error: ShelfError,
    ) -> Result<(), ShelfError> {
        if !error.is_damage() {
            return Err(error);
        }
        let why = crate::run::explain(&error);
        self.note_damage(&pass, &why);
        self.damaged.insert(pass);
        let _ = self.engine.send(ToEngine::Damaged(session, why));
        Ok(())
    }

    fn note_damage(&self, pass: &PassName, why: &str) {
        let what = format!("workload/{}", pass.workload);
        let text = format!("pass {} does not go on, a new one begins: {why}", pass.pass);
        let note = Event::Noted { what, text, by: self.by.clone() };
        let _ = self.engine.send(ToEngine::Emit(note));
    }

    fn seal(
        &mut self,
        session: SessionId,
        workload: &WorkloadId,
        pass: PassNumber,
        counted: Tally,
    ) -> Result<(), ShelfError> {
        self.flush()?;
        self.writer.close_workload(workload);
        let name = PassName { workload: workload.clone(), pass };
        self.manifests.remove(&name);
        let receipts = self.ledger.passes(workload)?;
        let receipts = receipts.iter().find(|p| p.number == pass).map(|p| p.tally);
        let tally = Tally {
            entries: counted.entries,
            files: counted.files,
            raw_bytes: counted.raw_bytes,
            fuzzy: counted.fuzzy,
            ..receipts.unwrap_or_default()
        };
        let runs = vouched::ends(&self.ledger, &name)?;
        let seal = PassSeal { runs, tally, sealed_at: self.clock.now() };
        seal_pass(&**self.store.disk(), &name, &seal)?;
        let consistency = if tally.fuzzy > 0 { Consistency::Fuzzy } else { Consistency::Crash };
        self.ledger.seal(workload, pass, &tally, consistency, &self.by)?;
        let _ = self.engine.send(ToEngine::Input(Input::Sealed(session, tally)));
        Ok(())
    }
}

/// What a pass holds when all its runs are merged.
fn count_pass(disk: &Arc<dyn Disk>, ledger: &Ledger, name: &PassName) -> Result<Tally, ShelfError> {
    let mut tally = Tally::default();
    for step in vouched::open(disk, ledger, name)?.merged() {
        let record = match step {
            Step::Record(record) => record,
            Step::Unfinished(_) => {
                tally.fuzzy += 1;
                continue;
            }
            Step::Superseded(_) => continue,
            Step::Damaged(fault) => return Err(ShelfError::Unreadable(fault)),
        };
        match record {
            Record::Node(entry) => {
                tally.entries += 1;
                tally.files += u64::from(matches!(entry.kind, Kind::File { .. }));
            }
            Record::HardLink { .. } => tally.entries += 1,
            Record::Data { length, .. } => tally.raw_bytes += Bytes(u64::from(length)),
            Record::End { content, .. } => {
                tally.fuzzy += u64::from(content != Content::Steady);
            }
            Record::Lost { .. } | Record::Gone { .. } | Record::LeftOut { .. } => {}
        }
    }
    Ok(tally)
}
