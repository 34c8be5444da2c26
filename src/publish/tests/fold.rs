//! What the fold lets through.

use super::*;
use crate::publish::page::{Access, Stage};

#[test]
fn counts_add_up_to_the_total() {
    let page = page([5, 4, 3, 2, 1, 6, 7, 8]);
    assert_eq!(page.customers, 36);
    assert_eq!(page.counts.map(|count| count.customers), [5, 4, 3, 2, 1, 6, 7, 8]);
    assert_eq!((page.copied(), page.online()), (3 + 2 + 1 + 6, 6));
}

#[test]
fn a_held_customer_is_in_no_count() {
    for hold in [Hold::Abuse, Hold::Legal, Hold::Customer] {
        let mut snapshot = snapshot([1, 1, 1, 1, 1, 1, 1, 1]);
        let before = render_all(&snapshot);
        for word in WORDS {
            let mut held = customer(900, word);
            held.hold = hold;
            snapshot.customers.push(held);
        }
        assert_eq!(render_all(&snapshot), before, "{hold:?}");
    }
}

#[test]
fn a_customer_without_data_is_in_no_count() {
    let mut snapshot = snapshot([0, 0, 0, 0, 0, 2, 0, 0]);
    snapshot.customers[0].workloads.clear();
    assert_eq!(StatusPage::new(&snapshot, &site()).customers, 1);
}

fn render_all(snapshot: &Snapshot) -> crate::publish::Rendered {
    render(&StatusPage::new(snapshot, &site())).unwrap()
}

#[test]
fn the_stage_follows_the_counts() {
    let check = |counts, expected| assert_eq!(page(counts).stage(), expected, "{counts:?}");
    check([0; 8], Stage::NoFigures);
    check([9, 0, 0, 0, 0, 0, 0, 0], Stage::Copying);
    check([0, 1, 8, 0, 0, 0, 0, 0], Stage::Copying);
    check([0, 0, 9, 0, 0, 0, 0, 0], Stage::Returning);
    check([8, 0, 0, 0, 0, 1, 0, 0], Stage::Returning);
    check([0, 0, 0, 0, 0, 8, 0, 1], Stage::Returning);
    check([0, 0, 0, 0, 0, 9, 0, 0], Stage::Done);
}

#[test]
fn access_is_said_from_the_moment_of_the_page() {
    let (early, late) = (time("2030-03-04T01:00:00Z"), time("2030-03-04T05:00:00Z"));
    let check = |opens, closes, expected| {
        let mut snapshot = snapshot([0; 8]);
        snapshot.window = Some(Window { opens, closes, hard: true });
        assert_eq!(StatusPage::new(&snapshot, &site()).access, expected);
    };
    check(None, None, Access::Unknown);
    check(Some(late), None, Access::Opens { at: late, until: None });
    check(Some(early), None, Access::Open { since: Some(early), until: None });
    check(Some(early), Some(late), Access::Open { since: Some(early), until: Some(late) });
    check(None, Some(late), Access::Open { since: None, until: Some(late) });
    check(Some(early), Some(early), Access::Over { at: early });
}

#[test]
fn a_site_without_languages_speaks_english_and_none_speaks_twice() {
    let languages = |languages: Vec<Language>| {
        StatusPage::new(&snapshot([0; 8]), &Site { languages, ..site() }).languages
    };
    assert_eq!(languages(vec![]), [Language::En]);
    assert_eq!(
        languages(vec![Language::Nl, Language::En, Language::Nl]),
        [Language::Nl, Language::En]
    );
}
