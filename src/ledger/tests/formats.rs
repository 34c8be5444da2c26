//! A ledger of schema 1, frozen: every later evac opens it and reads the same.

use std::path::PathBuf;

use super::*;
use crate::ledger::snapshot::{CaptureState, RestoreState};
use crate::model::PublicWord;

const HOME: &str = "target:rack-07:/srv/restored";

fn frozen() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/formats/v1/ledger.db")
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
