//! Notices in phases, and the checklist of NIS2.

use super::{NOW, Story, time};
use crate::inventory::Wording;
use crate::publish::Language;
use crate::publish::locale::Texts;
use crate::publish::locale::pseudo::IS_ON;
use crate::publish::report::figures::Figures;
use crate::publish::report::nis::{self, Answer};
use crate::publish::report::notices::{Facts, Register, notice};

/// Drafts of everybody of whom something is new, by customer.
fn drafts(story: &Story, register: &mut Register) -> Vec<(String, String)> {
    let told = story.told();
    let case = story.case(&told);
    let outages = case.outages();
    let mut drafts = Vec::new();
    for customer in case.customers() {
        let facts = Facts::of(&case, customer, &outages);
        let Some((phase, before)) = register.add(&customer.id, &facts, told.snapshot.as_of) else {
            continue;
        };
        let language = story.inventory.customer(&customer.id).unwrap().language.clone();
        let language: Language = language.unwrap().parse().unwrap();
        let texts = Texts::new(language).unwrap();
        let phases = (&phase, before.as_ref());
        let draft = notice(&case, customer, phases, (&texts, &Wording::new())).unwrap();
        drafts.push((customer.id.to_string(), draft.markdown()));
    }
    drafts
}

#[test]
fn each_customer_reads_of_himself_in_his_language_and_then_what_is_new() {
    let (story, mut register) = (Story::weekend(), Register::default());
    let first = drafts(&story, &mut register);
    let names: Vec<_> = first.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["acme", "bloom", "chess"], "nobody on hold");
    assert!(first[0].1.contains("Al uw 2 diensten zijn weer online."), "{}", first[0].1);
    assert!(first[0].1.contains("artikel 33, lid 2"), "{}", first[0].1);
    assert!(first[0].1.contains("2 bestanden wijzigden tijdens het lezen"), "{}", first[0].1);
    assert!(first[1].1.contains("Bloom \\| \\<b\\>Ltd"), "{}", first[1].1);
    assert!(first[1].1.contains("loss of availability, which can be a breach"), "{}", first[1].1);
    let german = &first[2].1;
    assert!(german.contains("Ihr Dienst ist im Augenblick nicht online."), "{german}");
    assert!(german.contains("Von 1 Dienst haben wir noch keine ganze Kopie."), "{german}");
    for (own, text) in &first {
        for other in ["acme", "Acme", "bloom", "Bloom", "chess", "allory", "vps-", "abuse"] {
            assert!(own.eq_ignore_ascii_case(other) || !text.contains(other), "{own}: {text}");
        }
    }
    assert_eq!(drafts(&story, &mut register), [], "nothing is new");
    story.at("2030-04-01T13:00:00Z");
    assert_eq!(drafts(&story, &mut register), [], "time alone is no news");
    story.captured("chess", "vps-2", "chess-mail", super::tally(9));
    let second = drafts(&story, &mut register);
    assert_eq!(second.len(), 1);
    let (name, text) = &second[0];
    assert!(name == "chess" && text.contains("Was seit Meldung 1 vom 1. April 2030"), "{text}");
    let new = text.split("## ").nth(1).unwrap();
    assert!(new.contains("Die Kopie von 1 Dienst ist ganz"), "{new}");
    assert!(!new.contains("keine ganze Kopie") && !new.contains("im Augenblick"), "{new}");
    let table = register.table(&|id| id.as_str() != "acme").unwrap();
    let table = String::from_utf8(table).unwrap();
    assert!(table.lines().count() == 4 && !table.contains("acme"), "{table}");
}

#[test]
fn a_copy_is_as_old_as_its_beginning_and_what_was_left_out_is_said() {
    let story = Story::new();
    let began = story.begins("acme", "shared-1", "acme-db");
    // Changed at nine in what was read at eight: it is not in a copy that was whole at six.
    story.at("2030-03-31T04:00:00Z").seals("acme-db", began, &super::tally(1_000));
    story.at(NOW).leaves_out("acme-site");
    story.leaves_out("chess-mail");
    let drafts = drafts(&story, &mut Register::default());
    let acme = &drafts[0].1;
    for said in [
        "Onze kopieën van uw gegevens zijn van 30 maart 2030, 20:00\u{a0}CET of later.",
        "1 van uw diensten is met opzet niet meegenomen",
    ] {
        assert!(acme.contains(said), "{acme}");
    }
    assert!(drafts.iter().all(|(name, _)| name != "chess"), "of him only the operator hears");
    let told = story.told();
    let case = story.case(&told);
    assert_eq!(Figures::of(&case, &case.outages()).left_out, 2);
}

#[test]
fn a_notice_holds_no_text_that_cannot_be_translated() {
    IS_ON.set(true);
    let (story, mut register) = (Story::weekend(), Register::default());
    let mut all = drafts(&story, &mut register);
    story.captured("chess", "vps-2", "chess-mail", super::tally(9));
    all.extend(drafts(&story, &mut register));
    let story = Story::new();
    story.leaves_out("acme-site");
    all.extend(drafts(&story, &mut Register::default()));
    IS_ON.set(false);
    assert_eq!(all.len(), 7);
    for (_, text) in all {
        let mut text = text;
        for data in ["Example", "Acme BV", "Bloom", "\\<b\\>Ltd\\</b\\>", "chess", "CEST", "CET"] {
            text = text.replace(data, " ");
        }
        let is_left = |it: &&str| it.contains(|c: char| c.is_ascii_alphabetic());
        let left: Vec<_> = text.lines().filter(is_left).collect();
        assert_eq!(left, <[&str; 0]>::default());
    }
}

#[test]
fn clocks_run_from_when_somebody_was_aware() {
    let aware = time("2030-01-29T10:00:00Z");
    let clocks = nis::clocks(aware, time("2030-01-31T00:00:00Z"));
    let due: Vec<_> = clocks.iter().map(|it| (it.article, it.due.to_string(), it.late)).collect();
    let expected = [
        ("23(4)(a)", "2030-01-30T10:00:00Z".to_owned(), true),
        ("23(4)(b)", "2030-02-01T10:00:00Z".to_owned(), false),
        ("23(4)(d)", "2030-03-01T10:00:00Z".to_owned(), false),
        ("GDPR 33(1)", "2030-02-01T10:00:00Z".to_owned(), false),
    ];
    assert_eq!(due, expected);
}

#[test]
fn a_threshold_is_judged_only_by_what_is_known() {
    let story = Story::weekend();
    let told = story.told();
    let case = story.case(&told);
    let outages = case.outages();
    let found = nis::thresholds(&case, &Figures::of(&case, &outages), &outages);
    let answers: Vec<_> = found.iter().map(|it| (it.article, it.answer)).collect();
    assert_eq!(answers[0], ("7(a)", Answer::Crossed));
    let why = "No service of the 3 customers in the record was online for 10h00m without a break.";
    assert!(found[0].why.starts_with(why), "{}", found[0].why);
    assert_eq!(answers[1], ("7(b)", Answer::Crossed));
    assert!(answers[2..].iter().all(|(_, answer)| *answer == Answer::Unknown), "{answers:?}");
    let page = nis::page(&case, Some(time(NOW)), &found);
    assert!(page.markdown().contains("not legal advice"));
    assert!(page.html().contains("not legal advice"));
}

#[test]
fn completely_unavailable_is_only_what_not_one_service_was_left_of() {
    let story = Story::new();
    story.at("2030-03-30T19:10:00Z").captured("acme", "shared-1", "acme-db", super::tally(1));
    story.online("acme-db");
    story.at("2030-03-30T20:20:00Z").fails("acme-db");
    story.at("2030-03-30T20:45:00Z").passes("acme-db");
    story.at("2030-03-30T21:00:00Z").fails("acme-db");
    story.at("2030-03-30T21:25:00Z").passes("acme-db");
    story.at(NOW);
    let told = story.told();
    let case = story.case(&told);
    let outages = case.outages();
    // Everybody has something down all the time, but all of it was down for 25 minutes, twice.
    let found = nis::thresholds(&case, &Figures::of(&case, &outages), &outages);
    assert_eq!((found[0].article, found[0].answer), ("7(a)", Answer::NotCrossed));
    assert!(found[0].why.contains("was online for 25m00s without"), "{}", found[0].why);
    assert_eq!((found[1].article, found[1].answer), ("7(b)", Answer::Crossed));
}
