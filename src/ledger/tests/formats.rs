//! Ledgers of schemas 1 and 6, frozen: every later evac opens them and reads the same.

use std::path::PathBuf;

use super::*;
use crate::ledger::evidence::{Answered, Outcome, Side};
use crate::ledger::outbox::{Post, PostState, PostText, RowKind, RowState, Wanted};
use crate::ledger::snapshot::{CaptureState, RestoreState};
use crate::model::{Event, PublicWord, Steer};

const HOME: &str = "target:rack-07:/srv/restored";

/// A copy of a frozen ledger, and the folder that it lies in.
fn frozen(schema: &str) -> (tempfile::TempDir, Ledger) {
    let formats = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/formats");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.db");
    std::fs::copy(formats.join(schema).join("ledger.db"), &file).unwrap();
    let ledger = Ledger::open(&file).unwrap();
    ledger.check().unwrap();
    (folder, ledger)
}

#[test]
fn the_first_ledger_is_still_read() {
    let (_folder, ledger) = frozen("v1");
    assert_eq!(ledger.events(0, 100).unwrap().len(), 7);

    let (acme, bolt) = (workload("acme-site"), workload("bolt-site"));
    let state = ledger.state(&acme).unwrap();
    assert_eq!((state.capture, state.restore), (CaptureState::Verified, RestoreState::Restoring));
    let restoration = ledger.restoration(&acme, PassNumber(1), HOME).unwrap().unwrap();
    assert_eq!(restoration.position.as_deref(), Some(&b"/srv/\xff"[..]));
    assert_eq!(ledger.left_out(&acme, PassNumber(1)).unwrap().listed, [left_out(1)]);

    let open = ledger.open_pass(&bolt).unwrap().unwrap();
    assert_eq!((open.segments, open.manifest_end), (2, 200));
    assert_eq!(open.cursor, Some(receipt("bolt", 1).cursor));
    assert_eq!(ledger.state(&bolt).unwrap().capture, CaptureState::Partial);

    let snapshot = ledger.snapshot(&fleet(&["acme", "bolt", "cato"]), start()).unwrap();
    let words: Vec<_> = snapshot.customers.iter().map(|customer| customer.state).collect();
    let (restoring, copying) = (PublicWord::Restoring, PublicWord::Copying);
    assert_eq!(words, [restoring, copying, PublicWord::NeedsAttention]);
    assert_eq!(ledger.facts(&host("cato-host")).unwrap().unwrap().json["bytes"], 5);
}

/// Writes something into every table that schema 6 has beyond the first.
fn write_what_came_since(ledger: &Ledger) {
    let (acme, bolt) = (workload("acme-site"), workload("bolt-site"));
    begin(ledger, "acme");
    ledger.commit_receipts(&[receipt("acme", 0)]).unwrap();
    seal(ledger, "acme", 1);
    let steered = |steer, id: &WorkloadId, text: &str| {
        let (what, workloads) = (format!("workload/{id}"), vec![id.clone()]);
        let (text, by) = (text.to_owned(), "kim".to_owned());
        ledger.append(&Event::Steered { steer, what, workloads, text, by }, "kim").unwrap();
    };
    steered(Steer::Pause, &bolt, "");
    steered(Steer::First, &bolt, "");
    steered(Steer::Skip, &workload("cato-site"), "moved by hand");
    let (was, closes, by) = (None, start(), "jo".to_owned());
    ledger.append(&Event::WindowSet { was, closes, hard: true, by }, "jo").unwrap();
    let answer = Answered {
        asked: "GET /".to_owned(),
        outcome: Outcome::Passed,
        said: "200".to_owned(),
        at: start(),
        took_ms: 12,
    };
    ledger.note_answers(&acme, Side::New, &[answer]).unwrap();
    ledger.let_unchecked(&bolt, "a static page", "kim").unwrap();
    ledger.note_mirror("/mnt/b").unwrap();
    ledger.note_mirrored("/mnt/b", &acme, PassNumber(1)).unwrap();
    let text = PostText { title: "Access".to_owned(), body: "It is open.".to_owned() };
    let post = Post {
        id: "p1".to_owned(),
        at: start(),
        by: "jo".to_owned(),
        kind: "monitoring".to_owned(),
        state: PostState::Posted,
        reviewed_by: Some("kim".to_owned()),
        why: None,
        next_by: Some(start()),
        texts: [("en".to_owned(), text)].into(),
    };
    ledger.add_fact(&post, "facts", &Vec::new(), &vec![1_u32]).unwrap();
    let wanted = Wanted {
        destination: "page".to_owned(),
        subject: "post/p1".to_owned(),
        kind: RowKind::Post,
        content: "{}".to_owned(),
        again: false,
    };
    ledger.want(&[wanted]).unwrap();
    ledger.call_begins("page", &[]).unwrap();
}

fn check_what_came_since(ledger: &Ledger) {
    let (acme, bolt) = (workload("acme-site"), workload("bolt-site"));
    let steering = ledger.steering().unwrap();
    assert_eq!(steering[&bolt].first, Some(1));
    assert_eq!(steering[&bolt].paused.as_ref().unwrap().by, "kim");
    let skipped = steering[&workload("cato-site")].skipped.as_ref().unwrap();
    assert_eq!(skipped.why.as_deref(), Some("moved by hand"));
    let told = ledger.told_window().unwrap().unwrap();
    assert_eq!((told.closes, told.hard), (start(), true));
    let evidence = ledger.evidence(&acme, Side::New).unwrap();
    assert_eq!((evidence[0].answer.took_ms, evidence[0].ever_passed), (12, true));
    assert_eq!(ledger.unchecked(&bolt).unwrap().unwrap().reason, "a static page");
    assert_eq!(ledger.mirrored_at("/mnt/b").unwrap(), [(acme, PassNumber(1))]);
    let posts = ledger.posts().unwrap();
    assert_eq!(
        (posts[0].texts["en"].body.as_str(), posts[0].next_by),
        ("It is open.", Some(start()))
    );
    assert_eq!(ledger.published::<Vec<u32>>("facts").unwrap(), Some(vec![1]));
    let outbox = ledger.outbox().unwrap();
    assert_eq!((outbox[0].subject.as_str(), outbox[0].state), ("post/p1", RowState::Waiting));
    assert_eq!(ledger.recent_calls().unwrap()["page"], [start()]);
}

#[test]
fn the_ledger_with_steering_checks_mirrors_and_posts_is_still_read() {
    let (_folder, ledger) = frozen("v6");
    check_what_came_since(&ledger);
    // What is frozen is what is written now.
    let (ledger, _) = in_memory();
    write_what_came_since(&ledger);
    check_what_came_since(&ledger);
}
