//! Restores onto targets over SSH: the agent there writes, the landing site feeds it.
//!
//! One connection a target; its workloads follow one another. At most [`BATCHES_AHEAD`] batches are
//! under way, so that the target's memory stays bounded while the line is never idle.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, channel};

use crate::chunk::DomainKey;
use crate::inventory::{Impact, Target};
use crate::ledger::{Ledger, Place};
use crate::model::{Bytes, Event, EventSink, HostId, PassNumber, Reason, TreePath, WorkloadId};
use crate::restore::{Feed, FrameCache, Selection, former_at, position};
use crate::run::line::Line;
use crate::run::reach::Reach;
use crate::run::talk::TalkError;
use crate::store::{Pass, PassName, Store};
use crate::wire::{Grant, PlaceOrder, Problem, ToAgent, ToLanding};

use sending::{Encoded, Sent};

mod look;
mod sending;

/// Problems kept one by one: what an honest target tells. The rest is a count.
const PROBLEMS_MAX: usize = 2_000;
/// Batches sent and not yet written.
const BATCHES_AHEAD: usize = 2;

/// One workload to be restored onto a target.
#[derive(Debug, Clone)]
pub struct Job {
    /// Which.
    pub workload: WorkloadId,
    /// Which of its passes.
    pub pass: PassNumber,
    /// Beneath which folder there.
    pub root: TreePath,
    /// Only these paths; empty: everything.
    pub include: Vec<TreePath>,
    /// Replace what is there and differs.
    pub overwrite: bool,
    /// Owners go by name.
    pub map_users: bool,
}

/// How a restore ended.
#[derive(Debug, Clone, Default)]
pub struct Restored {
    /// Entries written or found in place.
    pub entries: u64,
    /// Content written.
    pub bytes: Bytes,
    /// What could not be restored whole: path and why; at most as many as were told.
    pub problems: Vec<(TreePath, String)>,
    /// All of them.
    pub problem_count: u64,
}

/// What restores work with.
pub struct Restorer {
    /// The way to targets.
    pub reach: Arc<Reach>,
    /// What is stored.
    pub store: Store,
    /// Frames that were opened, for all targets.
    pub frames: FrameCache,
    /// What happened.
    pub ledger: Arc<Ledger>,
    /// Who wants to know.
    pub events: Arc<dyn EventSink>,
    /// Who restores.
    pub by: String,
}

impl Restorer {
    /// Restores `jobs` onto `target`, one after the other; each has its own outcome.
    pub async fn onto(
        &self,
        target: &Target,
        jobs: Vec<Job>,
    ) -> Vec<(Job, Result<Restored, TalkError>)> {
        let mut line = None;
        let mut outcomes = Vec::new();
        for job in jobs {
            let place = Place::Target {
                target: target.id.to_string(),
                root: job.root.as_path().to_owned(),
            }
            .to_string();
            let outcome = self.one(target, &job, &place, &mut line).await;
            if let Err(error) = &outcome {
                self.tell(&Event::RestoreFailed {
                    workload: job.workload.clone(),
                    place,
                    reason: error.reason,
                    detail: error.detail.clone(),
                });
            }
            outcomes.push((job, outcome));
        }
        if let Some(line) = line.take() {
            line.bye().await;
        }
        outcomes
    }

    /// Restores onto many targets at once; each job has its own outcome.
    pub async fn onto_all(
        self: Arc<Self>,
        targets: Vec<(Target, Vec<Job>)>,
    ) -> Vec<(Job, Result<Restored, TalkError>)> {
        let mut tasks = tokio::task::JoinSet::new();
        for (target, jobs) in targets {
            let restorer = self.clone();
            tasks.spawn(async move { restorer.onto(&target, jobs).await });
        }
        let outcomes = tasks.join_all().await;
        self.reach.close().await;
        outcomes.into_iter().flatten().collect()
    }

    async fn one(
        &self,
        target: &Target,
        job: &Job,
        place: &str,
        line: &mut Option<Line>,
    ) -> Result<Restored, TalkError> {
        if line.is_none() {
            *line = Some(self.connect(target).await?);
        }
        let ready = line.as_mut().expect("it was just filled");
        let outcome = self.write(job, place, ready).await;
        // An agent that failed is in the middle of something: the next job gets a fresh one.
        if outcome.is_err()
            && let Some(line) = line.take()
        {
            line.hang_up(Reason::TargetError).await;
        }
        outcome
    }

    async fn connect(&self, target: &Target) -> Result<Line, TalkError> {
        let name = format!("target-{}", target.id);
        let name: String = name.chars().take(63).collect();
        let name = HostId::new(name)
            .map_err(|error| TalkError::new(Reason::Inventory, error.to_string()))?;
        let generation = self.ledger.generation(&name).map_err(|e| landing(&e))?;
        let endpoint = self.reach.target_endpoint(target).await?;
        let connection = self.reach.dial(&endpoint, &|_, _| {}).await?;
        let started = self.reach.start(connection, &name, Impact::Full, generation, Grant::Write);
        let (line, _) = started.await?;
        Ok(line)
    }

    async fn write(&self, job: &Job, place: &str, line: &mut Line) -> Result<Restored, TalkError> {
        let name = PassName { workload: job.workload.clone(), pass: job.pass };
        let former =
            former_at((&self.ledger, self.store.disk()), &name, place).map_err(|e| landing(&e))?;
        let begun = self
            .ledger
            .restore_begin(&job.workload, job.pass, place, &self.by)
            .map_err(|error| landing(&error))?;
        self.events.emit(&Event::RestoreStarted {
            workload: job.workload.clone(),
            pass: job.pass,
            place: place.to_owned(),
        });
        let reached = begun.position.and_then(|bytes| position::decode(&bytes, &job.include));
        let pass = self.pass(job)?;
        let owners = if job.map_users { pass.owners().map_err(|e| landing(&e))? } else { None };
        let order = PlaceOrder {
            root: job.root.clone(),
            captured: pass.head().paths.clone(),
            overwrite: job.overwrite,
            resume: reached.clone(),
            incremental: former.is_some(),
            owners: owners.map(Into::into),
        };
        let is_begun = reached.is_some();
        let refuses = !order.overwrite && !order.incremental;
        line.talk.send(&ToAgent::Place(Box::new(order)));
        let is_free = look::ready(line).await?;
        // What was written is gone: all of it is written again.
        let resume = reached.map(|path| if is_free { TreePath::root() } else { path });
        let selection = Selection { include: job.include.clone(), resume };
        if !is_begun && refuses && !is_free {
            look::ahead(&pass, &selection, line).await?;
        }
        if selection.resume.as_ref().is_none_or(TreePath::is_root) {
            // From here on, what stands there may be of our making: a restore that ends before it
            // says how far it got is gone on with all the same.
            self.keep_position(job, place, &TreePath::root(), (0, Bytes(0)))?;
        }
        let former = former.as_ref().map(|former| (former, job.overwrite));
        let (key, batches) = self.feed(&pass, selection, former)?;
        line.talk.send(&ToAgent::Key(Box::new(key)));
        let restored = self.converse(job, place, line, batches).await?;
        self.ledger
            .restore_done(&job.workload, job.pass, place, restored.problem_count, &self.by)
            .map_err(|error| landing(&error))?;
        if job.include.is_empty() {
            let whole = self.ledger.restored_whole(&job.workload, job.pass, place);
            whole.map_err(|error| landing(&error))?;
        }
        self.events.emit(&Event::RestoreDone {
            workload: job.workload.clone(),
            pass: job.pass,
            place: place.to_owned(),
            missing: restored.problem_count,
        });
        Ok(restored)
    }

    fn pass(&self, job: &Job) -> Result<Pass, TalkError> {
        let name = PassName { workload: job.workload.clone(), pass: job.pass };
        Pass::open(self.store.disk(), &name).map_err(|error| landing(&error))
    }

    /// Reads batches on a thread of its own, a little ahead.
    fn feed(
        &self,
        pass: &Pass,
        selection: Selection,
        former: Option<(&Pass, bool)>,
    ) -> Result<(DomainKey, Receiver<Encoded>), TalkError> {
        let key = self.store.key(pass.head().domain).map_err(|error| landing(&error))?;
        let mut feed = Feed::new(&self.frames, pass, selection);
        if let Some((former, keeps_nothing)) = former {
            feed = feed.against(former, keeps_nothing);
        }
        let (sender, receiver) = channel(1);
        let sealing = key.clone();
        tokio::task::spawn_blocking(move || {
            loop {
                let Some(batch) = feed.next_batch() else {
                    return;
                };
                if sender.blocking_send(Encoded::new(batch, &sealing)).is_err() {
                    return;
                }
            }
        });
        Ok((key, receiver))
    }

    async fn converse(
        &self,
        job: &Job,
        place: &str,
        line: &mut Line,
        mut batches: Receiver<Encoded>,
    ) -> Result<Restored, TalkError> {
        let mut restored = Restored::default();
        let mut sent = Sent::default();
        let patience = line.talk.patience().progress;
        loop {
            // While it waits for us, the target owes nothing.
            let progress = tokio::time::sleep(patience);
            let may_feed = !sent.is_fed && sent.batches.len() < BATCHES_AHEAD;
            tokio::select! {
                batch = batches.recv(), if may_feed => {
                    if let Some(batch) = batch {
                        restored.add_damaged(&batch.damaged);
                        sent.batches.push_back((batch.number, batch.last.clone()));
                        batch.send(line);
                    } else {
                        sent.is_fed = true;
                        line.talk.send(&ToAgent::PlaceEnd);
                    }
                },
                message = line.talk.next() => match message? {
                    ToLanding::Placed { batch, durable, entries, bytes } => {
                        let last = sent.written(batch)?;
                        // Whoever goes on behind what is missing would not tell of it.
                        let durable = last.filter(|_| durable && restored.problem_count == 0);
                        self.progress(job, place, (entries, Bytes(bytes)), durable)?;
                    }
                    ToLanding::Problems(problems) => restored.add_problems(problems),
                    ToLanding::PlaceDone { entries, bytes, problems } => {
                        sent.is_over()?;
                        restored.entries = entries;
                        restored.bytes = Bytes(bytes);
                        restored.problem_count = restored.problem_count.max(problems);
                        return Ok(restored);
                    }
                    ToLanding::Failed { reason, detail } => return Err(failed(reason, &detail)),
                    _ => return Err(lie("the target said what does not belong to a restore")),
                },
                () = progress, if !may_feed || !sent.batches.is_empty() => {
                    return Err(got_nowhere(patience));
                }
            }
        }
    }

    fn progress(
        &self,
        job: &Job,
        place: &str,
        (entries, bytes): (u64, Bytes),
        durable: Option<TreePath>,
    ) -> Result<(), TalkError> {
        self.events.emit(&Event::RestoreProgress {
            workload: job.workload.clone(),
            place: place.to_owned(),
            entries,
            bytes,
        });
        durable.map_or(Ok(()), |path| self.keep_position(job, place, &path, (entries, bytes)))
    }

    fn keep_position(
        &self,
        job: &Job,
        place: &str,
        path: &TreePath,
        (entries, bytes): (u64, Bytes),
    ) -> Result<(), TalkError> {
        let position = position::encode(path, &job.include);
        self.ledger
            .restore_progress(&job.workload, job.pass, place, &position, entries, bytes)
            .map_err(|error| landing(&error))
    }

    fn tell(&self, event: &Event) {
        self.events.emit(event);
        // A ledger that fails now has failed the restore already.
        let _ = self.ledger.append(event, &self.by);
    }
}

fn lie(detail: &str) -> TalkError {
    TalkError::new(Reason::Protocol, detail)
}

impl Restored {
    fn add_damaged(&mut self, damaged: &[(TreePath, String)]) {
        self.problem_count += damaged.len() as u64;
        self.problems.extend(damaged.iter().take(1_000).cloned());
    }

    /// The target lists holes that were listed when they were sent: only others are new.
    fn add_problems(&mut self, problems: Vec<Problem>) {
        for problem in problems {
            if !self.problems.iter().any(|(path, _)| *path == problem.path) {
                self.problem_count += 1;
                if self.problems.len() >= PROBLEMS_MAX {
                    continue;
                }
                let why = crate::model::text::bounded(&problem.why, 300);
                self.problems.push((problem.path, why));
            }
        }
    }
}

/// The target cannot go on.
fn failed(reason: Reason, detail: &str) -> TalkError {
    crate::run::talk::failed(reason, detail, &[Reason::Refused, Reason::TargetError])
}

fn got_nowhere(patience: Duration) -> TalkError {
    let seconds = patience.as_secs_f64();
    let detail = format!("the target lives but got nowhere for {seconds} s");
    TalkError::new(Reason::Timeout, detail)
}

fn landing(error: &dyn std::error::Error) -> TalkError {
    TalkError::new(Reason::LandingError, crate::run::explain(error))
}
