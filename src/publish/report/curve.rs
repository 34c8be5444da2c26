//! How customers came back, as a curve: a pure fold of the same events that outages are made of.

use std::collections::{BTreeMap, BTreeSet};

use crate::ledger::WorkloadState;
use crate::ledger::snapshot::CaptureState;
use crate::model::{CustomerId, HostId, Timestamp, WorkloadId};
use crate::publish::report::figures::Case;
use crate::publish::report::outage;

/// Customers at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    pub at: Timestamp,
    /// Those whose data is out.
    pub copied: u64,
    /// Of all, those that are online.
    pub online: u64,
}

/// A curve of customers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Curve {
    /// All that are counted.
    pub customers: u64,
    /// One at the beginning, one for each change, one for now.
    pub points: Vec<Point>,
    /// How often one that was online was so no more.
    pub taken_back: u64,
}

struct Standing {
    services: u64,
    copied: u64,
    online: u64,
}

impl Curve {
    /// Of a case.
    pub fn of(case: &Case<'_>) -> Self {
        let uncovered: BTreeSet<&HostId> =
            case.snapshot.hosts.iter().filter(|host| host.uncovered).map(|host| &host.id).collect();
        let owners = outage::counted(case.snapshot);
        // A service beside data that nobody covers is called neither copied nor online.
        let hosts = case.snapshot.customers.iter().flat_map(|customer| &customer.workloads);
        let doubtful: BTreeSet<&WorkloadId> =
            hosts.filter(|it| uncovered.contains(&it.host)).map(|it| &it.id).collect();
        let mut standings: BTreeMap<&CustomerId, Standing> = BTreeMap::new();
        for customer in owners.values() {
            let new = Standing { services: 0, copied: 0, online: 0 };
            standings.entry(customer).or_insert(new).services += 1;
        }
        let mut curve =
            Self { customers: standings.len() as u64, points: Vec::new(), taken_back: 0 };
        let mut states: BTreeMap<&WorkloadId, WorkloadState> = BTreeMap::new();
        let mut now = Point { at: case.began, copied: 0, online: 0 };
        curve.points.push(now);
        for stored in case.events.iter().filter(|it| it.at <= case.snapshot.as_of) {
            for id in stored.event.workloads() {
                let Some(owner) = owners.get(id).filter(|_| !doubtful.contains(id)) else {
                    continue;
                };
                let state = states.entry(id).or_default();
                let Ok(next) = state.next(&stored.event, stored.at) else { continue };
                let before = (is_copied(state), outage::is_online(state));
                let after = (is_copied(&next), outage::is_online(&next));
                *state = next;
                let Some(standing) = standings.get_mut(owner) else { continue };
                let was = standing.whole();
                move_by(&mut standing.copied, before.0, after.0);
                move_by(&mut standing.online, before.1, after.1);
                let is = standing.whole();
                move_by(&mut now.copied, was.0, is.0);
                move_by(&mut now.online, was.1, is.1);
                curve.taken_back += u64::from(was.1 && !is.1);
            }
            // A clock that was put back does not turn the curve.
            now.at = stored.at.max(now.at);
            curve.push(now);
        }
        curve.points.push(Point { at: case.snapshot.as_of, ..now });
        curve
    }

    fn push(&mut self, now: Point) {
        match self.points.last_mut() {
            Some(last) if (last.copied, last.online) == (now.copied, now.online) => {}
            Some(last) if last.at == now.at => *last = now,
            _ => self.points.push(now),
        }
    }

    /// When so many hundredths of all were online for the first time.
    pub fn reached(&self, percent: u64) -> Option<Point> {
        let wanted = (self.customers * percent).div_ceil(100).max(1);
        self.points.iter().copied().find(|point| point.online >= wanted)
    }

    /// When everybody's data was out for the first time.
    pub fn all_copied(&self) -> Option<Point> {
        let all = self.customers;
        self.points.iter().copied().find(|point| all > 0 && point.copied == all)
    }
}

impl Standing {
    fn whole(&self) -> (bool, bool) {
        (self.copied == self.services, self.online == self.services)
    }
}

fn is_copied(state: &WorkloadState) -> bool {
    state.sealed.is_some() && state.capture != CaptureState::Failed
}

fn move_by(count: &mut u64, was: bool, is: bool) {
    *count = (*count + u64::from(is)).saturating_sub(u64::from(was));
}
