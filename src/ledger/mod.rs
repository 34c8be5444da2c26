//! SQLite: what happened. The ledger alone decides what is done.
//!
//! **Invariants.**
//! - A receipt is written last: packs, index and manifest are durable before it (promise 1). All
//!   receipts of one group commit are one transaction, so a crash keeps all of them or none.
//! - Where a workload stands is a pure fold of the stored events ([`state`]); `check` folds them
//!   again and compares.
//! - Every method that writes has made it durable when it returns (`synchronous=FULL`).
//! - No secret is in here (promise 9): ids, sizes, counts, times, paths and bounded text.
//!
//! All SQL of evac lives in this module; nothing else knows that the ledger is SQLite.
//!
//! **Who writes what.** A run hands every event to [`Ledger::append`]. Facts that need more than
//! the event says have methods of their own, which also write the event: [`Ledger::begin_pass`],
//! [`Ledger::commit_receipts`], [`Ledger::seal`], [`Ledger::restore_begin`],
//! [`Ledger::restore_done`]. `append` leaves those events alone, so nothing is counted twice.
//!
//! **Readers and the writer.** One process writes (see [`lock`]), through one connection. Readers
//! open connections of their own with [`Ledger::open_read_only`]; in WAL mode neither waits for
//! the other. Writers begin with `BEGIN IMMEDIATE` under a busy timeout, so that no transaction
//! finds out half-way that it has to give up.

mod backup;
mod error;
mod event;
pub mod evidence;
mod filesystem;
pub mod find;
mod fold;
mod host;
mod left;
pub mod links;
pub mod lock;
mod look;
pub mod lookup;
pub mod mail;
mod mirror;
pub mod outbox;
mod pace;
mod pass;
mod place;
mod post;
mod rebuild;
mod receipt;
mod restoration;
mod rows;
mod say;
mod schema;
pub mod snapshot;
pub mod state;
mod steering;
mod stranded;
pub mod view;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use crate::model::{Clock, SiteId, SystemClock, Timestamp};

pub use error::{DatabaseError, LedgerError};
pub use event::StoredEvent;
pub use evidence::{Answered, Evidence, Outcome, Side, Unchecked};
pub use find::{Fit, Found, find};
pub use host::{FACTS_BYTES_MAX, Facts, HostPulse, Pulse};
pub use links::LinkTable;
pub use lock::{LockError, StateLock};
pub use lookup::Lookup;
pub use pass::{
    LEFT_OUT_MAX, LeftOut, LeftOutList, OpenPass, Pass, PassDescription, PassSpan, Receipt,
};
pub use place::Place;
pub use rebuild::{RebuiltPass, Sealing};
pub use restoration::{Restoration, RestorationState};
pub use say::{Say, say, to_anyone};
pub use snapshot::Snapshot;
pub use state::{Illegal, WorkloadState};
pub use steering::{Steering, ToldWindow};
pub use view::FleetView;

/// How long a statement waits for another process before it gives up: longer than any backup or
/// checkpoint takes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long an opener waits before it tries anew what SQLite itself does not wait for.
const BUSY_PAUSE: Duration = Duration::from_millis(10);
/// The write-ahead log is cut back to this after a checkpoint.
const WAL_BYTES_MAX: i64 = 64 << 20;

/// The ledger of one site.
pub struct Ledger {
    connection: Mutex<Connection>,
    clock: Arc<dyn Clock>,
    /// Empty for a ledger in memory.
    path: PathBuf,
    read_only: bool,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger")
            .field("path", &self.path)
            .field("read_only", &self.read_only)
            .finish()
    }
}

impl Ledger {
    /// Opens the ledger at `path` for writing, or makes a new one; brings older schemas up to
    /// date. The caller holds the [`StateLock`].
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        filesystem::refuse_network(path.parent().unwrap_or(Path::new("/")))?;
        let is_new = !path.exists();
        let connection = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )
        .map_err(|source| LedgerError::database(path, source))?;
        let mut ledger = Self::over(connection, path.to_owned(), false);
        ledger.prepare().map_err(|error| error.at(path))?;
        if is_new {
            backup::sync_directory_of(path)?;
        }
        Ok(ledger)
    }

    /// Opens the ledger at `path` for reading, beside whoever writes it.
    pub fn open_read_only(path: &Path) -> Result<Self, LedgerError> {
        match Self::open_in_place(path) {
            Err(LedgerError::Database { .. }) if stranded::is_stranded(path) => {
                stranded::open(path)
            }
            opened => opened,
        }
    }

    fn open_in_place(path: &Path) -> Result<Self, LedgerError> {
        let connection = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )
        .map_err(|source| LedgerError::database(path, source))?;
        let ledger = Self::over(connection, path.to_owned(), true);
        {
            let connection = ledger.lock();
            connection.busy_timeout(BUSY_TIMEOUT)?;
            schema::check_readable(&connection)
        }
        .map_err(|error| error.at(path))?;
        Ok(ledger)
    }

    /// A ledger that lives as long as this value.
    pub fn in_memory() -> Result<Self, LedgerError> {
        let mut ledger = Self::over(Connection::open_in_memory()?, PathBuf::new(), false);
        ledger.prepare()?;
        Ok(ledger)
    }

    /// Takes the times it writes from `clock` instead of the machine's.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The site this ledger belongs to.
    pub fn site(&self) -> Result<SiteId, LedgerError> {
        self.read(|tx| {
            let bytes: [u8; SiteId::LEN] =
                tx.query_row("SELECT site FROM meta", [], |row| row.get(0))?;
            Ok(SiteId(bytes))
        })
    }

    /// When this ledger was made.
    pub fn created(&self) -> Result<Timestamp, LedgerError> {
        self.read(|tx| {
            let at = tx.query_row("SELECT created FROM meta", [], |row| row.get(0))?;
            Ok(rows::time(at))
        })
    }

    fn over(connection: Connection, path: PathBuf, read_only: bool) -> Self {
        let clock = Arc::new(SystemClock::default());
        Self { connection: Mutex::new(connection), clock, path, read_only }
    }

    fn prepare(&mut self) -> Result<(), LedgerError> {
        let now = self.clock.now();
        let connection = self.connection.get_mut().unwrap_or_else(PoisonError::into_inner);
        connection.busy_timeout(BUSY_TIMEOUT)?;
        schema::check_ours(connection)?;
        write_ahead(connection)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "journal_size_limit", WAL_BYTES_MAX)?;
        connection.set_prepared_statement_cache_capacity(64);
        schema::migrate(connection, now)
    }

    /// A panic elsewhere while the connection was held left at most a transaction behind, which
    /// was rolled back when it was dropped.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// One transaction that writes; durable when this returns `Ok`.
    fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        if self.read_only {
            return Err(LedgerError::ReadOnly { path: self.path.clone() });
        }
        let mut connection = self.lock();
        let transact = || {
            let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&tx)?;
            tx.commit()?;
            Ok(done)
        };
        transact().map_err(|error: LedgerError| error.at(&self.path))
    }

    /// One consistent look.
    fn read<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let mut connection = self.lock();
        let look = || work(&connection.transaction()?);
        look().map_err(|error: LedgerError| error.at(&self.path))
    }
}

/// Switches to a write-ahead log, which readers and writers need not wait for one another with.
///
/// Of several that open a new ledger at once, all hold the file for reading and want it for
/// themselves: SQLite then refuses at once, whatever the timeout, since they would wait for one
/// another forever. Whoever tries again finds it done.
fn write_ahead(connection: &Connection) -> Result<(), rusqlite::Error> {
    let mut waited = Duration::ZERO;
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && waited < BUSY_TIMEOUT =>
            {
                std::thread::sleep(BUSY_PAUSE);
                waited += BUSY_PAUSE;
            }
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests;
