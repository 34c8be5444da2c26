//! What support types, and what support reads out.

use super::*;
use crate::ledger::find::names::{Kind, KnownBy, Names};
use crate::ledger::find::{FOUND_MAX, search};
use crate::ledger::{Fit, Found, find};
use crate::model::{Event, PublicWord, Reason, TierName};

fn look_up(ledger: &Ledger, view: &FleetView, text: &str) -> Vec<Found> {
    find(view, &ledger.snapshot(view, start()).unwrap(), text)
}

#[test]
fn a_customer_is_found_by_all_he_is_known_by() {
    let (ledger, _) = in_memory();
    let view = fleet(&["acme", "acme-two", "bolt"]);
    let check = |text: &str, expected: &[(usize, &str)]| {
        let found = look_up(&ledger, &view, text);
        let found: Vec<_> = found.iter().map(|f| (f.customer, f.matched_by)).collect();
        assert_eq!(found, expected, "{text:?}");
    };
    check("acme", &[(0, "id"), (1, "id")]);
    check("BOLT bv", &[(2, "name")]);
    check("bolt.example", &[(2, "domain")]);
    check("https://www.bolt.example/cart?x=1", &[(2, "domain")]);
    check("info@bolt.example", &[(2, "domain")]);
    check("bolt.example.", &[(2, "domain")]);
    check("notbolt.example", &[]);
    check("203.0.113.12", &[(2, "address")]);
    check("198.51.100.12", &[(2, "address")]);
    check("bolt-host", &[(2, "host")]);
    check("bolt-site", &[(2, "workload")]);
    check("shop.bolt.example", &[(2, "workload")]);
    check("88-bolt", &[(2, "label")]);
    check(" olt ", &[(2, "id")]);
    check("two", &[(1, "id")]);
    for nobody in ["", "  ", "o", "@", "://", "zebra"] {
        check(nobody, &[]);
    }
}

#[test]
fn addresses_are_found_in_any_spelling() {
    let (ledger, _) = in_memory();
    let mut view = fleet(&["acme", "bolt"]);
    view.hosts[1].workloads[0].addresses.push("2001:db8:0:0::7".into());
    let check = |text: &str, expected: &[usize]| {
        let found = look_up(&ledger, &view, text);
        let found: Vec<_> = found.iter().map(|found| found.customer).collect();
        assert_eq!(found, expected, "{text:?}");
    };
    check("203.0.113.0/24", &[0, 1]);
    check("203.0.113.10/32", &[0]);
    check("203.0.113.", &[0, 1]);
    check("203.0.113.11:443", &[1]);
    check("http://203.0.113.11/shop", &[1]);
    check("::ffff:203.0.113.11", &[1]);
    check("2001:DB8::0007", &[1]);
    check("https://[2001:db8::7]:8443/", &[1]);
    check("2001:db8::/32", &[1]);
    check("203.0.113.12", &[]);
    check("203.0.113.0/33", &[]);
}

#[test]
fn a_slip_is_a_question_and_comes_after_what_is_sure() {
    let (ledger, _) = in_memory();
    let mut view = fleet(&["jansen-bouw", "janssen", "hendriks"]);
    let fits = |view: &FleetView, text: &str| {
        let found = look_up(&ledger, view, text);
        found.iter().map(|found| (found.customer, found.fit)).collect::<Vec<_>>()
    };
    assert_eq!(fits(&view, "jansen"), [(0, Fit::Prefix), (1, Fit::Typo)]);
    assert_eq!(fits(&view, "henrdiks"), [(2, Fit::Typo)]);
    assert_eq!(fits(&view, "janssen"), [(1, Fit::Exact)], "certain: nobody needs to be asked");
    assert_eq!(fits(&view, "good evening janssen here"), [(1, Fit::SomeWords)]);
    assert!(!Fit::Typo.is_sure() && !Fit::SomeWords.is_sure() && Fit::Part.is_sure());

    let gold: TierName = "gold".parse().unwrap();
    view.tiers = [(gold.clone(), 10.0)].into();
    assert_eq!(fits(&view, "example").iter().map(|it| it.0).collect::<Vec<_>>(), [0, 1, 2]);
    view.customers[2].tier = Some(gold);
    assert_eq!(fits(&view, "example").iter().map(|it| it.0).collect::<Vec<_>>(), [2, 0, 1]);
}

#[test]
fn a_host_finds_everybody_on_it() {
    let (ledger, _) = in_memory();
    let mut view = fleet(&["acme", "bolt"]);
    let moved = view.hosts[1].workloads.remove(0);
    view.hosts[0].workloads.push(moved);
    let found = look_up(&ledger, &view, "acme-host");
    assert_eq!(found.iter().map(|found| found.customer).collect::<Vec<_>>(), [0, 1]);
}

/// What is read out to the verified customer of `fleet(&["acme"])`, English and Dutch.
fn verified(ledger: &Ledger, view: &FleetView) -> (String, String) {
    let found = look_up(ledger, view, "acme").remove(0);
    (found.say["en"].verified.clone(), found.say["nl"].verified.clone())
}

#[test]
fn the_paragraph_says_what_the_ledger_knows() {
    let (ledger, _) = in_memory();
    let mut view = fleet(&["acme"]);
    view.timezone = Some("Europe/Amsterdam".into());
    let (en, nl) = verified(&ledger, &view);
    assert!(en.starts_with("Your data waits for its turn"), "{en}");
    assert!(nl.starts_with("Uw gegevens wachten op hun beurt"), "{nl}");
    begin(&ledger, "acme");
    ledger.commit_receipts(&[receipt("acme", 0)]).unwrap();
    let (en, nl) = verified(&ledger, &view);
    assert!(en.contains("So far 1.0 MB of about 5.0 MB are on our own machines."), "{en}");
    assert!(nl.contains("1.0 MB van ongeveer 5.0 MB"), "{nl}");
    seal(&ledger, "acme", 1);
    let (en, _) = verified(&ledger, &view);
    assert!(en.contains("The copy dates from 2030-03-17 18:46 CET."), "{en}");
    assert!(!en.contains("{}") && !en.contains("  "), "{en}");
}

#[test]
fn a_held_customer_sounds_like_any_who_needs_attention() {
    let (ledger, _) = in_memory();
    let mut view = fleet(&["acme", "bolt"]);
    begin(&ledger, "acme");
    seal(&ledger, "acme", 1);
    let failed = Event::CaptureFailed {
        workload: workload("bolt-site"),
        reason: Reason::SourceError,
        detail: "disk".into(),
    };
    ledger.append(&failed, "jo").unwrap();
    let bolt = look_up(&ledger, &view, "bolt").remove(0).say;
    for hold in [Hold::Abuse, Hold::Legal, Hold::Customer] {
        view.customers[0].hold = hold;
        assert_eq!(look_up(&ledger, &view, "acme").remove(0).say, bolt, "{hold:?}");
    }
}

#[test]
fn anyone_learns_nothing_about_anybody() {
    let (ledger, _) = in_memory();
    let view = fleet(&["acme", "bolt"]);
    let anyone = |text| {
        let found = look_up(&ledger, &view, text).remove(0);
        [found.say["en"].anyone.clone(), found.say["nl"].anyone.clone()]
    };
    let before = anyone("acme");
    begin(&ledger, "acme");
    seal(&ledger, "acme", 1);
    assert_eq!(ledger.snapshot(&view, start()).unwrap().customers[0].state, PublicWord::Copied);
    assert_eq!(anyone("acme"), before);
    assert_eq!(anyone("bolt"), before);
}

#[test]
fn several_services_are_told_in_the_customers_own_names() {
    let (ledger, _) = in_memory();
    let mut view = fleet(&["acme", "bolt"]);
    view.hosts[1].workloads[0].customer = customer("acme");
    begin(&ledger, "acme");
    seal(&ledger, "acme", 1);
    let (en, _) = verified(&ledger, &view);
    let detail = "shop.acme.example: copied; shop.bolt.example: waiting for its turn.";
    assert!(en.contains(detail), "{en}");
    assert!(!en.contains("acme-site"), "{en}");
}

/// Names as thousands have them, and each of them alone.
fn crowd(count: usize) -> (Names, Vec<Names>) {
    let trades =
        ["Bakkerij", "Slagerij", "Garage", "Kwekerij", "Fietsen", "Boekhandel", "Drukkerij"];
    let people = ["Jansen", "de Vries", "van den Berg", "Müller", "Visser", "Kowalski", "Åkesson"];
    let places = ["Amsterdam", "Zwolle", "Köln", "Łódź", "Leeuwarden"];
    let known = |index: usize| {
        let (trade, person) = (trades[index % 7], people[index / 7 % 7]);
        let name = format!("{trade} {person} {}", places[index / 49 % 5]);
        let domain = format!("{trade}{index}.example").to_lowercase();
        [(Kind::Id, format!("c{index:05}")), (Kind::Name, name), (Kind::Domain, domain)]
            .map(|(kind, text)| KnownBy { kind, text })
    };
    let (mut all, mut each) = (Names::default(), Vec::new());
    for index in 0..count {
        let mut alone = Names::default();
        alone.push(0, &known(index));
        all.push(0, &known(index));
        each.push(alone);
    }
    (all, each)
}

#[test]
fn a_crowd_is_searched_in_parts_and_everybody_fits_as_he_does_alone() {
    let (all, each) = crowd(5_000);
    for text in ["garage123.exmaple", "c04711", "fietsen88.example", "kwekrij301.example"] {
        let fits = |names: &Names| search(names, text).best.first().map(|hit| hit.fit);
        let expected: Vec<_> =
            (0_usize..).zip(&each).filter_map(|(at, it)| Some((at, fits(it)?))).collect();
        let best = expected.iter().map(|(_, fit)| *fit).min();
        let expected = expected.into_iter().filter(|(_, fit)| Some(*fit) == best);
        let found = search(&all, text);
        let found = found.best.iter().filter(|hit| Some(hit.fit) == best);
        let found: Vec<_> = found.map(|hit| (hit.customer, hit.fit)).collect();
        let expected: Vec<_> = expected.take(FOUND_MAX).collect();
        assert!(!found.is_empty() && expected.iter().all(|it| found.contains(it)), "{text}");
    }
}

#[test]
fn badly_misspelled_words_are_compared_with_few_others() {
    let (names, _) = crowd(5_000);
    let misspelled = [
        "bakrij jasnen",
        "goedemorgen u spreekt met slagerj vn den berch",
        "bookhandel mullr lods",
    ];
    for text in misspelled {
        let found = search(&names, text);
        let work = found.work;
        assert!(found.total > 0 && work.words > 5_000 * 4, "{text}: {work:?}");
        // Each of up to ten that were typed could be compared with each, a hundred steps a time.
        assert!(work.counted < work.words, "{text}: {work:?}");
        assert!(work.compared * 5 < work.words, "{text}: {work:?}");
        assert!(work.steps < work.compared * 40, "{text}: {work:?}");
    }
}
