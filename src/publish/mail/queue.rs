//! Which mail leaves next, and what an answer makes of its row. Pure: rows, times and a clock in,
//! one step out.
//!
//! A mail waits until what it says has been true for a while (`settle`), its customer has had no
//! more than his share of the hour, and the relay's minute has room. A relay that fails keeps all
//! mails back; a mailbox that says "later" only its own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::inventory::settings_mail::{Mail, Moment};
use crate::ledger::outbox::{OutboxRow, RowState};
use crate::model::{CustomerId, Timestamp};
use crate::publish::mail::letter::Letter;
use crate::publish::outbox::{free_at, turned_back};

/// What may have been accepted is sent once more after this.
const UNSURE_PAUSE: Duration = Duration::from_secs(15 * 60);
/// So often something is sent of which nobody knows whether it was accepted.
const UNSURE_MAX: u32 = 2;
/// Pauses after "later" double from the first to the second.
const LATER_PAUSE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(30 * 60));
/// After so many, some six hours, the next contact is tried.
const LATER_MAX: u32 = 16;
/// Pauses after the relay itself failed.
const RELAY_PAUSE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(5 * 60));
const HOUR: Duration = Duration::from_secs(3_600);
const SAID_CHARS_MAX: usize = 300;
/// Marks a row that waits because the relay failed, not because of its mailbox.
const RELAY: &str = "relay";

/// What came of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It was taken, in these words.
    Accepted { said: String },
    /// This mailbox takes it later.
    Later { said: String },
    /// This mailbox does not take it.
    Refused { said: String },
    /// The relay cannot be talked to, or takes nothing from us; nothing was sent.
    NoRelay { said: String },
    /// It may have been taken.
    Unsure { said: String },
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Send this one.
    Send(Box<OutboxRow>, Box<Letter>),
    /// Nothing before then.
    WaitUntil(Timestamp),
    /// Nothing is left.
    Idle,
}

/// The next step; `stands` are the subjects of what is true now.
pub fn next(
    rows: &[OutboxRow],
    stands: &BTreeSet<String>,
    mail: &Mail,
    calls: &[Timestamp],
    now: Timestamp,
) -> Step {
    let mended = turned_back(rows, calls, now, LATER_PAUSE.1);
    let (rows, calls) = mended.as_ref().map_or((rows, calls), |(rows, calls)| (rows, calls));
    let mut due: Vec<(Timestamp, &OutboxRow, Letter)> = Vec::new();
    let shares = shares(rows, now);
    for row in rows.iter().filter(|row| stands.contains(&row.subject) && is_open(row)) {
        let Ok(letter) = serde_json::from_str::<Letter>(&row.wanted) else { continue };
        let full = shares.get(&letter.customer).filter(|it| it.len() >= mail.hourly as usize);
        let room = full.map(|sent| sent[sent.len() - mail.hourly as usize].plus(HOUR));
        // A person's word is true at once.
        let settles = if letter.moment == Moment::AtRisk { Duration::ZERO } else { mail.settle.0 };
        let settled = row.wanted_at.plus(settles);
        let at = row.next_at.max(settled).max(room.unwrap_or(settled));
        due.push((at, row, letter));
    }
    // What was failed on before goes behind what was never tried.
    due.sort_by_key(|(at, row, _)| (*at > now, row.attempts, *at));
    let failing = |row: &&OutboxRow| row.remote.as_deref() == Some(RELAY) && is_open(row);
    let quiet = rows.iter().filter(failing).map(|row| row.next_at).max();
    let Some((at, row, letter)) = due.into_iter().next() else { return Step::Idle };
    let at = quiet.map_or(at, |quiet| at.max(quiet));
    if at > now {
        return Step::WaitUntil(at);
    }
    match free_at(calls, mail.rate as usize, now) {
        Some(at) => Step::WaitUntil(at),
        None => Step::Send(Box::new(row.clone()), Box::new(letter)),
    }
}

/// Is it still to be sent?
pub fn is_open(row: &OutboxRow) -> bool {
    match row.state {
        RowState::Waiting => true,
        RowState::Calling => row.attempts < UNSURE_MAX,
        RowState::Sent | RowState::Refused => false,
    }
}

/// When mails of the last hour left, by customer.
fn shares(rows: &[OutboxRow], now: Timestamp) -> BTreeMap<CustomerId, Vec<Timestamp>> {
    let mut shares: BTreeMap<CustomerId, Vec<Timestamp>> = BTreeMap::new();
    for row in rows {
        let Some(at) = row.sent_at.filter(|at| now.since(*at) < HOUR) else { continue };
        let said = row.shown.as_deref().unwrap_or(&row.wanted);
        if let Ok(letter) = serde_json::from_str::<Letter>(said) {
            shares.entry(letter.customer).or_default().push(at);
        }
    }
    for times in shares.values_mut() {
        times.sort_unstable();
    }
    shares
}

/// A row that is about to leave: whoever dies now leaves it as one that may have been accepted.
pub fn begun(row: OutboxRow, now: Timestamp) -> OutboxRow {
    let attempts = match row.state {
        RowState::Calling => row.attempts + 1,
        _ => 1,
    };
    OutboxRow {
        calling: Some(row.wanted.clone()),
        state: RowState::Calling,
        attempts,
        next_at: now.plus(UNSURE_PAUSE),
        answer: Some("it was being sent when evac was ended".to_owned()),
        remote: None,
        ..row
    }
}

/// What becomes of `row`, which was as `before` when it left. `dice` is any number.
pub fn answered(
    row: OutboxRow,
    before: &OutboxRow,
    verdict: &Verdict,
    now: Timestamp,
    dice: u64,
) -> OutboxRow {
    let told = |said: &str| Some(crate::model::text::bounded(said, SAID_CHARS_MAX));
    // What was unsure before stays so, unless the copy is answered with a yes or a no.
    let was_unsure = before.state == RowState::Calling;
    let attempts = if was_unsure { 1 } else { before.attempts.saturating_add(1) };
    let waiting = |said: &str, pauses, remote: Option<&str>| OutboxRow {
        state: if was_unsure { RowState::Calling } else { RowState::Waiting },
        calling: before.calling.clone(),
        attempts,
        next_at: now.plus(pause(pauses, attempts, dice)),
        answer: told(said),
        remote: remote.map(str::to_owned),
        ..row.clone()
    };
    match verdict {
        Verdict::Accepted { said } => OutboxRow {
            shown: row.calling.clone(),
            calling: None,
            state: RowState::Sent,
            attempts: 0,
            sent_at: Some(now),
            answer: None,
            remote: told(said),
            ..row
        },
        Verdict::Unsure { said } => OutboxRow { answer: told(said), ..row },
        Verdict::NoRelay { said } => waiting(said, RELAY_PAUSE, Some(RELAY)),
        Verdict::Later { said } if was_unsure || attempts < LATER_MAX => {
            waiting(said, LATER_PAUSE, None)
        }
        Verdict::Later { said } | Verdict::Refused { said } => OutboxRow {
            calling: None,
            state: RowState::Refused,
            attempts,
            answer: told(said),
            remote: None,
            ..row
        },
    }
}

/// Doubles from the first pause to the second; the upper half of it is left to chance.
fn pause((first, last): (Duration, Duration), attempts: u32, dice: u64) -> Duration {
    let doubled = first.saturating_mul(1 << attempts.saturating_sub(1).min(16)).min(last);
    let half = doubled.as_millis() as u64 / 2;
    Duration::from_millis(half + dice % (half + 1))
}
