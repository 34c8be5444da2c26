//! Where everything stands, for a colleague: totals, then failures by cause with what helps, then
//! customers that need somebody, then hosts at work. Unlike the public page this names names.

use std::collections::BTreeSet;

use crate::ledger::snapshot::{
    CustomerStatus, Health, Hold, HostState, HostStatus, ReasonGroup, Snapshot, Window,
    WorkloadStatus,
};
use crate::model::text::bounded;
use crate::model::{PublicWord, Span, Timestamp};
use crate::term::notice::counted;
use crate::term::table::{fit, wrap};
use crate::term::{Align, Style, Table};

/// More rows than this are counted, not listed.
const MAX_ROWS: usize = 20;

/// Longest text taken over from elsewhere, in characters.
const MAX_TEXT_CHARS: usize = 300;

/// `evac status` for people.
pub fn status(snapshot: &Snapshot, style: Style) -> String {
    let mut out = head(snapshot, style);
    out.push_str(&failures(&snapshot.reasons, style));
    out.push_str(&attention(snapshot, style));
    out.push_str(&at_work(&snapshot.hosts, style));
    out
}

/// One customer with its workloads, as `evac find` shows it.
pub fn customer(customer: &CustomerStatus, style: Style) -> String {
    let mut title = format!("{} ({})", bounded(&customer.name, MAX_TEXT_CHARS), customer.id);
    if let Some(tier) = &customer.tier {
        title.push_str(&format_part("tier", tier.as_str()));
    }
    let mut out = style.bold(&fit(&title, style.columns)) + "\n";
    let mut line = word(customer.state).to_owned();
    if customer.health != Health::Ok {
        line.push_str(&format_part("health", health(customer.health)));
    }
    if let Some(hold) = hold(customer.hold) {
        line.push_str(&format_part("hold", hold));
    }
    if let (Some(low), Some(high)) = (customer.eta_low, customer.eta_high) {
        line.push_str(&format_part("copied between", &format!("{low} and {high}")));
    }
    out.push_str(&wrap(&line, 2, style.columns));
    let mut table = Table::new(&[
        ("  workload", Align::Left),
        ("host", Align::Left),
        ("state", Align::Left),
        ("done", Align::Right),
    ]);
    for workload in &customer.workloads {
        table.row([
            format!("  {}", workload.id),
            workload.host.to_string(),
            state(workload),
            format!("{}/{}", workload.bytes_done, workload.bytes),
        ]);
    }
    if !table.is_empty() {
        out.push_str(&table.render(style));
    }
    out.push_str(&nexts(customer, style));
    if customer.is_held_back() {
        let why = format!("held back although captured: {}", held_by(&[customer]));
        out.push_str(&wrap(&why, 2, style.columns));
    }
    out
}

/// The word, and how many copies there are where it is more than one.
fn state(workload: &WorkloadStatus) -> String {
    let word = word(workload.state);
    if workload.copies > 1 { format!("{word} ×{}", workload.copies) } else { word.to_owned() }
}

/// What comes next, whole: it may be a command to be copied.
fn nexts(customer: &CustomerStatus, style: Style) -> String {
    let mut nexts: Vec<(String, Vec<&str>)> = Vec::new();
    for workload in &customer.workloads {
        let (next, id) = (next(workload), workload.id.as_str());
        match nexts.iter_mut().find(|(known, _)| *known == next) {
            Some((_, ids)) => ids.push(id),
            None => nexts.push((next, vec![id])),
        }
    }
    nexts.retain(|(next, _)| !next.is_empty());
    let line = |(next, ids): (String, Vec<&str>)| {
        wrap(&format!("next for {}: {next}", ids.join(", ")), 2, style.columns)
    };
    nexts.into_iter().map(line).collect()
}

/// Which data keeps captured customers from being called so, and what ends that.
fn held_by(customers: &[&CustomerStatus]) -> String {
    let workloads = customers.iter().flat_map(|customer| &customer.workloads);
    let hosts: BTreeSet<&str> = workloads
        .filter(|workload| workload.is_held_back())
        .map(|workload| workload.host.as_str())
        .collect();
    let mut names = hosts.iter().take(MAX_ROWS).copied().collect::<Vec<_>>().join(", ");
    if hosts.len() > MAX_ROWS {
        names.push_str(&format!(" and {} more", hosts.len() - MAX_ROWS));
    }
    format!(
        "there is data in no workload on {names}. `evac survey` lists it: name it in the `paths` \
         of a workload, or in `accept`."
    )
}

fn head(snapshot: &Snapshot, style: Style) -> String {
    let totals = &snapshot.totals;
    let at = |word: PublicWord| totals.by_state.get(&word).copied().unwrap_or(0);
    let copied =
        [PublicWord::Copied, PublicWord::Restoring, PublicWord::Testing, PublicWord::Online]
            .map(at)
            .iter()
            .sum::<u64>();
    let first = format!(
        "{copied} of {} customers copied, {} online, {} under receipts",
        totals.customers,
        at(PublicWord::Online),
        totals.bytes
    );
    let mut out = style.bold(&fit(&first, style.columns)) + "\n";
    let mut states: Vec<String> = totals
        .by_state
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(state, count)| format!("{} {count}", word(*state)))
        .collect();
    let workloads = snapshot.customers.iter().flat_map(|customer| &customer.workloads);
    let twice = workloads.filter(|workload| workload.copies > 1).count() as u64;
    if twice > 0 {
        states.push(format!("{} captured ×2", counted(twice, "workload")));
    }
    out.push_str(&wrap(&states.join(", "), 0, style.columns));
    let held: Vec<_> =
        snapshot.customers.iter().filter(|customer| customer.is_held_back()).collect();
    if !held.is_empty() {
        let who = format!("{} held back although captured", counted(held.len() as u64, "customer"));
        out.push_str(&wrap(&format!("{who}: {}", held_by(&held)), 0, style.columns));
    }
    let off = put_off(snapshot);
    if !off.is_empty() {
        out.push_str(&wrap(&off, 0, style.columns));
    }
    let mut times = format!("As of {}", snapshot.as_of);
    if let Some(window) = snapshot.window.as_ref().and_then(|w| window_line(w, snapshot.as_of)) {
        times.extend(["; ", &window]);
    }
    out.push_str(&wrap(&times, 0, style.columns));
    if let Some(bottleneck) = &snapshot.bottleneck {
        let line = format!("Limited by {}", bounded(bottleneck, MAX_TEXT_CHARS));
        out.push_str(&wrap(&line, 0, style.columns));
    }
    out
}

/// What colleagues put off, and left out.
fn put_off(snapshot: &Snapshot) -> String {
    let workloads = || snapshot.customers.iter().flat_map(|customer| &customer.workloads);
    let paused = workloads().filter(|workload| workload.paused.is_some()).count() as u64;
    let skipped = workloads().filter(|workload| workload.skipped.is_some()).count() as u64;
    let parts = [(paused, "paused"), (skipped, "left out on purpose")];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    let parts = parts.map(|(count, what)| format!("{} {what}", counted(count, "workload")));
    parts.collect::<Vec<_>>().join(", ")
}

fn window_line(window: &Window, now: Timestamp) -> Option<String> {
    let end = if window.hard { "evac stops" } else { "the window closes" };
    match (window.opens, window.closes) {
        (_, Some(closes)) if closes <= now => {
            Some(format!("the window has been over for {}", Span(now.since(closes))))
        }
        (Some(opens), _) if opens > now => {
            Some(format!("the window opens in {}", Span(opens.since(now))))
        }
        (_, Some(closes)) => Some(format!("{end} in {}", Span(closes.since(now)))),
        _ => None,
    }
}

fn failures(reasons: &[ReasonGroup], style: Style) -> String {
    if reasons.is_empty() {
        return String::new();
    }
    let hosts: usize = reasons.iter().map(|group| group.hosts.len()).sum();
    let mut out =
        format!("\n{}\n", style.bad(&format!("Failing: {}", counted(hosts as u64, "host"))));
    for group in reasons {
        let names: Vec<&str> =
            group.hosts.iter().take(MAX_ROWS).map(crate::model::HostId::as_str).collect();
        let mut line =
            format!("{} ({}): {}", group.reason.word(), group.hosts.len(), names.join(", "));
        if group.hosts.len() > MAX_ROWS {
            line.extend([" and ", &(group.hosts.len() - MAX_ROWS).to_string(), " more"]);
        }
        out.push_str(&wrap(&line, 2, style.columns));
        out.push_str(&wrap(&bounded(&group.hint, MAX_TEXT_CHARS), 4, style.columns));
    }
    out
}

/// Does somebody have to look at this customer?
fn needs_somebody(customer: &CustomerStatus) -> bool {
    customer.health != Health::Ok
        || matches!(customer.state, PublicWord::NeedsAttention | PublicWord::WaitingForYou)
}

fn attention(snapshot: &Snapshot, style: Style) -> String {
    let mut customers: Vec<&CustomerStatus> =
        snapshot.customers.iter().filter(|customer| needs_somebody(customer)).collect();
    if customers.is_empty() {
        return String::new();
    }
    // The sort is stable: within equal health the order of the inventory stays.
    customers.sort_by_key(|customer| std::cmp::Reverse(customer.health));
    let title = format!("Somebody has to look: {}", counted(customers.len() as u64, "customer"));
    let mut table = Table::new(&[
        ("  customer", Align::Left),
        ("state", Align::Left),
        ("health", Align::Left),
        ("next", Align::Left),
    ]);
    for customer in customers.iter().take(MAX_ROWS) {
        let worst = customer.workloads.iter().max_by_key(|workload| workload.health);
        table.row([
            format!("  {}", customer.id),
            word(customer.state).to_owned(),
            health(customer.health).to_owned(),
            worst.map(next).unwrap_or_default(),
        ]);
    }
    format!("\n{}\n{}{}", style.bad(&title), table.render(style), rest(customers.len()))
}

fn at_work(hosts: &[HostStatus], style: Style) -> String {
    let active: Vec<&HostStatus> = hosts
        .iter()
        .filter(|host| matches!(host.state, HostState::Active | HostState::Dialling))
        .collect();
    if active.is_empty() {
        return String::new();
    }
    let title = format!("At work: {}", counted(active.len() as u64, "host"));
    let mut table = Table::new(&[
        ("  host", Align::Left),
        ("state", Align::Left),
        ("rate", Align::Right),
        ("round trip", Align::Right),
        ("lanes", Align::Right),
        ("zstd", Align::Right),
    ]);
    for host in active.iter().take(MAX_ROWS) {
        table.row([
            format!("  {}", host.id),
            host_state(host.state).to_owned(),
            host.rate.map(|rate| rate.to_string()).unwrap_or_default(),
            host.rtt_ms.map(|rtt| format!("{rtt:.0} ms")).unwrap_or_default(),
            host.lanes.to_string(),
            host.level.map(|level| level.to_string()).unwrap_or_default(),
        ]);
    }
    format!("\n{}\n{}{}", style.bold(&title), table.render(style), rest(active.len()))
}

/// What is not listed, and where it is.
fn rest(count: usize) -> String {
    if count > MAX_ROWS {
        format!("  and {} more: evac --json status\n", count - MAX_ROWS)
    } else {
        String::new()
    }
}

/// Why it fails, if it does, and what comes next.
fn next(workload: &WorkloadStatus) -> String {
    match workload.reason {
        Some(reason) if workload.next.is_empty() => reason.word().to_owned(),
        Some(reason) => format!("{}: {}", reason.word(), workload.next),
        None => workload.next.clone(),
    }
}

fn format_part(what: &str, text: &str) -> String {
    format!(", {what} {text}")
}

fn word(state: PublicWord) -> &'static str {
    match state {
        PublicWord::Queued => "queued",
        PublicWord::Copying => "copying",
        PublicWord::Copied => "copied",
        PublicWord::Restoring => "restoring",
        PublicWord::Testing => "testing",
        PublicWord::Online => "online",
        PublicWord::WaitingForYou => "waiting for the customer",
        PublicWord::NeedsAttention => "needs attention",
    }
}

fn health(health: Health) -> &'static str {
    match health {
        Health::Ok => "ok",
        Health::Lagging => "lagging",
        Health::Error => "error",
    }
}

fn hold(hold: Hold) -> Option<&'static str> {
    match hold {
        Hold::None => None,
        Hold::Abuse => Some("abuse"),
        Hold::Legal => Some("legal"),
        Hold::Customer => Some("customer"),
    }
}

fn host_state(state: HostState) -> &'static str {
    match state {
        HostState::Idle => "idle",
        HostState::Dialling => "dialling",
        HostState::Active => "active",
        HostState::Done => "done",
        HostState::Failed => "failed",
    }
}

#[cfg(test)]
mod tests;
