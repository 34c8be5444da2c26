//! Every language says the same things, and everything it can say is said somewhere.

use std::collections::{BTreeMap, BTreeSet};

use crate::publish::Language;
use crate::publish::locale::{Arg, Texts};
use crate::publish::mail::Moment;

/// Messages of a language with the variables of each.
fn messages(language: Language) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut current = String::new();
    let sources = [language.source(), language.said(), language.written(), language.told()];
    for line in sources.into_iter().flat_map(str::lines) {
        if let Some((key, _)) = line.split_once(" =").filter(|_| !line.starts_with([' ', '#'])) {
            key.clone_into(&mut current);
            assert!(found.insert(current.clone(), BTreeSet::new()).is_none(), "{key} twice");
        }
        for rest in line.split('$').skip(1) {
            let end = rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len());
            found.get_mut(&current).unwrap().insert(rest[..end].to_owned());
        }
    }
    found
}

#[test]
fn every_language_has_the_same_texts_with_the_same_variables() {
    let english = messages(Language::En);
    assert!(english.len() > 40, "{english:?}");
    for language in Language::ALL {
        assert_eq!(messages(language), english, "{language}");
        let texts = Texts::new(language).unwrap();
        for (key, variables) in &english {
            let args: Vec<_> =
                variables.iter().map(|name| (name.as_str(), Arg::Count(1))).collect();
            assert!(!texts.say(key, &args).unwrap().is_empty(), "{language}: {key}");
        }
    }
}

#[test]
fn no_text_is_left_over() {
    let sources = TEMPLATE_FILES.into_iter().map(|(_, text)| text).chain([
        include_str!("../render.rs"),
        include_str!("../view.rs"),
        include_str!("../pages.rs"),
        include_str!("../own_view.rs"),
        include_str!("../frame.rs"),
        include_str!("../feeds.rs"),
        include_str!("../calendar.rs"),
        include_str!("../badge.rs"),
        include_str!("../incident.rs"),
        include_str!("../dates.rs"),
        include_str!("../api.rs"),
        include_str!("../say/mod.rs"),
        include_str!("../say/facts.rs"),
        include_str!("../mail/letter.rs"),
        include_str!("../report/incident.rs"),
        include_str!("../report/story.rs"),
        include_str!("../report/letter.rs"),
        include_str!("../report/notices.rs"),
    ]);
    let sources: Vec<&str> = sources.collect();
    let words = crate::publish::page::WORDS.map(crate::publish::render::word_key);
    for key in messages(Language::En).keys() {
        let of_word = ["word-", "means-"]
            .iter()
            .any(|start| key.strip_prefix(start).is_some_and(|word| words.contains(&word)));
        let of_kind = key
            .strip_prefix("kind-")
            .is_some_and(|kind| include_str!("../update.rs").contains(&format!("=> \"{kind}\"")));
        // `say-first-title` is made of the template `first`, `fact-back-body` of the fact `back`.
        let part =
            key.split('-').nth(1).filter(|_| key.ends_with("-title") || key.ends_with("-body"));
        let of_say = part.is_some_and(|part| {
            let quoted = format!("\"{part}\"");
            sources.iter().any(|source| source.contains(&quoted))
        });
        let of_mail = Moment::ALL
            .iter()
            .any(|(word, _)| ["title", "body"].map(|it| format!("mail-{word}-{it}")).contains(key));
        let quoted = format!("\"{key}\"");
        let is_used = || sources.iter().any(|source| source.contains(&quoted));
        assert!(of_word || of_kind || of_say || of_mail || is_used(), "{key}");
    }
}

const TEMPLATE_FILES: [(&str, &str); 9] = [
    ("base.html", include_str!("../templates/base.html")),
    ("page.html", include_str!("../templates/page.html")),
    ("history.html", include_str!("../templates/history.html")),
    ("maintenance.html", include_str!("../templates/maintenance.html")),
    ("post-mortem.html", include_str!("../templates/post-mortem.html")),
    ("own.html", include_str!("../templates/own.html")),
    ("message.html", include_str!("../templates/message.html")),
    ("free.html", include_str!("../templates/free.html")),
    ("follow.html", include_str!("../templates/follow.html")),
];

#[test]
fn templates_have_no_text_of_their_own() {
    // Names of formats are the same everywhere.
    let names = ["Atom", "RSS", "JSON Feed"];
    for (file, template) in TEMPLATE_FILES {
        let mut text = String::new();
        let mut rest = template;
        // What minijinja replaces, and markup with its attributes, is no text.
        while let Some(start) = rest.find(['{', '<']) {
            text.push_str(&rest[..start]);
            let end = match &rest[start..] {
                tag if tag.starts_with("{{") => "}}",
                tag if tag.starts_with("{%") => "%}",
                _ => ">",
            };
            rest = match end {
                // An attribute may hold a `>` only within `{{ }}` or `{% %}`.
                ">" => skip_tag(&rest[start..]),
                end => rest[start..].split_once(end).unwrap().1,
            };
        }
        text.push_str(rest);
        for name in names {
            text = text.replace(name, "");
        }
        let left: String = text.chars().filter(|c| c.is_alphabetic()).collect();
        assert_eq!(left, "", "{file}");
    }
}

/// What follows a tag.
fn skip_tag(tag: &str) -> &str {
    let mut rest = &tag[1..];
    loop {
        let end = rest.find(['>', '{']).unwrap();
        match &rest[end..] {
            piece if piece.starts_with("{{") => rest = piece.split_once("}}").unwrap().1,
            piece if piece.starts_with("{%") => rest = piece.split_once("%}").unwrap().1,
            piece => return &piece[1..],
        }
    }
}

#[test]
fn what_is_missing_is_an_error_not_english() {
    let texts = Texts::new(Language::Nl).unwrap();
    assert!(texts.say("no-such-text", &[]).is_err());
    assert!(texts.say("headline-copied", &[("done", Arg::Count(1))]).is_err());
}

#[test]
fn plurals_follow_the_language() {
    let check = |language, key, done, total, expected: &str| {
        let args = [("done", Arg::Count(done)), ("total", Arg::Count(total))];
        assert_eq!(Texts::new(language).unwrap().say(key, &args).unwrap(), expected);
    };
    check(Language::En, "headline-copied", 0, 1, "0 of 1 customer copied");
    check(Language::En, "headline-copied", 1, 2, "1 of 2 customers copied");
    check(Language::En, "headline-online", 312, 1_500, "312 of 1,500 customers online");
    check(Language::Nl, "headline-copied", 1, 1, "1 van 1 klant gekopieerd");
    check(Language::Nl, "headline-online", 1, 2, "1 van 2 klanten online");
    check(Language::Nl, "also-copied", 1, 0, "De gegevens van 1 klant zijn uit het datacenter.");
    check(Language::Nl, "headline-online", 999, 1_234_567, "999 van 1.234.567 klanten online");
}

#[test]
fn languages_are_named_by_their_codes() {
    for language in Language::ALL {
        assert_eq!(language.code().parse(), Ok(language));
    }
    let error = "tlh".parse::<Language>().unwrap_err();
    assert_eq!(error.to_string(), "there are no texts in `tlh`; known are en, nl, de");
}
