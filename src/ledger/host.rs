//! Hosts: where their connections stand, their generations, what a survey found.

use rusqlite::{OptionalExtension, Transaction, params};

use crate::ledger::Ledger;
use crate::ledger::error::LedgerError;
use crate::ledger::rows::{self, Count, Word};
use crate::ledger::snapshot::HostState;
use crate::model::{Event, Generation, HostId, Reason, Timestamp};

/// Most bytes of facts about one host.
pub const FACTS_BYTES_MAX: usize = 4 << 20;

/// What a survey found on a host.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// When it looked.
    pub at: Timestamp,
    /// What it found; the survey's own form.
    pub json: serde_json::Value,
}

/// What a run is doing right now; shown while it is fresh, never relied on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pulse {
    /// What limits the run, in words.
    pub bottleneck: Option<String>,
    /// Hosts with an agent at work.
    pub hosts: Vec<HostPulse>,
}

/// What a host is doing right now.
#[derive(Debug, Clone, PartialEq)]
pub struct HostPulse {
    /// Which.
    pub host: HostId,
    /// Bulk connections in use.
    pub lanes: u32,
    /// zstd level in use.
    pub level: Option<i32>,
    /// Round-trip time, if it was measured again.
    pub rtt_ms: Option<f64>,
}

impl Ledger {
    /// A number for the next session on `host`, greater than any before; durable before it is
    /// returned.
    ///
    /// It is the time in seconds unless that is not greater than the number before: so it goes on
    /// rising when a lost ledger begins anew.
    pub fn generation(&self, host: &HostId) -> Result<Generation, LedgerError> {
        let second = self.now().as_second().max(1);
        self.write(|tx| {
            ensure(tx, host)?;
            let generation = tx.query_row(
                "UPDATE host SET generation = max(generation + 1, ?2) WHERE id = ?1
                 RETURNING generation",
                params![host.as_str(), second],
                |row| row.get::<_, Count>(0),
            )?;
            Ok(Generation(generation.0))
        })
    }

    /// Keeps what a survey found on `host`, in place of what an earlier one did.
    pub fn record_facts(
        &self,
        host: &HostId,
        facts: &serde_json::Value,
    ) -> Result<(), LedgerError> {
        let json = facts.to_string();
        if json.len() > FACTS_BYTES_MAX {
            return Err(LedgerError::TooLong { host: host.clone(), bytes: json.len() });
        }
        self.write(|tx| {
            ensure(tx, host)?;
            tx.execute(
                "INSERT INTO host_fact (host, at, json) VALUES (?1, ?2, ?3)
                 ON CONFLICT (host) DO UPDATE SET at = ?2, json = ?3",
                params![host.as_str(), rows::millisecond(self.now()), json],
            )?;
            Ok(())
        })
    }

    /// What the newest survey found on `host`.
    pub fn facts(&self, host: &HostId) -> Result<Option<Facts>, LedgerError> {
        self.read(|tx| {
            let facts = tx
                .prepare_cached("SELECT at, json FROM host_fact WHERE host = ?1")?
                .query_row([host.as_str()], |row| {
                    let json = row.get::<_, rows::Json<serde_json::Value>>(1)?.0;
                    Ok(Facts { at: rows::time(row.get(0)?), json })
                })
                .optional()?;
            Ok(facts)
        })
    }

    /// Of how many hosts a survey found something, and when the newest did: another survey, another
    /// pair.
    pub fn surveyed_at(&self) -> Result<(u64, i64), LedgerError> {
        self.read(|tx| {
            let mut statement =
                tx.prepare_cached("SELECT count(*), coalesce(max(at), 0) FROM host_fact")?;
            Ok(statement.query_row([], |row| Ok((row.get::<_, Count>(0)?.0, row.get(1)?)))?)
        })
    }

    /// Tells readers what the run is doing right now. Hosts that are not named do nothing.
    pub fn record_pulse(&self, pulse: &Pulse) -> Result<(), LedgerError> {
        self.write(|tx| {
            tx.execute(
                "UPDATE meta SET bottleneck = ?1, pulse_at = ?2",
                params![pulse.bottleneck, rows::millisecond(self.now())],
            )?;
            tx.execute("UPDATE host SET lanes = 0, level = NULL WHERE lanes != 0", [])?;
            for host in &pulse.hosts {
                ensure(tx, &host.host)?;
                tx.prepare_cached(
                    "UPDATE host SET lanes = ?2, level = ?3, rtt_ms = coalesce(?4, rtt_ms)
                     WHERE id = ?1",
                )?
                .execute(params![
                    host.host.as_str(),
                    host.lanes,
                    host.level,
                    host.rtt_ms
                ])?;
            }
            Ok(())
        })
    }
}

/// Makes sure there is a row for `host`.
pub(super) fn ensure(tx: &Transaction<'_>, host: &HostId) -> Result<(), LedgerError> {
    tx.prepare_cached("INSERT INTO host (id) VALUES (?1) ON CONFLICT DO NOTHING")?
        .execute([host.as_str()])?;
    Ok(())
}

/// Moves the host that `event` is about. A failure stands until the host answers again.
pub(super) fn apply(tx: &Transaction<'_>, event: &Event, at: Timestamp) -> Result<(), LedgerError> {
    match event {
        Event::RunStarted { .. } => {
            // What an earlier run left when it was killed.
            tx.execute("UPDATE host SET state = 'idle' WHERE state IN ('dialling', 'active')", [])?;
        }
        Event::HostDialled { host } => set(tx, host, HostState::Dialling)?,
        Event::HostReady { host, rtt_ms, agent_bytes } => {
            set(tx, host, HostState::Active)?;
            tx.prepare_cached(
                "UPDATE host SET rtt_ms = ?2, agent_bytes = agent_bytes + ?3,
                     reason = NULL, detail = NULL, since = NULL WHERE id = ?1",
            )?
            .execute(params![host.as_str(), rtt_ms, Count(agent_bytes.0)])?;
        }
        Event::HostFailed { host, reason, detail, .. } => fail(tx, host, *reason, detail, at)?,
        Event::HostDone { host } => {
            // Put off because it failed: the failure stands.
            tx.prepare_cached("UPDATE host SET state = ?2 WHERE id = ?1 AND state != ?3")?
                .execute(params![host.as_str(), Word(HostState::Done), Word(HostState::Failed)])?;
        }
        _ => {}
    }
    Ok(())
}

fn set(tx: &Transaction<'_>, host: &HostId, state: HostState) -> Result<(), LedgerError> {
    ensure(tx, host)?;
    tx.prepare_cached("UPDATE host SET state = ?2 WHERE id = ?1")?
        .execute(params![host.as_str(), Word(state)])?;
    Ok(())
}

/// `since` is when this reason began, however often it was met again.
fn fail(
    tx: &Transaction<'_>,
    host: &HostId,
    reason: Reason,
    detail: &str,
    at: Timestamp,
) -> Result<(), LedgerError> {
    set(tx, host, HostState::Failed)?;
    tx.prepare_cached(
        "UPDATE host SET since = CASE WHEN reason IS ?2 THEN since ELSE ?4 END,
             reason = ?2, detail = ?3 WHERE id = ?1",
    )?
    .execute(params![host.as_str(), Word(reason), detail, rows::millisecond(at)])?;
    Ok(())
}
