//! Tests of whole reports, from a ledger in which a weekend happened; the fixture they share.

mod credits;
mod leave;
mod notices;
mod papers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::gate::Holds;
use crate::inventory::{Inventory, SourceFile, read_files};
use crate::ledger::outbox::{Post, PostState, PostText};
use crate::ledger::snapshot::{Consistency, Snapshot};
use crate::ledger::view::{CustomerView, FleetView, HostView, WorkloadView};
use crate::ledger::{Ledger, Pass, PassDescription, StoredEvent};
use crate::model::{
    Bell, Bytes, Domain, Event, FixedClock, PassNumber, Reason, Tally, Timestamp, WorkloadId,
};
use crate::publish::report::figures::Case;
use crate::publish::say::guard::Guard;

/// Clocks go forward in the night after; a month ends the day after that.
const BEGAN: &str = "2030-03-30T20:00:00Z";
const NOW: &str = "2030-04-01T12:00:00Z";

const INVENTORY: &str = r#"
[[customer]]
id = "acme"
name = "Acme BV"
language = "nl"
labels = { whmcs = "8812", fee = "40.00", currency = "EUR" }
[[customer]]
id = "bloom"
name = "Bloom | <b>Ltd</b>"
language = "en"
labels = { whmcs = "8813", fee = "10.01", currency = "EUR" }
[[customer]]
id = "chess"
language = "de"
labels = { fee = "7", currency = "EUR" }
[[customer]]
id = "mallory"
name = "Mallory GmbH"
hold = "abuse"
labels = { whmcs = "666", fee = "99", currency = "EUR" }
[[host]]
id = "shared-1"
address = "192.0.2.1"
customer = "acme"
[[host.workload]]
id = "acme-db"
paths = ["/db"]
class = "database"
[[host.workload]]
id = "acme-site"
label = "shop.acme.example"
paths = ["/www"]
class = "web"
[[host.workload]]
id = "bloom-home"
customer = "bloom"
paths = ["/home/bloom"]
class = "web"
[[host]]
id = "vps-2"
address = "192.0.2.2"
customer = "chess"
[[host.workload]]
id = "chess-mail"
paths = ["/mail"]
class = "mail"
[[host]]
id = "vps-66"
address = "192.0.2.66"
customer = "mallory"
[[host.workload]]
id = "mallory-shop"
paths = ["/srv"]
"#;

/// A ledger under way, and what it is about.
struct Story {
    clock: Arc<FixedClock>,
    ledger: Ledger,
    inventory: Inventory,
    zone: TimeZone,
}

/// What reports are made from, read once.
struct Told {
    snapshot: Snapshot,
    events: Vec<StoredEvent>,
    posts: Vec<Post>,
    passes: BTreeMap<WorkloadId, Vec<Pass>>,
    unchecked: BTreeSet<WorkloadId>,
    guard: Guard,
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn id(text: &str) -> WorkloadId {
    text.parse().unwrap()
}

impl Story {
    /// Nothing happened yet.
    fn new() -> Self {
        let clock = Arc::new(FixedClock::at(time("2030-03-30T19:00:00Z")));
        let ledger = Ledger::in_memory().unwrap().with_clock(clock.clone());
        let settings = SourceFile::new("evac.toml", "[site]\nname = \"Example\"\n");
        let reading = read_files(&settings, &[SourceFile::new("inventory.toml", INVENTORY)]);
        assert!(reading.is_ok(), "{:?}", reading.problems);
        let zone = TimeZone::get("Europe/Amsterdam").unwrap();
        Self { clock, ledger, inventory: reading.inventory, zone }
    }

    /// A weekend: acme is back on Sunday morning, bloom a day later, chess not yet.
    fn weekend() -> Self {
        let story = Self::new();
        story.at("2030-03-30T20:12:00Z").says("We know", Some("2030-03-30T20:40:00Z"));
        story.at("2030-03-30T20:50:00Z").says("Still at it", None);
        story.at("2030-03-30T23:00:00Z").rings(Bell::WindowOpened);
        story.notes("customer/acme", "called: the shop first");
        story.notes("customer/acme", "Public: a second line was connected");
        story.notes("customer/acme", "public: Mallory is behind it");
        let detail = "No route to vps-66".to_owned();
        let host = "vps-66".parse().unwrap();
        story.tell(Event::HostFailed { host, reason: Reason::Refused, detail, retry_s: None });
        story.captured("acme", "shared-1", "acme-db", Tally { fuzzy: 2, ..tally(1_000) });
        story.captured("acme", "shared-1", "acme-site", tally(2_000));
        story.captured("bloom", "shared-1", "bloom-home", tally(500));
        story.captured("mallory", "vps-66", "mallory-shop", tally(77));
        story.at("2030-03-31T05:00:00Z").rings(Bell::WindowShut);
        story.at("2030-03-31T06:00:00Z").online("acme-db");
        story.online("acme-site");
        story.at("2030-03-31T08:00:00Z").fails("acme-site");
        story.at("2030-03-31T08:30:00Z").passes("acme-site");
        story.at("2030-04-01T02:00:00Z").online("bloom-home");
        story.at(NOW);
        story
    }

    fn at(&self, text: &str) -> &Self {
        use crate::model::Clock as _;
        let span = time(text).since(self.clock.now());
        self.clock.advance(span);
        self
    }

    fn tell(&self, event: Event) {
        self.ledger.append(&event, "jo").unwrap();
    }

    fn fails(&self, workload: &str) {
        let detail = "answered 500".to_owned();
        self.tell(Event::GateFailed { workload: id(workload), detail });
    }

    fn passes(&self, workload: &str) {
        self.tell(Event::GatePassed { workload: id(workload), pass: PassNumber(1) });
    }

    fn leaves_out(&self, workload: &str) {
        let steer = crate::model::Steer::Skip;
        let (what, text, by) = (workload.into(), "not wanted".into(), "jo".into());
        self.tell(Event::Steered { steer, what, workloads: vec![id(workload)], text, by });
    }

    fn rings(&self, bell: Bell) {
        self.tell(Event::Rang { bell, text: String::new(), held_back: 0, failed: Vec::new() });
    }

    fn notes(&self, what: &str, text: &str) {
        self.tell(Event::Noted { what: what.into(), text: text.into(), by: "kim".into() });
    }

    fn says(&self, title: &str, next_by: Option<&str>) {
        use crate::model::Clock as _;
        let body = String::new();
        let text = PostText { title: title.to_owned(), body };
        let post = Post {
            id: title.to_owned(),
            at: self.clock.now(),
            by: "jo".into(),
            kind: "investigating".into(),
            state: PostState::Posted,
            reviewed_by: None,
            why: None,
            next_by: next_by.map(time),
            texts: BTreeMap::from([("en".to_owned(), text)]),
        };
        self.ledger.add_post(&post).unwrap();
    }

    fn captured(&self, customer: &str, host: &str, workload: &str, tally: Tally) {
        let pass = self.begins(customer, host, workload);
        self.seals(workload, pass, &tally);
    }

    fn begins(&self, customer: &str, host: &str, workload: &str) -> PassNumber {
        let description = PassDescription {
            workload: id(workload),
            customer: customer.parse().unwrap(),
            host: host.parse().unwrap(),
            domain: Domain([0; 8]),
            cutting: Vec::new(),
        };
        self.ledger.begin_pass(&description, None, "jo").unwrap()
    }

    fn seals(&self, workload: &str, pass: PassNumber, tally: &Tally) {
        self.ledger.seal(&id(workload), pass, tally, Consistency::Crash, "jo").unwrap();
    }

    fn verified(&self, workload: &str) {
        let (workload, pass) = (id(workload), PassNumber(1));
        self.tell(Event::Verified { workload, pass, checked_bytes: Bytes(1) });
    }

    fn online(&self, workload: &str) {
        let (pass, place) = (PassNumber(1), "target:rack:/srv");
        self.ledger.restore_begin(&id(workload), pass, place, "jo").unwrap();
        self.ledger.restore_done(&id(workload), pass, place, 0, "jo").unwrap();
        self.tell(Event::GatePassed { workload: id(workload), pass });
        self.tell(Event::Activated { workload: id(workload), pass });
    }

    fn view(&self) -> FleetView {
        let customers = self.inventory.customers.iter().map(|customer| CustomerView {
            id: customer.id.clone(),
            name: customer.name.clone(),
            tier: None,
            group: None,
            hold: customer.hold,
            labels: customer.labels.clone(),
            domains: Vec::new(),
            contacts: Vec::new(),
        });
        let hosts = self.inventory.hosts.iter().map(|host| HostView {
            id: host.id.clone(),
            address: host.address.clone(),
            uncovered: false,
            workloads: (host.workloads.iter())
                .map(|workload| WorkloadView {
                    id: workload.id.clone(),
                    customer: workload.customer.clone(),
                    label: workload.label.clone(),
                    target: None,
                    estimate: None,
                    addresses: Vec::new(),
                })
                .collect(),
        });
        FleetView { customers: customers.collect(), hosts: hosts.collect(), ..<_>::default() }
    }

    fn told(&self) -> Told {
        use crate::model::Clock as _;
        let all = self.inventory.workloads();
        Told {
            snapshot: self.ledger.snapshot(&self.view(), self.clock.now()).unwrap(),
            events: self.ledger.events(0, 10_000).unwrap(),
            posts: self.ledger.posts().unwrap(),
            passes: all.map(|it| (it.id.clone(), self.ledger.passes(&it.id).unwrap())).collect(),
            unchecked: self.unchecked(),
            guard: Guard::of(&self.inventory, &Holds::default(), "Example"),
        }
    }

    fn unchecked(&self) -> BTreeSet<WorkloadId> {
        let all = self.inventory.workloads().map(|it| &it.id);
        all.filter(|id| self.ledger.unchecked(id).unwrap().is_some()).cloned().collect()
    }

    fn case<'a>(&'a self, told: &'a Told) -> Case<'a> {
        Case {
            name: "Example",
            inventory: &self.inventory,
            snapshot: &told.snapshot,
            events: &told.events,
            posts: &told.posts,
            passes: &told.passes,
            unchecked: &told.unchecked,
            began: time(BEGAN),
            zone: &self.zone,
        }
    }
}

fn tally(bytes: u64) -> Tally {
    Tally { entries: 1, raw_bytes: Bytes(bytes), ..Tally::default() }
}
