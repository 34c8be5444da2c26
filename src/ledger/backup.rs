//! Copies of the ledger, and whether one is sound.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, Transaction};

use crate::ledger::error::LedgerError;
use crate::ledger::rows::{self, Json};
use crate::ledger::state::WorkloadState;
use crate::ledger::{BUSY_TIMEOUT, Ledger, event};
use crate::model::{Event, WorkloadId};

/// Most faults that a check tells.
const FAULTS_MAX: usize = 20;

impl Ledger {
    /// Writes a sound copy, one file, to `path`; what stood there is replaced at once or not at
    /// all. Nobody waits meanwhile.
    pub fn backup_to(&self, path: &Path) -> Result<(), LedgerError> {
        let temporary = beside(path);
        let made = self.copy_to(&temporary).and_then(|()| {
            let sync = || {
                File::open(&temporary)?.sync_all()?;
                std::fs::rename(&temporary, path)
            };
            sync().map_err(|error| LedgerError::io("write the backup", path, error))
        });
        if made.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
        made.and_then(|()| sync_directory_of(path))
    }

    fn copy_to(&self, path: &Path) -> Result<(), LedgerError> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(LedgerError::io("replace", path, error));
            }
            _ => {}
        }
        let mut copy =
            Connection::open(path).map_err(|source| LedgerError::database(path, source))?;
        if self.path.as_os_str().is_empty() {
            fill(&self.lock(), &mut copy)?;
        } else {
            // A connection of its own: the writer goes on writing.
            let source = Connection::open_with_flags(
                &self.path,
                OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
            )?;
            source.busy_timeout(BUSY_TIMEOUT)?;
            fill(&source, &mut copy)?;
        }
        // One file that is whole without a log beside it.
        copy.pragma_update(None, "journal_mode", "DELETE")?;
        refuse_faults(integrity(&copy)?).map_err(|error| error.at(path))?;
        copy.close().map_err(|(_, source)| LedgerError::database(path, source))
    }

    /// Reads everything: pages and indices are sound, no row points nowhere, and the states are
    /// what the events say.
    pub fn check(&self) -> Result<(), LedgerError> {
        self.read(|tx| {
            let mut faults = integrity(tx)?;
            if faults.is_empty() {
                faults = differences(tx)?;
            }
            refuse_faults(faults)
        })
    }
}

fn fill(source: &Connection, copy: &mut Connection) -> Result<(), LedgerError> {
    let backup = Backup::new(source, copy)?;
    match backup.step(-1)? {
        StepResult::Done => Ok(()),
        other => Err(LedgerError::damaged(format!("the copy ended with {other:?}"))),
    }
}

fn refuse_faults(faults: Vec<String>) -> Result<(), LedgerError> {
    if faults.is_empty() { Ok(()) } else { Err(LedgerError::damaged(faults.join("; "))) }
}

fn integrity(connection: &Connection) -> Result<Vec<String>, LedgerError> {
    let mut statement = connection.prepare("PRAGMA integrity_check")?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
    let mut faults: Vec<String> = lines.collect::<Result<_, _>>()?;
    faults.retain(|line| line != "ok");
    let mut statement = connection.prepare(
        "SELECT DISTINCT \"table\" || ' points to a missing ' || parent
         FROM pragma_foreign_key_check",
    )?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
    for line in lines.take(FAULTS_MAX) {
        faults.push(line?);
    }
    Ok(faults)
}

/// Folds all events again and compares.
fn differences(tx: &Transaction<'_>) -> Result<Vec<String>, LedgerError> {
    let mut faults = Vec::new();
    let mut folded: BTreeMap<WorkloadId, WorkloadState> = BTreeMap::new();
    let mut statement = tx.prepare("SELECT at, json FROM event ORDER BY id")?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let event = row.get::<_, Json<Event>>(1)?.0;
        for workload in event.workloads() {
            let state = folded.entry(workload.clone()).or_default();
            *state = state.next(&event, rows::time(row.get(0)?))?;
        }
    }
    let mut statement = tx.prepare("SELECT * FROM workload ORDER BY id")?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let workload: WorkloadId = rows::word(row, "id")?;
        let kept = event::from_row(row)?;
        if folded.remove(&workload).unwrap_or_default() != kept {
            faults.push(format!("the state of {workload} is not what its events say"));
        }
    }
    faults.extend(folded.keys().map(|workload| format!("the state of {workload} is missing")));
    faults.truncate(FAULTS_MAX);
    Ok(faults)
}

/// A name beside `path` that no finished backup has.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}

/// Makes a new name in the folder of `path` durable.
pub(super) fn sync_directory_of(path: &Path) -> Result<(), LedgerError> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| LedgerError::io("sync", folder, error))
}
