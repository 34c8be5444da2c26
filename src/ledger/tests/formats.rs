//! A ledger of schema 1, frozen: every later evac opens it and reads the same.

use std::path::PathBuf;

use super::*;
use crate::ledger::snapshot::{CaptureState, RestoreState};
use crate::model::{Event, PublicWord, Reason};

const HOME: &str = "target:rack-07:/srv/restored";

fn frozen() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/formats/v1/ledger.db")
}

/// Made the fixture once. Never run it again after a release: a new schema gets a new fixture.
#[test]
#[ignore = "writes the frozen fixture anew"]
fn write_fixture() {
    if frozen().exists() {
        return;
    }
    let (ledger, _) = in_memory();
    let acme = workload("acme-site");
    let pass = begin(&ledger, "acme");
    let left_out = vec![left_out(1)];
    ledger.commit_receipts(&[Receipt { left_out, ..receipt("acme", 0) }]).unwrap();
    seal(&ledger, "acme", 1);
    let checked_bytes = Bytes(MEGABYTE);
    ledger.append(&Event::Verified { workload: acme.clone(), pass, checked_bytes }, "jo").unwrap();
    ledger.restore_begin(&acme, pass, HOME, "jo").unwrap();
    ledger.restore_progress(&acme, pass, HOME, b"/srv/\xff", 7, Bytes(70)).unwrap();
    begin(&ledger, "bolt");
    ledger.commit_receipts(&[receipt("bolt", 0), receipt("bolt", 1)]).unwrap();
    let detail = String::from("connection reset");
    let stopped =
        Event::CaptureStopped { workload: workload("bolt-site"), reason: Reason::Lost, detail };
    ledger.append(&stopped, "jo").unwrap();
    let detail = String::from("publickey");
    let (host, reason) = (host("cato-host"), Reason::Auth);
    ledger
        .append(&Event::HostFailed { host: host.clone(), reason, detail, retry_s: Some(60) }, "jo")
        .unwrap();
    ledger.record_facts(&host, &serde_json::json!({"bytes": 5})).unwrap();
    std::fs::create_dir_all(frozen().parent().unwrap()).unwrap();
    ledger.backup_to(&frozen()).unwrap();
}

#[test]
fn the_first_ledger_is_still_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.db");
    std::fs::copy(frozen(), &file).unwrap();
    let ledger = Ledger::open(&file).unwrap();
    ledger.check().unwrap();
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
