//! What mails need to know beyond the outbox: mailboxes that they came back from, and customers of
//! whom a person said that their data may not get out.

use std::collections::BTreeMap;

use rusqlite::params;
use serde::Serialize;

use crate::ledger::Ledger;
use crate::ledger::error::LedgerError;
use crate::ledger::rows;
use crate::model::{CustomerId, Timestamp};

pub(super) const TABLES: &str = "
CREATE TABLE mail_bounce (
    address  TEXT PRIMARY KEY,
    at       INTEGER NOT NULL,
    status   TEXT NOT NULL,
    said     TEXT NOT NULL,
    subject  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE mail_at_risk (
    customer  TEXT PRIMARY KEY,
    at        INTEGER NOT NULL,
    by        TEXT NOT NULL,
    words     TEXT
) STRICT, WITHOUT ROWID;
";

/// A mailbox that a mail came back from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bounce {
    /// In lower case.
    pub address: String,
    /// When evac was told.
    pub at: Timestamp,
    /// `5.1.1`, as RFC 3463 has it.
    pub status: String,
    /// What the server said, bounded.
    pub said: String,
    /// The row of the outbox.
    pub subject: String,
}

/// That a customer's data may not get out, by a person's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtRisk {
    pub at: Timestamp,
    pub by: String,
    /// What he is told beside the usual.
    pub words: Option<String>,
}

impl Ledger {
    /// Keeps what came back; the newest of each mailbox.
    pub fn add_bounces(&self, bounces: &[Bounce]) -> Result<(), LedgerError> {
        self.write(|tx| {
            for it in bounces {
                tx.execute(
                    "INSERT INTO mail_bounce (address, at, status, said, subject)
                     VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (address) DO UPDATE SET at = ?2, status = ?3, said = ?4,
                         subject = ?5",
                    params![it.address, rows::millisecond(it.at), it.status, it.said, it.subject],
                )?;
            }
            Ok(())
        })
    }

    /// Writes to that mailbox again; `false` when nothing came back from it.
    pub fn forget_bounce(&self, address: &str) -> Result<bool, LedgerError> {
        let forget = "DELETE FROM mail_bounce WHERE address = ?1";
        self.write(|tx| Ok(tx.execute(forget, [address])? > 0))
    }

    /// Mailboxes that mails came back from.
    pub fn bounces(&self) -> Result<Vec<Bounce>, LedgerError> {
        self.read(|tx| {
            let all = "SELECT address, at, status, said, subject FROM mail_bounce ORDER BY address";
            let mut statement = tx.prepare_cached(all)?;
            let mut found = statement.query([])?;
            let mut bounces = Vec::new();
            while let Some(row) = found.next()? {
                bounces.push(Bounce {
                    address: row.get(0)?,
                    at: rows::time(row.get(1)?),
                    status: row.get(2)?,
                    said: row.get(3)?,
                    subject: row.get(4)?,
                });
            }
            Ok(bounces)
        })
    }

    /// A person says that the data of these may not get out.
    pub fn at_risk(
        &self,
        customers: &[CustomerId],
        by: &str,
        words: Option<&str>,
    ) -> Result<(), LedgerError> {
        let now = rows::millisecond(self.now());
        self.write(|tx| {
            for customer in customers {
                tx.execute(
                    "INSERT INTO mail_at_risk (customer, at, by, words) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (customer) DO UPDATE SET at = ?2, by = ?3, words = ?4",
                    params![customer.as_str(), now, by, words],
                )?;
            }
            Ok(())
        })
    }

    /// The person was wrong, or it is not so any more.
    pub fn not_at_risk(&self, customers: &[CustomerId]) -> Result<(), LedgerError> {
        self.write(|tx| {
            for customer in customers {
                let forget = "DELETE FROM mail_at_risk WHERE customer = ?1";
                tx.execute(forget, [customer.as_str()])?;
            }
            Ok(())
        })
    }

    /// Of whom a person said so.
    pub fn all_at_risk(&self) -> Result<BTreeMap<CustomerId, AtRisk>, LedgerError> {
        self.read(|tx| {
            let all = "SELECT customer, at, by, words FROM mail_at_risk";
            let mut statement = tx.prepare_cached(all)?;
            let mut found = statement.query([])?;
            let mut customers = BTreeMap::new();
            while let Some(row) = found.next()? {
                let at = rows::time(row.get(1)?);
                let it = AtRisk { at, by: row.get(2)?, words: row.get(3)? };
                customers.insert(rows::word(row, "customer")?, it);
            }
            Ok(customers)
        })
    }

    /// Opens again what servers refused, of these customers: contacts were mended.
    pub fn unrefuse(&self, destination: &str, subjects: &[String]) -> Result<usize, LedgerError> {
        let now = rows::millisecond(self.now());
        self.write(|tx| {
            let mut opened = 0;
            for subject in subjects {
                opened += tx.execute(
                    "DELETE FROM outbox WHERE destination = ?1 AND subject = ?2
                     AND state = 'refused' AND wanted_at <= ?3",
                    params![destination, subject, now],
                )?;
            }
            Ok(opened)
        })
    }
}
