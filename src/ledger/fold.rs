//! From rows to the words of the status contract.
//!
//! **A word is said only by a check that passed** (promise 6): the words come from the axes of
//! [`crate::ledger::state`]. A fault that waits for somebody turns them into "needs attention";
//! data that nobody covers on a host holds "copied" and everything after it back by one word.

use std::collections::BTreeMap;

use crate::ledger::left::{self, Amount, Fleet};
use crate::ledger::look::{HostLook, Look, WorkloadLook};
use crate::ledger::pace::{self, Left};
use crate::ledger::snapshot::{
    CaptureState, CaptureStatus, CustomerStatus, Decision, Health, Hold, HostError, HostState,
    HostStatus, ReasonGroup, RestoreState, RestoreStatus, SCHEMA, Snapshot, Totals, WorkloadStatus,
    public_word,
};
use crate::ledger::state::{WorkloadState, health_of};
use crate::ledger::view::{CustomerView, FleetView, HostView, WorkloadView};
use crate::model::{Bytes, CustomerId, HostId, PublicWord, Reason, Timestamp, Windows, WorkloadId};

/// A workload's status, and what an estimate needs to know besides.
struct Folded {
    status: WorkloadStatus,
    /// `None`: nobody knows how much is left, or it cannot go on.
    left: Option<Bytes>,
}

/// Everybody in `view`; `fleet` is how the whole fleet does, where the view is but a part of it.
pub(super) fn snapshot(
    view: &FleetView,
    look: &Look,
    now: Timestamp,
    fleet: Option<Fleet>,
) -> Snapshot {
    let mut of_customer: BTreeMap<&CustomerId, Vec<Folded>> = BTreeMap::new();
    let mut fleet_left = Left::new();
    for host in &view.hosts {
        for workload in &host.workloads {
            let folded = fold_workload(view, host, workload, look, now);
            *fleet_left.entry(host.id.clone()).or_default() += folded.left.unwrap_or_default();
            of_customer.entry(&workload.customer).or_default().push(folded);
        }
    }
    let window = Windows::new(view.windows.iter().copied()).at(now);
    let closes = window.as_ref().and_then(|window| window.closes);
    let Fleet { left: fleet_left, is_at_work } = fleet.unwrap_or_else(|| Fleet {
        left: fleet_left,
        is_at_work: look.hosts.values().any(|host| host.state == HostState::Active),
    });
    let opens = window.as_ref().and_then(|window| window.opens).filter(|_| !is_at_work);
    let begins = opens.map_or(now, |opens| opens.max(now));
    let waits_until = opens.filter(|opens| view.running && *opens > now);
    let (fleet_left, running) = (&fleet_left, view.running);
    let estimate = Estimate { fleet_left, look, running, closes, begins, waits_until };
    let customers: Vec<_> = view
        .customers
        .iter()
        .map(|customer| {
            let workloads = of_customer.remove(&customer.id).unwrap_or_default();
            fold_customer(customer, workloads, &estimate)
        })
        .collect();
    let hosts: Vec<_> = view.hosts.iter().map(|host| fold_host(host, look, view.running)).collect();
    Snapshot {
        schema: SCHEMA,
        as_of: now,
        window,
        bottleneck: look.bottleneck.clone().filter(|_| view.running && look.is_fresh),
        totals: totals(&customers),
        reasons: reasons(&hosts, &customers),
        hosts,
        customers,
    }
}

fn fold_host(view: &HostView, look: &Look, running: bool) -> HostStatus {
    let id = &view.id;
    let host = look.hosts.get(id);
    let state = match host.map_or(HostState::Idle, |host| host.state) {
        // Left so by a run that is no more.
        HostState::Dialling | HostState::Active if !running => HostState::Idle,
        state => state,
    };
    let busy = host.filter(|_| running && look.is_fresh);
    HostStatus {
        id: id.clone(),
        state,
        rate: look.paces.get(id).map(|pace| pace.sent).filter(|_| running),
        rtt_ms: host.and_then(|host| host.rtt_ms),
        lanes: busy.map_or(0, |host| host.lanes),
        level: busy.and_then(|host| host.level),
        error: host.and_then(|host| host.error.clone()),
        uncovered: view.uncovered,
    }
}

fn fold_workload(
    view: &FleetView,
    host: &HostView,
    workload: &WorkloadView,
    look: &Look,
    now: Timestamp,
) -> Folded {
    let nothing = WorkloadLook { state: WorkloadState::default(), newest: None, sealed: None };
    let seen = look.workloads.get(&workload.id).unwrap_or(&nothing);
    let state = &seen.state;
    // A host that fails is a matter for what it still has to give.
    let host_error = look
        .hosts
        .get(&host.id)
        .and_then(|host: &HostLook| host.error.as_ref())
        .filter(|_| !left::is_settled(state.capture));
    let health = health(state, host_error.map(|error| error.reason), view.running);
    let Amount { bytes, bytes_done, left } = Amount::of(seen, workload.estimate, health);
    let steering = look.steering.get(&workload.id).cloned().unwrap_or_default();
    let skipped = steering.skipped.filter(|_| state.capture == CaptureState::Skipped);
    let sealed_at = seen.sealed.as_ref().and_then(|pass| pass.sealed_at);
    let status = WorkloadStatus {
        id: workload.id.clone(),
        label: workload.label.clone(),
        host: host.id.clone(),
        target: workload.target.clone(),
        state: word(state, health, host.uncovered),
        health,
        consistency: seen.sealed.as_ref().and_then(|pass| pass.consistency),
        capture: CaptureStatus {
            state: state.capture,
            pass: state.pass,
            sealed_at,
            lag_s: sealed_at.map(|at| now.since(at).as_secs()),
        },
        restore: RestoreStatus {
            state: state.restore,
            of_pass: state.of_pass,
            checked_at: look.checked.get(&workload.id).copied(),
        },
        bytes,
        bytes_done: bytes_done.min(bytes),
        copies: copies(&workload.id, seen, look),
        since: state.since,
        reason: reason(state, host_error),
        next: decided(&workload.id, steering.paused.as_ref(), skipped.as_ref())
            .unwrap_or_else(|| next_step(view, host, workload, state, host_error)),
        paused: steering.paused,
        skipped,
    };
    Folded { status, left }
}

/// Whole copies of the newest sealed pass, as far as anybody knows.
fn copies(id: &WorkloadId, seen: &WorkloadLook, look: &Look) -> u64 {
    let Some(sealed) = &seen.sealed else { return 0 };
    let others = look.copies.get(&(id.clone(), sealed.number)).copied().unwrap_or(0);
    u64::from(sealed.bad_chunks == 0) + others
}

fn reason(state: &WorkloadState, host_error: Option<&HostError>) -> Option<Reason> {
    let own = state.capture_trouble.as_ref().or(state.restore_trouble.as_ref());
    own.map(|trouble| trouble.reason).or(host_error.map(|error| error.reason))
}

pub(super) fn health(state: &WorkloadState, host: Option<Reason>, running: bool) -> Health {
    let under_way = matches!(state.capture, CaptureState::Capturing | CaptureState::Partial);
    let stalled = if under_way && !running { Health::Lagging } else { Health::Ok };
    let host = host.map_or(Health::Ok, health_of);
    state.health().max(stalled).max(host)
}

fn word(state: &WorkloadState, health: Health, uncovered: bool) -> PublicWord {
    let word = public_word(state.capture, state.restore);
    match word {
        _ if state.fails_its_checks() => PublicWord::NeedsAttention,
        PublicWord::Online if uncovered => PublicWord::Testing,
        PublicWord::Online => word,
        _ if health == Health::Error => PublicWord::NeedsAttention,
        PublicWord::Testing if uncovered => PublicWord::Restoring,
        PublicWord::Copied if uncovered => PublicWord::Copying,
        _ => word,
    }
}

/// What a colleague decided comes before what would be next.
fn decided(
    id: &WorkloadId,
    paused: Option<&Decision>,
    skipped: Option<&Decision>,
) -> Option<String> {
    if let Some(Decision { by, at, why }) = skipped {
        let why = why.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
        return Some(format!(
            "{by} left it out at {at}{why}; `evac retry workload/{id}` takes that back."
        ));
    }
    let Decision { by, at, .. } = paused?;
    Some(format!("{by} paused it at {at}; `evac resume workload/{id}` goes on with it."))
}

fn next_step(
    view: &FleetView,
    host: &HostView,
    workload: &WorkloadView,
    state: &WorkloadState,
    host_error: Option<&HostError>,
) -> String {
    if let Some(reason) = reason(state, host_error) {
        return reason.hint().into();
    }
    if host.uncovered && state.sealed.is_some() {
        return format!(
            "host/{} holds data that no workload names: `evac survey` lists it; name it in \
             `paths`, or in `accept`.",
            host.id
        );
    }
    match (state.restore, state.capture) {
        (RestoreState::Active, _) => "Nothing: it is switched on.".into(),
        (RestoreState::Gated, _) => {
            format!("Its checks passed: `evac activate workload/{}`.", workload.id)
        }
        (RestoreState::Restored, _) => {
            format!("`evac gate workload/{}` asks its new place.", workload.id)
        }
        (RestoreState::Restoring, _) => "It is being written; `evac restore` resumes it.".into(),
        (_, CaptureState::Planned) if view.running => "It waits for its turn.".into(),
        (_, CaptureState::Planned) => "`evac run` copies it.".into(),
        (_, CaptureState::Capturing) if view.running => "It is being copied.".into(),
        (_, CaptureState::Capturing | CaptureState::Partial) => {
            "`evac run` goes on with it.".into()
        }
        (_, CaptureState::Captured) => "`evac verify` reads it back.".into(),
        (_, CaptureState::Verified) => match &workload.target {
            Some(target) => format!("`evac restore` writes it to {target}."),
            None => "Give it a target, then `evac restore`.".into(),
        },
        (_, CaptureState::Failed) => "`evac run` tries it again.".into(),
        (_, CaptureState::Skipped) => "Nothing: it is left out on purpose.".into(),
    }
}

/// What an estimate is made from.
struct Estimate<'a> {
    fleet_left: &'a Left,
    look: &'a Look,
    running: bool,
    closes: Option<Timestamp>,
    /// Nothing moves before.
    begins: Timestamp,
    /// Between two windows: when a run goes on by itself.
    waits_until: Option<Timestamp>,
}

impl Estimate<'_> {
    /// `None` when nothing was measured, nothing runs, or nothing is left to wait for.
    fn range(&self, workloads: &[Folded]) -> Option<(Timestamp, Timestamp)> {
        let mut left = Left::new();
        for folded in workloads {
            *left.entry(folded.status.host.clone()).or_default() += folded.left?;
        }
        left.retain(|_, bytes| *bytes > Bytes::ZERO);
        if !self.running || left.is_empty() {
            return None;
        }
        pace::range(&left, self.fleet_left, &self.look.paces, self.begins)
    }
}

fn fold_customer(
    view: &CustomerView,
    workloads: Vec<Folded>,
    estimate: &Estimate<'_>,
) -> CustomerStatus {
    let range = estimate.range(&workloads);
    let late = range.zip(estimate.closes).is_some_and(|((_, high), closes)| high > closes);
    let mut workloads: Vec<_> = workloads.into_iter().map(|folded| folded.status).collect();
    if let Some(opens) = estimate.waits_until {
        for workload in &mut workloads {
            wait(workload, opens);
        }
    }
    if view.hold != Hold::None {
        workloads.iter_mut().for_each(hold_back);
    }
    let health = workloads.iter().map(|workload| workload.health).max().unwrap_or(Health::Ok);
    CustomerStatus {
        id: view.id.clone(),
        name: view.name.clone(),
        tier: view.tier.clone(),
        group: view.group.clone(),
        state: customer_word(&workloads),
        health: health.max(if late { Health::Lagging } else { Health::Ok }),
        hold: view.hold,
        eta_low: range.map(|(low, _)| low),
        eta_high: range.map(|(_, high)| high),
        workloads,
    }
}

/// What stopped at the end of a window is nobody's trouble.
fn wait(workload: &mut WorkloadStatus, opens: Timestamp) {
    if workload.reason == Some(Reason::Stopped) {
        (workload.reason, workload.health) = (None, Health::Ok);
        workload.next = format!("It goes on by itself when access opens, {opens}.");
    }
}

/// Whatever the ledger says: what is held back is not online, and next comes nothing but a release.
fn hold_back(workload: &mut WorkloadStatus) {
    if workload.state == PublicWord::Online {
        workload.state = PublicWord::NeedsAttention;
    }
    let is_at_new_place = workload.restore.state >= RestoreState::Restored;
    if is_at_new_place {
        workload.next = "It is on hold: nothing of it is switched on.".into();
    }
}

/// The customer is as far as his last workload; what needs somebody comes before everything.
fn customer_word(workloads: &[WorkloadStatus]) -> PublicWord {
    let counted = || {
        let all = workloads.iter();
        all.filter(|w| w.capture.state != CaptureState::Skipped).map(|w| w.state)
    };
    for urgent in [PublicWord::NeedsAttention, PublicWord::WaitingForYou] {
        if counted().any(|word| word == urgent) {
            return urgent;
        }
    }
    let last = counted().min().unwrap_or(PublicWord::Queued);
    let begun = counted().any(|word| word != PublicWord::Queued);
    if last == PublicWord::Queued && begun { PublicWord::Copying } else { last }
}

fn totals(customers: &[CustomerStatus]) -> Totals {
    let mut totals = Totals::default();
    for customer in customers.iter().filter(|customer| !customer.workloads.is_empty()) {
        totals.customers += 1;
        totals.workloads += customer.workloads.len() as u64;
        *totals.by_state.entry(customer.state).or_default() += 1;
        totals.bytes += customer.workloads.iter().map(|workload| workload.bytes_done).sum();
    }
    totals
}

/// Causes, the one with most hosts first.
fn reasons(hosts: &[HostStatus], customers: &[CustomerStatus]) -> Vec<ReasonGroup> {
    let of_hosts = hosts.iter().filter_map(|host| Some((host.error.as_ref()?.reason, &host.id)));
    let of_workloads = customers
        .iter()
        .flat_map(|customer| &customer.workloads)
        .filter_map(|workload| Some((workload.reason?, &workload.host)));
    let mut groups: BTreeMap<Reason, Vec<&HostId>> = BTreeMap::new();
    for (reason, host) in of_hosts.chain(of_workloads) {
        groups.entry(reason).or_default().push(host);
    }
    let mut groups: Vec<_> = groups
        .into_iter()
        .map(|(reason, failing)| {
            let all = hosts.iter().map(|host| &host.id);
            let hosts = all.filter(|id| failing.contains(id)).cloned().collect();
            ReasonGroup { reason, hosts, hint: reason.hint().into() }
        })
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.hosts.len()));
    groups
}
