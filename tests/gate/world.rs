//! A site whose ledger says that everything is restored, and the server in the new racks.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use evac::ledger::snapshot::Consistency;
use evac::ledger::{Ledger, PassDescription};
use evac::model::{Bytes, Domain, Event, PassNumber, Tally, WorkloadId};

use crate::site::{Site, access};

/// Customer and host of each workload `CUSTOMER-web`; `neighbour` shares a box with `mallory`.
const HOST_OF_EACH: [(&str, &str); 9] = [
    ("good", "good"),
    ("failing", "failing"),
    ("slow", "slow"),
    ("odd", "odd"),
    ("bare", "bare"),
    ("behind", "behind"),
    ("nowhere", "nowhere"),
    ("mallory", "box"),
    ("neighbour", "box"),
];

pub struct World {
    pub site: Site,
    /// What the server answers to `/`.
    pub status: Arc<AtomicU16>,
    /// A listener that takes connections and never says a word.
    _silent: TcpListener,
}

impl World {
    /// Everything restored but what `nowhere` has; `behind` has a newer copy; `mallory` is held.
    pub fn new() -> Self {
        let status = Arc::new(AtomicU16::new(200));
        let port = serve(Arc::clone(&status));
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let silent_port = silent.local_addr().unwrap().port();
        let site = Site::new();
        site.write("evac.toml", SETTINGS);
        site.write("inventory.toml", &inventory(port, silent_port));
        let world = Self { site, status, _silent: silent };
        fs::create_dir(world.site.path("state")).unwrap();
        world.capture_all();
        world.restore_all();
        world
    }

    pub fn ledger(&self) -> Ledger {
        Ledger::open(&self.site.path("state/ledger.db")).unwrap()
    }

    fn capture_all(&self) {
        let ledger = self.ledger();
        for (customer, host) in HOST_OF_EACH {
            Self::capture(&ledger, customer, host);
        }
    }

    fn capture(ledger: &Ledger, customer: &str, host: &str) {
        let description = PassDescription {
            workload: workload(customer),
            customer: customer.parse().unwrap(),
            host: host.parse().unwrap(),
            domain: Domain([0; 8]),
            cutting: Vec::new(),
        };
        let pass = ledger.begin_pass(&description, None, "jo").unwrap();
        let tally = Tally { entries: 1, raw_bytes: Bytes(1), ..Tally::default() };
        ledger.seal(&workload(customer), pass, &tally, Consistency::Crash, "jo").unwrap();
    }

    /// Everything that is captured stands in its new place, `nowhere`'s not.
    pub fn restore_all(&self) {
        let ledger = self.ledger();
        for (customer, host) in HOST_OF_EACH.iter().filter(|(id, _)| *id != "nowhere") {
            let (id, pass) = (workload(customer), PassNumber(1));
            if ledger.state(&id).unwrap().sealed.is_none() {
                Self::capture(&ledger, customer, host);
            }
            let place = format!("target:rack-{host}:/srv");
            ledger.restore_begin(&id, pass, &place, "jo").unwrap();
            ledger.restore_done(&id, pass, &place, 0, "jo").unwrap();
            if *customer == "behind" {
                Self::capture(&ledger, customer, host);
            }
        }
    }

    /// Its newest copy was read back.
    pub fn verify(&self, id: &str) {
        let (workload, pass) = (id.parse().unwrap(), PassNumber(1));
        let verified = Event::Verified { workload, pass, checked_bytes: Bytes(1) };
        self.ledger().append(&verified, "jo").unwrap();
    }

    /// The ledger is lost, and made anew without anything that only it knew.
    pub fn rebuild(&self) {
        for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
            let _ = fs::remove_file(self.site.path("state").join(name));
        }
        self.ledger().rebuild_from(None, []).unwrap();
    }
}

fn workload(customer: &str) -> WorkloadId {
    format!("{customer}-web").parse().unwrap()
}

const SETTINGS: &str = "[site]\nname = \"Example\"\n[tiers]\ngold = 10\n[gate]\nbeat = \"1s\"\n";

fn inventory(port: u16, silent: u16) -> String {
    let page =
        |path: &str, more: &str| format!("{{ http = \"http://127.0.0.1:{port}{path}\"{more} }}");
    let checks_of = |customer: &str| match customer {
        "failing" => page("/broken", ""),
        "slow" => format!("{{ http = \"http://127.0.0.1:{silent}/\", within = \"1s\" }}"),
        "odd" => "{ command = [\"sh\", \"-c\", \"exit 3\"] }".to_owned(),
        "bare" => String::new(),
        _ => page("/", ", host = \"shop.example\", contains = \"Welcome\""),
    };
    let mut text = String::new();
    for (customer, _) in HOST_OF_EACH {
        let hold = if customer == "mallory" { "hold = \"abuse\"\n" } else { "" };
        text.push_str(&format!(
            "[[customer]]\nid = \"{customer}\"\nname = \"{customer} & co\"\ntier = \"gold\"\n\
             group = \"all\"\ncontacts = [\"tel:+31\"]\n{hold}"
        ));
    }
    let mut last = "";
    for (number, (customer, host)) in HOST_OF_EACH.into_iter().enumerate() {
        // The source of `failing` answers, and fails the same; the others' are gone.
        let port = if customer == "failing" { port.into() } else { 2 + number };
        if host != last {
            text.push_str(&format!(
                "[[host]]\nid = \"{host}\"\naddress = \"127.0.0.1\"\nport = {port}\n\
                 customer = \"{customer}\"\n{}\
                 target = {{ address = \"127.0.0.1\", port = {} }}\n",
                access(),
                2000 + text.len()
            ));
        }
        last = host;
        text.push_str(&format!(
            "[[host.workload]]\nid = \"{customer}-web\"\ncustomer = \"{customer}\"\n\
             paths = [\"/home/{customer}\"]\nchecks = [{}]\n",
            checks_of(customer)
        ));
    }
    text
}

/// `/` answers with `status`, everything else with 500.
fn serve(status: Arc<AtomicU16>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 2048];
            let length = stream.read(&mut head).unwrap_or(0);
            let is_home = head[..length].starts_with(b"GET / ");
            let status = if is_home { status.load(Ordering::Relaxed) } else { 500 };
            let _ = write!(
                stream,
                "HTTP/1.1 {status} X\r\nContent-Length: 7\r\nConnection: close\r\n\r\nWelcome"
            );
        }
    });
    port
}
