//! What evac saw of access, refusals, decisions and public words, in a form that shows whether
//! anybody changed it.
//!
//! # Format
//!
//! `evidence.jsonl`: a JSON object a line. `n` counts from 1; `sha256` of a line is the SHA-256, in
//! hexadecimal, of the one before it (64 zeros before the first), a line feed, and the text of
//! `record`, which is JSON itself. Whoever keeps the last one elsewhere can prove the whole file.
//! Of a line that would name somebody on hold, only `n`, `at` and `sha256` leave the house.

use std::fmt::Write as _;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::ledger::StoredEvent;
use crate::ledger::outbox::{Post, PostState};
use crate::model::{Event, Timestamp};
use crate::publish::say::guard::Guard;

/// Before the first line.
const START: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A line of the file.
#[derive(Debug, Serialize)]
pub struct Line {
    /// From 1.
    pub n: u64,
    /// When it happened.
    pub at: Timestamp,
    /// Was it left out of this edition?
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub withheld: bool,
    /// What was seen, as it was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// Of this line and all before it.
    pub sha256: String,
    /// In words.
    #[serde(skip)]
    pub text: String,
}

#[derive(Serialize)]
struct Record<'a> {
    at: Timestamp,
    by: &'a str,
    #[serde(flatten)]
    what: What<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum What<'a> {
    Event(&'a Event),
    Said { event: &'static str, post: &'a Post },
}

/// Is that about access, or something that people said or decided?
pub fn is_evidence(event: &Event) -> bool {
    matches!(
        event,
        Event::HostReady { .. }
            | Event::HostFailed { .. }
            | Event::HostDone { .. }
            | Event::CaptureStarted { .. }
            | Event::CaptureSealed { .. }
            | Event::CaptureStopped { .. }
            | Event::CaptureFailed { .. }
            | Event::Verified { .. }
            | Event::VerifyFailed { .. }
            | Event::Noted { .. }
            | Event::WindowSet { .. }
            | Event::Steered { .. }
            | Event::Rang { .. }
            | Event::RunStarted { .. }
            | Event::Draining
    )
}

/// Everything seen and said, in the order of its time, but what the ledger holds never before what
/// it held already: a clock that is put back must not break a chain that somebody keeps. `words`
/// says an event in words. With a `guard`, lines that name somebody on hold are withheld.
pub fn lines(
    events: &[StoredEvent],
    posts: &[Post],
    words: &dyn Fn(&Event) -> Option<String>,
    guard: Option<&Guard>,
) -> Result<Vec<Line>, serde_json::Error> {
    let mut all: Vec<(Timestamp, Timestamp, String, String)> = Vec::new();
    let mut latest = Timestamp::from_second(0);
    for StoredEvent { at, by, event, .. } in events.iter().filter(|it| is_evidence(&it.event)) {
        let record = Record { at: *at, by, what: What::Event(event) };
        let text = words(event).unwrap_or_else(|| name(event));
        latest = latest.max(*at);
        all.push((latest, *at, serde_json::to_string(&record)?, format!("{by}: {text}")));
    }
    latest = Timestamp::from_second(0);
    for post in posts.iter().filter(|post| post.state == PostState::Posted) {
        let what = What::Said { event: "said_in_public", post };
        let title = post.texts.values().next().map_or("", |text| text.title.as_str());
        let text = format!("{}: said in public: {title}", post.by);
        let record = Record { at: post.at, by: &post.by, what };
        latest = latest.max(post.at);
        all.push((latest, post.at, serde_json::to_string(&record)?, text));
    }
    // Equal times keep their order.
    all.sort_by_key(|(place, ..)| *place);
    let mut lines = Vec::with_capacity(all.len());
    let mut before = START.to_owned();
    for (number, (_, at, record, text)) in (1..).zip(all) {
        let hash = Sha256::new().chain_update(&before).chain_update("\n").chain_update(&record);
        let mut sha256 = String::new();
        for byte in hash.finalize() {
            let _ = write!(sha256, "{byte:02x}");
        }
        let names =
            |guard: &Guard| guard.named_in(&record).is_some() || guard.named_in(&text).is_some();
        let withheld = guard.is_some_and(names);
        lines.push(Line {
            n: number,
            at,
            withheld,
            record: (!withheld).then_some(record),
            sha256: sha256.clone(),
            text: if withheld { "withheld in this edition".to_owned() } else { text },
        });
        before = sha256;
    }
    Ok(lines)
}

fn name(event: &Event) -> String {
    let json = serde_json::to_value(event).unwrap_or_default();
    json["event"].as_str().unwrap_or_default().replace('_', " ")
}
