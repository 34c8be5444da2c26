//! Which call a destination gets next, and what its answer means. Pure: rows, call times and a
//! clock in, one step out.
//!
//! **Promises.**
//! - Posts go in their order, one call each; while one may yet be accepted, no later one leaves.
//! - What may have been accepted already is looked up over there before it is said again, where
//!   the destination can be asked.
//! - At most so many calls in any 60 seconds, look-ups included.
//! - What failed for now is tried again after a pause that doubles up to 20 s, with jitter, or
//!   when the destination says; the whole destination is left alone meanwhile. What was refused is
//!   told, and tried again now and then, since people mend tokens and pages.
//! - A clock that is turned back delays nothing.
//! - States travel together: a call that broke is tried again as it was, so that one lost answer
//!   does not become a call for each component. Where the fault is one component's, halves find it.
//! - States that fill no call wait for each other a moment: half the calls of a minute are left
//!   for posts.

use std::time::Duration;

use crate::ledger::outbox::{OutboxRow, RowKind, RowState};
use crate::model::Timestamp;

/// The first pause after a failure.
const PAUSE_MIN_MS: u64 = 2_000;
/// The longest.
const PAUSE_MAX_MS: u64 = 20_000;
/// A call of a process that died, or that nobody waited for any longer, may still be on its way for
/// so long: whoever looks then sees what came of it.
const UNDER_WAY: Duration = Duration::from_secs(5);
/// No destination's `Retry-After` is obeyed for longer.
const BUSY_MAX: Duration = Duration::from_secs(3_600);
/// Between two tries of what was refused.
const REFUSED_PAUSE: Duration = Duration::from_secs(600);
const MINUTE_MS: i64 = 60_000;
/// Longer ago than anything is counted.
const LONG_AGO_MS: i64 = 24 * 60 * MINUTE_MS;
/// Every so many failures of the same states only half of them go.
const WHOLE_TRIES: u32 = 4;

/// What a destination can be told, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Does {
    /// Posts?
    pub posts: bool,
    /// States of components?
    pub states: bool,
    /// The whole page?
    pub page: bool,
    /// So many states in one call.
    pub batch: usize,
    /// Can it be asked whether it has a post?
    pub looks: bool,
    /// Does it show a post twice that is told twice, and nobody can ask it?
    pub doubles: bool,
    /// Can it take states only once a post stands there?
    pub post_first: bool,
    /// Calls in any minute.
    pub calls_a_minute: usize,
}

impl Does {
    /// What each kind begins with.
    pub const NOTHING: Self = Self {
        posts: false,
        states: false,
        page: false,
        batch: 1,
        looks: false,
        doubles: false,
        post_first: false,
        calls_a_minute: 600,
    };
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It stands there, under this id.
    Accepted { remote: Option<String> },
    /// Not now.
    Busy { after: Option<Duration>, said: String },
    /// It never got there.
    NotSent { said: String },
    /// It may have been accepted.
    Unsure { said: String },
    /// It was not accepted, and will not be as it is.
    Refused { said: String },
    /// The same, because of something in it.
    Invalid { said: String },
}

/// What to do for one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Say these in one call.
    Send { rows: Vec<OutboxRow>, look_first: bool },
    /// Nothing before then.
    WaitUntil(Timestamp),
    /// Everything is said.
    Idle,
}

/// The next step for the destination that all `rows` belong to.
pub fn next(rows: &[OutboxRow], does: &Does, calls: &[Timestamp], now: Timestamp) -> Step {
    let mended = turned_back(rows, calls, now, BUSY_MAX);
    let (rows, calls) = mended.as_ref().map_or((rows, calls), |(rows, calls)| (rows, calls));
    let open: Vec<&OutboxRow> = rows.iter().filter(|row| row.state != RowState::Sent).collect();
    if open.is_empty() {
        return Step::Idle;
    }
    let step = choose(rows, &open, does, (calls, now));
    match (&step, free_at(calls, does.calls_a_minute, now)) {
        (Step::Send { .. }, Some(at)) => Step::WaitUntil(at),
        _ => step,
    }
}

fn choose(
    rows: &[OutboxRow],
    open: &[&OutboxRow],
    does: &Does,
    (calls, now): (&[Timestamp], Timestamp),
) -> Step {
    let failing = open.iter().filter(|row| row.attempts > 0 && row.state != RowState::Refused);
    if let Some(quiet) = failing.map(|row| row.next_at).max().filter(|at| *at > now) {
        return Step::WaitUntil(quiet);
    }
    let has_post = rows.iter().any(|row| row.kind == RowKind::Post && row.remote.is_some());
    let mut posts: Vec<_> = open.iter().filter(|row| row.kind == RowKind::Post).collect();
    posts.sort_by_key(|row| row.number);
    let refused = |row: &OutboxRow| row.state == RowState::Refused && row.next_at > now;
    if let Some(post) = posts.into_iter().find(|row| !refused(row)) {
        if post.next_at > now {
            return Step::WaitUntil(post.next_at);
        }
        let look_first = does.looks && (post.state != RowState::Waiting || !has_post);
        return Step::Send { rows: vec![(**post).clone()], look_first };
    }
    let is_blocked = does.post_first && !has_post;
    let rest: Vec<_> =
        open.iter().filter(|row| row.kind != RowKind::Post && !is_blocked).copied().collect();
    let due: Vec<_> = rest.iter().filter(|row| row.next_at <= now).copied().collect();
    if due.is_empty() {
        return rest.iter().map(|row| row.next_at).min().map_or(Step::Idle, Step::WaitUntil);
    }
    together(due, does, calls.iter().max(), now)
}

/// The states, or the page, that go next.
fn together(
    mut due: Vec<&OutboxRow>,
    does: &Does,
    last_call: Option<&Timestamp>,
    now: Timestamp,
) -> Step {
    let is_suspect = |row: &OutboxRow| row.state == RowState::Refused;
    due.sort_by_key(|row| (is_suspect(row), row.attempts, row.wanted_at));
    let first = due[0];
    let alike = |row: &&OutboxRow| {
        let is_equal = row.kind == first.kind && is_suspect(row) == is_suspect(first);
        is_equal && (row.attempts == first.attempts || !is_suspect(first))
    };
    let company: Vec<_> = due.into_iter().filter(alike).collect();
    let whole = if first.kind == RowKind::Page { 1 } else { does.batch.max(1) };
    let whole = whole.min(company.len());
    let count = (whole >> halvings(first).min(usize::BITS - 1)).max(1);
    let pause = 2 * MINUTE_MS.unsigned_abs() / does.calls_a_minute.max(1) as u64;
    let may_grow = first.state == RowState::Waiting && first.attempts == 0;
    let gathered = last_call.map(|last| at(*last, Duration::from_millis(pause)));
    if let Some(gathered) = gathered.filter(|gathered| *gathered > now)
        && may_grow
        && count < does.batch
    {
        return Step::WaitUntil(gathered);
    }
    Step::Send { rows: company.into_iter().take(count).cloned().collect(), look_first: false }
}

/// How often the rows that go with `first` were halved.
fn halvings(first: &OutboxRow) -> u32 {
    match first.state {
        RowState::Refused => first.attempts,
        _ if first.attempts % WHOLE_TRIES == WHOLE_TRIES - 1 => first.attempts / WHOLE_TRIES + 1,
        _ => 0,
    }
}

/// When the next call may leave; `None`: now.
pub fn free_at(calls: &[Timestamp], a_minute: usize, now: Timestamp) -> Option<Timestamp> {
    let mut recent: Vec<i64> =
        calls.iter().map(|at| ms(*at)).filter(|at| *at > ms(now) - MINUTE_MS).collect();
    recent.sort_unstable();
    let over = (recent.len() + 1).checked_sub(a_minute.max(1)).filter(|over| *over > 0)?;
    of_ms(recent[over - 1] + MINUTE_MS + 1)
}

/// Rows of a call that begins now. A post has time to arrive, should nobody hear its answer.
pub fn begun(rows: Vec<OutboxRow>, now: Timestamp) -> Vec<OutboxRow> {
    let begin = |row: OutboxRow| OutboxRow {
        calling: Some(row.wanted.clone()),
        state: RowState::Calling,
        next_at: if row.kind == RowKind::Post { at(now, UNDER_WAY) } else { row.next_at },
        ..row
    };
    rows.into_iter().map(begin).collect()
}

/// What an answer makes of the rows of its call. `dice` is any number.
pub fn answered(
    rows: Vec<OutboxRow>,
    answer: &Answer,
    now: Timestamp,
    dice: u64,
) -> Vec<OutboxRow> {
    let is_alone = rows.len() == 1;
    rows.into_iter().map(|row| settle(row, answer, is_alone, (now, dice))).collect()
}

fn settle(
    row: OutboxRow,
    answer: &Answer,
    is_alone: bool,
    (now, dice): (Timestamp, u64),
) -> OutboxRow {
    let attempts = row.attempts.saturating_add(1);
    let pause = Duration::from_millis(pause_ms(attempts, dice));
    let told = |said: &String| Some(crate::model::text::bounded(said, 300));
    match answer {
        Answer::Accepted { remote } => OutboxRow {
            shown: row.calling.clone(),
            calling: None,
            state: RowState::Sent,
            attempts: 0,
            next_at: now,
            sent_at: Some(now),
            answer: None,
            remote: remote.clone().or(row.remote),
            ..row
        },
        Answer::Busy { after, said } => {
            let after = after.unwrap_or_default().min(BUSY_MAX).max(pause);
            let (state, next_at) = (RowState::Waiting, at(now, after));
            OutboxRow { calling: None, state, attempts, next_at, answer: told(said), ..row }
        }
        Answer::NotSent { said } => {
            let (state, next_at) = (RowState::Waiting, at(now, pause));
            OutboxRow { calling: None, state, attempts, next_at, answer: told(said), ..row }
        }
        Answer::Unsure { said } => {
            let (state, next_at) = (RowState::Calling, at(now, pause));
            OutboxRow { state, attempts, next_at, answer: told(said), ..row }
        }
        Answer::Invalid { said } if !is_alone => {
            // Half of them at once, to find whose fault it is.
            let (state, next_at) = (RowState::Refused, now);
            OutboxRow { calling: None, state, attempts, next_at, answer: told(said), ..row }
        }
        Answer::Refused { said } | Answer::Invalid { said } => {
            let (state, next_at, attempts) = (RowState::Refused, at(now, REFUSED_PAUSE), 0);
            OutboxRow { calling: None, state, attempts, next_at, answer: told(said), ..row }
        }
    }
}

/// Doubles up to [`PAUSE_MAX_MS`]; the upper half of it is left to chance.
fn pause_ms(attempts: u32, dice: u64) -> u64 {
    let whole = (PAUSE_MIN_MS << attempts.saturating_sub(1).min(10)).min(PAUSE_MAX_MS);
    whole / 2 + dice % (whole / 2 + 1)
}

/// Rows and calls without what cannot be, if there is any: what happened does not lie ahead, and
/// nothing waits for longer than `waits_max`. Where it seems to, the clock was turned back since:
/// such a wait is over, and what happened did so long ago. Nobody waits for the day to come round
/// again. A minute makes no difference.
pub(in crate::publish) fn turned_back(
    rows: &[OutboxRow],
    calls: &[Timestamp],
    now: Timestamp,
    waits_max: Duration,
) -> Option<(Vec<OutboxRow>, Vec<Timestamp>)> {
    let is_ahead = |at: Timestamp| ms(at) > ms(now) + MINUTE_MS;
    let is_endless = |row: &OutboxRow| row.next_at > at(now, waits_max);
    let is_odd = |row: &OutboxRow| {
        is_endless(row) || is_ahead(row.wanted_at) || row.sent_at.is_some_and(is_ahead)
    };
    if !rows.iter().any(is_odd) && !calls.iter().any(|at| is_ahead(*at)) {
        return None;
    }
    let long_ago = of_ms(ms(now) - LONG_AGO_MS).unwrap_or(now);
    let happened = |at: Timestamp| if is_ahead(at) { long_ago } else { at };
    let row = |row: &OutboxRow| OutboxRow {
        wanted_at: happened(row.wanted_at),
        next_at: if is_endless(row) { now } else { row.next_at },
        sent_at: row.sent_at.map(happened),
        ..row.clone()
    };
    let calls = calls.iter().copied().filter(|at| !is_ahead(*at)).collect();
    Some((rows.iter().map(row).collect(), calls))
}

fn ms(at: Timestamp) -> i64 {
    at.as_jiff().as_millisecond()
}

fn at(now: Timestamp, after: Duration) -> Timestamp {
    let after = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
    of_ms(ms(now).saturating_add(after)).unwrap_or(now)
}

fn of_ms(ms: i64) -> Option<Timestamp> {
    jiff::Timestamp::from_millisecond(ms).ok().map(Timestamp::new)
}
