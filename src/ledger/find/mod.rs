//! Who is it that calls? `find TEXT` over all that support may be told: names, domains, mail
//! addresses, telephone numbers, addresses, numbers in other systems.
//!
//! Text is taken as people paste and misspell it. What was typed as it is written comes first: a
//! whole name, what lies beneath a domain, the beginning of a name, a part of one. After that come
//! slips of fingers and ears, and customers who have some of the words: those are questions, never
//! answers ([`Fit::is_sure`]). Among equals goes first who has the weightier tier.
//!
//! [`names`] holds what everybody is known by, [`query`] what was meant; [`search`] brings the two
//! together, and knows nothing of where anybody stands.

pub mod names;
mod plain;
mod query;
mod scan;
mod slip;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ledger::find::names::{KnownBy, Names, known_by, ranks};
use crate::ledger::find::query::Query;
use crate::ledger::find::scan::{Score, Scores};
use crate::ledger::say::{self, Say};
use crate::ledger::snapshot::Snapshot;
use crate::ledger::view::FleetView;

/// Most customers that [`find`] answers with.
pub const FOUND_MAX: usize = 100;
/// Where so many fit as it is written, nobody needs to hear of slips.
const SURE_ENOUGH: usize = 200;

/// What a word that nearly is somewhere counts beside one that is.
const SLIP_WEIGHT: f64 = 0.7;

/// How well a text fits, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// It is the whole of a name.
    Exact,
    /// It lies beneath a domain that is known.
    Beneath,
    /// A name begins with it.
    Prefix,
    /// It is in a name; or each of its words is in some name.
    Part,
    /// It nearly is.
    Typo,
    /// Some of its words are.
    SomeWords,
}

impl Fit {
    /// Is it what was typed, and no guess?
    pub fn is_sure(self) -> bool {
        self < Self::Typo
    }
}

/// A customer that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Position in [`FleetView::customers`] and in [`Snapshot::customers`].
    pub customer: usize,
    /// How well.
    pub fit: Fit,
    /// The word of a [`names::Kind`]: `id`, `name`, `domain`, `label`, …
    pub matched_by: &'static str,
    /// The text that matched; several are joined by commas.
    pub matched: String,
    /// What to read out, by language.
    pub say: BTreeMap<String, Say>,
}

/// A customer that a text may mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// His position.
    pub customer: usize,
    /// How well.
    pub fit: Fit,
    /// Which of his names fit; what the longest word was found in comes first.
    pub names: Vec<usize>,
    order: (u8, u32),
}

/// Customers that `text` may mean, the best fit first: [`FOUND_MAX`] at most.
pub fn find(view: &FleetView, snapshot: &Snapshot, text: &str) -> Vec<Found> {
    let known = known_by(view);
    let mut names = Names::default();
    for (rank, known) in ranks(view).into_iter().zip(&known) {
        names.push(rank, known);
    }
    let hits = search(&names, text).into_iter().take(FOUND_MAX);
    hits.filter_map(|hit| {
        let status = snapshot.customers.get(hit.customer)?;
        let say = say::say(status, snapshot.as_of, view.timezone.as_deref());
        let (matched_by, matched) = hit.matched(&known[hit.customer]);
        Some(Found { customer: hit.customer, fit: hit.fit, matched_by, matched, say })
    })
    .collect()
}

impl Hit {
    /// The kind of what fits, and how it is written.
    pub fn matched(&self, known: &[KnownBy]) -> (&'static str, String) {
        let names: Vec<_> = self.names.iter().filter_map(|name| known.get(*name)).collect();
        let texts: Vec<_> = names.iter().map(|name| name.text.as_str()).collect();
        (names.first().map_or("name", |name| name.kind.word()), texts.join(", "))
    }
}

/// Everybody whom `text` may mean, the best fit first.
pub fn search(names: &Names, text: &str) -> Vec<Hit> {
    let query = Query::of(text);
    let alone = query.words.len() == 1;
    let mut scores: Vec<Scores> =
        query.words.iter().map(|word| scan::literal(names, word, alone)).collect();
    let mut hits = together(names, &query, &scores);
    let is_certain = hits.first().is_some_and(|hit| hit.fit <= Fit::Beneath);
    if !is_certain && hits.len() < SURE_ENOUGH {
        scan::slips(names, &query.words, &mut scores);
        hits = together(names, &query, &scores);
    }
    if hits.is_empty() {
        hits = some_words(names, &query, &scores);
    }
    hits.sort_by_key(|hit| (hit.fit, hit.order, hit.customer));
    hits
}

/// Whoever has every word of a reading.
fn together(names: &Names, query: &Query, scores: &[Scores]) -> Vec<Hit> {
    let hit = |customer: usize| {
        let readings = query.readings.iter().filter_map(|reading| {
            let scores = reading.iter().map(|word| scores[*word][customer]);
            let scores: Vec<Score> = scores.collect::<Option<_>>()?;
            let fit = scores.iter().map(|score| score.fit).max()?;
            let cost = scores.iter().fold(0_u8, |sum, score| sum.saturating_add(score.cost));
            Some((fit, cost, reading))
        });
        let (fit, cost, reading) = readings.min_by_key(|(fit, cost, _)| (*fit, *cost))?;
        let words = reading.iter().copied();
        Some(hit_of(names, query, scores, customer, words, (fit, cost)))
    };
    let is_hit = |customer: &usize| scores.iter().any(|scores| scores[*customer].is_some());
    (0..names.customers()).filter(is_hit).filter_map(hit).collect()
}

fn hit_of(
    names: &Names,
    query: &Query,
    scores: &[Scores],
    customer: usize,
    words: impl Iterator<Item = usize>,
    (fit, cost): (Fit, u8),
) -> Hit {
    let mut words: Vec<_> = words
        .filter_map(|word| Some((query.words[word].letters.len(), scores[word][customer]?)))
        .collect();
    words.sort_by_key(|(letters, _)| std::cmp::Reverse(*letters));
    let mut found: Vec<usize> = Vec::new();
    for (_, score) in words {
        let name = names.ordinal(customer, score.at as usize);
        if !found.contains(&name) {
            found.push(name);
        }
    }
    Hit { customer, fit, names: found, order: (cost, names.blocks[customer].rank) }
}

/// Whoever has most of what was said, counted by how few have it: callers say "good evening", too.
fn some_words(names: &Names, query: &Query, scores: &[Scores]) -> Vec<Hit> {
    let Some(reading) = query.readings.iter().max_by_key(|reading| reading.len()) else {
        return Vec::new();
    };
    let all = names.customers() as f64;
    let weight = |word: &usize| {
        let having = scores[*word].iter().flatten().count();
        (*word, if having == 0 { 0.0 } else { (all / having as f64).ln() + 0.1 })
    };
    let weights: Vec<(usize, f64)> = reading.iter().map(weight).collect();
    let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
    let mut found = Vec::new();
    for customer in 0..names.customers() {
        let his = weights.iter().filter_map(|(word, weight)| {
            let is_sure = scores[*word][customer]?.fit.is_sure();
            Some(if is_sure { *weight } else { weight * SLIP_WEIGHT })
        });
        let sum: f64 = his.sum();
        if sum > 0.0 && sum * 2.0 >= total {
            let share = (1.0 - sum / total) * 100.0;
            let words = reading.iter().copied();
            let order = (Fit::SomeWords, share as u8);
            found.push(hit_of(names, query, scores, customer, words, order));
        }
    }
    let best = found.iter().map(|hit| hit.order.0).min();
    found.retain(|hit| Some(hit.order.0) == best);
    found
}
