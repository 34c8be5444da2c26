//! Who is evacuated: a made-up hosting company with twelve customers on six hosts, and its site
//! folder in evac's own formats.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::Timestamp;

/// The company; it is its own first customer.
pub const COMPANY: &str = "Harbour Hosting";
/// The machine in the company's own racks.
pub const TARGET: &str = "rack-07";
/// The customer that is held back: nothing public may name it.
pub const HELD: &str = "parcels";
/// The host whose connection is cut, while it sends what [`PHOTOGRAPHER`] has.
pub const CUT: &str = "shared-1";
/// The customer with by far the most pictures.
pub const PHOTOGRAPHER: &str = "bakery";
/// Where every host keeps what all of them have in common.
pub const SYSTEM: [&str; 2] = ["etc", "usr"];

/// The page that visitors see, in a home.
pub const PAGE: &str = "www/index.html";

/// Someone who owns data.
pub struct Customer {
    pub id: &'static str,
    pub name: &'static str,
    tier: &'static str,
    pub domain: &'static str,
}

/// A source machine.
pub struct Host {
    pub id: &'static str,
    /// Who owns the system on it.
    pub owner: &'static str,
    /// Whose data is on it.
    pub tenants: &'static [&'static str],
    /// Has it a new place already? Else its data is restored into a folder.
    pub has_target: bool,
}

const fn customer(
    id: &'static str,
    name: &'static str,
    tier: &'static str,
    domain: &'static str,
) -> Customer {
    Customer { id, name, tier, domain }
}

/// Everybody.
pub const CUSTOMERS: [Customer; 12] = [
    customer("harbour", COMPANY, "gold", "harbour-hosting.example"),
    customer("bakery", "Bakkerij De Vroege Vogel", "standard", "vroegevogel.example"),
    customer("chess", "Chess Club Caissa", "standard", "caissa.example"),
    customer("dentist", "Dr Molar & Partners", "gold", "molar.example"),
    customer("florist", "Florist \"Tulip\" & Sons", "standard", "tulip.example"),
    customer("museum", "Museum of Rope", "standard", "ropemuseum.example"),
    customer("notary", "Notary Van Zegel", "gold", "vanzegel.example"),
    customer("runners", "Runners' League", "standard", "runners.example"),
    customer("webshop", "Webshop Alles & Meer", "gold", "allesenmeer.example"),
    customer("architects", "Architects Lood Recht", "standard", "loodrecht.example"),
    customer(HELD, "Parcel Fast Express", "standard", "parcelfast.example"),
    customer("school", "School in the Dunes", "gold", "duneschool.example"),
];

/// Every source machine: two shared boxes, four virtual servers.
pub const HOSTS: [Host; 6] = [
    Host {
        id: CUT,
        owner: "harbour",
        tenants: &["bakery", "chess", "dentist", "florist"],
        has_target: true,
    },
    Host {
        id: "shared-2",
        owner: "harbour",
        tenants: &["museum", "notary", "runners"],
        has_target: true,
    },
    Host { id: "vps-1", owner: "webshop", tenants: &["webshop"], has_target: true },
    Host { id: "vps-2", owner: "architects", tenants: &["architects"], has_target: false },
    // No place in the new rack: whatever shares a machine with it would stay off, too.
    Host { id: "vps-3", owner: HELD, tenants: &[HELD], has_target: false },
    Host { id: "vps-4", owner: "school", tenants: &["school"], has_target: false },
];

/// A unit of evacuation.
pub struct Workload {
    pub id: String,
    customer: &'static str,
    class: &'static str,
    /// The folder of its host that it is.
    pub path: String,
}

impl Host {
    /// The identity first, then each tenant's database and home, then what everybody has.
    pub fn workloads(&self) -> Vec<Workload> {
        let workload = |id: String, customer, class, path: String| Workload {
            id: format!("{}-{id}", self.id),
            customer,
            class,
            path,
        };
        let mut workloads = vec![workload("etc".into(), self.owner, "identity", "etc".into())];
        for tenant in self.tenants {
            let database = format!("var/backups/{tenant}");
            workloads.push(workload(format!("{tenant}-db"), tenant, "database", database));
            workloads.push(workload(format!("{tenant}-home"), tenant, "web", home(tenant)));
        }
        workloads.push(workload("usr".into(), self.owner, "bulk", "usr".into()));
        workloads
    }
}

/// Where a customer's mail, pages and pictures are on its host.
pub fn home(tenant: &str) -> String {
    format!("home/{tenant}")
}

/// The customers that have a place of their own in the new rack.
pub fn placed() -> impl Iterator<Item = &'static Customer> {
    let has_place = |id: &str| {
        let mut of = HOSTS.iter().filter(|host| host.owner == id || host.tenants.contains(&id));
        of.all(|host| host.has_target)
    };
    CUSTOMERS.iter().filter(move |customer| has_place(customer.id))
}

/// The host, and the domain, of each page that is served from its new place.
pub fn pages() -> impl Iterator<Item = (&'static Host, &'static Customer)> {
    let tenants = HOSTS.iter().filter(|host| host.has_target);
    tenants.flat_map(|host| {
        let is_on = |customer: &&Customer| host.tenants.contains(&customer.id);
        CUSTOMERS.iter().filter(is_on).map(move |customer| (host, customer))
    })
}

/// Where a folder of a host is restored beneath `target`.
pub fn restored(target: &Path, workload: &str, source: &Path) -> PathBuf {
    target.join(workload).join(source.strip_prefix("/").unwrap_or(source))
}

/// How many workloads there are.
pub fn workload_count() -> usize {
    HOSTS.iter().map(|host| host.workloads().len()).sum()
}

/// Words that no public page may have: what customers are called.
pub fn unspoken() -> impl Iterator<Item = &'static str> {
    let others = CUSTOMERS.iter().filter(|customer| customer.id != "harbour");
    others.flat_map(|customer| [customer.name, customer.domain]).chain([HELD, "abuse"])
}

/// `evac.toml`. The window is open for six hours from `now`.
pub fn settings(now: Timestamp, target_port: u16) -> String {
    let closes = now.plus(Duration::from_secs(6 * 3600));
    format!(
        r#"[site]
name = "{COMPANY}"
timezone = "Europe/Amsterdam"
languages = ["en", "nl"]

[[window]]
opens = "{now}"
closes = "{closes}"

[ssh]
identity = ["evac-key"]
known_hosts = "known_hosts"       # strict: the seven keys pinned there, no others

[[uplink]]
id = "loopback"
rate = "1Gbit/s"

[tiers]
gold = 10
standard = 3

[[store.disk]]
path = "state/store"
reserve = "64MB"                  # stays free on its disk; below it a run waits

[[target]]
id = "{TARGET}"
address = "127.0.0.1"
port = {target_port}
"#
    )
}

/// `inventory.toml`: `ports` in the order of [`HOSTS`], their files beneath `sources`, the new
/// place beneath `target`, where `web_port` serves the pages.
pub fn inventory(ports: &[u16], sources: &Path, target: &Path, web_port: u16) -> String {
    let mut text = String::new();
    for (number, customer) in CUSTOMERS.iter().enumerate() {
        let Customer { id, name, tier, domain } = customer;
        let name = quoted(name);
        let _ = writeln!(text, "[[customer]]\nid = \"{id}\"\nname = {name}\ntier = \"{tier}\"");
        let _ = writeln!(text, "domains = [\"{domain}\"]");
        // By phone: mail to a domain that is being moved may not arrive when it matters.
        let _ = writeln!(text, "contacts = [\"tel:+31205550{number:03}\"]");
        if *id == HELD {
            text.push_str("hold = \"abuse\"      # never switched on, never named in public\n");
        }
        text.push('\n');
    }
    for (host, port) in HOSTS.iter().zip(ports) {
        let Host { id, owner, .. } = host;
        let _ = writeln!(text, "[[host]]\nid = \"{id}\"\naddress = \"127.0.0.1\"\nport = {port}");
        let _ = writeln!(text, "uplink = \"loopback\"\ncustomer = \"{owner}\"");
        if crate::run::rescue::is_diskless_here() {
            text.push_str("access = \"diskless\"\n");
        }
        if host.has_target {
            let _ = writeln!(text, "target = \"{TARGET}\"");
        }
        text.push('\n');
        for workload in host.workloads() {
            let Workload { id: workload, customer, class, path } = workload;
            let source = sources.join(host.id).join(path);
            let checks = checks(host, (customer, class), &workload, (&source, target), web_port);
            let path = path_text(&source);
            let root = path_text(&target.join(&workload));
            let _ = writeln!(
                text,
                "[[host.workload]]\nid = \"{workload}\"\ncustomer = \"{customer}\"\n\
                 class = \"{class}\"\npaths = [{path}]\nrestore = {{ root = {root} }}{checks}\n"
            );
        }
    }
    text
}

/// A page must be the customer's; of a database, the dump must be one.
fn checks(
    host: &Host,
    (customer, class): (&str, &str),
    workload: &str,
    (source, target): (&Path, &Path),
    web_port: u16,
) -> String {
    let domain = CUSTOMERS.iter().find(|known| known.id == customer).map_or("", |it| it.domain);
    let check = match class {
        _ if !host.has_target => return String::new(),
        "web" => format!(
            "http = \"http://127.0.0.1:{web_port}/\", host = \"{domain}\", \
             contains = \"Welcome to {customer}\""
        ),
        "database" => {
            let dump = path_text(&restored(target, workload, source).join("orders.sql"));
            format!("command = [\"grep\", \"-q\", \"CREATE TABLE orders\", {dump}]")
        }
        _ => return String::new(),
    };
    format!("\nchecks = [{{ {check} }}]")
}

fn path_text(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{SourceFile, read_files};

    #[test]
    fn the_site_has_no_problem() {
        let ports = [2201, 2202, 2203, 2204, 2205, 2206];
        let settings = settings(Timestamp::from_second(1_900_000_000), 2207);
        let inventory = inventory(&ports, Path::new("/tmp/a \"b\""), Path::new("/tmp/new"), 80);
        let reading = read_files(
            &SourceFile::new("evac.toml", settings),
            &[SourceFile::new("inventory.toml", inventory)],
        );
        assert_eq!(reading.problems, []);
        assert_eq!(reading.inventory.customers.len(), CUSTOMERS.len());
        assert_eq!(reading.inventory.workloads().count(), workload_count());
        for customer in &CUSTOMERS {
            let id = customer.id.parse().unwrap();
            assert!(reading.inventory.workloads_of(&id).count() > 0, "{id}");
        }
    }
}
