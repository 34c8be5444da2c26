//! What limits a run, in words, from what its hosts waited for. Pure.
//!
//! | words | evidence: for more than half of their time hosts … |
//! |---|---|
//! | `limit on uplink/ams`, `limit on hosts` | wait for a rate that is set |
//! | `landing cpu` | wait for what is on its way or here, and this machine's processors are full |
//! | `landing disk` | have sent what they were asked for, and it is not in the store |
//! | `uplink/ams`, `lines` | have content to send and a line that takes no more |
//! | `source cpu` | compress, with full processors |
//! | `sources` | have nothing to offer |
//!
//! **Promise.** Where the evidence is not clear nothing is said.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::run::capacities::Capacities;
use crate::run::coordinator::{CapacityId, Spent, Wait};
use crate::wire::Hindrance;

/// What more than this share of the time went to is what limits.
const MOST: f64 = 0.5;
/// Less than this is no evidence.
const EVIDENCE_MIN: Duration = Duration::from_secs(1);
/// With less of its processors to spare a machine is full.
const SPARE_MIN: f64 = 0.1;

/// A host, of late.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// What it waited for.
    pub spent: Spent,
    /// What its agent says it waits for.
    pub hindrance: Option<Hindrance>,
    /// Its uplink.
    pub uplink: Option<CapacityId>,
}

/// All hosts at work, of late.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    /// Each of them.
    pub hosts: Vec<Seen>,
    /// Of the content that is wanted, the share that is here and not in the store.
    pub here: f64,
    /// Share of this machine's processors that nobody used.
    pub spare: Option<f64>,
}

impl Evidence {
    /// What limits the run; `None`: that is not clear.
    pub fn verdict(&self, capacities: &Capacities) -> Option<String> {
        let all = self.hosts.iter().flat_map(|seen| seen.spent.values()).sum::<Duration>();
        if all < EVIDENCE_MIN {
            return None;
        }
        let share = |is_it: &dyn Fn(&Wait) -> bool| {
            let spent = self.hosts.iter().flat_map(|seen| &seen.spent);
            let sum: Duration = spent.filter(|(wait, _)| is_it(wait)).map(|(_, span)| *span).sum();
            sum.as_secs_f64() / all.as_secs_f64()
        };
        if share(&|wait| matches!(wait, Wait::Rate(_))) > MOST {
            return self.limit(capacities);
        }
        // What fills the budget is either here or on its way.
        let budget = share(&|wait| *wait == Wait::Budget);
        let (in_store, on_way) = if self.here > MOST { (budget, 0.0) } else { (0.0, budget) };
        let store = share(&|wait| *wait == Wait::Store) + in_store;
        let content = share(&|wait| *wait == Wait::Content) + on_way;
        if store + content > MOST && self.spare.is_some_and(|spare| spare < SPARE_MIN) {
            return Some("landing cpu".to_owned());
        }
        if store > MOST {
            return Some("landing disk".to_owned());
        }
        if content > MOST {
            return self.content(capacities);
        }
        let offers = share(&|wait| *wait == Wait::Offers);
        (offers > MOST).then(|| "sources".to_owned())
    }

    /// Which limit.
    fn limit(&self, capacities: &Capacities) -> Option<String> {
        let mut waited: BTreeMap<CapacityId, Duration> = BTreeMap::new();
        for (wait, span) in self.hosts.iter().flat_map(|seen| &seen.spent) {
            if let Wait::Rate(id) = wait {
                *waited.entry(*id).or_default() += *span;
            }
        }
        let all: Duration = waited.values().sum();
        let (most, span) = waited.iter().max_by_key(|(_, span)| **span)?;
        if span.as_secs_f64() > all.as_secs_f64() * MOST {
            return Some(format!("limit on {}", capacities.name(*most)));
        }
        let are_hosts = waited.keys().all(|id| capacities.name(*id).starts_with("host/"));
        are_hosts.then(|| "limit on hosts".to_owned())
    }

    /// What keeps content on its way, as those say who have to send it.
    fn content(&self, capacities: &Capacities) -> Option<String> {
        let waits = |seen: &&Seen| {
            let spent = |wait| seen.spent.get(&wait).copied().unwrap_or_default();
            spent(Wait::Content) + spent(Wait::Budget) > Duration::ZERO
        };
        let senders: Vec<&Seen> = self.hosts.iter().filter(waits).collect();
        let is_most = |hindrance: Hindrance| {
            let count = senders.iter().filter(|seen| seen.hindrance == Some(hindrance)).count();
            count as f64 > senders.len() as f64 * MOST
        };
        if is_most(Hindrance::Wire) {
            let mut uplinks = senders.iter().map(|seen| seen.uplink);
            let first = uplinks.next()?;
            let shared = first.filter(|_| uplinks.all(|other| other == first));
            return Some(shared.map_or("lines", |id| capacities.name(id)).to_owned());
        }
        if is_most(Hindrance::Processors) {
            return Some("source cpu".to_owned());
        }
        is_most(Hindrance::Reading).then(|| "sources".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{SourceFile, read_files};
    use crate::model::HostId;

    fn capacities() -> Capacities {
        let settings = "[site]\nname = \"x\"\n[[uplink]]\nid = \"ams\"\n";
        let host = |id: &str| {
            format!(
                "[[host]]\nid = \"{id}\"\naddress = \"192.0.2.1\"\ncustomer = \"c\"\nuplink = \
                 \"ams\"\n"
            )
        };
        let text = format!("[[customer]]\nid = \"c\"\n{}{}", host("a"), host("b"));
        let reading = read_files(
            &SourceFile::new("evac.toml", settings),
            &[SourceFile::new("inventory.toml", text)],
        );
        assert!(reading.is_ok(), "{:?}", reading.problems);
        Capacities::of(&reading.settings, &reading.inventory)
    }

    fn seen(waits: &[(Wait, u64)], hindrance: Option<Hindrance>) -> Seen {
        let spent = waits.iter().map(|(wait, ms)| (*wait, Duration::from_millis(*ms))).collect();
        let uplink = capacities().uplink_of(&HostId::new("a").unwrap());
        Seen { spent, hindrance, uplink }
    }

    #[track_caller]
    fn check(hosts: &[Seen], (here, spare): (f64, f64), expected: Option<&str>) {
        let evidence = Evidence { hosts: hosts.to_vec(), here, spare: Some(spare) };
        assert_eq!(evidence.verdict(&capacities()).as_deref(), expected, "{evidence:?}");
    }

    #[test]
    fn a_limit_is_named_when_most_wait_for_it() {
        let id = |name: &str| Wait::Rate(capacities().find(name).unwrap());
        let (ams, a, b) = (id("uplink/ams"), id("host/a"), id("host/b"));
        let uplink = seen(&[(ams, 1_500), (Wait::Content, 500)], Some(Hindrance::Wire));
        check(&[uplink.clone(), uplink], (0.0, 0.9), Some("limit on uplink/ams"));
        let hosts = [seen(&[(a, 2_000)], None), seen(&[(b, 2_000)], None)];
        check(&hosts, (0.0, 0.9), Some("limit on hosts"));
        check(&hosts[..1], (0.0, 0.9), Some("limit on host/a"));
        let now_and_then = seen(&[(ams, 400), (Wait::Offers, 1_600)], None);
        check(&[now_and_then], (0.0, 0.9), Some("sources"));
    }

    #[test]
    fn this_machine_is_named_for_what_is_here_and_not_stored() {
        let slow = [seen(&[(Wait::Store, 1_500), (Wait::Content, 500)], Some(Hindrance::Wire))];
        check(&slow, (0.8, 0.6), Some("landing disk"));
        check(&slow, (0.8, 0.02), Some("landing cpu"));
        let full = [seen(&[(Wait::Budget, 2_000)], None)];
        check(&full, (0.9, 0.6), Some("landing disk"));
    }

    #[test]
    fn a_line_is_named_when_senders_say_that_it_takes_no_more() {
        let wire = || seen(&[(Wait::Content, 2_000)], Some(Hindrance::Wire));
        check(&[wire(), wire()], (0.1, 0.6), Some("uplink/ams"));
        check(&[wire(), Seen { uplink: None, ..wire() }], (0.1, 0.6), Some("lines"));
        let compressing = seen(&[(Wait::Content, 2_000)], Some(Hindrance::Processors));
        let both = [compressing, wire()];
        check(&both[..1], (0.1, 0.6), Some("source cpu"));
        check(&both, (0.1, 0.6), None);
    }

    #[test]
    fn without_evidence_nothing_is_said() {
        check(&[], (0.0, 0.5), None);
        check(&[seen(&[(Wait::Store, 900)], None)], (0.9, 0.5), None);
        check(&[seen(&[(Wait::Content, 2_000)], None)], (0.1, 0.6), None);
        let mixed =
            [Wait::Content, Wait::Offers, Wait::Store].map(|wait| seen(&[(wait, 2_000)], None));
        check(&mixed, (0.1, 0.6), None);
    }
}
