//! The one line that an important event is worth; most events are worth none.

use crate::model::text::bounded;
use crate::model::{Event, Rate, Reason, RunReport, Span};

/// Longest detail that is shown, in characters.
const MAX_DETAIL_CHARS: usize = 300;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// Good to have in a log.
    Normal,
    /// Somebody should see it.
    Warning,
}

/// The line for `event`.
pub(super) fn notice(event: &Event) -> Option<(Weight, String)> {
    match event {
        Event::RunStarted { workloads, hosts, customers, bytes } => normal(format!(
            "run: {} of {} on {}, about {bytes}",
            counted(*workloads, "workload"),
            counted(*customers, "customer"),
            counted(*hosts, "host")
        )),
        Event::HostReady { host, rtt_ms, .. } => {
            normal(format!("{host}: agent ready, round trip {rtt_ms:.0} ms"))
        }
        Event::HostFailed { host, reason, detail, retry_s } => {
            let next = retry_s.map_or_else(
                || reason.hint().to_owned(),
                |seconds| {
                    format!("Trying again in {}.", Span(std::time::Duration::from_secs(seconds)))
                },
            );
            warning(format!("{host}: {}. {next}", failure(*reason, detail)))
        }
        Event::HostDone { host } => normal(format!("{host}: done")),
        Event::VerifyFailed { workload, pass, bad_chunks } => {
            warning(format!("{workload}: pass {pass} is damaged, {bad_chunks} chunks do not match"))
        }
        Event::Noted { what, text, by } => normal(format!(
            "note on {} by {}: {}",
            bounded(what, MAX_DETAIL_CHARS),
            bounded(by, MAX_DETAIL_CHARS),
            bounded(text, MAX_DETAIL_CHARS)
        )),
        Event::LimitSet { what, was, now, by } => normal(format!(
            "{}: limit {}, was {}, set by {}",
            bounded(what, MAX_DETAIL_CHARS),
            limit(*now),
            limit(*was),
            bounded(by, MAX_DETAIL_CHARS)
        )),
        Event::Steered { .. }
        | Event::WindowSet { .. }
        | Event::Reloaded { .. }
        | Event::DiskAdded { .. } => normal(steered(event)),
        Event::WindowOver { .. } | Event::WindowBegins { .. } => warning(window(event)),
        Event::LandingFull { disks } => {
            let disks: Vec<_> = disks.iter().map(|disk| bounded(disk, MAX_DETAIL_CHARS)).collect();
            warning(format!(
                "THE LANDING DISKS ARE FULL: nothing more is asked for, the run waits for space \
                 ({}). `evac store add PATH` adds a disk; or free some.",
                disks.join("; ")
            ))
        }
        Event::LandingHasRoom { room } => {
            warning(format!("room for {room} on the landing disks again: the run goes on"))
        }
        Event::Rang { bell, text, failed, .. } => {
            let text = bounded(text, MAX_DETAIL_CHARS);
            let failed = bounded(&failed.join("; "), MAX_DETAIL_CHARS);
            let heard = if failed.is_empty() { failed } else { format!(" (not heard: {failed})") };
            normal(format!("rang {}: {text}{heard}", bell.word()))
        }
        Event::Draining => warning(
            "stopping: what is under way is finished; Ctrl-C again stops at once".to_owned(),
        ),
        Event::Report(totals) => warning(report(totals)),
        _ => capture(event).or_else(|| restore(event)),
    }
}

/// The line for an event, for whoever reads about it later.
pub fn told(event: &Event) -> Option<String> {
    notice(event).map(|(_, line)| line)
}

/// Work stops at the end of a window, and goes on in the next.
fn window(event: &Event) -> String {
    match event {
        Event::WindowOver { closed, opens } => {
            let opens = opens.map_or_else(
                || "waits for access; when, nobody has said".to_owned(),
                |opens| format!("waits for the next, which opens {opens}"),
            );
            format!("the window closed {closed}: work has stopped, and the run {opens}")
        }
        Event::WindowBegins { closes, hard, late, .. } => {
            let end = match closes {
                Some(closes) if *hard => format!(", and evac stops {closes}"),
                Some(closes) => format!(", and the window closes {closes}"),
                None => String::new(),
            };
            let late = match late {
                0 => String::new(),
                late => format!("; by the plan, {} will not make it", counted(*late, "workload")),
            };
            format!("the next window: hosts are knocked at{end}{late}")
        }
        _ => String::new(),
    }
}

/// What an operator did.
fn steered(event: &Event) -> String {
    let short = |text: &str| bounded(text, MAX_DETAIL_CHARS);
    match event {
        Event::Steered { steer, what, workloads, text, by } => {
            let why = if text.is_empty() { String::new() } else { format!(": {}", short(text)) };
            let count = counted(workloads.len() as u64, "workload");
            format!("{} by {}: {} ({count}){why}", steer.done(), short(by), short(what))
        }
        Event::WindowSet { closes, hard, by, .. } => {
            let then = if *hard { ", and runs stop then" } else { "" };
            format!("the window closes {closes}{then}, says {}", short(by))
        }
        Event::Reloaded { added, changed, removed, kept, by } => {
            let kept = kept.iter().map(|it| short(it)).collect::<Vec<_>>().join("; ");
            let kept = if kept.is_empty() { kept } else { format!("; as before: {kept}") };
            let counts = format!("{added} added, {changed} changed, {removed} gone");
            format!("inventory read again by {}: {counts}{kept}", short(by))
        }
        Event::DiskAdded { path, free, reserve, by } => {
            let path = short(path);
            let kept = format!("{free} free, {reserve} of it stays so");
            format!("the store has a further disk {path} ({kept}), added by {}", short(by))
        }
        _ => String::new(),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the arms of a match that may give nothing")]
fn normal(line: String) -> Option<(Weight, String)> {
    Some((Weight::Normal, line))
}

#[expect(clippy::unnecessary_wraps, reason = "the arms of a match that may give nothing")]
fn warning(line: String) -> Option<(Weight, String)> {
    Some((Weight::Warning, line))
}

fn capture(event: &Event) -> Option<(Weight, String)> {
    match event {
        Event::CaptureStarted { host, workload, pass, resumed } => {
            let verb = if *resumed { "goes on" } else { "begins" };
            normal(format!("{workload}: pass {pass} {verb} on {host}"))
        }
        Event::CaptureSealed { workload, pass, tally } => {
            let mut line = format!(
                "{workload}: captured, pass {pass}: {} in {} entries",
                tally.raw_bytes, tally.entries
            );
            for (count, what) in [
                (tally.vanished, "vanished"),
                (tally.fuzzy, "changed while read"),
                (tally.unreadable, "unreadable"),
            ] {
                if count > 0 {
                    line.push_str(&format_count(count, what));
                }
            }
            normal(line)
        }
        Event::CaptureStopped { workload, reason, detail } => warning(format!(
            "{workload}: stopped, {}; what is committed is restorable. {}",
            failure(*reason, detail),
            reason.hint()
        )),
        Event::CaptureFailed { workload, reason, detail } => {
            warning(format!("{workload}: failed, {}. {}", failure(*reason, detail), reason.hint()))
        }
        Event::Healed { workload, pass, chunks, bytes } => normal(format!(
            "{workload}: healed, pass {pass}: {bytes} in {chunks} pieces brought again"
        )),
        Event::Verified { workload, pass, checked_bytes } => {
            normal(format!("{workload}: verified, pass {pass}: {checked_bytes} match"))
        }
        _ => None,
    }
}

fn restore(event: &Event) -> Option<(Weight, String)> {
    match event {
        Event::RestoreStarted { workload, pass, place } => {
            let place = bounded(place, MAX_DETAIL_CHARS);
            normal(format!("{workload}: restoring pass {pass} to {place}"))
        }
        Event::RestoreDone { workload, pass, missing: 0, .. } => {
            normal(format!("{workload}: restored pass {pass}"))
        }
        Event::RestoreDone { workload, pass, missing, .. } => {
            warning(format!("{workload}: restored pass {pass}, {missing} entries are missing"))
        }
        Event::RestoreFailed { workload, reason, detail, .. } => {
            let failure = failure(*reason, detail);
            let hint = restore_hint(*reason);
            warning(format!("{workload}: restore failed, {failure}. {hint}"))
        }
        _ => None,
    }
}

/// What to do about a restore that failed. `refused` is said of what stands in its way.
pub fn restore_hint(reason: Reason) -> &'static str {
    match reason {
        Reason::Refused => "--overwrite replaces what is there and differs.",
        Reason::TargetError => {
            "See to space and permissions where it is written; the same command resumes."
        }
        reason => reason.hint(),
    }
}

/// What may pass.
pub(super) fn limit(rate: Option<Rate>) -> String {
    rate.map_or_else(|| "none".to_owned(), |rate| rate.to_string())
}

/// `1 host`, `2 hosts`
pub(super) fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn format_count(count: u64, what: &str) -> String {
    format!(", {count} {what}")
}

/// `auth: Permission denied (publickey)`
fn failure(reason: Reason, detail: &str) -> String {
    let detail = bounded(detail.trim_end_matches('.'), MAX_DETAIL_CHARS);
    if detail.is_empty() {
        return reason.word().to_owned();
    }
    format!("{}: {detail}", reason.word())
}

fn report(totals: &RunReport) -> String {
    let mut line = format!("done: {} captured", totals.captured);
    for (count, what) in [
        (totals.failed, "failed"),
        (totals.partial, "partial"),
        (totals.refused, "refused"),
        (totals.skipped, "skipped"),
        (totals.vanished, "vanished"),
        (totals.fuzzy, "changed while read"),
    ] {
        if count > 0 {
            line.push_str(&format_count(count, what));
        }
    }
    // A float casts to the nearest integer it can be; a negative or absent one to zero.
    let elapsed = Span(std::time::Duration::from_secs(totals.elapsed_s as u64));
    format!(
        "{line}; {} sent, {} reused, {} stored, in {elapsed}",
        totals.sent_bytes, totals.reused_bytes, totals.stored_bytes
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Bytes, PassNumber, Tally};

    #[track_caller]
    fn check(event: Event, weight: Weight, expected: &str) {
        assert_eq!(notice(&event), Some((weight, expected.to_owned())));
    }

    #[test]
    fn a_failure_says_why_and_what_next() {
        let failed = |retry_s| Event::HostFailed {
            host: "vps-1".parse().unwrap(),
            reason: Reason::Timeout,
            detail: "no banner\x1b[2J.".to_owned(),
            retry_s,
        };
        check(
            failed(None),
            Weight::Warning,
            "vps-1: timeout: no banner\u{fffd}[2J. The host is up but silent; look at its console.",
        );
        check(
            failed(Some(90)),
            Weight::Warning,
            "vps-1: timeout: no banner\u{fffd}[2J. Trying again in 1m30s.",
        );
    }

    #[test]
    fn what_was_taken_is_counted() {
        let tally = Tally { entries: 12, raw_bytes: Bytes(1_500), vanished: 3, ..Tally::default() };
        check(
            Event::CaptureSealed {
                workload: "acme-site".parse().unwrap(),
                pass: PassNumber(2),
                tally,
            },
            Weight::Normal,
            "acme-site: captured, pass 2: 1.5 kB in 12 entries, 3 vanished",
        );
        check(
            Event::Report(RunReport {
                captured: 4,
                failed: 1,
                elapsed_s: 61.5,
                ..Default::default()
            }),
            Weight::Warning,
            "done: 4 captured, 1 failed; 0 B sent, 0 B reused, 0 B stored, in 1m01s",
        );
    }

    #[test]
    fn a_limit_says_what_it_is_was_and_whose() {
        check(
            Event::LimitSet {
                what: "uplink/ams".into(),
                was: None,
                now: Some(Rate(37_500_000)),
                by: "jo".into(),
            },
            Weight::Normal,
            "uplink/ams: limit 37.5 MB/s, was none, set by jo",
        );
    }

    #[test]
    fn progress_is_worth_no_line() {
        let event = Event::RestoreProgress {
            workload: "w".parse().unwrap(),
            place: "folder:/x".into(),
            entries: 1,
            bytes: Bytes(1),
        };
        assert_eq!(notice(&event), None);
    }
}
