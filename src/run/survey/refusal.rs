//! When "all of `/`" is not what somebody meant.
//!
//! A host that lists no workloads is taken as a whole. Of a hypervisor that would be 3 GB of host
//! and none of its guests, whose disks lie beside `/`; of a panel or database server, files that
//! were written to meanwhile; of a live or rescue system, the rescue system itself.

use super::facts::HostFacts;
use super::machine::MachineFacts;
use crate::inventory::{Access, Host};
use crate::run::rescue::LIVE_ROOTS;
use crate::wire::survey::MarkKind;

/// What to do next.
pub(super) const HINT: &str =
    "List what to take as [[host.workload]] entries of this host, or set `capture = false`.";

/// Programs that only machines of a kind have; a mere client of one is none.
const TOOLS: &[(MarkKind, &str)] = &[
    (MarkKind::Hypervisor, "pveversion"),
    (MarkKind::Hypervisor, "xl"),
    (MarkKind::Hypervisor, "vzctl"),
    (MarkKind::Panel, "cpanel"),
    (MarkKind::Panel, "whmapi1"),
    (MarkKind::Panel, "plesk"),
    (MarkKind::Panel, "directadmin"),
];

/// Why `host` must not be taken as a whole, if it would be: what was found, in words.
pub fn default_refusal(found: &HostFacts, host: &Host) -> Option<String> {
    if !host.workloads.iter().any(|workload| workload.is_default) {
        return None;
    }
    let facts = &found.facts;
    let kinds = [
        (MarkKind::Hypervisor, "a hypervisor"),
        (MarkKind::Panel, "a panel"),
        (MarkKind::Database, "a database server"),
    ];
    let mut why: Vec<String> = Vec::new();
    // On the disks of a machine that does not run, nothing is written to.
    let at_rest = |kind| host.access == Access::Rescue && kind == MarkKind::Database;
    for (kind, name) in kinds.into_iter().filter(|(kind, _)| !at_rest(*kind)) {
        let signs = signs(facts, kind);
        if !signs.is_empty() {
            why.push(format!("{name} ({})", signs.join(", ")));
        }
    }
    let live = facts.root_fs.as_deref().filter(|root| LIVE_ROOTS.contains(root));
    why.extend(live.map(|root| format!("a live or rescue system (its / is {root})")));
    if why.is_empty() {
        return None;
    }
    Some(format!("all of / would be taken, but this is {}", why.join(" and ")))
}

fn signs(facts: &MachineFacts, kind: MarkKind) -> Vec<&str> {
    let tools = TOOLS.iter().filter(|(of, tool)| *of == kind && facts.tools.contains(*tool));
    let marks = facts.marks.iter().filter(|mark| mark.kind == kind);
    tools.map(|(_, tool)| *tool).chain(marks.map(|mark| mark.path.as_str())).collect()
}
