//! The incident's report, the message to customers, and the evidence.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::{Story, time};
use crate::model::{Event, Timestamp};
use crate::publish::Language;
use crate::publish::locale::Texts;
use crate::publish::locale::pseudo::IS_ON;
use crate::publish::report::curve::Curve;
use crate::publish::report::document::Document;
use crate::publish::report::evidence;
use crate::publish::report::figures::{Figures, Spread};
use crate::publish::report::incident::report;
use crate::publish::report::letter::letter;
use crate::publish::report::story::Edition;
use crate::publish::tests::pages::check_tags;
use crate::publish::tests::pseudo::shown;

fn words(event: &Event) -> Option<String> {
    match event {
        Event::Noted { what, text, .. } => Some(format!("note on {what}: {text}")),
        _ => None,
    }
}

fn made(story: &Story, language: Language, edition: Edition<'_>) -> (Document, Document) {
    let told = story.told();
    let case = story.case(&told);
    let figures = Figures::of(&case, &case.outages());
    let texts = Texts::new(language).unwrap();
    let report = report(&case, &figures, &texts, (edition, &told.guard)).unwrap();
    (report, letter(&case, &figures, &texts).unwrap())
}

#[test]
fn a_report_has_the_facts_and_room_for_what_only_people_know() {
    let markdown = made(&Story::weekend(), Language::En, Edition::Public).0.markdown();
    for line in [
        "The outage began at 30 March 2030, 21:00\u{a0}CET. 2 of 3 customers are online again. It \
         is not over for the others.",
        "| 30 March 2030, 21:12\u{a0}CET | Public update 1: We know |",
        "| 31 March 2030, 00:00\u{a0}CET | The data centre gives access. |",
        "| 31 March 2030, 00:00\u{a0}CET | a second line was connected |",
        "| 31 March 2030, 08:00\u{a0}CEST | 1 of 3 customers are online. |",
        "| 31 March 2030, 10:00\u{a0}CEST | 0 of 3 customers are online: fewer than before. |",
        "| Customers affected | 3 |",
        "| Services online again | 3 |",
        "| Minutes offline, half of the customers not longer than | 1800 |",
        "| Minutes offline, longest | 2400 |",
        "| Data brought to safety | 3.5 kB |",
        "| databases | 1 | 0 | 1 | 0 | 0 | 2 | 0 |",
        "| mail | 1 | 0 | 0 | 0 | 1 | 0 | 0 |",
        "- [ ] The first public update came 12 minutes after the outage began. Why did it, and how \
         do we keep it so?",
        "- [ ] 0 of 1 promises of a next update were kept. What made it so, and what would have \
         helped?",
        "- [ ] Once a customer who was online was so no longer. What made it so, and what would \
         have helped?",
        "| to be filled in | to be filled in | to be filled in |",
    ] {
        assert!(markdown.contains(line), "{line}\n{markdown}");
    }
    assert!(!markdown.contains("the shop first"), "that note is for colleagues: {markdown}");
}

#[test]
fn nobody_on_hold_is_in_what_leaves_the_house() {
    let story = Story::weekend();
    for language in Language::ALL {
        let (report, letter) = made(&story, language, Edition::Public);
        for text in [report.html(), report.markdown(), letter.html(), letter.markdown()] {
            for name in ["allory", "vps-66", "192.0.2.66"] {
                assert!(!text.contains(name), "{language}: {name}\n{text}");
            }
        }
    }
    let internal = Edition::Internal { by: "kim", words: &words };
    let text = made(&story, Language::En, internal).0.markdown();
    assert!(text.contains("Customers on hold: 1, in none of the other numbers."), "{text}");
    assert!(text.contains("the shop first | jo |") || text.contains("the shop first | kim |"));
    let refused = "refused ×1: vps-66 (– 2030-03-30T23:00:00Z)";
    assert!(text.contains(refused), "{text}");
    assert!(text.contains("| Customers affected | 3 |"), "{text}");
}

#[test]
fn a_message_says_no_more_than_is_proven() {
    let story = Story::weekend();
    let text = made(&story, Language::En, Edition::Public).1.markdown();
    assert!(text.contains("2 of 3 customers are online again."), "{text}");
    assert!(text.contains("We have not finished checking all data."), "{text}");
    assert!(!text.contains("No loss was found") && !text.contains("esolved"), "{text}");
    assert!(text.contains("only after its checks had passed."), "{text}");
    story.ledger.let_unchecked(&super::id("bloom-home"), "looked at it", "kim").unwrap();
    let (report, letter) = made(&story, Language::En, Edition::Public);
    assert!(letter.markdown().contains("after a colleague had looked at it."));
    assert!(report.markdown().contains("; 1 service has no checks"), "{}", report.markdown());
    story.captured("chess", "vps-2", "chess-mail", super::tally(9));
    story.online("chess-mail");
    for workload in ["acme-site", "bloom-home", "chess-mail", "acme-db"] {
        story.verified(workload);
    }
    let text = made(&story, Language::En, Edition::Public).1.markdown();
    assert!(text.contains("All 3 customers are online again."), "{text}");
    assert!(text.contains("We have not finished"), "two files changed while read: {text}");
}

#[test]
fn every_report_is_whole_in_its_language() {
    let story = Story::weekend();
    for language in Language::ALL {
        let html = made(&story, language, Edition::Public).0.html();
        assert!(html.contains(&format!("<html lang=\"{language}\"")));
        check_tags(&html);
        assert!(!html.contains("<script") && !html.contains("http:") && !html.contains("https:"));
    }
    // What is still in ASCII never went through the texts.
    IS_ON.set(true);
    let (report, letter) = made(&story, Language::En, Edition::Public);
    IS_ON.set(false);
    let html = shown(&report.html()) + &shown(&letter.html());
    let mut text = report.markdown() + &letter.markdown() + &html;
    let data = ["Example", "We know", "Still at it", "a second line was connected", "CET", "CEST"];
    for data in data.into_iter().chain(["kB", "---"]) {
        text = text.replace(data, " ");
    }
    let left: Vec<_> = text.lines().filter(|it| it.contains(is_letter)).collect();
    assert_eq!(left, <[&str; 0]>::default());
    let wide = text.chars().filter(|c| ('\u{ff21}'..='\u{ff5a}').contains(c)).count();
    assert!(wide > 2_000, "{wide}");
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic()
}

#[test]
fn the_curve_goes_back_when_a_word_is_taken_back() {
    let story = Story::weekend();
    let told = story.told();
    let case = story.case(&told);
    let curve = Curve::of(&case);
    let online: Vec<_> = curve.points.iter().map(|point| point.online).collect();
    assert_eq!((curve.customers, curve.taken_back), (3, 1));
    assert_eq!(online.last(), Some(&2));
    assert!(online.windows(2).any(|two| two[0] == 1 && two[1] == 0), "{online:?}");
    assert_eq!(curve.points.last().unwrap().copied, 2);
    assert_eq!(curve.reached(50).unwrap().at, time("2030-04-01T02:00:00Z"));
    assert_eq!((curve.reached(100), curve.all_copied()), (None, None));
    let figures = Figures::of(&case, &case.outages());
    // 10 hours and the half one; 30 hours; 40 so far.
    let expected = Spread { median: 1_800, most: 2_400, worst: 2_400 };
    assert_eq!((figures.minutes, figures.held), (Some(expected), 1));
}

#[test]
fn evidence_is_a_chain_and_withholds_without_breaking_it() {
    let story = Story::weekend();
    let told = story.told();
    let lines = |guard| evidence::lines(&told.events, &told.posts, &words, guard).unwrap();
    let (open, closed) = (lines(None), lines(Some(&told.guard)));
    assert!(open.len() > 10 && open.len() == closed.len());
    assert!(open.iter().any(|line| line.text.contains("said in public: We know")));
    let mut before = "0".repeat(64);
    for line in &open {
        let record = line.record.as_ref().unwrap();
        let hash = Sha256::digest(format!("{before}\n{record}"));
        before.clear();
        for byte in hash {
            let _ = write!(before, "{byte:02x}");
        }
        assert_eq!(line.sha256, before);
        let at = serde_json::from_str::<serde_json::Value>(record).unwrap()["at"].clone();
        assert_eq!(
            serde_json::from_value::<Timestamp>(at).unwrap().to_string(),
            line.at.to_string()
        );
    }
    assert_eq!(closed.last().unwrap().sha256, before, "the chain is the same");
    let text: String = closed.iter().map(|it| serde_json::to_string(it).unwrap()).collect();
    assert!(!text.contains("allory") && !text.contains("vps-66"), "{text}");
    assert!(closed.iter().any(|line| line.withheld) && closed.iter().any(|line| !line.withheld));
}

#[test]
fn a_clock_that_is_put_back_does_not_break_a_chain_that_somebody_keeps() {
    let story = Story::weekend();
    let told = story.told();
    let lines = |events| evidence::lines(events, &told.posts, &words, None).unwrap();
    let kept = lines(&told.events).last().unwrap().sha256.clone();
    let mut events = told.events.clone();
    let mut later = events.iter().find(|it| evidence::is_evidence(&it.event)).unwrap().clone();
    later.at = time("2030-03-30T23:30:00Z");
    events.push(later);
    let longer = lines(&events);
    assert_eq!(longer.len(), lines(&told.events).len() + 1);
    assert_eq!(longer[longer.len() - 2].sha256, kept);
    assert_eq!(longer.last().unwrap().at, time("2030-03-30T23:30:00Z"), "as its clock said");
}
