//! What NIS2 asks, as a checklist for colleagues: the clocks of Article 23, with that of the GDPR
//! beside them, and the thresholds of Regulation (EU) 2024/2690 with the facts there are and the
//! facts that nobody has.
//!
//! **Promise.** An answer is one by the record only, with what the record cannot know beside it;
//! where it knows nothing, the answer is that. All is in English, as what evac tells colleagues is,
//! and says of itself that it is no advice.

use jiff::ToSpan as _;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::model::{Span, Timestamp};
use crate::publish::report::billing::local;
use crate::publish::report::document::{Block, Document};
use crate::publish::report::figures::{Case, Figures, services};
use crate::publish::report::interval::{Interval, union, within, without};
use crate::publish::report::outage::Outages;

/// What stands on each page.
const LAW: &str = "A checklist from the record, not legal advice. Have it read by whoever advises \
                   you: whether NIS2 applies to you, and by which national law, is not known here.";

/// A clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Clock {
    pub what: &'static str,
    pub article: &'static str,
    pub due: Timestamp,
    pub late: bool,
}

/// What is known of a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// By the facts, it is crossed.
    Crossed,
    /// By the facts, it is not.
    NotCrossed,
    /// Nobody has the facts here.
    Unknown,
}

/// A threshold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Threshold {
    pub article: &'static str,
    pub what: &'static str,
    pub answer: Answer,
    pub why: String,
}

/// What is due when, from the moment that somebody was aware.
pub fn clocks(aware: Timestamp, now: Timestamp) -> Vec<Clock> {
    let hours = |hours: i64| {
        let later = aware.as_jiff().checked_add(hours.hours());
        later.map_or(aware, Timestamp::new)
    };
    let notified = hours(72);
    let month = notified.as_jiff().to_zoned(TimeZone::UTC).checked_add(1.month());
    let month = month.map_or(notified, |at| Timestamp::new(at.timestamp()));
    let clock = |what, article, due| Clock { what, article, due, late: due < now };
    vec![
        clock("Early warning to the CSIRT or the competent authority", "23(4)(a)", hours(24)),
        clock("Incident notification, with a first assessment", "23(4)(b)", notified),
        clock(
            "Final report, at the latest a month after the notification; if it still goes on, a \
             progress report then, and the final one within a month of its end",
            "23(4)(d)",
            month,
        ),
        clock(
            "Personal data of which you are the controller yourself: notification to the data \
             protection authority",
            "GDPR 33(1)",
            notified,
        ),
    ]
}

/// The thresholds of Articles 3, 7 and 8 of the regulation, as far as the record reaches.
pub fn thresholds(case: &Case<'_>, figures: &Figures, outages: &Outages) -> Vec<Threshold> {
    let whole = longest_down_for_all(case, outages);
    let share = share_down_for(case, outages, 3_600);
    let spoken = |seconds: u64| Span(std::time::Duration::from_secs(seconds)).to_string();
    let unknown = |article, what, why: &str| Threshold {
        article,
        what,
        answer: Answer::Unknown,
        why: why.to_owned(),
    };
    let answer = |crossed| if crossed { Answer::Crossed } else { Answer::NotCrossed };
    let total = figures.customers;
    vec![
        Threshold {
            article: "7(a)",
            what: "Cloud computing: completely unavailable for more than 30 minutes",
            answer: if total == 0 { Answer::Unknown } else { answer(whole > 1_800) },
            why: format!(
                "No service of the {total} customers in the record was online for {} without a \
                 break. Whether others have the same service is not known here.",
                spoken(whole)
            ),
        },
        Threshold {
            article: "7(b)",
            what: "Cloud computing: limited for more than 5 % of users in the Union, or more than \
                   a million, for more than an hour",
            answer: if share.0 * 20 > total { Answer::Crossed } else { Answer::Unknown },
            why: format!(
                "{} of {total} customers in the record had something down for more than an hour. \
                 How many users they have, and how many are in the Union, is not known here.",
                share.0
            ),
        },
        Threshold {
            article: "8(a), 8(b)",
            what: "Data centre: completely unavailable, or limited for more than an hour",
            answer: Answer::Unknown,
            why: "This is for whoever operates the data centre. If you do not, it is his to \
                  report; ask him in writing."
                .to_owned(),
        },
        unknown(
            "7(c), 7(d), 8(c), 8(d), 3(1)(b), 3(1)(e)",
            "Integrity, confidentiality or physical access compromised",
            "The record says nothing about that. Who had access to the machines meanwhile?",
        ),
        unknown(
            "3(1)(a)",
            "Direct financial loss above EUR 500,000 or 5 % of the last year's turnover",
            "Not known here. `evac report credits` gives one part of it.",
        ),
        unknown("3(1)(c), 3(1)(d)", "Death or considerable damage to health", "Not known here."),
        unknown("4", "Several incidents of one cause within six months", "Not known here."),
        unknown(
            "3(2)",
            "Scheduled interruptions and maintenance do not count",
            "Was any part of it announced beforehand?",
        ),
    ]
}

/// How long, without a break, not one service of anybody was online; in seconds.
fn longest_down_for_all(case: &Case<'_>, outages: &Outages) -> u64 {
    let span = case.span();
    let all = case.customers().flat_map(services);
    let online = all.flat_map(|service| {
        let down = outages.down.get(&service.id).map(Vec::as_slice).unwrap_or_default();
        without(&[span], down)
    });
    let down = without(&[span], &union(online));
    down.iter().map(Interval::seconds).max().unwrap_or_default()
}

/// How many customers had something down without a break for longer than that.
fn share_down_for(case: &Case<'_>, outages: &Outages, longer: u64) -> (u64, u64) {
    let span = case.span();
    let is_long = |customer: &&crate::ledger::snapshot::CustomerStatus| {
        let down = outages.of_any(services(customer).map(|it| &it.id));
        within(&down, span).iter().any(|one| one.seconds() > longer)
    };
    (case.customers().filter(is_long).count() as u64, case.customers().count() as u64)
}

/// All of it as a page.
pub fn page(case: &Case<'_>, aware: Option<Timestamp>, thresholds: &[Threshold]) -> Document {
    let now = case.snapshot.as_of;
    let mut blocks = vec![Block::Notice(LAW.to_owned()), Block::Heading("Clocks".to_owned())];
    match aware {
        Some(aware) => {
            let rows = clocks(aware, now).into_iter().map(|clock| {
                let due = local(clock.due, case.zone);
                let state = if clock.late { "past: was it done?" } else { "open" };
                vec![clock.what.to_owned(), clock.article.to_owned(), due, state.to_owned()]
            });
            let rows = rows.collect();
            let head = ["What", "Article (of NIS2, if no other law is named)", "By", "State"]
                .map(str::to_owned)
                .to_vec();
            blocks.push(Block::Table { head, rows });
        }
        None => blocks.push(Block::Paragraph(
            "Nobody said when you became aware: `evac report notices --aware TIME` reckons 24 \
             hours, 72 hours and a month from then."
                .to_owned(),
        )),
    }
    blocks.push(Block::Heading("Is it significant? Regulation (EU) 2024/2690".to_owned()));
    let word = |answer| match answer {
        Answer::Crossed => "crossed, by the record",
        Answer::NotCrossed => "not crossed, by the record",
        Answer::Unknown => "unknown: find out",
    };
    let row = |it: &Threshold| {
        vec![it.what.to_owned(), it.article.to_owned(), word(it.answer).to_owned(), it.why.clone()]
    };
    let head = ["Threshold", "Article", "Answer", "Facts"].map(str::to_owned).to_vec();
    blocks.push(Block::Table { head, rows: thresholds.iter().map(row).collect() });
    blocks.push(Block::Heading("To do".to_owned()));
    let tasks = [
        "Decide whether NIS2 applies: size, sector, country of main establishment.",
        "Early warning: say whether an unlawful or malicious act is suspected, and whether other \
         countries may be affected.",
        "Tell recipients of the service without undue delay where it affects them (23(1)); say \
         what they can do themselves (23(2)).",
        "GDPR: for data of which you are the controller yourself, judge Article 33(1) (72 hours) \
         and 34; for customers' data send the notices beside this page.",
        "Keep the register (GDPR Article 33(5)): what happened, effects, what was done.",
        "Ask for a receipt of each report, and keep it with `evac note`.",
    ];
    blocks.push(Block::Tasks(tasks.map(str::to_owned).to_vec()));
    Document { language: "en", title: format!("NIS2 checklist: {}", case.name), blocks }
}
