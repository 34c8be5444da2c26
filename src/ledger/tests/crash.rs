//! Kill anything at any moment: what was confirmed is there (promise 2).

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;
use crate::ledger::{LedgerError, LockError, StateLock};

const CHILD_FOLDER: &str = "EVAC_TEST_LEDGER_FOLDER";

fn segments(path: &Path, id: &str) -> u64 {
    let ledger = Ledger::open(path).unwrap();
    ledger.check().unwrap();
    let open = ledger.open_pass(&workload(id)).unwrap().unwrap();
    assert_eq!(open.tally.raw_bytes, Bytes(open.segments * MEGABYTE), "receipts and sums agree");
    open.segments
}

/// The log of writes, cut at any byte, as a power loss may leave it. (Bytes before the last sync
/// cannot be lost: it is cut no earlier than where a commit said that it was durable.)
#[test]
fn receipts_survive_a_log_that_is_cut_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.db");
    let log = folder.path().join("ledger.db-wal");
    let ledger = Ledger::open(&file).unwrap();
    begin(&ledger, "acme");
    begin(&ledger, "bolt");
    let length = || std::fs::metadata(&log).unwrap().len();
    let mut durable = vec![length()];
    for segment in 0..6 {
        let group = [receipt("acme", segment), receipt("bolt", segment)];
        ledger.commit_receipts(&group).unwrap();
        durable.push(length());
    }
    let (pages, log) = (std::fs::read(&file).unwrap(), std::fs::read(&log).unwrap());
    let copy = folder.path().join("copy.db");
    for (confirmed, window) in durable.windows(2).enumerate() {
        let (from, to) = (window[0] as usize, window[1] as usize);
        for cut in [from, from + 1, from + 24, usize::midpoint(from, to), to - 1] {
            std::fs::write(&copy, &pages).unwrap();
            std::fs::write(folder.path().join("copy.db-wal"), &log[..cut]).unwrap();
            let _ = std::fs::remove_file(folder.path().join("copy.db-shm"));
            let found = [segments(&copy, "acme-site"), segments(&copy, "bolt-site")];
            assert_eq!(found, [confirmed as u64; 2], "cut at {cut}");
        }
    }
}

/// Body of the child of the next test; on its own it has nothing to do.
#[test]
fn child_writes_until_killed() {
    let Some(folder) = std::env::var_os(CHILD_FOLDER) else { return };
    let folder = Path::new(&folder);
    let _lock = StateLock::acquire(folder, "child", start()).unwrap();
    let ledger = Ledger::open(&folder.join("ledger.db")).unwrap();
    begin(&ledger, "acme");
    let mut out = std::io::stdout();
    for segment in 0..50_000 {
        ledger.commit_receipts(&[receipt("acme", segment)]).unwrap();
        // Past the harness, which would keep it until the test ends.
        writeln!(out, "\nconfirmed {segment}").unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn receipts_survive_kill_9_and_so_does_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ledger::tests::crash::child_writes_until_killed", "--nocapture"])
        .env(CHILD_FOLDER, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut confirmed = 0;
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while confirmed < 25 {
        let line = lines.next().expect("the child goes on").unwrap();
        confirmed += u64::from(line.starts_with("confirmed "));
    }
    let second = StateLock::acquire(folder.path(), "jo", start());
    assert!(
        matches!(&second, Err(LockError::Held { holder: Some(h), .. }) if h.pid == child.id()),
        "{second:?}"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    confirmed +=
        lines.filter(|line| line.as_ref().unwrap().starts_with("confirmed ")).count() as u64;
    let _lock = StateLock::acquire(folder.path(), "jo", start()).unwrap();
    let found = segments(&folder.path().join("ledger.db"), "acme-site");
    assert!((confirmed..=confirmed + 1).contains(&found), "{found} of {confirmed}");
}

#[test]
fn nobody_ever_hears_that_the_database_is_locked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.db");
    let ledger = Ledger::open(&file).unwrap();
    begin(&ledger, "acme");
    let view = fleet(&["acme"]);
    std::thread::scope(|scope| {
        for reader in 0..4 {
            let (file, view, folder) = (&file, &view, folder.path());
            scope.spawn(move || {
                let mut latest = 0;
                while latest < 120 {
                    // Opened anew each time: opening must not stumble either.
                    let ledger = Ledger::open_read_only(file).unwrap();
                    ledger.snapshot(view, start()).unwrap();
                    let open = ledger.open_pass(&workload("acme-site")).unwrap().unwrap();
                    assert!(open.segments >= latest, "a reader never goes back");
                    latest = open.segments;
                }
                let ledger = Ledger::open_read_only(file).unwrap();
                ledger.backup_to(&folder.join(format!("backup-{reader}.db"))).unwrap();
            });
        }
        for segment in 0..120 {
            ledger.commit_receipts(&[receipt("acme", segment)]).unwrap();
        }
    });
    assert_eq!(segments(&folder.path().join("backup-3.db"), "acme-site"), 120);
}

/// No test here can cut the power: what the promises rest on is at least switched on.
#[test]
fn a_commit_is_synced() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&folder.path().join("ledger.db")).unwrap();
    let connection = ledger.lock();
    let mode: String =
        connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    let number =
        |name| -> i64 { connection.pragma_query_value(None, name, |row| row.get(0)).unwrap() };
    assert_eq!((mode.as_str(), number("synchronous"), number("foreign_keys")), ("wal", 2, 1));
}

#[test]
fn several_openers_of_a_new_ledger_make_one() {
    let folder = tempfile::tempdir().unwrap();
    // Often: the moment in which two of them may meet is short.
    for round in 0..40 {
        let file = folder.path().join(format!("ledger-{round}.db"));
        let site = || Ledger::open(&file).unwrap().site().unwrap();
        let sites: Vec<_> = std::thread::scope(|scope| {
            let openers: Vec<_> = (0..8).map(|_| scope.spawn(site)).collect();
            openers.into_iter().map(|opener| opener.join().unwrap()).collect()
        });
        assert!(sites.iter().all(|site| *site == sites[0]), "{sites:?}");
    }
}

#[test]
fn a_backup_is_one_sound_file_and_replaces_the_former_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup.db");
    let ledger = Ledger::open(&folder.path().join("ledger.db")).unwrap();
    begin(&ledger, "acme");
    ledger.backup_to(&backup).unwrap();
    ledger.commit_receipts(&[receipt("acme", 0)]).unwrap();
    ledger.backup_to(&backup).unwrap();
    let mut names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("backup"))
        .collect();
    names.sort();
    assert_eq!(names, ["backup.db"]);
    assert_eq!(segments(&backup, "acme-site"), 1);
}

#[test]
fn a_reader_cannot_write_and_a_missing_ledger_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.db");
    assert!(Ledger::open_read_only(&file).is_err());
    assert!(!file.exists());
    drop(Ledger::open(&file).unwrap());
    let reader = Ledger::open_read_only(&file).unwrap();
    let refused = reader.begin_pass(&description("acme"), None, "jo");
    assert!(matches!(refused, Err(LedgerError::ReadOnly { .. })), "{refused:?}");
}

#[test]
fn a_damaged_page_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ledger.db");
    let ledger = Ledger::open(&file).unwrap();
    begin(&ledger, "acme");
    for segment in 0..200 {
        ledger.commit_receipts(&[receipt("acme", segment)]).unwrap();
    }
    drop(ledger);
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() - 3 * 4096;
    bytes[middle..middle + 4096].fill(0xee);
    std::fs::write(&file, bytes).unwrap();
    let checked = Ledger::open(&file).and_then(|ledger| ledger.check());
    assert!(checked.is_err(), "{checked:?}");
}
