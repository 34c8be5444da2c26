//! `evac next`: what is blocked, on what, and the command that unblocks it; the most valuable
//! first. Value is the plan's: a tier's weight, shared among a customer's workloads by class.

mod contacts;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;

use crate::cli::args::NextArgs;
use crate::cli::facts::plan_facts;
use crate::cli::print::{self, counted};
use crate::cli::site::{Loaded, Reading};
use crate::cli::{Exit, Failure, Global, window};
use crate::inventory::Hold;
use crate::ledger::snapshot::{
    CaptureState, CustomerStatus, HostStatus, RestoreState, SCHEMA, Snapshot, WorkloadStatus,
};
use crate::model::{Bytes, Reason, Timestamp, WorkloadId};
use crate::plan::{self, Plan};
use crate::run::invite::book::Invitation;
use crate::store::disks::FULL_BELOW_BYTES;

/// A command names so many; more are named together.
const NAMED_MAX: usize = 5;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    as_of: Timestamp,
    running: bool,
    blocked: &'a [Blocked],
}

/// What is blocked for one cause.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Blocked {
    /// A reason's word, or `invited`, `paused`, `uncovered`, `hold`, `at-risk`, `set-aside-entry`,
    /// `disk-away`, `update-promised`, `mail-refused`, `mail-bounced`,
    /// `contacts-evacuated`, `at-risk-untold`.
    pub cause: String,
    /// What it keeps from being evacuated, in the plan's value.
    pub value: f64,
    /// Which.
    pub workloads: Vec<WorkloadId>,
    /// In words.
    pub why: String,
    /// To be typed, after what `why` asks for.
    pub command: String,
}

/// Shows what is blocked.
pub fn run(global: &Global, args: &NextArgs) -> Result<Exit, Failure> {
    let mut loaded = global.load()?;
    let reading = global.open_read_only()?;
    let (_, snapshot) = reading.look(&loaded, global.now())?;
    let mut blocked = blocked(&mut loaded, &reading, &snapshot)?;
    blocked.splice(0..0, of_disks(global, &snapshot)?);
    blocked.extend(contacts::blocked(global, &loaded, &reading, &snapshot)?);
    let all = blocked.len();
    blocked.truncate(args.take.unwrap_or(all));
    if global.json {
        let (as_of, running) = (snapshot.as_of, reading.running.is_some());
        print::document(&Document { schema: SCHEMA, as_of, running, blocked: &blocked })?;
        return Ok(Exit::Done);
    }
    print::result(&text(&blocked))?;
    if all > blocked.len() {
        print::tell(&format!("and {} more", all - blocked.len()));
    }
    Ok(Exit::Done)
}

/// Everything that is blocked, the most valuable first.
pub fn blocked(
    loaded: &mut Loaded,
    reading: &Reading,
    snapshot: &Snapshot,
) -> Result<Vec<Blocked>, Failure> {
    window::heed(&mut loaded.settings, &reading.ledger)?;
    let facts = plan_facts(&reading.ledger, &loaded.inventory, snapshot)?;
    let options = plan::Options::at(snapshot.as_of);
    let plan = plan::plan(&loaded.inventory, &loaded.settings, &facts, &options);
    let mut all = Causes { values: values(snapshot, &plan, loaded), found: BTreeMap::new() };
    for customer in &snapshot.customers {
        for workload in &customer.workloads {
            all.look_at(customer, workload, snapshot);
        }
    }
    all.invited(&reading.invited, snapshot);
    all.at_risk(&plan, snapshot);
    let is_running = reading.running.is_some();
    let mut blocked: Vec<_> =
        all.found.iter().map(|(cause, ids)| all.group(cause, ids, is_running)).collect();
    blocked.extend(loaded.set_aside.iter().map(|aside| Blocked {
        cause: "set-aside-entry".into(),
        value: 0.0,
        workloads: Vec::new(),
        why: format!("{} is set aside: {}", aside.entry, aside.why),
        command: "evac check".into(),
    }));
    blocked.sort_by(|a, b| b.value.total_cmp(&a.value).then_with(|| a.cause.cmp(&b.cause)));
    let updates = crate::publish::update::public(&reading.ledger.posts()?);
    // Everybody waits for it, whatever else is blocked.
    if let Some(why) = crate::cli::publish::reminder(&updates, snapshot.as_of) {
        let (cause, command) = ("update-promised".into(), "evac publish say same".into());
        let due = Blocked { cause, value: 0.0, workloads: Vec::new(), why, command };
        blocked.insert(0, due);
    }
    Ok(blocked)
}

/// What the landing disks block: everything that is still to come, so it stands first.
pub fn of_disks(global: &Global, snapshot: &Snapshot) -> Result<Vec<Blocked>, Failure> {
    let Some(landing) = global.look_at_disks()? else { return Ok(Vec::new()) };
    let is_left = |it: &&WorkloadStatus| {
        !matches!(
            it.capture.state,
            CaptureState::Captured | CaptureState::Verified | CaptureState::Skipped
        )
    };
    let all = snapshot.customers.iter().flat_map(|customer| &customer.workloads);
    let workloads: Vec<_> = all.filter(is_left).map(|it| it.id.clone()).collect();
    let mut found = Vec::new();
    if landing.room < Bytes(FULL_BELOW_BYTES) && !workloads.is_empty() {
        found.push(Blocked {
            cause: Reason::LandingFull.word().to_owned(),
            value: workloads.len() as f64,
            workloads,
            why: "The landing disks are full up to their reserve: nothing more is taken in until \
                  one is added, or some space is freed."
                .to_owned(),
            command: "evac store add PATH".to_owned(),
        });
    }
    found.extend(landing.away.into_iter().map(|path| Blocked {
        cause: "disk-away".to_owned(),
        value: 0.0,
        workloads: Vec::new(),
        why: format!("The disk {path} is not there; what is on it cannot be read until it is."),
        command: format!("mount {path}"),
    }));
    Ok(found)
}

/// What each workload is worth; what the plan has nothing to do for counts as its share by number.
fn values(snapshot: &Snapshot, plan: &Plan, loaded: &Loaded) -> BTreeMap<WorkloadId, f64> {
    let mut values = BTreeMap::new();
    for customer in &snapshot.customers {
        let tier = customer.tier.as_ref();
        let weight = tier.and_then(|tier| loaded.settings.tiers.get(tier)).copied().unwrap_or(1.0);
        let share = weight / customer.workloads.len().max(1) as f64;
        values.extend(customer.workloads.iter().map(|workload| (workload.id.clone(), share)));
    }
    let planned = plan.workloads.iter().filter(|planned| planned.value > 0.0);
    values.extend(planned.map(|planned| (planned.id.clone(), planned.value)));
    values
}

/// Why something is blocked; of several causes the one that has to go first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    /// In these words, and of which host.
    Invited(String, String),
    Reason(Reason),
    Restore(Reason),
    Paused(String),
    Uncovered(String),
    Hold(String),
    AtRisk,
}

struct Causes {
    values: BTreeMap<WorkloadId, f64>,
    found: BTreeMap<Cause, BTreeSet<WorkloadId>>,
}

impl Causes {
    fn add(&mut self, cause: Cause, id: &WorkloadId) {
        self.found.entry(cause).or_default().insert(id.clone());
    }

    fn look_at(&mut self, customer: &CustomerStatus, it: &WorkloadStatus, snapshot: &Snapshot) {
        let is_whole = matches!(it.capture.state, CaptureState::Captured | CaptureState::Verified);
        let host: Option<&HostStatus> = snapshot.hosts.iter().find(|host| host.id == it.host);
        match (&it.paused, it.reason) {
            _ if it.capture.state == CaptureState::Skipped => return,
            (Some(paused), _) if !is_whole => self.add(Cause::Paused(paused.by.clone()), &it.id),
            (_, Some(reason)) if is_whole => self.add(Cause::Restore(reason), &it.id),
            (_, Some(reason)) => self.add(Cause::Reason(reason), &it.id),
            _ => {}
        }
        if host.is_some_and(|host| host.uncovered) {
            self.add(Cause::Uncovered(it.host.to_string()), &it.id);
        }
        if customer.hold != Hold::None && is_whole && it.restore.state != RestoreState::Active {
            self.add(Cause::Hold(customer.id.to_string()), &it.id);
        }
    }

    /// That its host does not answer is known then, and its own cause goes.
    fn invited(&mut self, invited: &[Invitation], snapshot: &Snapshot) {
        let all = snapshot.customers.iter().flat_map(|customer| &customer.workloads);
        let waits = |it: &&WorkloadStatus| {
            !matches!(
                it.capture.state,
                CaptureState::Captured | CaptureState::Verified | CaptureState::Skipped
            )
        };
        let waiting: Vec<_> = all.filter(waits).map(|it| (&it.host, &it.id)).collect();
        for one in invited.iter().filter(|one| one.agent_key.is_none()) {
            for (_, id) in waiting.iter().filter(|(host, _)| **host == one.host) {
                if let Some(silent) = self.found.get_mut(&Cause::Reason(Reason::Unreachable)) {
                    silent.remove(*id);
                }
                self.add(Cause::Invited(one.text(), one.host.to_string()), id);
            }
        }
        self.found.retain(|_, ids| !ids.is_empty());
    }

    /// Only what nothing else blocks: the rest has its own cause.
    fn at_risk(&mut self, plan: &Plan, snapshot: &Snapshot) {
        let known: BTreeSet<_> = self.found.values().flatten().cloned().collect();
        let all = snapshot.customers.iter().flat_map(|customer| &customer.workloads);
        let skipped: BTreeSet<_> =
            all.filter(|it| it.capture.state == CaptureState::Skipped).map(|it| &it.id).collect();
        for risk in &plan.at_risk {
            if !known.contains(&risk.id) && !skipped.contains(&risk.id) {
                self.add(Cause::AtRisk, &risk.id);
            }
        }
    }

    fn group(&self, cause: &Cause, ids: &BTreeSet<WorkloadId>, is_running: bool) -> Blocked {
        let value = |id: &WorkloadId| self.values.get(id).copied().unwrap_or(0.0);
        let mut workloads: Vec<_> = ids.iter().cloned().collect();
        workloads.sort_by(|a, b| value(b).total_cmp(&value(a)));
        let value = workloads.iter().map(value).sum::<f64>();
        let named = names(&workloads);
        let (cause, why, command) = match cause {
            Cause::Invited(text, host) => {
                let why = format!("Nobody can log in: {text}.");
                ("invited".to_owned(), why, format!("evac invite {host}"))
            }
            Cause::Reason(reason) => {
                let command = of_reason(*reason, &named, is_running);
                (reason.word().to_owned(), reason.hint().to_owned(), command)
            }
            Cause::Restore(reason) => {
                let why = format!("Restoring fails. {}", reason.hint());
                (reason.word().to_owned(), why, format!("evac restore {named}"))
            }
            Cause::Paused(by) => {
                ("paused".to_owned(), format!("{by} paused it."), format!("evac resume {named}"))
            }
            Cause::Uncovered(host) => {
                let why = format!(
                    "host/{host} holds data that no workload names: name it in `paths`, or in \
                     `accept`."
                );
                ("uncovered".to_owned(), why, format!("evac survey host/{host}"))
            }
            Cause::Hold(customer) => {
                let why = format!("customer/{customer} is on hold, until two people end it.");
                let command = format!("evac release customer/{customer} --reason TEXT");
                ("hold".to_owned(), why, command)
            }
            Cause::AtRisk => {
                let why = "The window closes before it is copied, in this order of work.";
                ("at-risk".to_owned(), why.to_owned(), format!("evac first {named}"))
            }
        };
        Blocked { cause, value, workloads, why, command }
    }
}

fn names(ids: &[WorkloadId]) -> String {
    let named: Vec<_> = ids.iter().take(NAMED_MAX).map(|id| format!("workload/{id}")).collect();
    named.join(" ")
}

/// What helps after its hint was followed; many are named by their reason.
fn of_reason(reason: Reason, named: &str, is_running: bool) -> String {
    match reason {
        Reason::HostKeyUnknown => "evac survey --trust-new reason/host-key-unknown".into(),
        Reason::Inventory => "evac check".into(),
        Reason::Disks => "evac survey reason/disks".into(),
        Reason::LandingError => "evac verify".into(),
        Reason::SetAside => format!("evac run --again {named}"),
        reason if is_running => format!("evac retry reason/{}", reason.word()),
        _ => "evac run".into(),
    }
}

/// For people.
pub fn text(blocked: &[Blocked]) -> String {
    if blocked.is_empty() {
        return "nothing is blocked\n".into();
    }
    let mut text = String::new();
    for (at, it) in blocked.iter().enumerate() {
        let ids: Vec<_> = it.workloads.iter().take(NAMED_MAX).map(WorkloadId::as_str).collect();
        let more = it.workloads.len().saturating_sub(NAMED_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let count = counted(it.workloads.len(), "workload");
        let _ = writeln!(text, "{}. {}: {count}, value {:.1}", at + 1, it.cause, it.value);
        if !ids.is_empty() {
            let _ = writeln!(text, "   {}{more}", ids.join(", "));
        }
        let _ = writeln!(text, "   {}", it.why);
        let _ = writeln!(text, "   {}", it.command);
    }
    text
}
