//! Passes on the shelf: begun, or gone on with.
//!
//! **Anew or against a former one.** A workload that has a sealed pass is compared with the newest
//! of them, and only what changed is taken; of what that pass lost, what is there still. It is
//! taken anew when the manifest of that pass is damaged, when other paths are to be taken than
//! then, or on another host; its chunks are not sent again even so.

use tokio::sync::oneshot;

use crate::chunk::Cutting;
use crate::ledger::{OpenPass, PassDescription};
use crate::model::{Event, PassNumber, RunNumber, WorkloadId};
use crate::run::coordinator::SessionId;
use crate::run::engine::ToEngine;
use crate::run::shelf::{OpenManifest, OpenedPass, PassRequest, Shelf, ShelfError, ToShelf};
use crate::run::vouched;
use crate::store::{
    DiskErrorKind, ManifestError, ManifestWriter, Pass, PassBase, PassHead, PassName, Step,
    create_pass, newest_pass, read_aside,
};

impl Shelf {
    /// What an earlier session of the workload has pending becomes durable; it is heard no more.
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
            ToShelf::Seal(session, pass, ..)
            | ToShelf::Counted(session, pass, ..)
            | ToShelf::Unread(session, pass, _) => (session, &pass.workload),
            _ => return false,
        };
        self.writers.get(workload).is_some_and(|writer| session < writer)
    }

    pub(super) fn open(&mut self, request: &PassRequest) -> Result<OpenedPass, ShelfError> {
        let opened = self.open_or_begin(request)?;
        let name = PassName { workload: request.workload.id.clone(), pass: opened.pass };
        if request.accept_losses {
            self.accepting.insert(name);
        } else if !request.workload.is_default {
            self.written_down.insert(name);
        }
        Ok(opened)
    }

    fn open_or_begin(&mut self, request: &PassRequest) -> Result<OpenedPass, ShelfError> {
        let workload = &request.workload;
        let Some(open) = self.ledger.open_pass(&workload.id)? else {
            return self.begin(request);
        };
        let name = PassName { workload: workload.id.clone(), pass: open.number };
        let is_aside = read_aside(&**self.store.disk(), &name)?.is_some();
        if is_aside || self.damaged.contains(&name) {
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
        let is_delta = self.ensure_head(request, open.number, cutting)?.base.is_some();
        // What compares is done anew when it was interrupted, against everything that is durable.
        if is_delta || open.run > RunNumber(0) {
            return Ok(OpenedPass {
                pass: open.number,
                is_resumed: true,
                run: RunNumber(open.run.0 + 1),
                is_delta,
                segment: 0,
                cursor: None,
                cutting,
            });
        }
        let end = Some(open.manifest_end);
        let (writer, _) = ManifestWriter::reopen(self.store.disk(), &name, open.run, end)?;
        self.manifests.insert(name, OpenManifest { writer, run: open.run, has_clock: false });
        Ok(OpenedPass {
            pass: open.number,
            is_resumed: true,
            run: open.run,
            is_delta,
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
        let is_delta = self.ensure_head(request, pass, cutting)?.base.is_some();
        let run = RunNumber(u32::from(is_delta));
        let (is_resumed, segment, cursor) = (false, 0, None);
        Ok(OpenedPass { pass, is_resumed, run, is_delta, segment, cursor, cutting })
    }

    /// What the head of a new pass says.
    fn head(
        &self,
        request: &PassRequest,
        pass: PassNumber,
        cutting: Cutting,
    ) -> Result<PassHead, ShelfError> {
        let mut head = PassHead {
            workload: request.workload.id.clone(),
            host: request.workload.host.clone(),
            pass,
            cutting,
            domain: request.domain,
            started_at: self.clock.now(),
            paths: request.workload.paths.clone(),
            excludes: request.workload.exclude.clone(),
            base: None,
        };
        head.base = self.base_for(&head)?;
        Ok(head)
    }

    /// What a pass with this head can be compared with.
    fn base_for(&self, head: &PassHead) -> Result<Option<PassBase>, ShelfError> {
        let passes = self.ledger.passes(&head.workload)?;
        let newest = passes.iter().rev().find(|pass| pass.sealed_at.is_some());
        let Some(newest) = newest else { return Ok(None) };
        let name = PassName { workload: head.workload.clone(), pass: newest.number };
        let former = match Pass::open(self.store.disk(), &name) {
            Ok(former) => former,
            Err(error) => {
                let error = ShelfError::from(error);
                return if error.is_damage() { Ok(None) } else { Err(error) };
            }
        };
        let of = |head: &PassHead| {
            let (paths, excludes) = (head.paths.clone(), head.excludes.clone());
            (head.host.clone(), head.domain, head.cutting, paths, excludes)
        };
        let is_alike = of(former.head()) == of(head);
        let is_whole = former.seal().is_some_and(|seal| {
            vouched::ends(&self.ledger, &name).is_ok_and(|receipts| seal.runs == receipts)
        });
        // Content that is lost is read again; what it was of has to be known for that.
        let is_read = || former.merged().all(|step| !matches!(step, Step::Damaged(_)));
        let is_fit = is_alike && is_whole && (newest.bad_chunks == 0 || is_read());
        if is_fit { Ok(former.as_base()?) } else { Ok(None) }
    }

    /// The ledger may have begun a pass just before a crash that took the manifest's head.
    fn ensure_head(
        &self,
        request: &PassRequest,
        pass: PassNumber,
        cutting: Cutting,
    ) -> Result<PassHead, ShelfError> {
        let name = PassName { workload: request.workload.id.clone(), pass };
        match Pass::open(self.store.disk(), &name) {
            Ok(pass) => Ok(pass.head().clone()),
            Err(ManifestError::Disk(error)) if error.kind == DiskErrorKind::NotFound => {
                let head = self.head(request, pass, cutting)?;
                create_pass(&**self.store.disk(), &head)?;
                Ok(head)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Damage costs the pass it is in, and those that build on it: the session ends, and the
    /// workload's next pass begins anew. Any other reason why one cannot be read is the landing
    /// disk's.
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
        if let ShelfError::Unreadable(fault) = &error
            && !fault.file.starts_with(&pass.file(""))
        {
            self.former_is_damaged(&pass)?;
        }
        self.damaged.insert(pass);
        let _ = self.engine.send(ToEngine::Damaged(session, why));
        Ok(())
    }

    /// What a pass builds on is not what it was: nothing is built on it any more.
    fn former_is_damaged(&mut self, pass: &PassName) -> Result<(), ShelfError> {
        let passes = self.ledger.passes(&pass.workload)?;
        if let Some(former) = passes.iter().rev().find(|pass| pass.sealed_at.is_some()) {
            let (workload, pass, bad_chunks) = (pass.workload.clone(), former.number, 1);
            self.record(&Event::VerifyFailed { workload, pass, bad_chunks })?;
        }
        Ok(())
    }

    /// Nothing more comes of a workload for now: what came is made durable.
    pub(super) fn sync(
        &mut self,
        workload: &WorkloadId,
        answer: oneshot::Sender<()>,
    ) -> Result<(), ShelfError> {
        self.writer.close_workload(workload);
        self.flush()?;
        // Whoever asked may have gone.
        let _ = answer.send(());
        Ok(())
    }

    fn note_damage(&self, pass: &PassName, why: &str) {
        let what = format!("workload/{}", pass.workload);
        let text = format!("pass {} does not go on, a new one begins: {why}", pass.pass);
        let note = Event::Noted { what, text, by: self.by.clone() };
        let _ = self.engine.send(ToEngine::Emit(note));
    }
}
