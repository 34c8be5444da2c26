//! The numbers of an incident, of customers who may be counted: how many, how long, how much, and
//! what is known of their data.
//!
//! **Promise.** Online is what the status page calls online. Of a copy nothing better is said than
//! what it is: verified is only what was read back.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use crate::inventory::{Class, Hold, Inventory};
use crate::ledger::outbox::{Post, PostState};
use crate::ledger::snapshot::{CaptureState, CustomerStatus, Snapshot, WorkloadStatus};
use crate::ledger::{Pass, StoredEvent};
use crate::model::{Bytes, PublicWord, Timestamp, WorkloadId};
use crate::publish::report::interval::{Interval, seconds};
use crate::publish::report::outage::{self, Outages};

/// Everything that is known of an incident.
pub struct Case<'a> {
    /// The company.
    pub name: &'a str,
    pub inventory: &'a Inventory,
    pub snapshot: &'a Snapshot,
    /// Oldest first.
    pub events: &'a [StoredEvent],
    /// In the order in which they became public.
    pub posts: &'a [Post],
    /// Of each workload, oldest first.
    pub passes: &'a BTreeMap<WorkloadId, Vec<Pass>>,
    /// Services that somebody let pass without a check.
    pub unchecked: &'a BTreeSet<WorkloadId>,
    /// Since when services are down.
    pub began: Timestamp,
    pub zone: &'a TimeZone,
}

impl Case<'_> {
    /// From the beginning until now.
    pub fn span(&self) -> Interval {
        Interval::new(self.began, self.snapshot.as_of)
    }

    /// When everybody who is counted was down.
    pub fn outages(&self) -> Outages {
        let counted = outage::counted(self.snapshot).into_keys();
        Outages::of(self.events, counted, self.began, self.snapshot.as_of)
    }

    /// Customers who may be counted.
    pub fn customers(&self) -> impl Iterator<Item = &CustomerStatus> {
        let all = self.snapshot.customers.iter();
        all.filter(|it| it.hold == Hold::None && services(it).next().is_some())
    }

    /// What was said in public.
    pub fn said(&self) -> impl Iterator<Item = &Post> {
        self.posts.iter().filter(|post| post.state == PostState::Posted)
    }

    /// The newest whole pass of a service.
    pub fn sealed(&self, id: &WorkloadId) -> Option<&Pass> {
        self.passes.get(id)?.iter().rfind(|pass| pass.sealed_at.is_some())
    }
}

/// The services of a customer that were not left out on purpose.
pub fn services(customer: &CustomerStatus) -> impl Iterator<Item = &WorkloadStatus> {
    customer.workloads.iter().filter(|it| it.capture.state != CaptureState::Skipped)
}

/// How long customers were down, in minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    /// Half of them were not down longer.
    pub median: u64,
    /// Nine tenths of them were not down longer.
    pub most: u64,
    /// Nobody was down longer.
    pub worst: u64,
}

impl Spread {
    /// Of lengths in seconds; `None` of none. By nearest rank, minutes rounded up.
    pub fn of(mut seconds: Vec<u64>) -> Option<Self> {
        seconds.sort_unstable();
        let rank = |tenths: usize| {
            let rank = (seconds.len() * tenths).div_ceil(10).max(1);
            seconds.get(rank - 1).map(|seconds| seconds.div_ceil(60))
        };
        Some(Self { median: rank(5)?, most: rank(9)?, worst: rank(10)? })
    }
}

/// What is known of the data of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DataFigures {
    pub services: u64,
    /// Read back, and as they were taken.
    pub verified: u64,
    /// Whole, but not read back since.
    pub captured: u64,
    /// Begun, or stopped on the way.
    pub partial: u64,
    /// Failed, or nothing taken.
    pub none: u64,
    /// Files that changed while they were read.
    pub fuzzy: u64,
    /// Entries that could not be read.
    pub unreadable: u64,
    /// Listed as not taken, for any reason.
    pub left_out: u64,
}

impl DataFigures {
    /// Is everything here, and proven to be?
    pub fn is_proven(&self) -> bool {
        self.verified == self.services && self.fuzzy == 0 && self.unreadable == 0
    }

    fn add(&mut self, workload: &WorkloadStatus, pass: Option<&Pass>) {
        self.services += 1;
        match (workload.capture.state, pass) {
            (CaptureState::Verified, Some(_)) => self.verified += 1,
            (CaptureState::Failed, Some(pass)) if pass.bad_chunks > 0 => self.partial += 1,
            (_, Some(_)) => self.captured += 1,
            (CaptureState::Partial | CaptureState::Capturing, None) => self.partial += 1,
            (_, None) => self.none += 1,
        }
        if let Some(pass) = pass {
            self.fuzzy += pass.tally.fuzzy;
            self.unreadable += pass.tally.unreadable;
            self.left_out += pass.left_out;
        }
    }

    fn plus(mut self, other: &Self) -> Self {
        let pairs = [
            (&mut self.services, other.services),
            (&mut self.verified, other.verified),
            (&mut self.captured, other.captured),
            (&mut self.partial, other.partial),
            (&mut self.none, other.none),
            (&mut self.fuzzy, other.fuzzy),
            (&mut self.unreadable, other.unreadable),
            (&mut self.left_out, other.left_out),
        ];
        for (sum, more) in pairs {
            *sum += more;
        }
        self
    }
}

/// The numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    pub customers: u64,
    /// By the word of the status page.
    pub online: u64,
    pub services: u64,
    pub services_online: u64,
    /// Of those, services that somebody let pass without a check.
    pub unchecked: u64,
    /// Services that somebody left out on purpose.
    pub left_out: u64,
    /// By customer.
    pub minutes: Option<Spread>,
    /// Content that is here.
    pub bytes: Bytes,
    /// Only classes that there are.
    pub classes: Vec<(Class, DataFigures)>,
    /// Customers who are held back; for the internal edition alone.
    pub held: u64,
}

impl Figures {
    /// Of a case.
    pub fn of(case: &Case<'_>, outages: &Outages) -> Self {
        let mut figures = Self {
            customers: 0,
            online: 0,
            services: 0,
            services_online: 0,
            unchecked: 0,
            left_out: 0,
            minutes: None,
            bytes: Bytes::ZERO,
            classes: Vec::new(),
            held: 0,
        };
        let (mut down, mut classes) = (Vec::new(), BTreeMap::<Class, DataFigures>::new());
        let known: BTreeMap<&WorkloadId, Class> =
            case.inventory.workloads().map(|it| (&it.id, it.class)).collect();
        for customer in case.customers() {
            figures.customers += 1;
            figures.online += u64::from(customer.state == PublicWord::Online);
            down.push(seconds(&outages.of_any(services(customer).map(|it| &it.id))));
            for workload in services(customer) {
                figures.services += 1;
                let is_online = workload.state == PublicWord::Online;
                figures.services_online += u64::from(is_online);
                let is_unchecked = is_online && case.unchecked.contains(&workload.id);
                figures.unchecked += u64::from(is_unchecked);
                figures.bytes += workload.bytes_done;
                let class = known.get(&workload.id).copied().unwrap_or(Class::Bulk);
                let class = classes.entry(class).or_default();
                class.add(workload, case.sealed(&workload.id));
            }
        }
        figures.minutes = Spread::of(down);
        figures.classes = classes.into_iter().collect();
        for customer in &case.snapshot.customers {
            if customer.hold == Hold::None {
                // Also of customers of whom nothing else is counted.
                let left_out = customer.workloads.len() - services(customer).count();
                figures.left_out += left_out as u64;
            } else {
                figures.held += 1;
            }
        }
        figures
    }

    /// Of all classes together.
    pub fn data(&self) -> DataFigures {
        self.classes.iter().fold(DataFigures::default(), |all, (_, one)| all.plus(one))
    }

    /// Is everybody who is counted online again?
    pub fn is_over(&self) -> bool {
        self.customers > 0 && self.online == self.customers
    }
}

/// What is known of one customer's data.
pub fn data_of(case: &Case<'_>, customer: &CustomerStatus) -> DataFigures {
    let mut data = DataFigures::default();
    services(customer).for_each(|it| data.add(it, case.sealed(&it.id)));
    data
}

/// Since when something may be missing from a customer's copies: the first of them was begun then,
/// and what was read early in it may have been changed before it was whole. `None` while one is
/// missing.
pub fn data_from(case: &Case<'_>, customer: &CustomerStatus) -> Option<Timestamp> {
    let begun = services(customer).map(|it| Some(case.sealed(&it.id)?.started_at));
    begun.collect::<Option<Vec<_>>>()?.into_iter().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_by_nearest_rank_in_minutes_begun() {
        assert_eq!(Spread::of(Vec::new()), None);
        let of = |seconds: &[u64]| {
            let spread = Spread::of(seconds.to_vec()).unwrap();
            (spread.median, spread.most, spread.worst)
        };
        assert_eq!(of(&[61]), (2, 2, 2));
        assert_eq!(of(&[600, 60, 120, 180, 240, 300, 360, 420, 480, 540]), (5, 9, 10));
    }
}
