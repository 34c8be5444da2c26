//! Nothing that evac says itself is anywhere but in the texts of the languages.
//!
//! All is rendered with texts in wide letters (`Ｌｉｋｅ ｔｈｉｓ`). Letters of ASCII that are left in what
//! people read are data of the site, or a text that nobody can translate.

use serde_json::Value;

use super::own::{inventory, tokens};
use super::*;
use crate::publish::locale::pseudo::IS_ON;
use crate::publish::own::{Answers, own_page, questions};
use crate::publish::say::{Template, promised};

/// What the site itself wrote, and what has no translation.
const DATA: [&str; 23] = [
    "Example Hosting",
    "Our servers cannot be reached",
    "We are finding out why.",
    "Onze servers zijn onbereikbaar",
    "Wij zoeken uit waarom.",
    "We have access & copy <everything>",
    "First part.",
    "Second part",
    "of two lines.",
    "A new line on Friday",
    "Een nieuwe lijn op vrijdag",
    "Virtual servers",
    "Virtuele servers",
    "aa-vps",
    "bb-shared",
    "Call +31 20 123 4567.",
    "Please do not change your DNS yet.",
    "Verander uw DNS nog niet.",
    "CET",
    "UTC",
    "Atom",
    "RSS",
    "JSON Feed",
];

/// Words of ASCII in `text` that are not the site's own.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut text =
        text.replace("&amp;", "&").replace("&#x2f;", "/").replace("&lt;", "<").replace("&gt;", ">");
    for data in DATA {
        text = text.replace(data, " ");
    }
    let is_own = |word: &&str| !word.contains("zz-") && !word.starts_with("SHA256:");
    let words = text.split_whitespace().filter(is_own);
    words
        .filter(|word| word.contains(|c: char| c.is_ascii_alphabetic()))
        .map(str::to_owned)
        .collect()
}

/// What people read or hear of marked-up text.
pub(in crate::publish) fn shown(markup: &str) -> String {
    let mut out = String::new();
    let without_style = match markup.split_once("<style>") {
        Some((before, rest)) => before.to_owned() + rest.split_once("</style>").unwrap().1,
        None => markup.to_owned(),
    };
    for piece in without_style.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap();
        for attribute in ["aria-label", "title", "alt"] {
            if let Some((_, value)) = tag.split_once(&format!(" {attribute}=\"")) {
                out.push_str(value.split('"').next().unwrap());
                out.push('\n');
            }
        }
        if !tag.starts_with(['?', '!']) && !MACHINES.contains(&tag.split(' ').next().unwrap()) {
            out.push_str(text);
        }
        out.push(' ');
    }
    out
}

/// Elements of feeds that no person reads.
const MACHINES: [&str; 10] = [
    "id",
    "updated",
    "published",
    "guid",
    "pubDate",
    "link",
    "language",
    "uri",
    "lastBuildDate",
    "ttl",
];

/// What people read of a document: the values of these keys.
fn said(value: &Value, out: &mut String) {
    const KEYS: [&str; 7] =
        ["name", "description", "title", "body", "content_text", "summary", "home_page_title"];
    match value {
        Value::Array(items) => items.iter().for_each(|item| said(item, out)),
        Value::Object(fields) => {
            for (key, value) in fields {
                if let (true, Some(text)) = (KEYS.contains(&key.as_str()), value.as_str()) {
                    out.push_str(text);
                    out.push('\n');
                }
                said(value, out);
            }
        }
        _ => {}
    }
}

/// What people read of a calendar, with its lines unfolded.
fn noted(calendar: &str) -> String {
    let calendar = calendar.replace("\r\n ", "");
    let of = |line: &str| {
        let (key, value) = line.split_once(':')?;
        let read = ["SUMMARY", "DESCRIPTION", "X-WR-CALNAME", "NAME"];
        read.contains(&key.split(';').next()?).then(|| value.replace("\\n", " "))
    };
    calendar.lines().filter_map(of).collect::<Vec<_>>().join("\n")
}

fn check(files: &BTreeMap<String, Vec<u8>>) -> usize {
    let (mut wide, mut found) = (0, Vec::new());
    for (path, content) in files {
        let text = String::from_utf8(content.clone()).unwrap();
        let end = path.rsplit('.').next().unwrap();
        let read = match end {
            "html" | "atom" | "rss" | "svg" => shown(&text),
            "json" => {
                let mut out = String::new();
                said(&serde_json::from_str(&text).unwrap(), &mut out);
                out
            }
            "ics" => noted(&text),
            "txt" => continue,
            other => panic!("who reads {path}, a file of kind {other}?"),
        };
        found.extend(words(&read).into_iter().map(|word| format!("{path}: {word}")));
        wide += read.chars().filter(|letter| ('\u{ff21}'..='\u{ff5a}').contains(letter)).count();
    }
    assert_eq!(found, <[String; 0]>::default());
    wide
}

#[test]
fn no_page_feed_or_document_shows_a_text_that_cannot_be_translated() {
    IS_ON.set(true);
    let mut wide = 0;
    for page in super::pages::scenes() {
        wide += check(&render(&page).unwrap().files);
    }
    let (inventory, tokens) = (inventory(WORDS.len()), tokens(WORDS.len()));
    let page = StatusPage::new(&snapshot([1; 8]), &site());
    for shows_old in [true, false] {
        let own: Vec<_> = (WORDS.into_iter().enumerate().zip(&tokens))
            .map(|((number, word), token)| {
                let customer = customer(number, word);
                let seen = shows_old.then(|| vec!["10.1.0.0".parse().unwrap()]);
                let asked = questions(&customer, &inventory).into_iter();
                let answers: Answers = asked.map(|domain| (domain, seen.clone())).collect();
                own_page(&customer, &inventory, &answers, token.clone(), Language::En)
            })
            .collect();
        wide += check(&crate::publish::render(&page, &own).unwrap().files);
    }
    IS_ON.set(false);
    assert!(wide > 20_000, "only {wide} letters went through the texts");
}

#[test]
fn no_message_holds_a_text_that_cannot_be_translated() {
    IS_ON.set(true);
    let now = time("2030-03-04T02:50:00Z");
    let mut count = 0;
    for template in Template::ALL {
        let texts = template.texts(&Language::ALL).unwrap();
        let texts = promised(texts, Some(time("2030-03-05T03:20:00Z")), now, &site().timezone);
        for text in texts.unwrap().values() {
            let all = format!("{}\n{}", text.title, text.body);
            assert_eq!(words(&all), <[String; 0]>::default(), "{template:?}");
            count += 1;
        }
    }
    IS_ON.set(false);
    assert_eq!(count, 18);
}
