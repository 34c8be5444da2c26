//! A site with customers who come online one by one, and destinations.

use evac::ledger::snapshot::Consistency;
use evac::ledger::{Ledger, PassDescription};
use evac::model::{Bytes, Domain, Event, PassNumber, Tally, WorkloadId};

use crate::site::{Outcome, Site};

/// What webhooks are signed with.
pub const HOOK_SECRET: &str = "hush-hush-hush";

pub struct World {
    pub site: Site,
}

impl World {
    /// With customers `c0`, `c1`, … of group `web`, each with one workload.
    pub fn new(customers: usize, settings: &str) -> Self {
        Self::with(customers, settings, "")
    }

    /// With more customers and hosts.
    pub fn with(customers: usize, settings: &str, more: &str) -> Self {
        let site = Site::new();
        let head = "[site]\nname = \"Example Hosting\"\nlanguages = [\"en\", \"nl\"]\n";
        let head = format!("{head}[publish]\nnext = \"30m\"\n");
        site.write("evac.toml", &format!("{head}{settings}"));
        site.write("keys/page", "key\n").write("keys/hook", &format!("{HOOK_SECRET}\n"));
        let mut inventory = String::new();
        for number in 0..customers {
            inventory.push_str(&format!(
                "[[customer]]\nid = \"c{number}\"\ngroup = \"web\"\n\
                 [[host]]\nid = \"h{number}\"\naddress = \"192.0.2.1\"\nport = {}\n\
                 customer = \"c{number}\"\n\
                 [[host.workload]]\nid = \"w{number}\"\npaths = [\"/srv\"]\nbytes = \"1MB\"\n",
                2_000 + number
            ));
        }
        site.write("inventory.toml", &(inventory + more));
        Self { site }
    }

    #[track_caller]
    pub fn evac(&self, arguments: &[&str]) -> Outcome {
        self.site.evac(arguments)
    }

    pub fn ledger(&self) -> Ledger {
        std::fs::create_dir_all(self.site.path("state")).unwrap();
        Ledger::open(&self.site.path("state/ledger.db")).unwrap()
    }

    /// Those customers are restored, checked and switched on.
    pub fn online(&self, customers: impl IntoIterator<Item = usize>) {
        let ledger = self.ledger();
        for number in customers {
            let (id, pass) = (workload(number), PassNumber(1));
            let description = PassDescription {
                workload: id.clone(),
                customer: format!("c{number}").parse().unwrap(),
                host: format!("h{number}").parse().unwrap(),
                domain: Domain([0; 8]),
                cutting: Vec::new(),
            };
            ledger.begin_pass(&description, None, "jo").unwrap();
            let tally = Tally { entries: 1, raw_bytes: Bytes(1), ..Tally::default() };
            ledger.seal(&id, pass, &tally, Consistency::Crash, "jo").unwrap();
            ledger.restore_begin(&id, pass, "target:rack:/srv", "jo").unwrap();
            ledger.restore_done(&id, pass, "target:rack:/srv", 0, "jo").unwrap();
            let passed = Event::GatePassed { workload: id.clone(), pass };
            ledger.append(&passed, "jo").unwrap();
            ledger.append(&Event::Activated { workload: id, pass }, "jo").unwrap();
        }
    }

    /// A check of something that is switched on fails.
    pub fn fails(&self, customer: usize) {
        let failed = Event::GateFailed { workload: workload(customer), detail: "no".into() };
        self.ledger().append(&failed, "jo").unwrap();
    }

    /// The ledger is lost, and made anew without anything that only it knew.
    pub fn lose_ledger(&self) {
        let site = self.ledger().site().unwrap();
        for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
            let _ = std::fs::remove_file(self.site.path("state").join(name));
        }
        self.ledger().rebuild_from(Some(site), []).unwrap();
    }

    /// Titles of everything that was said, oldest first.
    pub fn titles(&self) -> Vec<String> {
        let posts = self.evac(&["--json", "publish", "posts"]).exits(0).json();
        let title = |it: &serde_json::Value| {
            it["post"]["texts"]["en"]["title"].as_str().unwrap_or_default().to_owned()
        };
        posts.iter().map(title).collect()
    }
}

/// A check of it passes.
pub fn passed(number: usize) -> Event {
    Event::GatePassed { workload: workload(number), pass: PassNumber(1) }
}

fn workload(number: usize) -> WorkloadId {
    format!("w{number}").parse().unwrap()
}

/// A Statuspage at `url`, with these lines of components.
pub fn statuspage(url: &str, components: &str) -> String {
    format!(
        "[[publish.to]]\nid = \"page\"\nkind = \"statuspage\"\nurl = \"{url}\"\npage = \"p1\"\n\
         secret = {{ file = \"keys/page\" }}\n[publish.to.components]\n{components}"
    )
}

/// A signed webhook at `url`, with more keys.
pub fn hook(url: &str, more: &str) -> String {
    format!(
        "[[publish.to]]\nid = \"hook\"\nkind = \"webhook\"\nurl = \"{url}/in\"\n\
         secret = {{ file = \"keys/hook\" }}\n{more}"
    )
}
