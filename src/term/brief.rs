//! Five sentences about everything that may be repeated to anybody: no names, no promises.

use crate::ledger::snapshot::{CaptureState, Health, HostState, Snapshot};
use crate::model::{PublicWord, Span, Timestamp};
use crate::term::notice::counted;

/// How far, how much, how long the door is open, when, and what is wrong. `running`: does a run
/// go on?
pub fn brief(snapshot: &Snapshot, running: bool) -> [String; 5] {
    [
        how_far(snapshot),
        how_much(snapshot),
        door(snapshot),
        when(snapshot, running),
        wrong(snapshot),
    ]
}

fn how_far(snapshot: &Snapshot) -> String {
    let totals = &snapshot.totals;
    let at = |word: PublicWord| totals.by_state.get(&word).copied().unwrap_or(0);
    let online = at(PublicWord::Online);
    let after = [PublicWord::Copied, PublicWord::Restoring, PublicWord::Testing];
    let copied = online + after.map(at).iter().sum::<u64>();
    format!(
        "As of {}, the data of {copied} of {} is copied completely, and {online} {} online again.",
        snapshot.as_of,
        counted(totals.customers, "customer"),
        if online == 1 { "is" } else { "are" }
    )
}

fn how_much(snapshot: &Snapshot) -> String {
    let workloads = snapshot.customers.iter().flat_map(|customer| &customer.workloads);
    let read_back = workloads.filter(|it| it.capture.state == CaptureState::Verified).count();
    let bytes = snapshot.totals.bytes;
    format!(
        "We hold copies of {bytes} of data; {read_back} of {} were read back and found whole.",
        counted(snapshot.totals.workloads, "part")
    )
}

fn door(snapshot: &Snapshot) -> String {
    let Some(window) = &snapshot.window else {
        return "Nobody has told us until when we have access.".into();
    };
    let away = |at: Timestamp| Span(at.since(snapshot.as_of));
    match (window.opens, window.closes) {
        (Some(opens), _) if opens > snapshot.as_of => {
            format!("We have been told that access opens at {opens}, in {}.", away(opens))
        }
        (_, Some(closes)) => {
            format!("We have been told that access ends at {closes}, in {}.", away(closes))
        }
        _ => "We have access, and nobody has told us until when.".into(),
    }
}

fn when(snapshot: &Snapshot, running: bool) -> String {
    let is_left = |state| {
        let whole = [CaptureState::Captured, CaptureState::Verified, CaptureState::Skipped];
        !whole.contains(&state)
    };
    let left = snapshot.customers.iter().filter(|customer| {
        customer.workloads.iter().any(|workload| is_left(workload.capture.state))
    });
    let left: Vec<_> = left.collect();
    if left.is_empty() {
        return "Nothing is left to be copied.".into();
    }
    if !running {
        return "At this moment nothing is being copied.".into();
    }
    if is_between_windows(snapshot) {
        return "Nothing is copied until access opens; it goes on by itself then.".into();
    }
    let low = left.iter().map(|customer| customer.eta_low).collect::<Option<Vec<_>>>();
    let high = left.iter().map(|customer| customer.eta_high).collect::<Option<Vec<_>>>();
    match (low.iter().flatten().max(), high.iter().flatten().max()) {
        (Some(low), Some(high)) => {
            format!("At the present pace the rest is copied between {low} and {high}.")
        }
        _ => "We are copying, and cannot say yet when the rest will be done.".into(),
    }
}

/// Is it before a window, and nobody at work?
pub fn is_between_windows(snapshot: &Snapshot) -> bool {
    let at_work = [HostState::Active, HostState::Dialling];
    let opens = snapshot.window.and_then(|window| window.opens);
    opens.is_some_and(|opens| opens > snapshot.as_of)
        && !snapshot.hosts.iter().any(|host| at_work.contains(&host.state))
}

fn wrong(snapshot: &Snapshot) -> String {
    let failing = |wanted| {
        snapshot.customers.iter().filter(move |customer| customer.health == wanted).count() as u64
    };
    match failing(Health::Error) {
        0 if failing(Health::Lagging) == 0 => "No customer's data has met a problem so far.".into(),
        0 => format!(
            "For {} it takes longer than planned; nothing of it is given up.",
            counted(failing(Health::Lagging), "customer")
        ),
        count => format!(
            "For {} something is in the way, and people are at it.",
            counted(count, "customer")
        ),
    }
}
