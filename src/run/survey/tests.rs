//! What is kept, read back and refused.

use std::collections::BTreeSet;
use std::time::Duration;

use super::machine::MarkFacts;
use super::*;
use crate::inventory::{self, Inventory, SourceFile};
use crate::model::TreePath;
use crate::wire::SurveyAnswer;
use crate::wire::survey::{AreaKind, BYTES_MAX, LIST_MAX, MarkKind, Measured, UncoveredArea};

fn inventory(hosts: &str) -> Inventory {
    let file = |name: &str, text: String| SourceFile { name: name.into(), text: Ok(text) };
    let settings = file("evac.toml", "[site]\nname = \"x\"\n".into());
    let text = format!("[[customer]]\nid = \"acme\"\n{hosts}");
    let reading = inventory::read_files(&settings, &[file("inventory.toml", text)]);
    assert!(reading.problems.iter().all(|problem| !problem.is_error()), "{:?}", reading.problems);
    reading.inventory
}

fn written(more: &str) -> Inventory {
    inventory(&format!(
        "[[host]]\nid = \"vps\"\naddress = \"192.0.2.1\"\ncustomer = \"acme\"\n\
         [[host.workload]]\nid = \"shop\"\npaths = [\"/srv/shop\"]\nbytes = \"40GB\"\n\
         [[host.workload]]\nid = \"mail\"\npaths = [\"/srv/mail\"]\nbytes = \"40GB\"\n{more}"
    ))
}

fn plain() -> Host {
    let text = "[[host]]\nid = \"vps\"\naddress = \"192.0.2.1\"\ncustomer = \"acme\"\n";
    inventory(text).hosts[0].clone()
}

fn area(path: &str, bytes: u64) -> UncoveredArea {
    let path: TreePath = path.parse().unwrap();
    UncoveredArea { path, bytes: Bytes(bytes), kind: AreaKind::Folder, complete: true }
}

fn answer() -> SurveyAnswer {
    let measured = |bytes, complete| Measured {
        bytes: Bytes(bytes),
        entries: 9,
        complete,
        fault: String::new(),
    };
    SurveyAnswer {
        workloads: vec![measured(7_000, true), measured(8_000, false)],
        uncovered: vec![area("/srv/old", 5_000), area("/backup", 4_000)],
        uncovered_complete: true,
        ..SurveyAnswer::default()
    }
}

fn found(answer: &SurveyAnswer) -> HostFacts {
    let host = &written("").hosts[0];
    HostFacts::of(host, MachineFacts::default(), Duration::from_millis(12), answer)
}

fn ledger(found: &HostFacts) -> Ledger {
    let ledger = Ledger::in_memory().unwrap();
    let json = serde_json::to_value(found).unwrap();
    ledger.record_facts(&"vps".parse().unwrap(), &json).unwrap();
    ledger
}

#[test]
fn facts_come_back_as_they_were_kept() {
    let found = found(&answer());
    assert_eq!(found.bytes(), Bytes(15_000));
    let ledger = ledger(&found);
    assert_eq!(facts_of(&ledger, &"vps".parse().unwrap()).unwrap(), Some(found));
    assert_eq!(facts_of(&ledger, &"other".parse().unwrap()).unwrap(), None);
}

#[test]
fn facts_of_another_form_are_an_error_and_not_nothing() {
    let ledger = Ledger::in_memory().unwrap();
    let host: HostId = "vps".parse().unwrap();
    ledger.record_facts(&host, &serde_json::json!({"uncovered": 3})).unwrap();
    let read = has_uncovered(&ledger, &written("").hosts[0]);
    assert!(matches!(read, Err(FactsError::Unreadable { .. })), "{read:?}");
}

#[test]
fn an_estimate_yields_to_a_sum_but_not_to_a_part_of_one() {
    let measured = measured_bytes(&ledger(&found(&answer())), &written("")).unwrap();
    let of = |id: &str| measured[&id.parse::<WorkloadId>().unwrap()];
    assert_eq!((of("shop"), of("mail")), (Bytes(7_000), Bytes(40_000_000_000)));
}

#[test]
fn what_is_named_or_accepted_since_is_no_longer_uncovered() {
    let ledger = ledger(&found(&answer()));
    let check = |more: &str, expected: bool| {
        let uncovered = has_uncovered(&ledger, &written(more).hosts[0]).unwrap();
        assert_eq!(uncovered, expected, "{more}");
    };
    check("", true);
    let more = "[[host.workload]]\nid = \"old\"\npaths = [\"/srv/old\"]\n";
    check(more, true);
    check(&format!("{more}accept = [{{ path = \"/backup\", reason = \"copies\" }}]\n"), false);
    check(
        "[[host.workload]]\nid = \"all\"\npaths = [\"/data\", \"/srv/old\", \"/backup\"]\n",
        false,
    );
}

#[test]
fn more_than_is_listed_is_said() {
    let many = |count| (0..count).map(|n| area(&format!("/srv/{n}"), 10)).collect();
    let few = SurveyAnswer { uncovered: many(facts::UNCOVERED_MAX), ..answer() };
    assert_eq!(found(&few).uncovered.len(), facts::UNCOVERED_MAX);
    let more = SurveyAnswer { uncovered: many(facts::UNCOVERED_MAX + 3), ..answer() };
    let last = found(&more).uncovered.pop().unwrap();
    assert_eq!((last.kind, last.bytes, last.complete), (UncoveredKind::Unseen, Bytes(30), false));
    let blind = SurveyAnswer { uncovered: Vec::new(), uncovered_complete: false, ..answer() };
    assert!(has_uncovered(&ledger(&found(&blind)), &written("").hosts[0]).unwrap());
}

#[test]
fn the_longest_answer_fits_into_the_ledger() {
    let path = format!("/{}", vec!["x".repeat(250); 40].join("/"));
    let areas = (0..LIST_MAX).map(|n| area(&format!("{path}/{n}"), BYTES_MAX.0)).collect();
    let longest = SurveyAnswer { uncovered: areas, uncovered_complete: false, ..answer() };
    let json = serde_json::to_string(&found(&longest)).unwrap();
    assert!(json.len() < crate::ledger::FACTS_BYTES_MAX, "{}", json.len());
}

#[test]
fn a_path_that_is_no_text_stays_uncovered() {
    let mut answer = answer();
    answer.uncovered = vec![area("/srv/x", 1)];
    answer.uncovered[0].path = TreePath::new(&b"/srv/caf\xe9\n"[..]).unwrap();
    let found = found(&answer);
    assert_eq!(found.uncovered[0].path, "/srv/caf\\xe9\\n");
}

fn machine(tools: &[&str], marks: &[(MarkKind, &str)], root_fs: &str) -> HostFacts {
    let tools: BTreeSet<String> = tools.iter().map(ToString::to_string).collect();
    let mark = |(kind, path): &(MarkKind, &str)| MarkFacts { kind: *kind, path: (*path).into() };
    let marks = marks.iter().map(mark).collect();
    let root_fs = Some(root_fs.to_owned());
    HostFacts {
        facts: MachineFacts { root_fs, tools, marks, ..MachineFacts::default() },
        ..HostFacts::default()
    }
}

#[test]
fn what_all_of_root_would_miss_is_refused_by_name() {
    let host = plain();
    assert!(host.workloads.iter().all(|workload| workload.is_default));
    let check = |found: HostFacts, expected: &[&str]| {
        let refusal = default_refusal(&found, &host).unwrap_or_default();
        assert_eq!(refusal.is_empty(), expected.is_empty(), "{refusal}");
        for part in expected {
            assert!(refusal.contains(part), "{refusal}");
        }
    };
    check(machine(&["rsync", "psql", "virsh", "mysqld", "docker"], &[], "ext4"), &[]);
    check(machine(&["pveversion"], &[], "ext4"), &["a hypervisor (pveversion)"]);
    let images = (MarkKind::Hypervisor, "/var/lib/libvirt/images");
    check(machine(&["virsh"], &[images], "xfs"), &["a hypervisor (/var/lib/libvirt/images)"]);
    let rows = (MarkKind::Database, "/var/lib/mysql/ibdata1");
    check(
        machine(&["cpanel", "mysqld"], &[rows], "ext4"),
        &["a panel (cpanel) and a database server (/var/lib/mysql/ibdata1)"],
    );
    for root in ["overlay", "tmpfs", "squashfs", "nfs"] {
        check(machine(&[], &[], root), &["a live or rescue system", root]);
    }
}

#[test]
fn what_somebody_wrote_down_is_never_refused() {
    let found = machine(&["pveversion", "plesk"], &[], "overlay");
    assert_eq!(default_refusal(&found, &written("").hosts[0]), None);
    let surveyed = SurveyedHost::found(&plain(), found);
    assert_eq!((surveyed.state, surveyed.reason), (State::Refused, Some(Reason::Inventory)));
    assert!(surveyed.hint.unwrap().contains("[[host.workload]]"));
}
