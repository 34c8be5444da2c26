//! What each destination shall be told, from what is public now. Pure.
//!
//! A destination that was never told anything begins with the posts of the last hour, or the
//! newest one: a chat is not flooded with a night's history. Who is held back has no state.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::inventory::settings_publish as settings;
use crate::ledger::outbox::{OutboxRow, RowKind, RowState, Wanted};
use crate::ledger::snapshot::{CustomerStatus, Hold, Snapshot};
use crate::model::{PublicWord, Timestamp};
use crate::publish::outbox::Does;
use crate::publish::to::{Content, Standing, StateOf, Words};
use crate::publish::{Language, Update};

/// How far back a new destination is told.
const NEW_LOOKS_BACK: Duration = Duration::from_secs(3_600);

/// A page is put there anew after this, though nothing changed but the time.
const PAGE_KEEPS: Duration = Duration::from_secs(300);

/// A picture may be older than what was sent meanwhile, but not by so much.
const TURNED_BACK: Duration = Duration::from_secs(120);

/// What is public now.
#[derive(Debug, Clone, Copy)]
pub struct Public<'a> {
    pub updates: &'a [Update],
    pub snapshot: &'a Snapshot,
    /// Of the page without its time.
    pub page_hash: &'a str,
    /// The site's languages, its own first.
    pub languages: &'a [Language],
}

/// What `to` shall be told; `rows` is what it was told, or will be.
pub fn wanted(
    to: &settings::Destination,
    does: &Does,
    beat: Option<Duration>,
    rows: &[OutboxRow],
    public: &Public<'_>,
) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    let want = |subject: String, kind, content: &Content, again| Wanted {
        destination: to.id.clone(),
        subject,
        kind,
        content: serde_json::to_string(content).expect("contents have string keys"),
        again,
    };
    if does.posts {
        for update in due(rows, public) {
            let Some(words) = words(update, to, public.languages) else { continue };
            wanted.push(want(update.id.clone(), RowKind::Post, &Content::Post(words), false));
        }
    }
    if does.states {
        let now = public.snapshot.as_of;
        for (what, component) in &to.components {
            let Some(standing) = standing(what, public.snapshot) else { continue };
            let subject = format!("component/{component}");
            let is_old = |row: &OutboxRow| {
                let sent = row.sent_at.filter(|_| row.state == RowState::Sent);
                beat.zip(sent).is_some_and(|(beat, sent)| is_past(sent, beat, now))
            };
            let again = rows.iter().any(|row| row.subject == subject && is_old(row));
            let content = Content::State(StateOf { component: component.clone(), standing });
            wanted.push(want(subject, RowKind::State, &content, again));
        }
    }
    if does.page {
        let content = Content::Page { hash: public.page_hash.to_owned() };
        // It says when its figures were true, and must not look forgotten.
        let is_old = |row: &OutboxRow| {
            let sent = row.sent_at.filter(|_| row.kind == RowKind::Page);
            sent.is_some_and(|sent| is_past(sent, PAGE_KEEPS, public.snapshot.as_of))
        };
        let again = rows.iter().any(is_old);
        wanted.push(want("page".into(), RowKind::Page, &content, again));
    }
    wanted
}

/// Is that so long ago, or so far ahead that the clock was turned back since?
fn is_past(sent: Timestamp, keeps: Duration, now: Timestamp) -> bool {
    now.since(sent) >= keeps || sent.since(now) >= TURNED_BACK
}

/// Rows that must not be told any more: states of those who are held back by now.
pub fn withdrawn(
    to: &settings::Destination,
    rows: &[OutboxRow],
    snapshot: &Snapshot,
) -> Vec<String> {
    let gone = to.components.iter().filter(|(what, _)| standing(what, snapshot).is_none());
    let gone: Vec<_> = gone.map(|(_, component)| format!("component/{component}")).collect();
    let open = rows.iter().filter(|row| row.state != RowState::Sent);
    open.map(|row| row.subject.clone()).filter(|subject| gone.contains(subject)).collect()
}

/// The posts that a destination is told.
fn due<'a>(rows: &[OutboxRow], public: &Public<'a>) -> &'a [Update] {
    let updates = public.updates;
    let told = |update: &Update| rows.iter().any(|row| row.subject == update.id);
    if let Some(first) = updates.iter().position(told) {
        return &updates[first..];
    }
    let since = |update: &&Update| public.snapshot.as_of.since(update.at) <= NEW_LOOKS_BACK;
    let recent = updates.iter().rev().take_while(since).count();
    &updates[updates.len() - recent.max(1).min(updates.len())..]
}

/// In the destination's language, else in the first of the site's that it is written in.
fn words(update: &Update, to: &settings::Destination, languages: &[Language]) -> Option<Words> {
    let own: Option<Language> = to.language.as_deref().and_then(|code| code.parse().ok());
    let text = own.iter().chain(languages).find_map(|language| update.texts.get(language));
    let text = text.or_else(|| update.texts.values().next())?;
    Some(Words {
        id: update.id.clone(),
        kind: update.kind.word().to_owned(),
        at: update.at,
        title: text.title.clone(),
        body: text.body.clone(),
        next_by: update.next_by,
    })
}

/// How those behind `what` fare: `all`, `group/ID`, `customer/ID`. `None`: nobody who is counted.
pub fn standing(what: &str, snapshot: &Snapshot) -> Option<Standing> {
    let is_meant = |customer: &&CustomerStatus| match what.split_once('/') {
        None => what == "all",
        Some(("customer", id)) => customer.id.as_str() == id,
        Some(("group", id)) => customer.group.as_ref().is_some_and(|it| it.as_str() == id),
        Some(_) => false,
    };
    let counted = |it: &&CustomerStatus| it.hold == Hold::None && !it.workloads.is_empty();
    let mut by_word: BTreeMap<PublicWord, u64> = BTreeMap::new();
    for customer in snapshot.customers.iter().filter(counted).filter(is_meant) {
        *by_word.entry(customer.state).or_default() += 1;
    }
    let all: u64 = by_word.values().sum();
    let at = |word| by_word.get(&word).copied().unwrap_or(0);
    match (all, at(PublicWord::Online)) {
        (0, _) => None,
        (all, online) if all == online => Some(Standing::Operational),
        (_, 1..) => Some(Standing::Partial),
        (all, 0) if at(PublicWord::NeedsAttention) == all => Some(Standing::Major),
        (_, 0) if at(PublicWord::WaitingForYou) > 0 => Some(Standing::Partial),
        (_, 0) => Some(Standing::Maintenance),
    }
}

/// When the next update is due, by the newest promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promise {
    pub by: Timestamp,
    /// How late we are already.
    pub late: Duration,
    /// How long until then.
    pub left: Duration,
}

/// The promise that stands at `now`.
pub fn promise(updates: &[Update], now: Timestamp) -> Option<Promise> {
    let by = updates.last()?.next_by?;
    Some(Promise { by, late: now.since(by), left: by.since(now) })
}
