//! "May we leave?" says no until everything is proven.

use std::collections::BTreeMap;

use super::{Story, id};
use crate::model::{Bytes, HostId, Reason, WorkloadId};
use crate::publish::report::leave::{Known, Leave, Uncovered, Verdict, leave};

fn asked(story: &Story, uncovered: &[Uncovered], unseen: &[HostId]) -> Leave {
    let told = story.told();
    let all = || story.inventory.workloads();
    let states: BTreeMap<WorkloadId, _> =
        all().map(|it| (it.id.clone(), story.ledger.state(&it.id).unwrap())).collect();
    let values = all().map(|it| (it.id.clone(), 1.0)).chain([(id("acme-db"), 9.0)]).collect();
    leave(&Known {
        snapshot: &told.snapshot,
        passes: &told.passes,
        states: &states,
        values: &values,
        uncovered,
        unseen,
        away: &[],
        set_aside: &[],
        names: &[],
        unasked: &[],
        credentials: &[],
        is_confirmed: true,
    })
}

fn kinds(leave: &Leave) -> Vec<(&str, u64)> {
    leave.items.iter().map(|item| (item.kind, item.count)).collect()
}

#[test]
fn what_is_only_there_comes_first_and_yes_needs_proof_of_everything() {
    let story = Story::weekend();
    let path = "/srv/old".to_owned();
    let uncovered = [Uncovered { host: "shared-1".parse().unwrap(), path, bytes: Bytes(5_000) }];
    let answer = asked(&story, &uncovered, &["vps-2".parse().unwrap()]);
    assert_eq!((answer.verdict, answer.only_there), (Verdict::No, 2));
    let expected = [
        ("not-captured", 1),
        ("uncovered", 1),
        ("not-verified", 4),
        ("one-copy", 4),
        ("never-surveyed", 1),
        ("changed-while-read", 1),
        ("older-than-an-hour", 1),
    ];
    let mut found = kinds(&answer);
    found.sort_unstable();
    let mut sorted = expected;
    sorted.sort_unstable();
    assert_eq!(found, sorted, "{answer:?}");
    let first: Vec<_> = answer.items.iter().take(2).map(|it| it.kind).collect();
    assert_eq!(first, ["not-captured", "uncovered"]);
    let unproven = answer.items.iter().find(|it| it.kind == "not-verified").unwrap();
    assert_eq!(unproven.what[0], "workload/acme-db", "the most valuable first");
    assert!(answer.text().starts_with("NO: 2 things are only there, 5 not proven.\n"));
    assert!(answer.wipe.iter().all(|it| !it.ready), "{:?}", answer.wipe);

    story.captured("chess", "vps-2", "chess-mail", super::tally(9));
    for workload in ["acme-db", "acme-site", "bloom-home", "chess-mail", "mallory-shop"] {
        story.verified(workload);
    }
    let unmirrored = asked(&story, &[], &[]);
    assert_eq!((unmirrored.verdict, unmirrored.not_proven), (Verdict::No, 5));
    let mirrored = story.inventory.workloads().map(|it| it.id.clone());
    for workload in mirrored {
        story.ledger.note_mirror("/mnt/second").unwrap();
        let pass = crate::model::PassNumber(1);
        story.ledger.note_mirrored("/mnt/second", &workload, pass).unwrap();
    }
    let answer = asked(&story, &[], &[]);
    assert_eq!(answer.verdict, Verdict::YesIf, "{:?}", kinds(&answer));
    let ready: Vec<_> =
        answer.wipe.iter().filter(|it| it.ready).map(|it| it.host.as_str()).collect();
    assert_eq!(ready, ["shared-1", "vps-2"], "what was written since is only on vps-66");
    assert!(answer.wipe[0].evidence[0].contains("read back whole 2030-04-01T12:00:00Z, copies: 2"));

    let damaged = crate::model::Event::VerifyFailed {
        workload: id("acme-db"),
        pass: super::PassNumber(1),
        bad_chunks: 1,
    };
    story.tell(damaged);
    let answer = asked(&story, &[], &[]);
    assert_eq!((answer.verdict, kinds(&answer)[0]), (Verdict::No, ("damaged", 1)));
    assert!(answer.wipe.iter().any(|it| !it.ready));
}

#[test]
fn what_failed_or_was_left_out_is_only_there() {
    let story = Story::weekend();
    let detail = String::new();
    let reason = Reason::Auth;
    story.tell(crate::model::Event::CaptureFailed { workload: id("chess-mail"), reason, detail });
    assert_eq!(kinds(&asked(&story, &[], &[]))[0], ("failed", 1));
    story.leaves_out("chess-mail");
    let answer = asked(&story, &[], &[]);
    assert_eq!(kinds(&answer)[0], ("left-behind", 1));
    assert_eq!(answer.items[0].command, "evac retry workload/chess-mail");
}
