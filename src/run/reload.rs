//! The inventory read again while a run goes on.
//!
//! **Promises.**
//! - What was begun keeps its meaning: where a changed entry would give a begun copy other paths,
//!   another owner or another host, the run keeps the entry as it was, and says so by name.
//! - Files that cannot be read as a whole change nothing; an entry with a mistake stays as it was,
//!   or is not taken up, by name.
//! - Nothing of a host whose workloads nobody wrote is taken before somebody looked at it.
//!
//! Of the settings, access windows count at once, all others from the next run on, and with them
//! rates: a new host with a rate of its own, and
//! one behind a bastion that this run does not know, wait for that.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::inventory::{Entry, Host, Inventory, Reading, Workload};
use crate::ledger::snapshot::CaptureState;
use crate::ledger::{Ledger, LedgerError};
use crate::model::{Event, HostId, Timestamp, WorkloadId};
use crate::plan;
use crate::run::control::Said;
use crate::run::hands::{Hands, at_its_end};
use crate::run::survey::{default_refusal, facts_of};

/// Entries named one by one.
const NAMED_MAX: usize = 100;

/// What a new inventory means for a run.
#[derive(Debug, Default, PartialEq, Eq)]
struct Merged {
    inventory: Inventory,
    added: Vec<(HostId, WorkloadId)>,
    changed: Vec<WorkloadId>,
    removed: Vec<WorkloadId>,
    /// Entries that stay as they were, or are not taken up, and why.
    kept: Vec<String>,
}

/// What is asked about the present.
trait Present {
    /// Was a copy of it begun?
    fn is_begun(&self, workload: &WorkloadId) -> bool;
    /// Why nothing of a new host may be taken now, if so.
    fn refusal(&self, host: &Host) -> Option<String>;
}

fn merge(old: &Inventory, reading: &Reading, present: &impl Present) -> Merged {
    let new = &reading.inventory;
    let mut merged = Merged { inventory: new.clone(), ..Merged::default() };
    let aside: BTreeSet<&Entry> = reading.set_aside.iter().map(|aside| &aside.entry).collect();
    let told = reading.set_aside.iter();
    merged.kept.extend(told.map(|aside| format!("{}: {}", aside.entry, aside.why)));
    for workload in old.workloads() {
        let is_aside = [
            Entry::Workload(workload.id.to_string()),
            Entry::Host(workload.host.to_string()),
            Entry::Customer(workload.customer.to_string()),
        ];
        let now = new.workload(&workload.id);
        match now {
            Some(now) if now == workload => {}
            Some(now) if is_same(now, workload) => merged.changed.push(workload.id.clone()),
            Some(_) if present.is_begun(&workload.id) => {
                let why = "a copy of it was begun, and it would mean something else";
                merged.kept.push(format!("workload/{}: {why}", workload.id));
                put_back(&mut merged.inventory, old, workload);
            }
            Some(_) => merged.changed.push(workload.id.clone()),
            None if is_aside.iter().any(|entry| aside.contains(entry)) => {
                put_back(&mut merged.inventory, old, workload);
            }
            None if present.is_begun(&workload.id) => {
                let why = "a copy of it was begun, and it is not written down any more";
                merged.kept.push(format!("workload/{}: {why}", workload.id));
                put_back(&mut merged.inventory, old, workload);
            }
            None => merged.removed.push(workload.id.clone()),
        }
    }
    take_up(old, &mut merged, present);
    merged
}

/// Is a copy of the one a copy of the other?
fn is_same(a: &Workload, b: &Workload) -> bool {
    let meaning = |it: &Workload| {
        (it.host.clone(), it.customer.clone(), it.kind, it.paths.clone(), it.exclude.clone())
    };
    meaning(a) == meaning(b)
}

/// Makes `inventory` say what `old` said of a workload.
fn put_back(inventory: &mut Inventory, old: &Inventory, workload: &Workload) {
    for host in &mut inventory.hosts {
        host.workloads.retain(|other| other.id != workload.id);
    }
    if let Some(host) = inventory.hosts.iter_mut().find(|host| host.id == workload.host) {
        host.workloads.push(workload.clone());
    } else if let Some(host) = old.host(&workload.host) {
        inventory.hosts.push(Host { workloads: vec![workload.clone()], ..host.clone() });
    }
}

/// Work that is new, or on another host than it was.
fn take_up(old: &Inventory, merged: &mut Merged, present: &impl Present) {
    let mut refused = Vec::new();
    for host in merged.inventory.hosts.iter().filter(|host| host.capture) {
        let is_new = |it: &&Workload| old.workload(&it.id).is_none_or(|was| was.host != it.host);
        let new: Vec<_> = host.workloads.iter().filter(is_new).collect();
        if new.is_empty() {
            continue;
        }
        let bastion = host.jump.as_ref();
        let is_known = bastion.is_none_or(|id| old.host(id) == merged.inventory.host(id));
        let known_rate = old.host(&host.id).and_then(|host| host.rate);
        let why = if host.rate != known_rate {
            Some("its `rate` counts from the next run on, which takes it up".to_owned())
        } else if !is_known {
            Some("this run does not know its `jump`; the next one takes it up".to_owned())
        } else {
            present.refusal(host)
        };
        match why {
            Some(why) => refused.push(format!("host/{}: {why}", host.id)),
            None => merged.added.extend(new.iter().map(|it| (host.id.clone(), it.id.clone()))),
        }
    }
    merged.kept.extend(refused);
}

/// What the ledger says.
struct AsKept<'a> {
    ledger: &'a Ledger,
    begun: BTreeSet<WorkloadId>,
}

impl<'a> AsKept<'a> {
    fn of(
        ledger: &'a Ledger,
        old: &Inventory,
        is_touched: impl Fn(&WorkloadId) -> bool,
    ) -> Result<Self, LedgerError> {
        let mut begun = BTreeSet::new();
        for workload in old.workloads() {
            if is_touched(&workload.id) || ledger.state(&workload.id)?.pass.is_some() {
                begun.insert(workload.id.clone());
            }
        }
        Ok(Self { ledger, begun })
    }
}

impl Present for AsKept<'_> {
    fn is_begun(&self, workload: &WorkloadId) -> bool {
        self.begun.contains(workload)
    }

    fn refusal(&self, host: &Host) -> Option<String> {
        if !host.workloads.iter().any(|workload| workload.is_default) {
            return None;
        }
        match facts_of(self.ledger, &host.id) {
            Ok(Some(facts)) => default_refusal(&facts, host),
            _ => Some(
                "nobody wrote its workloads; `evac survey` it after this run, or write them"
                    .to_owned(),
            ),
        }
    }
}

impl Hands {
    /// Reads the inventory again, and takes up what is new.
    pub(super) async fn reload(self: Arc<Self>, now: Timestamp, by: String) -> Said {
        let _turn = self.turn.lock().await;
        let hands = self.clone();
        let read = tokio::task::spawn_blocking(move || hands.read_again(now, by)).await;
        let (said, durable) = match read {
            Ok(Ok(read)) => read,
            Ok(Err(why)) => return Said::Refused { why },
            Err(_) => return at_its_end(),
        };
        if durable.await.is_ok() { said } else { at_its_end() }
    }

    fn read_again(
        &self,
        now: Timestamp,
        by: String,
    ) -> Result<(Said, tokio::sync::oneshot::Receiver<()>), String> {
        let reading = crate::inventory::read(&self.folder);
        let whole = reading.problems.iter().find(|it| it.is_error() && it.entry.is_none());
        if let Some(problem) = whole {
            return Err(format!("the inventory stays as it was: {problem}"));
        }
        reading.usable().map_err(|error| format!("the inventory stays as it was: {error}"))?;
        let old = self.inventory();
        let explain = |error: LedgerError| crate::run::explain(&error);
        let mut schedule = self.schedule();
        let is_touched = |id: &WorkloadId| schedule.is_touched(id);
        let present = AsKept::of(&self.ledger, &old, is_touched).map_err(explain)?;
        let mut merged = merge(&old, &reading, &present);
        let options = plan::Options::at(now);
        let facts = plan::Facts::default();
        let plan = plan::plan(&merged.inventory, &reading.settings, &facts, &options);
        for id in &merged.removed {
            schedule.remove(id);
        }
        for (host, id) in &merged.added {
            let state = self.ledger.state(id).map_err(explain)?.capture;
            let is_left = !matches!(
                state,
                CaptureState::Captured | CaptureState::Verified | CaptureState::Skipped
            );
            schedule.remove(id);
            if is_left {
                let level = plan.workloads.iter().find(|planned| planned.id == *id);
                schedule.add(host, id.clone(), level.map_or(0, |planned| planned.level));
            }
        }
        self.door.written(&reading.settings.windows, now);
        self.set_inventory(std::mem::take(&mut merged.inventory));
        merged.kept.truncate(NAMED_MAX);
        let count = |all: usize| all as u64;
        let (added, changed) = (count(merged.added.len()), count(merged.changed.len()));
        let (removed, kept) = (count(merged.removed.len()), merged.kept);
        let said = Said::Reloaded { added, changed, removed, kept: kept.clone() };
        let durable = self.record(Event::Reloaded { added, changed, removed, kept, by });
        drop(schedule);
        self.spread();
        Ok((said, durable))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{SourceFile, read_files};

    const HOSTS: &str = "[[customer]]\nid = \"acme\"\n\
        [[host]]\nid = \"h1\"\naddress = \"192.0.2.1\"\ncustomer = \"acme\"\n\
        workload = [{ id = \"a\", paths = [\"/a\"] }, { id = \"b\", paths = [\"/b\"] }]\n";

    fn reading(text: &str) -> Reading {
        let settings = SourceFile::new("evac.toml", "[site]\nname = \"x\"\n");
        read_files(&settings, &[SourceFile::new("inventory.toml", text)])
    }

    struct Begun(&'static [&'static str]);

    impl Present for Begun {
        fn is_begun(&self, workload: &WorkloadId) -> bool {
            self.0.contains(&workload.as_str())
        }
        fn refusal(&self, host: &Host) -> Option<String> {
            let is_default = host.workloads.iter().any(|workload| workload.is_default);
            is_default.then(|| "look first".to_owned())
        }
    }

    fn check(text: &str, begun: &'static [&'static str]) -> Merged {
        merge(&reading(HOSTS).inventory, &reading(text), &Begun(begun))
    }

    fn names(ids: &[WorkloadId]) -> Vec<&str> {
        ids.iter().map(WorkloadId::as_str).collect()
    }

    #[test]
    fn the_same_text_changes_nothing() {
        let merged = check(HOSTS, &["a", "b"]);
        let inventory = reading(HOSTS).inventory;
        assert_eq!(merged, Merged { inventory, ..Merged::default() });
    }

    #[test]
    fn what_is_new_is_taken_up_and_what_changed_where_nothing_was_begun() {
        let text = HOSTS.replace("/b", "/srv/b")
            + "[[host]]\nid = \"h2\"\naddress = \"192.0.2.2\"\ncustomer = \"acme\"\n\
               workload = [{ id = \"c\", paths = [\"/c\"] }]\n";
        let merged = check(&text, &["a"]);
        assert_eq!(names(&merged.changed), ["b"]);
        let added: Vec<_> =
            merged.added.iter().map(|(host, id)| (host.as_str(), id.as_str())).collect();
        assert_eq!(added, [("h2", "c")]);
        assert_eq!(merged.kept, [""; 0]);
        let paths = &merged.inventory.workload(&"b".parse().unwrap()).unwrap().paths;
        assert_eq!(paths[0].to_string(), "/srv/b");
    }

    #[test]
    fn what_was_begun_keeps_its_meaning_by_name() {
        let text = HOSTS.replace("/a", "/srv/a").replace(", { id = \"b\", paths = [\"/b\"] }", "");
        let merged = check(&text, &["a", "b"]);
        assert_eq!(merged.kept.len(), 2, "{merged:?}");
        assert!(merged.kept[0].starts_with("workload/a: a copy of it was begun"));
        assert_eq!((names(&merged.changed), names(&merged.removed)), (vec![], vec![]));
        for id in ["a", "b"] {
            let (now, was) =
                (merged.inventory.workload(&id.parse().unwrap()), reading(HOSTS).inventory);
            assert_eq!(now, was.workload(&id.parse().unwrap()), "{id}");
        }
        assert_eq!(names(&check(&text, &["a"]).removed), ["b"]);
    }

    #[test]
    fn a_mistake_costs_its_entry_and_what_was_known_of_it_stays() {
        let merged = check(&HOSTS.replace("192.0.2.1", "not an address!"), &[]);
        assert!(merged.kept.iter().any(|kept| kept.starts_with("host/h1")), "{merged:?}");
        assert_eq!(merged.inventory.workloads().count(), 2);
        assert_eq!(names(&merged.removed), [""; 0]);
    }

    #[test]
    fn what_this_run_cannot_take_up_waits_by_name() {
        let host = |more: &str| {
            format!(
                "{HOSTS}[[host]]\nid = \"h2\"\naddress = \"192.0.2.2\"\ncustomer = \"acme\"\n{more}"
            )
        };
        let work = "workload = [{ id = \"c\", paths = [\"/c\"] }]\n";
        let jump = "jump = \"j\"\n";
        let bastion = "[[host]]\nid = \"j\"\naddress = \"192.0.2.3\"\ncapture = false\n";
        for (text, why) in [
            (host(""), "look first"),
            (host(&format!("rate = \"1MB/s\"\n{work}")), "its `rate` counts"),
            (host(&format!("{jump}{work}{bastion}")), "does not know its `jump`"),
        ] {
            let merged = check(&text, &[]);
            assert_eq!(merged.added, [], "{why}");
            assert!(merged.kept.iter().any(|kept| kept.contains(why)), "{why}: {merged:?}");
        }
    }
}
