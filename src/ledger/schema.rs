//! Tables, and how an older ledger becomes a newer one.
//!
//! `user_version` counts the migrations that ran; each runs in a transaction of its own together
//! with the new number. A ledger with a higher number is refused, never guessed at. Migrations are
//! frozen once released: a change is a further migration.
//!
//! **Conventions.** Times are milliseconds since 1970, UTC. Words (`state`, `reason`,
//! `consistency`) are those of the JSON documents. Numbers are `INTEGER`; all of evac's fit 63
//! bits. Paths are `BLOB`s, any bytes. `cursor` is postcard's encoding of
//! [`crate::capture::Cursor`], `tally` the JSON of [`crate::model::Tally`], `event.json` the line
//! that `run --json` prints.
//!
//! | table | one row for |
//! |---|---|
//! | `meta` | the ledger itself: site, when it was made, whether a rebuild awaits `confirm` |
//! | `event` | something that happened; append-only; the states are a fold of these |
//! | `workload` | where a workload stands: cached fold of its events |
//! | `pass` | a pass: how it cuts, when it was begun, sealed, verified, what it counted |
//! | `receipt` | a durable segment; `cursor` is dropped when the pass is sealed |
//! | `left_out` | something not taken; bounded a pass ([`crate::ledger::pass`]), the rest counted |
//! | `restoration` | a restore of a pass to a place, and where it can go on |
//! | `host` | a host's connection, its generation, what it is doing |
//! | `steering` | a workload that somebody paused, put first or left out: cached fold of events |
//! | `told` | what somebody said that counts from then on: when the window closes |
//! | `evidence` | a check and a row of equal answers to it ([`crate::ledger::evidence`]) |
//! | `unchecked` | a workload that somebody lets pass without checks |
//! | `mirror` | a folder in which second copies are made ([`crate::ledger::mirror`]) |
//! | `mirrored` | a pass that was read back there |
//! | `host_fact` | what the newest survey found there |
//! | `post` | something said in public, or drafted ([`crate::ledger::outbox`]) |
//! | `outbox` | what one destination shall be told of one subject, and was |
//! | `outbox_call` | a call of the last minutes, for limits a minute |
//! | `mail_bounce` | a mailbox that mails came back from ([`crate::ledger::mail`]) |
//! | `mail_at_risk` | a customer of whom a person said that his data may not get out |
//! | `published` | which facts were said: what machine posts are made from |

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use crate::ledger::error::LedgerError;
use crate::ledger::{mail, mirror, outbox, rows, steering};
use crate::model::{SiteId, Timestamp};

/// "EVAC" in ASCII, in the header of the file.
const APPLICATION_ID: i32 = 0x4556_4143;

/// Run in order; the number of a migration is its position plus one.
const MIGRATIONS: &[&str] =
    &[V1, V2, steering::TABLES, CHECKS, mirror::TABLES, outbox::TABLES, mail::TABLES];

const V1: &str = "
CREATE TABLE meta (
    one          INTEGER PRIMARY KEY CHECK (one = 1),
    site         BLOB NOT NULL CHECK (length(site) = 8),
    created      INTEGER NOT NULL,
    unconfirmed  INTEGER NOT NULL DEFAULT 0,
    bottleneck   TEXT,
    pulse_at     INTEGER
) STRICT;

CREATE TABLE event (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    at        INTEGER NOT NULL,
    by        TEXT NOT NULL,
    host      TEXT,
    workload  TEXT,
    kind      TEXT NOT NULL,
    json      TEXT NOT NULL
) STRICT;
CREATE INDEX event_of_workload ON event (workload, id) WHERE workload IS NOT NULL;

CREATE TABLE host (
    id           TEXT PRIMARY KEY,
    state        TEXT NOT NULL DEFAULT 'idle',
    rtt_ms       REAL,
    reason       TEXT,
    detail       TEXT,
    since        INTEGER,
    generation   INTEGER NOT NULL DEFAULT 0,
    agent_bytes  INTEGER NOT NULL DEFAULT 0,
    lanes        INTEGER NOT NULL DEFAULT 0,
    level        INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE host_fact (
    host  TEXT PRIMARY KEY REFERENCES host (id),
    at    INTEGER NOT NULL,
    json  TEXT NOT NULL
) STRICT;

CREATE TABLE workload (
    id              TEXT PRIMARY KEY,
    customer        TEXT,
    host            TEXT REFERENCES host (id),
    capture         TEXT NOT NULL,
    restore         TEXT NOT NULL,
    pass            INTEGER,
    sealed          INTEGER,
    of_pass         INTEGER,
    place           TEXT,
    since           INTEGER,
    reason          TEXT,
    detail          TEXT,
    restore_reason  TEXT,
    restore_detail  TEXT,
    health          TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE pass (
    workload     TEXT NOT NULL REFERENCES workload (id),
    number       INTEGER NOT NULL CHECK (number > 0),
    domain       BLOB NOT NULL CHECK (length(domain) = 8),
    cutting      BLOB NOT NULL,
    started_at   INTEGER NOT NULL,
    run          INTEGER NOT NULL DEFAULT 0,
    tally        TEXT NOT NULL,
    sealed_at    INTEGER,
    consistency  TEXT,
    verified_at  INTEGER,
    bad_chunks   INTEGER NOT NULL DEFAULT 0,
    left_out     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (workload, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE receipt (
    workload      TEXT NOT NULL,
    pass          INTEGER NOT NULL,
    run           INTEGER NOT NULL,
    segment       INTEGER NOT NULL,
    manifest_end  INTEGER NOT NULL,
    cursor        BLOB,
    tally         TEXT NOT NULL,
    at            INTEGER NOT NULL,
    PRIMARY KEY (workload, pass, run, segment),
    FOREIGN KEY (workload, pass) REFERENCES pass (workload, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX receipt_at ON receipt (at);

CREATE TABLE left_out (
    workload  TEXT NOT NULL,
    pass      INTEGER NOT NULL,
    path      BLOB NOT NULL,
    why       TEXT NOT NULL,
    PRIMARY KEY (workload, pass, path),
    FOREIGN KEY (workload, pass) REFERENCES pass (workload, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE restoration (
    workload    TEXT NOT NULL,
    pass        INTEGER NOT NULL,
    place       TEXT NOT NULL,
    state       TEXT NOT NULL,
    position    BLOB,
    entries     INTEGER NOT NULL DEFAULT 0,
    bytes       INTEGER NOT NULL DEFAULT 0,
    missing     INTEGER NOT NULL DEFAULT 0,
    started_at  INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    PRIMARY KEY (workload, pass, place),
    FOREIGN KEY (workload, pass) REFERENCES pass (workload, number)
) STRICT;
";

/// Was everything of the pass restored there, or only some paths?
const V2: &str = "ALTER TABLE restoration ADD COLUMN whole INTEGER NOT NULL DEFAULT 0";

/// What checks asked and were answered, and what somebody lets pass without one.
const CHECKS: &str = "
CREATE TABLE evidence (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    workload  TEXT NOT NULL,
    side      TEXT NOT NULL,
    asked     TEXT NOT NULL,
    outcome   TEXT NOT NULL,
    said      TEXT NOT NULL,
    since     INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    took_ms   INTEGER NOT NULL,
    times     INTEGER NOT NULL,
    misses    INTEGER NOT NULL
) STRICT;
CREATE INDEX evidence_of_workload ON evidence (workload, side, asked, id);

CREATE TABLE unchecked (
    workload  TEXT PRIMARY KEY,
    at        INTEGER NOT NULL,
    by        TEXT NOT NULL,
    reason    TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

/// Schema that this evac writes.
pub(super) fn known() -> u32 {
    MIGRATIONS.len() as u32
}

/// Refuses what is not a ledger, and ledgers of a newer evac. Changes nothing.
pub(super) fn check_ours(connection: &Connection) -> Result<(), LedgerError> {
    // All in one look: another process may be making it at this moment.
    let _look = connection.unchecked_transaction()?;
    let found = version(connection)?;
    let application: i32 = connection.pragma_query_value(None, "application_id", |r| r.get(0))?;
    if application != APPLICATION_ID {
        let tables: i64 =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if application != 0 || found != 0 || tables != 0 {
            return Err(LedgerError::Foreign { path: std::path::PathBuf::new() });
        }
    }
    if found > known() {
        return Err(LedgerError::Newer { path: std::path::PathBuf::new(), found, known: known() });
    }
    Ok(())
}

/// Can it be read as it is?
pub(super) fn check_readable(connection: &Connection) -> Result<(), LedgerError> {
    check_ours(connection)?;
    let found = version(connection)?;
    if found < known() {
        return Err(LedgerError::Older { path: std::path::PathBuf::new(), found });
    }
    Ok(())
}

/// Runs the migrations that have not run yet.
pub(super) fn migrate(connection: &mut Connection, now: Timestamp) -> Result<(), LedgerError> {
    while version(connection)? < known() {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        step(&tx, now)?;
        tx.commit()?;
    }
    Ok(())
}

/// Runs the next migration; the version is read again, since another process may have been first.
fn step(tx: &Transaction<'_>, now: Timestamp) -> Result<(), LedgerError> {
    let done = version(tx)?;
    let Some(migration) = MIGRATIONS.get(done as usize) else {
        return Ok(());
    };
    tx.execute_batch(migration)?;
    if done == 0 {
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.execute(
            "INSERT INTO meta (one, site, created) VALUES (1, ?1, ?2)",
            params![new_site()?.as_bytes(), rows::millisecond(now)],
        )?;
    }
    tx.pragma_update(None, "user_version", done + 1)?;
    Ok(())
}

fn version(connection: &Connection) -> Result<u32, LedgerError> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    // A negative number is nothing evac writes: it is "newer" than all it knows.
    Ok(u32::try_from(found).unwrap_or(u32::MAX))
}

fn new_site() -> Result<SiteId, LedgerError> {
    let mut bytes = [0_u8; SiteId::LEN];
    getrandom::fill(&mut bytes).map_err(|error| {
        LedgerError::io(
            "draw a site id from",
            std::path::Path::new("the system's random numbers"),
            std::io::Error::other(error),
        )
    })?;
    Ok(SiteId(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Ledger;

    fn with_raw(change: impl Fn(&Connection)) -> Result<Ledger, LedgerError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        drop(Ledger::open(&path).unwrap());
        let connection = Connection::open(&path).unwrap();
        change(&connection);
        drop(connection);
        Ledger::open(&path)
    }

    #[test]
    fn a_newer_ledger_is_refused_and_left_alone() {
        let opened = with_raw(|raw| raw.pragma_update(None, "user_version", 999).unwrap());
        assert!(matches!(opened, Err(LedgerError::Newer { found: 999, .. })), "{opened:?}");
        let opened = with_raw(|raw| raw.pragma_update(None, "user_version", -1).unwrap());
        assert!(matches!(opened, Err(LedgerError::Newer { .. })), "{opened:?}");
    }

    #[test]
    fn what_is_no_ledger_is_refused_and_left_alone() {
        let opened = with_raw(|raw| raw.pragma_update(None, "application_id", 7).unwrap());
        assert!(matches!(opened, Err(LedgerError::Foreign { .. })), "{opened:?}");

        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("other.db");
        let raw = Connection::open(&other).unwrap();
        raw.execute_batch("CREATE TABLE precious (x)").unwrap();
        drop(raw);
        let before = std::fs::read(&other).unwrap();
        assert!(matches!(Ledger::open(&other), Err(LedgerError::Foreign { .. })));
        assert_eq!(std::fs::read(&other).unwrap(), before);

        let text = folder.path().join("text.db");
        std::fs::write(&text, "not a database at all, but long enough to look like one".repeat(20))
            .unwrap();
        assert!(Ledger::open(&text).is_err());
    }

    #[test]
    fn a_half_made_ledger_is_finished() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        std::fs::write(&path, b"").unwrap();
        let ledger = Ledger::open(&path).unwrap();
        let site = ledger.site().unwrap();
        drop(ledger);
        assert_eq!(Ledger::open(&path).unwrap().site().unwrap(), site);
    }

    #[test]
    fn an_older_ledger_is_not_read_half() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        drop(Connection::open(&path).unwrap());
        std::fs::write(&path, b"").unwrap();
        let opened = Ledger::open_read_only(&path);
        assert!(matches!(opened, Err(LedgerError::Older { found: 0, .. })), "{opened:?}");
    }
}
