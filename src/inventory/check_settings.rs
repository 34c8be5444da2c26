//! What single keys of `evac.toml` cannot show: ids written twice, windows out of order.

use std::collections::BTreeMap;

use crate::inventory::parse::is_address;
use crate::inventory::{Inventory, Origin, Problem, Settings};

/// All problems of `settings` beyond those of single keys; none of them sets anything aside.
pub(super) fn settings(settings: &Settings) -> Vec<Problem> {
    let mut problems = Vec::new();
    let resources = settings.resources.iter().map(|r| (r.id.as_str(), &r.origin));
    unique("resource", resources, &mut problems);
    unique("target", settings.targets.iter().map(|t| (t.id.as_str(), &t.origin)), &mut problems);
    for target in &settings.targets {
        if !target.address.is_empty() && !is_address(&target.address) {
            let what = format!("`{}` is neither an IP address nor a host name", target.address);
            problems.push(Problem::error(&target.origin, what));
        }
    }
    windows(settings, &mut problems);
    problems
}

/// Components of destinations that stand for nobody: they are never told anything.
pub(super) fn components(settings: &Settings, inventory: &Inventory) -> Vec<Problem> {
    let mut problems = Vec::new();
    if inventory.hosts.is_empty() {
        // Words come first; the inventory may follow.
        return problems;
    }
    for to in &settings.publish.to {
        let is_known = |what: &str| match what.split_once('/') {
            Some(("customer", id)) => inventory.customers.iter().any(|it| it.id.as_str() == id),
            Some(("group", id)) => {
                let mut groups = inventory.customers.iter().filter_map(|it| it.group.as_ref());
                groups.any(|group| group.as_str() == id)
            }
            _ => true,
        };
        for what in to.components.keys().filter(|what| !is_known(what)) {
            let what = format!("`components` of `{}` has {what}, and nobody is that", to.id);
            problems.push(Problem::warning(&to.origin, what).hint("It is told nothing."));
        }
    }
    problems
}

fn unique<'a>(
    kind: &str,
    entries: impl Iterator<Item = (&'a str, &'a Origin)>,
    problems: &mut Vec<Problem>,
) {
    let mut seen: BTreeMap<&str, &Origin> = BTreeMap::new();
    for (id, origin) in entries {
        if let Some(first) = seen.insert(id, origin) {
            let what = format!("{kind}/{id} is written twice, first at {first}");
            problems.push(Problem::error(origin, what).hint("Give one of them another id."));
        }
    }
}

fn windows(settings: &Settings, problems: &mut Vec<Problem>) {
    for window in &settings.windows {
        if let (Some(opens), Some(closes)) = (window.opens, window.closes)
            && closes <= opens
        {
            let what = format!("the window closes ({closes}) before it opens ({opens})");
            problems.push(Problem::error(&window.origin, what).hint("Check the dates and zones."));
        }
        if window.hard && window.closes.is_none() {
            let what = "a hard window needs `closes`";
            problems.push(Problem::error(&window.origin, what));
        }
    }
    let mut in_order: Vec<_> = settings.windows.iter().collect();
    in_order.sort_by_key(|window| window.opens);
    for pair in in_order.windows(2) {
        let (Some(closes), Some(opens)) = (pair[0].closes, pair[1].opens) else { continue };
        if opens < closes {
            let what = format!("this window opens ({opens}) before the former closes ({closes})");
            let hint = "Write them as one window, or correct their times.";
            problems.push(Problem::error(&pair[1].origin, what).hint(hint));
        }
    }
}
