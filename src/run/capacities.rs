//! The choke points of a site: what they are called, what they may carry, which hosts pass them.
//! Pure.
//!
//! | name | what |
//! |---|---|
//! | `landing` | everything that arrives here: `[limits] landing` |
//! | `uplink/ID`, `resource/ID` | what the hosts that name it in `uplink` or `uses` share |
//! | `host/ID` | one host: its `rate` |
//!
//! A rate that is written down is kept to, whether it was meant as a wish or as what a line
//! carries: a line never carries more than it carries, so keeping to that costs nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::inventory::{Host, Inventory, ResourceKind, Settings};
use crate::model::text::{bounded, closest};
use crate::model::{HostId, Rate, ResourceId};
use crate::run::coordinator::CapacityId;

/// The name of everything that arrives here.
pub const LANDING: &str = "landing";
/// Longest word repeated in a message.
const SHOWN_CHARS_MAX: usize = 120;

/// Why a name is no choke point.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CapacityError {
    /// Nothing has this name.
    #[error("nothing that carries data is called `{name}`{}", did_you_mean(.closest.as_deref()))]
    Unknown {
        /// As typed, bounded.
        name: String,
        /// A name that is close.
        closest: Option<String>,
    },
    /// Several have.
    #[error("`{name}` may be {}", .hits.join(" or "))]
    Ambiguous {
        /// As typed, bounded.
        name: String,
        /// Their exact names.
        hits: Vec<String>,
    },
}

fn did_you_mean(closest: Option<&str>) -> String {
    closest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// All choke points of a site. A [`CapacityId`] is a place in this list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capacities {
    names: Vec<String>,
    rates: Vec<Option<Rate>>,
    passes: BTreeMap<HostId, Vec<CapacityId>>,
    uplinks: BTreeMap<HostId, CapacityId>,
}

impl Capacities {
    /// As settings and inventory have them.
    pub fn of(settings: &Settings, inventory: &Inventory) -> Self {
        let mut all = Self {
            names: Vec::new(),
            rates: Vec::new(),
            passes: BTreeMap::new(),
            uplinks: BTreeMap::new(),
        };
        let landing = all.add(LANDING.to_owned(), settings.limits.landing);
        let mut shared: BTreeMap<&ResourceId, CapacityId> = BTreeMap::new();
        for resource in &settings.resources {
            let form = if resource.kind == ResourceKind::Uplink { "uplink" } else { "resource" };
            let id = all.add(format!("{form}/{}", resource.id), resource.rate);
            shared.insert(&resource.id, id);
        }
        for host in &inventory.hosts {
            let own = all.add(format!("host/{}", host.id), host.rate);
            let named = host.uplink.iter().chain(&host.uses).filter_map(|id| shared.get(id));
            let passes: BTreeSet<_> = named.copied().chain([landing, own]).collect();
            all.passes.insert(host.id.clone(), passes.into_iter().collect());
            if let Some(uplink) = host.uplink.as_ref().and_then(|id| shared.get(id)) {
                all.uplinks.insert(host.id.clone(), *uplink);
            }
        }
        all
    }

    fn add(&mut self, name: String, rate: Option<Rate>) -> CapacityId {
        self.names.push(name);
        self.rates.push(rate);
        CapacityId(self.names.len() - 1)
    }

    /// What each may carry; `None`: not limited.
    pub fn rates(&self) -> &[Option<Rate>] {
        &self.rates
    }

    /// Its exact name.
    pub fn name(&self, id: CapacityId) -> &str {
        self.names.get(id.0).map_or("", String::as_str)
    }

    /// What the content of `host` passes.
    pub fn of_host(&self, host: &HostId) -> Vec<CapacityId> {
        self.passes.get(host).cloned().unwrap_or_default()
    }

    /// What the content of a host passes that came later; a rate of its own is not among that.
    pub fn of_new_host(&self, host: &Host) -> Vec<CapacityId> {
        let resources = host.uplink.iter().chain(&host.uses);
        let names = resources.flat_map(|id| [format!("uplink/{id}"), format!("resource/{id}")]);
        let names = names.chain([LANDING.to_owned()]);
        let known = |name: String| self.names.iter().position(|other| *other == name);
        names.filter_map(known).map(CapacityId).collect()
    }

    /// The uplink of `host`.
    pub fn uplink_of(&self, host: &HostId) -> Option<CapacityId> {
        self.uplinks.get(host).copied()
    }

    /// The one that `name` names: exactly, or by its id alone where only one has it.
    pub fn find(&self, name: &str) -> Result<CapacityId, CapacityError> {
        let places = || self.names.iter().enumerate();
        if let Some((at, _)) = places().find(|(_, known)| *known == name) {
            return Ok(CapacityId(at));
        }
        let is_hit = |known: &str| known.split_once('/').is_some_and(|(_, id)| id == name);
        let hits: Vec<_> = places().filter(|(_, known)| is_hit(known)).collect();
        let shown = || bounded(name, SHOWN_CHARS_MAX);
        match hits.as_slice() {
            [(at, _)] => Ok(CapacityId(*at)),
            [] => {
                let ids = self.names.iter().filter_map(|known| known.split_once('/'));
                let known = self.names.iter().map(String::as_str).chain(ids.map(|(_, id)| id));
                let closest = closest(name, known).map(str::to_owned);
                Err(CapacityError::Unknown { name: shown(), closest })
            }
            hits => {
                let hits = hits.iter().map(|(_, known)| (*known).clone()).collect();
                Err(CapacityError::Ambiguous { name: shown(), hits })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::{SourceFile, read_files};

    const SETTINGS: &str = "[site]\nname = \"x\"\n[limits]\nlanding = \"1GB/s\"\n\
        [[uplink]]\nid = \"ams\"\nrate = \"100MB/s\"\n\
        [[resource]]\nid = \"hv-3\"\nkind = \"hypervisor\"\n";
    const INVENTORY: &str = "[[customer]]\nid = \"c\"\n\
        [[host]]\nid = \"a\"\naddress = \"192.0.2.1\"\ncustomer = \"c\"\nuplink = \"ams\"\n\
        uses = [\"hv-3\", \"ams\"]\nrate = \"5MB/s\"\n\
        [[host]]\nid = \"ams\"\naddress = \"192.0.2.2\"\ncustomer = \"c\"\n";

    fn capacities() -> Capacities {
        let file = |name: &str, text: &str| SourceFile::new(name, text);
        let files = [file("inventory.toml", INVENTORY)];
        let reading = read_files(&file("evac.toml", SETTINGS), &files);
        assert!(reading.is_ok(), "{:?}", reading.problems);
        Capacities::of(&reading.settings, &reading.inventory)
    }

    #[test]
    fn a_host_passes_what_it_names_and_what_all_pass() {
        let all = capacities();
        let names = |host: &str| -> Vec<String> {
            let passes = all.of_host(&HostId::new(host).unwrap());
            passes.into_iter().map(|id| all.name(id).to_owned()).collect()
        };
        assert_eq!(names("a"), ["landing", "uplink/ams", "resource/hv-3", "host/a"]);
        assert_eq!(names("ams"), ["landing", "host/ams"]);
        let rate = |name: &str| all.rates()[all.find(name).unwrap().0].map(|rate| rate.0);
        assert_eq!(rate("landing"), Some(1_000_000_000));
        assert_eq!((rate("uplink/ams"), rate("hv-3")), (Some(100_000_000), None));
        assert_eq!((rate("host/a"), rate("host/ams")), (Some(5_000_000), None));
    }

    #[test]
    fn a_bare_name_must_be_one_thing() {
        let all = capacities();
        assert_eq!(all.find("a"), all.find("host/a"));
        let refused = |name: &str| all.find(name).unwrap_err().to_string();
        assert_eq!(refused("ams"), "`ams` may be uplink/ams or host/ams");
        assert!(refused("uplink/amz").contains("did you mean `uplink/ams`?"));
        assert!(refused("").starts_with("nothing that carries data is called ``"));
    }
}
