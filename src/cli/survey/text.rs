//! A survey for people: one line a machine, then what needs somebody, by cause.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::model::{Bytes, Reason};
use crate::run::survey::{News, State, Survey, SurveyedHost, UncoveredKind, UncoveredPath};
use crate::term::{Align, Style, Table};

/// More lines of one kind than this are in `--json` only.
const SHOWN_MAX: usize = 20;
/// Clocks further apart than this are worth a word.
const SKEW_S_MAX: u64 = 5;

/// What happened, on one line.
pub(super) fn line(news: &News) -> String {
    match news {
        News::Pinned(pinned) => {
            format!("pinned {}: {} {}", pinned.name, pinned.algorithm, pinned.fingerprint)
        }
        News::Host(host) => host_line(host),
        News::Target(target) => match &target.reason {
            Some(reason) => format!(
                "target {}: {}: {}",
                target.id,
                reason.word(),
                target.detail.as_deref().unwrap_or_default()
            ),
            None => format!("target {}: reached", target.id),
        },
    }
}

fn host_line(host: &SurveyedHost) -> String {
    let detail = host.detail.as_deref().unwrap_or_default();
    match (host.state, host.reason) {
        (State::Failed, Some(reason)) => format!("{}: {}: {detail}", host.id, reason.word()),
        (State::Refused, _) => format!("{}: refused: {detail}", host.id),
        _ => {
            let bytes = host.bytes.unwrap_or_default();
            let rtt = host.rtt_ms.unwrap_or_default();
            let mut line = format!("{}: {bytes} to take, {rtt:.1} ms away", host.id);
            if !host.uncovered.is_empty() {
                let _ = write!(line, ", {} in no workload", sum(&host.uncovered));
            }
            line
        }
    }
}

fn sum(uncovered: &[UncoveredPath]) -> Bytes {
    uncovered.iter().map(|found| found.bytes).sum()
}

/// All of it.
pub(super) fn survey(survey: &Survey, style: Style) -> String {
    let mut text = table(survey, style);
    text.push_str(&on_disks(survey));
    text.push_str(&uncovered(survey, style));
    text.push_str(&incomplete(survey));
    text.push_str(&refused(survey));
    text.push_str(&failed(survey));
    text.push_str(&summary(survey));
    text
}

fn table(survey: &Survey, style: Style) -> String {
    let mut table = Table::new(&[
        ("host", Align::Left),
        ("to take", Align::Right),
        ("in no workload", Align::Right),
        ("rtt ms", Align::Right),
        ("cpus", Align::Right),
        ("memory", Align::Right),
        ("/", Align::Left),
        ("remarks", Align::Left),
    ]);
    let looked_at = survey.hosts.iter().filter(|host| host.state != State::Failed);
    for (host, facts) in looked_at.filter_map(|host| Some((host, host.facts.as_ref()?))) {
        let more = if host.incomplete.is_empty() { "" } else { ">" };
        let nothing_left = host.uncovered.is_empty();
        table.row([
            host.id.to_string(),
            format!("{more}{}", host.bytes.unwrap_or_default()),
            if nothing_left { String::new() } else { sum(&host.uncovered).to_string() },
            format!("{:.1}", host.rtt_ms.unwrap_or_default()),
            facts.cpus.map(|cpus| cpus.to_string()).unwrap_or_default(),
            facts.memory.map(|memory| memory.to_string()).unwrap_or_default(),
            facts.root_fs.clone().unwrap_or_default(),
            remarks(host),
        ]);
    }
    if table.is_empty() { String::new() } else { table.render(style) }
}

fn remarks(host: &SurveyedHost) -> String {
    let mut remarks = Vec::new();
    if host.state == State::Refused {
        remarks.push("refused".to_owned());
    }
    if let Some(facts) = &host.facts {
        if facts.rescue.is_some() {
            remarks.push("from its disks".to_owned());
        }
        match &*facts.root {
            "sudo" => remarks.push("by sudo".to_owned()),
            "sudo-password" => remarks.push("by sudo with its password".to_owned()),
            "sudo-terminal" => remarks.push("by sudo on a terminal".to_owned()),
            _ => {}
        }
        if facts.legacy {
            remarks.push("legacy".to_owned());
        }
        let skew = facts.clock_skew_s.filter(|skew| skew.unsigned_abs() > SKEW_S_MAX);
        remarks.extend(skew.map(|skew| format!("clock {skew:+} s")));
    }
    remarks.join(", ")
}

fn uncovered(survey: &Survey, style: Style) -> String {
    let found = survey.hosts.iter().flat_map(|host| host.uncovered.iter().map(|f| (&host.id, f)));
    let mut found: Vec<_> = found.collect();
    if found.is_empty() {
        return String::new();
    }
    found.sort_by_key(|(host, found)| (std::cmp::Reverse(found.bytes), *host));
    let mut table =
        Table::new(&[("  host", Align::Left), ("path", Align::Left), ("size", Align::Right)]);
    for (host, found) in found.iter().take(SHOWN_MAX) {
        let more = if found.complete { "" } else { ">" };
        table.row([format!("  {host}"), found.path.clone(), format!("{more}{}", found.bytes)]);
    }
    let mut text =
        format!("\nIn no workload, will be left behind: {}\n{}", found.len(), table.render(style));
    text.push_str(&more(found.len()));
    let is_disk = |found: &UncoveredPath| found.kind == UncoveredKind::Disk;
    if let Some((host, first)) = found.iter().find(|(_, found)| !is_disk(found)) {
        let _ = writeln!(
            text,
            "  hint: Name {} in the `paths` of a workload of {host}, or write \
             accept = [{{ path = {:?}, reason = \"…\" }}] there.",
            first.path, first.path
        );
    }
    if let Some((host, first)) = found.iter().find(|(_, found)| is_disk(found)) {
        let _ = writeln!(
            text,
            "  hint: Nothing of {host} leads to {}. If nobody needs it, write the other disks as \
             `rescue_disks` of {host}.",
            first.path
        );
    }
    text
}

/// Machines found on the disks of a rescue system: of what they consist, and what to know of it.
fn on_disks(survey: &Survey) -> String {
    let mut text = String::new();
    for host in &survey.hosts {
        let Some(rescue) = host.facts.as_ref().and_then(|facts| facts.rescue.as_ref()) else {
            continue;
        };
        let mounted: Vec<String> = (rescue.mounted.iter())
            .map(|mount| format!("{} on {} ({})", mount.mount_point, mount.device, mount.fs_type))
            .collect();
        let _ = writeln!(text, "\n{}, from its disks, read-only: {}", host.id, mounted.join(", "));
        for remark in rescue.remarks.iter().take(SHOWN_MAX) {
            let _ = writeln!(text, "  {remark}");
        }
    }
    text
}

fn incomplete(survey: &Survey) -> String {
    let found: Vec<_> = survey.hosts.iter().flat_map(|host| &host.incomplete).collect();
    if found.is_empty() {
        return String::new();
    }
    let mut text = format!("\nNot measured to the end: {}\n", found.len());
    for (workload, why) in found.iter().take(SHOWN_MAX) {
        let _ = writeln!(text, "  {workload}: {why}");
    }
    text + &more(found.len())
}

fn refused(survey: &Survey) -> String {
    let hosts = survey.hosts.iter().filter(|host| host.state == State::Refused);
    let hosts: Vec<_> = hosts.collect();
    let Some(first) = hosts.first() else { return String::new() };
    let mut text = format!("\nRefused: {}\n", hosts.len());
    for host in hosts.iter().take(SHOWN_MAX) {
        let _ = writeln!(text, "  {}: {}", host.id, host.detail.as_deref().unwrap_or_default());
    }
    text.push_str(&more(hosts.len()));
    let _ = writeln!(text, "  hint: {}", first.hint.as_deref().unwrap_or_default());
    text
}

/// Failures by cause, the most frequent first: "9 machines: refused".
fn failed(survey: &Survey) -> String {
    let hosts = survey.hosts.iter().filter(|host| host.state == State::Failed);
    let hosts = hosts.map(|host| (host.reason, host.id.to_string(), &host.detail));
    let targets = survey.targets.iter().filter(|target| target.state == State::Failed);
    let targets = targets.map(|to| (to.reason, format!("target {}", to.id), &to.detail));
    let mut causes: BTreeMap<&str, (Reason, Vec<String>)> = BTreeMap::new();
    for (reason, name, detail) in hosts.chain(targets) {
        let reason = reason.unwrap_or(Reason::Internal);
        let line = format!("{name}: {}", detail.as_deref().unwrap_or_default());
        causes.entry(reason.word()).or_insert((reason, Vec::new())).1.push(line);
    }
    let mut causes: Vec<_> = causes.into_values().collect();
    causes.sort_by_key(|(_, lines)| std::cmp::Reverse(lines.len()));
    let mut text = String::new();
    for (reason, lines) in causes {
        let machines = if lines.len() == 1 { "machine" } else { "machines" };
        let _ = writeln!(text, "\n{} {machines}: {}", lines.len(), reason.word());
        for line in lines.iter().take(SHOWN_MAX) {
            let _ = writeln!(text, "  {line}");
        }
        text.push_str(&more(lines.len()));
        let _ = writeln!(text, "  hint: {}", reason.hint());
    }
    text
}

fn more(count: usize) -> String {
    match count.saturating_sub(SHOWN_MAX) {
        0 => String::new(),
        more => format!("  and {more} more: evac --json survey\n"),
    }
}

fn summary(survey: &Survey) -> String {
    let reached = survey.hosts.iter().filter(|host| host.state != State::Failed);
    let bytes: Bytes = reached.clone().filter_map(|host| host.bytes).sum();
    let (reached, hosts) = (reached.count(), survey.hosts.len());
    let ended =
        if survey.stopped { " It was interrupted; the same command looks again." } else { "" };
    format!("\n{reached} of {hosts} hosts looked at, {bytes} to take.{ended}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TargetId;
    use crate::run::survey::{MachineFacts, SurveyedTarget};

    fn host(id: &str) -> SurveyedHost {
        SurveyedHost {
            id: id.parse().unwrap(),
            state: State::Reached,
            reason: None,
            detail: None,
            hint: None,
            rtt_ms: Some(12.34),
            bytes: Some(Bytes(40_000_000_000)),
            facts: Some(MachineFacts {
                cpus: Some(4),
                memory: Some(Bytes(8_000_000_000)),
                root_fs: Some("ext4".into()),
                clock_skew_s: Some(-61),
                ..MachineFacts::default()
            }),
            uncovered: Vec::new(),
            workloads: BTreeMap::new(),
            incomplete: BTreeMap::new(),
        }
    }

    fn failed(id: &str, reason: Reason) -> SurveyedHost {
        let detail = Some(format!("seen at {id}"));
        let (state, reason) = (State::Failed, Some(reason));
        SurveyedHost { state, reason, detail, facts: None, bytes: None, ..host(id) }
    }

    fn document(hosts: Vec<SurveyedHost>) -> Survey {
        Survey { schema: 1, hosts, targets: Vec::new(), stopped: false }
    }

    #[test]
    fn failures_are_told_by_cause_with_one_hint_each() {
        let mut survey = document(vec![
            failed("a", Reason::Auth),
            failed("b", Reason::Refused),
            host("c"),
            failed("d", Reason::Refused),
        ]);
        survey.targets.push(SurveyedTarget {
            id: TargetId::new("rack").unwrap(),
            state: State::Failed,
            reason: Some(Reason::Refused),
            detail: Some("nobody there".into()),
            hint: None,
        });
        let text = super::survey(&survey, Style::PLAIN);
        let expected = format!(
            "\n3 machines: refused\n  b: seen at b\n  d: seen at d\n  target rack: nobody there\n  \
             hint: {}\n\n1 machine: auth\n  a: seen at a\n  hint: {}\n\n1 of 4 hosts looked at, \
             40.0 GB to take.\n",
            Reason::Refused.hint(),
            Reason::Auth.hint(),
        );
        assert!(text.ends_with(&expected), "{text}");
        assert!(!survey.is_clean());
    }

    #[test]
    fn what_is_left_behind_is_told_with_what_to_write() {
        let path = |path: &str, bytes| UncoveredPath {
            path: path.into(),
            bytes: Bytes(bytes),
            kind: UncoveredKind::Folder,
            complete: bytes > 10,
        };
        let (small, large) = (path("/srv/a", 5), path("/backup", 5_000));
        let mut survey = document(vec![host("c")]);
        survey.hosts[0].uncovered = vec![small, large];
        let text = super::survey(&survey, Style::PLAIN);
        assert!(text.contains("will be left behind: 2"), "{text}");
        assert!(text.find("/backup") < text.find("/srv/a"), "{text}");
        assert!(text.contains(">5 B") && text.contains("accept = [{ path = \"/backup\""), "{text}");
        assert!(text.contains("clock -61 s"), "{text}");
        assert!(survey.is_clean());
    }

    #[test]
    fn a_long_list_is_cut_and_counted() {
        let hosts = (0..30).map(|n| failed(&format!("h{n}"), Reason::Timeout)).collect();
        let text = super::survey(&document(hosts), Style::PLAIN);
        assert!(text.contains("30 machines: timeout") && text.contains("and 10 more"), "{text}");
    }

    #[test]
    fn lines_say_what_came_of_a_machine() {
        let check = |host: SurveyedHost, expected: &str| {
            assert_eq!(line(&News::Host(Box::new(host))), expected);
        };
        check(host("c"), "c: 40.0 GB to take, 12.3 ms away");
        check(failed("a", Reason::Auth), "a: auth: seen at a");
        let refused = SurveyedHost { state: State::Refused, ..failed("p", Reason::Inventory) };
        check(refused, "p: refused: seen at p");
    }
}
