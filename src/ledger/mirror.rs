//! Second copies of passes in other folders, and where those are.
//!
//! **Promise.** A pass is noted as copied when all that it names was read back over there; the note
//! goes when damage is found there.

use std::collections::BTreeMap;

use rusqlite::{Transaction, params};

use crate::ledger::Ledger;
use crate::ledger::error::LedgerError;
use crate::ledger::look::among;
use crate::ledger::rows::{self, Count, Word};
use crate::model::{PassNumber, WorkloadId};

pub(super) const TABLES: &str = "
CREATE TABLE mirror (
    place  TEXT PRIMARY KEY,
    at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE mirrored (
    workload  TEXT NOT NULL,
    pass      INTEGER NOT NULL,
    place     TEXT NOT NULL REFERENCES mirror (place),
    at        INTEGER NOT NULL,
    PRIMARY KEY (workload, pass, place)
) STRICT, WITHOUT ROWID;
";

/// How many second copies there are of a pass.
pub(super) type Copies = BTreeMap<(WorkloadId, PassNumber), u64>;

impl Ledger {
    /// Second copies are made at `place`, the absolute path of a folder.
    pub fn note_mirror(&self, place: &str) -> Result<(), LedgerError> {
        let now = rows::millisecond(self.now());
        self.write(|tx| {
            tx.execute(
                "INSERT INTO mirror (place, at) VALUES (?1, ?2)
                 ON CONFLICT (place) DO UPDATE SET at = ?2",
                params![place, now],
            )?;
            Ok(())
        })
    }

    /// Where second copies were ever made; the one that was made last first.
    pub fn mirrors(&self) -> Result<Vec<String>, LedgerError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached("SELECT place FROM mirror ORDER BY at DESC")?;
            let found = statement.query_map([], |row| row.get(0))?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }

    /// All that a pass names was read back at `place`.
    pub fn note_mirrored(
        &self,
        place: &str,
        workload: &WorkloadId,
        pass: PassNumber,
    ) -> Result<(), LedgerError> {
        let now = rows::millisecond(self.now());
        self.write(|tx| {
            tx.execute(
                "INSERT OR REPLACE INTO mirrored (workload, pass, place, at)
                 VALUES (?1, ?2, ?3, ?4)",
                params![workload.as_str(), pass.0, place, now],
            )?;
            Ok(())
        })
    }

    /// The copy of a pass at `place` is damaged.
    pub fn forget_mirrored(
        &self,
        place: &str,
        workload: &WorkloadId,
        pass: PassNumber,
    ) -> Result<(), LedgerError> {
        self.write(|tx| {
            tx.execute(
                "DELETE FROM mirrored WHERE workload = ?1 AND pass = ?2 AND place = ?3",
                params![workload.as_str(), pass.0, place],
            )?;
            Ok(())
        })
    }

    /// Passes that are noted as copied to `place`.
    pub fn mirrored_at(&self, place: &str) -> Result<Vec<(WorkloadId, PassNumber)>, LedgerError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached(
                "SELECT workload, pass FROM mirrored WHERE place = ?1 ORDER BY workload, pass",
            )?;
            let found = statement.query_map([place], |row| {
                Ok((row.get::<_, Word<WorkloadId>>(0)?.0, PassNumber(row.get(1)?)))
            })?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }
}

pub(super) fn copies(tx: &Transaction<'_>, list: Option<&str>) -> Result<Copies, LedgerError> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT workload, pass, count(*) FROM mirrored WHERE {} GROUP BY workload, pass",
        among("workload", list)
    ))?;
    let found = statement.query_map([list], |row| {
        let pass = (row.get::<_, Word<WorkloadId>>(0)?.0, PassNumber(row.get(1)?));
        Ok((pass, row.get::<_, Count>(2)?.0))
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_counted_by_pass_and_place() {
        let (ledger, workload) = (Ledger::in_memory().unwrap(), WorkloadId::new("w").unwrap());
        let count = |pass| {
            let copies = ledger.read(|tx| copies(tx, None)).unwrap();
            copies.get(&(workload.clone(), PassNumber(pass))).copied()
        };
        for place in ["/a", "/b", "/a"] {
            ledger.note_mirror(place).unwrap();
            ledger.note_mirrored(place, &workload, PassNumber(1)).unwrap();
        }
        assert_eq!((count(1), count(2)), (Some(2), None));
        assert_eq!(ledger.mirrors().unwrap().len(), 2);
        ledger.forget_mirrored("/b", &workload, PassNumber(1)).unwrap();
        assert_eq!(count(1), Some(1));
        assert_eq!(ledger.mirrored_at("/a").unwrap(), [(workload.clone(), PassNumber(1))]);
        assert_eq!(ledger.mirrored_at("/b").unwrap(), []);
    }
}
