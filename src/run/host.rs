//! One host, from the first dial to the last workload.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

use crate::chunk::{DomainKey, FrameHeader};
use crate::inventory::{Host, Impact, Workload};
use crate::model::{Event, HostId, Reason, WorkloadId};
use crate::run::coordinator::{Assignment, Frame, Input, SessionId};
use crate::run::engine::{NewSession, SessionEnd, ToEngine};
use crate::run::hands::Hand;
use crate::run::landing::wait_for_space;
use crate::run::lanes::ladder::Ladder;
use crate::run::schedule::Outcome;
use crate::run::shelf::{OpenedPass, PassRequest, ToShelf};
use crate::run::stop::Phase;
use crate::run::talk::TalkError;
use crate::run::tenants::tenant_name;
use crate::run::tries::{Then, Tries};
use crate::run::trunk::{self, Trunk};
use crate::run::{Refusal, Shared, heal, links};
use crate::wire::{CaptureOrder, Grant, ToAgent, ToLanding};

/// What of one agent may wait for the engine.
const QUEUED_BYTES_MAX: usize = 32 << 20;

/// Whoever is to call does so within this, if it can.
const CALLS_AGAIN: Duration = Duration::from_secs(30);

/// Works on `host` until it has no more work, or cannot be worked on.
pub async fn work(shared: Arc<Shared>, host: Host) {
    let mut talk: Option<Trunk> = None;
    // Outlives the lines: what was learnt of the way is.
    let mut ladder = Some(shared.ladder());
    let mut tries = Tries::default();
    while let Some(id) = shared.next_workload(&host.id) {
        let Some(workload) = host.workloads.iter().find(|workload| workload.id == id).cloned()
        else {
            continue;
        };
        tries.begin(&id, || shared.reached(&id));
        let ready =
            shared.hands.unless_unwanted(&id, ready(&shared, &host, &mut talk, &mut ladder));
        let outcome = match ready.await {
            Ok(link) => heal::then_capture(&shared, &host, &workload, link).await,
            Err(error) => Err(error),
        };
        match outcome {
            Err(error) if shared.hands.let_go(&id, &error) => {
                if let Some(link) = talk.take() {
                    ladder = Some(link.hang_up(error.reason).await);
                }
                shared.emit(Event::HostDone { host: host.id.clone() });
                tries = Tries::default();
                put_off(&shared, &host.id, &id, error.detail);
            }
            Ok(Ended::Sealed) => {
                tries.done();
                shared.done(&host.id, &id, Outcome::Captured);
            }
            Ok(Ended::Damaged(detail)) => {
                // The agent is in the middle of a pass that is no more.
                if let Some(link) = talk.take() {
                    ladder = Some(link.bye().await);
                }
                after_damage(&shared, &host.id, &id, detail, &mut tries);
            }
            Err(error) => {
                if let Some(link) = talk.take() {
                    ladder = Some(link.hang_up(error.reason).await);
                }
                if !after_failure(&shared, &host, &id, &error, &mut tries).await {
                    break;
                }
            }
        }
    }
    if let Some(link) = talk {
        link.bye().await;
        shared.emit(Event::HostDone { host: host.id.clone() });
    }
}

/// How a session ended in which neither the host nor the run failed.
pub(super) enum Ended {
    /// The pass is sealed.
    Sealed,
    /// What is stored of the pass cannot be read.
    Damaged(String),
}

async fn ready<'a>(
    shared: &Arc<Shared>,
    host: &Host,
    talk: &'a mut Option<Trunk>,
    ladder: &mut Option<Ladder>,
) -> Result<&'a mut Trunk, TalkError> {
    if talk.is_none() {
        let line = loop {
            if let Some(called) = shared.lobby.line(host, shared).await {
                break called?;
            }
            match shared.reach.agent(host, Grant::Read, shared).await {
                // Somebody invited it while it was dialled in vain.
                Err(_) if shared.lobby.is_here(&host.id) => {}
                reached => break reached?,
            }
        };
        let ladder = ladder.take().unwrap_or_else(|| shared.ladder());
        *talk = Some(Trunk::new(shared, host, line, ladder));
    }
    Ok(talk.as_mut().expect("it was just filled"))
}

/// Somebody does not want it now: what is committed of it stays.
fn put_off(shared: &Shared, host: &HostId, workload: &WorkloadId, detail: String) {
    if shared.is_begun(workload) {
        let is_shut = shared.hands.door.is_shut();
        let detail = if is_shut { "the window is over".to_owned() } else { detail };
        let (workload, reason) = (workload.clone(), Reason::Stopped);
        shared.emit(Event::CaptureStopped { workload, reason, detail });
    }
    shared.give_back(host, workload.clone());
}

/// Decides what a failure means; says whether to go on with this host.
async fn after_failure(
    shared: &Shared,
    host: &Host,
    workload: &WorkloadId,
    error: &TalkError,
    tries: &mut Tries,
) -> bool {
    let detail = error.detail.clone();
    let stopped = |reason| Event::CaptureStopped {
        workload: workload.clone(),
        reason,
        detail: detail.clone(),
    };
    let host_failed = |retry_s| Event::HostFailed {
        host: host.id.clone(),
        reason: error.reason,
        detail: detail.clone(),
        retry_s,
    };
    match error.reason {
        Reason::LandingFull if shared.waits_for_space && shared.phase() == Phase::Running => {
            wait_for_space(shared, &host.id, workload, stopped(error.reason)).await;
            true
        }
        Reason::Stopped | Reason::LandingFull | Reason::LandingError => {
            shared.emit(stopped(error.reason));
            shared.done(&host.id, workload, Outcome::Partial(error.reason));
            if error.reason != Reason::Stopped {
                shared.landing_failed(error.reason);
            }
            false
        }
        Reason::SourceError | Reason::SetAside => {
            shared.emit(Event::CaptureFailed {
                workload: workload.clone(),
                reason: error.reason,
                detail,
            });
            shared.done(&host.id, workload, Outcome::Failed(error.reason));
            true
        }
        reason
            if reason.is_temporary()
                && shared.phase() == Phase::Running
                && let Some(then) = what_then(shared, host, workload, reason, tries) =>
        {
            let pause = match then {
                Then::Again(failures) => shared.pause(failures),
                Then::Wait(knocks) => knocks,
            };
            shared.emit(host_failed(Some(pause.as_secs())));
            shared.give_back_failed(&host.id, workload.clone());
            if matches!(then, Then::Wait(_)) {
                shared.send_away(&host.id);
                return false;
            }
            shared.sleep(pause, workload).await;
            true
        }
        reason => {
            shared.emit(host_failed(None));
            let outcome = if shared.is_begun(workload) {
                shared.emit(stopped(reason));
                Outcome::Partial(reason)
            } else {
                shared.emit(Event::CaptureFailed { workload: workload.clone(), reason, detail });
                Outcome::Failed(reason)
            };
            shared.done(&host.id, workload, outcome);
            abandon(shared, &host.id, error);
            false
        }
    }
}

/// When it is tried again; who is to call is waited for.
fn what_then(
    shared: &Shared,
    host: &Host,
    workload: &WorkloadId,
    reason: Reason,
    tries: &mut Tries,
) -> Option<Then> {
    match shared.lobby.expects(&host.id) {
        Some(_) => Some(Then::Wait(CALLS_AGAIN)),
        None => tries.after(reason, shared.reached(workload), shared.waits),
    }
}

/// A damaged pass costs that pass: the workload begins another, unless that keeps happening.
fn after_damage(
    shared: &Shared,
    host: &HostId,
    workload: &WorkloadId,
    detail: String,
    tries: &mut Tries,
) {
    if shared.phase() == Phase::Running && tries.damaged() {
        shared.give_back(host, workload.clone());
        return;
    }
    let (workload, reason) = (workload.clone(), Reason::LandingError);
    shared.done(host, &workload, Outcome::Partial(reason));
    shared.emit(Event::CaptureStopped { workload, reason, detail });
}

/// A guard rail keeps a host out: its workloads fail for that reason.
pub(super) fn refuse(shared: &Shared, refusal: &Refusal, workloads: &[WorkloadId]) {
    let (reason, detail) = (Reason::Inventory, refusal.why.clone());
    let host = refusal.host.clone();
    shared.emit(Event::HostFailed { host, reason, detail: detail.clone(), retry_s: None });
    for workload in workloads {
        let (workload, detail) = (workload.clone(), detail.clone());
        shared.done(&refusal.host, &workload, Outcome::Failed(reason));
        shared.emit(Event::CaptureFailed { workload, reason, detail });
    }
}

/// What is left of a host that cannot be worked on fails with it.
fn abandon(shared: &Shared, host: &HostId, error: &TalkError) {
    for workload in shared.abandon(host) {
        let (reason, detail) = (error.reason, error.detail.clone());
        let outcome = if shared.is_begun(&workload) {
            shared.emit(Event::CaptureStopped { workload: workload.clone(), reason, detail });
            Outcome::Partial(reason)
        } else {
            shared.emit(Event::CaptureFailed { workload: workload.clone(), reason, detail });
            Outcome::Failed(reason)
        };
        shared.done(host, &workload, outcome);
    }
}

/// Captures one workload over an agent that is ready.
pub(super) async fn capture(
    shared: &Arc<Shared>,
    host: &Host,
    workload: &Workload,
    link: &mut Trunk,
) -> Result<Ended, TalkError> {
    let key = shared.domain_key(workload)?;
    let session = shared.new_session();
    let tenant = shared.store.set_tenant(&workload.id, tenant_name(host).as_deref());
    let opened = open_pass(shared, session, workload, &key).await?;
    let links = links::table(shared, workload, &opened).await?;
    let order = CaptureOrder {
        paths: workload.paths.clone(),
        exclude: workload.exclude.clone(),
        cutting: opened.cutting,
        key: key.clone(),
        levels: shared.levels(&host.id),
        run: opened.run,
        cursor: opened.cursor.clone(),
        disk: host.disk,
        skip: shared.own_folders(),
        is_gentle: host.impact == Impact::Gentle,
        patience: shared.patience,
    };
    link.line.talk.send(&ToAgent::Capture(Box::new(order)));
    let level = shared.priority(&workload.id);
    let assignment = Assignment {
        session,
        host: host.id.clone(),
        workload: workload.id.clone(),
        tenant,
        pass: opened.pass,
        is_resumed: opened.is_resumed,
        run: opened.run,
        is_delta: opened.is_delta,
        segment: opened.segment,
        paths: workload.paths.clone(),
        cursor: opened.cursor,
        rtt: link.line.rtt,
        passes: shared.passes(&host.id),
        level,
    };
    let (ended, end) = oneshot::channel();
    let outbox = link.line.talk.outbox();
    let (listens, listen) = watch::channel(true);
    let rechecks = workload.rechecks;
    let new = NewSession { assignment, outbox, listens, ended, links, rechecks };
    shared.tell(ToEngine::Begin(Box::new(new)));
    link.lanes.begin(session);
    let hand = Hand::new(shared, &workload.id, session, level);
    let outcome = converse((shared, hand), &Arc::new(key), link, (end, listen)).await;
    shared.tell(ToEngine::Input(Input::Ended(session)));
    outcome
}

async fn open_pass(
    shared: &Shared,
    session: SessionId,
    workload: &Workload,
    key: &DomainKey,
) -> Result<OpenedPass, TalkError> {
    let (answer, opened) = oneshot::channel();
    let (workload, domain) = (workload.clone(), key.domain());
    let request = PassRequest { session, workload, domain, accept_losses: shared.accept_losses };
    shared.order(ToShelf::Open(Box::new(request), answer));
    let gone = |_| TalkError::new(Reason::Internal, "the writing thread is gone");
    let opened = opened.await.map_err(gone)?;
    opened.map_err(|error| TalkError::new(error.reason(), crate::run::explain(&error)))
}

/// Carries what the agent says to the engine until the session ends.
async fn converse(
    (shared, mut hand): (&Arc<Shared>, Hand<'_>),
    key: &Arc<DomainKey>,
    Trunk { line, lanes }: &mut Trunk,
    (mut end, mut listen): (oneshot::Receiver<SessionEnd>, watch::Receiver<bool>),
) -> Result<Ended, TalkError> {
    let (room, session) = (Arc::new(Semaphore::new(QUEUED_BYTES_MAX)), hand.session);
    loop {
        let message = tokio::select! {
            biased;
            ended = &mut end => return match ended {
                Ok(SessionEnd::Sealed) => Ok(Ended::Sealed),
                Ok(SessionEnd::Damaged(detail)) => Ok(Ended::Damaged(detail)),
                Ok(SessionEnd::Failed(reason, detail)) => Err(TalkError::new(reason, detail)),
                Err(_) => Err(TalkError::new(Reason::Stopped, "the run was stopped")),
            },
            () = hand.moves() => continue,
            message = trunk::next(line, lanes, &mut listen) => message?,
        };
        let size = message.held_bytes().min(QUEUED_BYTES_MAX) as u32;
        let permit = room.clone().acquire_many_owned(size).await;
        let permit = permit.map_err(|_| TalkError::new(Reason::Internal, "closed"))?;
        match message {
            ToLanding::Frame(bytes) => {
                check_frame(shared, session, key, bytes.into_vec(), permit).await;
            }
            ToLanding::Waits(waits) => lanes.waits(waits),
            ToLanding::Failed { reason, detail } => {
                let its_own = [Reason::SourceError, Reason::SourceFull];
                return Err(crate::run::talk::failed(reason, &detail, &its_own));
            }
            message => shared.tell(ToEngine::Said(session, message, permit)),
        }
    }
}

/// Every piece is checked against its name before anybody believes it.
async fn check_frame(
    shared: &Arc<Shared>,
    session: SessionId,
    key: &Arc<DomainKey>,
    bytes: Vec<u8>,
    permit: OwnedSemaphorePermit,
) {
    let (key, telling) = (key.clone(), shared.clone());
    let check = move || {
        crate::chunk::frame::open(&bytes, &key)?;
        Ok(Frame { header: FrameHeader::parse(&bytes)?, bytes })
    };
    let then = move |checked: Result<Frame, crate::chunk::FrameError>| {
        telling.tell(match checked {
            Ok(frame) => ToEngine::Input(Input::Frame(session, frame)),
            Err(error) => ToEngine::Lied(session, crate::run::explain(&error)),
        });
        drop(permit);
    };
    shared.checkers.run(check, then).await;
}
