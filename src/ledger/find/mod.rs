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

mod literal;
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
use crate::ledger::find::slip::Work;
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

/// Everybody whom a text may mean.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hits {
    /// How many they are.
    pub total: usize,
    /// The best of them, the best first: [`FOUND_MAX`] at most.
    pub best: Vec<Hit>,
    /// What it took to find them.
    pub work: Work,
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
}

/// The same before it is known whether anybody will ask for his names.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    customer: usize,
    fit: Fit,
    /// What it costs; then who comes first among equals.
    order: (u8, u32),
    /// Which of the query's readings fits.
    reading: usize,
}

/// Customers that `text` may mean, the best fit first: [`FOUND_MAX`] at most.
pub fn find(view: &FleetView, snapshot: &Snapshot, text: &str) -> Vec<Found> {
    let known = known_by(view);
    let mut names = Names::default();
    for (rank, known) in ranks(view).into_iter().zip(&known) {
        names.push(rank, known);
    }
    let hits = search(&names, text).best.into_iter();
    hits.filter_map(|hit| {
        let status = snapshot.customers.get(hit.customer)?;
        let say = say::say(status, snapshot.as_of, view.timezone.as_deref());
        let (matched_by, matched) = hit.matched(&known[hit.customer]);
        Some(Found { customer: hit.customer, fit: hit.fit, matched_by, matched, say })
    })
    .collect()
}

impl Hit {
    /// Was it found by whom to call or write back to, too?
    pub fn is_by_contact(&self, known: &[KnownBy]) -> bool {
        let mut names = self.names.iter().filter_map(|name| known.get(*name));
        names.any(|name| matches!(name.kind, names::Kind::Mail | names::Kind::Phone))
    }

    /// The kind of what fits, and how it is written.
    pub fn matched(&self, known: &[KnownBy]) -> (&'static str, String) {
        let names: Vec<_> = self.names.iter().filter_map(|name| known.get(*name)).collect();
        let texts: Vec<_> = names.iter().map(|name| name.text.as_str()).collect();
        (names.first().map_or("name", |name| name.kind.word()), texts.join(", "))
    }
}

/// Everybody whom `text` may mean, the best fit first.
pub fn search(names: &Names, text: &str) -> Hits {
    let query = Query::of(text);
    let mut scores = Scores::new(names, &query.words);
    scan::literals(names, &query.words, query.words.len() == 1, &mut scores);
    let mut found = together(names, &query, &scores);
    let mut work = Work::default();
    let is_certain = found.iter().any(|it| it.fit <= Fit::Beneath);
    if !is_certain && found.len() < SURE_ENOUGH {
        work = scan::slips(names, &query.words, &mut scores);
        found = together(names, &query, &scores);
    }
    if found.is_empty() {
        found = some_words(names, &query, &scores);
    }
    let total = found.len();
    let order = |it: &Candidate| (it.fit, it.order, it.customer);
    if total > FOUND_MAX {
        found.select_nth_unstable_by_key(FOUND_MAX, order);
        found.truncate(FOUND_MAX);
    }
    found.sort_unstable_by_key(order);
    let best = found.into_iter().map(|it| hit(names, &query, &scores, it)).collect();
    Hits { total, best, work }
}

/// Whoever has every word of a reading.
fn together(names: &Names, query: &Query, scores: &Scores) -> Vec<Candidate> {
    let candidate = |(customer, row): (usize, &[Option<Score>])| {
        let fit = |reading: &Vec<usize>| {
            reading.iter().try_fold((Fit::Exact, 0_u8), |(fit, cost), word| {
                let score = row[*word]?;
                Some((fit.max(score.fit), cost.saturating_add(score.cost)))
            })
        };
        let readings = query.readings.iter().enumerate();
        let readings = readings.filter_map(|(place, reading)| Some((fit(reading)?, place)));
        let ((fit, cost), reading) = readings.min()?;
        Some(Candidate { customer, fit, order: (cost, names.blocks[customer].rank), reading })
    };
    scores.rows().enumerate().filter_map(candidate).collect()
}

fn hit(names: &Names, query: &Query, scores: &Scores, candidate: Candidate) -> Hit {
    let Candidate { customer, fit, reading, .. } = candidate;
    let (row, reading) = (scores.of(customer), &query.readings[reading]);
    let words = reading.iter().filter_map(|word| Some((*word, row[*word]?)));
    let mut words: Vec<_> = words.collect();
    words.sort_by_key(|(word, _)| std::cmp::Reverse(query.words[*word].letters.len()));
    let mut found: Vec<usize> = Vec::new();
    for (_, score) in words {
        let name = names.ordinal(customer, score.at as usize);
        if !found.contains(&name) {
            found.push(name);
        }
    }
    Hit { customer, fit, names: found }
}

/// Whoever has most of what was said, counted by how few have it: callers say "good evening", too.
fn some_words(names: &Names, query: &Query, scores: &Scores) -> Vec<Candidate> {
    let readings = query.readings.iter().enumerate();
    let Some((reading, words)) = readings.max_by_key(|(_, words)| words.len()) else {
        return Vec::new();
    };
    let all = names.customers() as f64;
    let mut having = vec![0_usize; query.words.len()];
    for row in scores.rows() {
        having
            .iter_mut()
            .zip(row)
            .for_each(|(count, score)| *count += usize::from(score.is_some()));
    }
    let weight = |word: &usize| match having[*word] {
        0 => (*word, 0.0),
        having => (*word, (all / having as f64).ln() + 0.1),
    };
    let weights: Vec<(usize, f64)> = words.iter().map(weight).collect();
    let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
    let candidate = |(customer, row): (usize, &[Option<Score>])| {
        let his = weights.iter().filter_map(|(word, weight)| {
            let is_sure = row[*word]?.fit.is_sure();
            Some(if is_sure { *weight } else { weight * SLIP_WEIGHT })
        });
        let sum: f64 = his.sum();
        (sum > 0.0 && sum * 2.0 >= total).then(|| {
            let share = (1.0 - sum / total) * 100.0;
            let order = (share as u8, names.blocks[customer].rank);
            Candidate { customer, fit: Fit::SomeWords, order, reading }
        })
    };
    let mut found: Vec<_> = scores.rows().enumerate().filter_map(candidate).collect();
    let best = found.iter().map(|it| it.order.0).min();
    found.retain(|it| Some(it.order.0) == best);
    found
}
