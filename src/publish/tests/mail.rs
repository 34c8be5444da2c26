//! Which moment comes next, which mail leaves next, and what hostile text becomes of on the wire.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::inventory::settings_mail::{Mail, Moment, Way};
use crate::ledger::outbox::{OutboxRow, RowKind, RowState};
use crate::model::SiteId;
use crate::publish::locale::Texts;
use crate::publish::locale::pseudo::IS_ON;
use crate::publish::mail::DESTINATION;
use crate::publish::mail::letter::{Letter, Link, Matter, compose, test, whole};
use crate::publish::mail::message::{self, Parts};
use crate::publish::mail::moment::{Around, Told, moments};
use crate::publish::mail::plan::subject;
use crate::publish::mail::queue::{Step, Verdict, answered, begun, next};
use crate::publish::own::{Service, Step as Own};

fn with(words: &[PublicWord]) -> CustomerStatus {
    let mut customer = customer(0, words[0]);
    customer.workloads = words.iter().map(|word| workload(0, *word)).collect();
    customer
}

fn told(moment: Moment, round: u32, online: u64) -> Told {
    Told { moment, round, online }
}

/// How his services fare, what he was told, what is around, and what comes next.
type Case<'a> = (&'a [PublicWord], &'a [Told], Around, &'a [(Moment, u32)]);

#[test]
fn moments_follow_one_another_and_none_comes_twice() {
    use Moment::{AtRisk, Back, Copied, Final, Online, Partly, Reachable, Waiting};
    use PublicWord::{Copied as Out, NeedsAttention as Trouble, Online as On, Queued};
    let (quiet, open) = (Around::default(), Around { has_access: true, ..Around::default() });
    let risk = Around { is_at_risk: true, ..open };
    let over = Around { is_over: true, ..quiet };
    let cases: [Case<'_>; 17] = [
        (&[Queued], &[], quiet, &[]),
        (&[Queued], &[], open, &[(Reachable, 1)]),
        (&[Queued], &[told(Reachable, 1, 0)], open, &[]),
        (&[Queued], &[told(Reachable, 1, 0)], risk, &[(AtRisk, 1)]),
        (&[Queued], &[told(AtRisk, 1, 0)], open, &[]),
        (&[Out, Out], &[told(AtRisk, 1, 0)], risk, &[(Copied, 1)]),
        (&[Queued], &[told(Copied, 1, 0)], risk, &[]),
        (&[On, Out, Trouble], &[told(Copied, 1, 0)], quiet, &[(Partly, 1)]),
        (&[On, On, Trouble], &[told(Partly, 1, 1)], quiet, &[]),
        (&[Out, Out, Trouble], &[told(Partly, 1, 1)], quiet, &[(Back, 1)]),
        (&[On, On], &[told(Partly, 1, 1)], quiet, &[(Online, 1)]),
        (&[On, On], &[told(Online, 1, 2)], quiet, &[]),
        (&[On, Trouble], &[told(Online, 1, 2)], quiet, &[(Back, 1)]),
        (&[On, Trouble], &[told(Online, 1, 2), told(Back, 1, 1)], quiet, &[(Partly, 2)]),
        (&[On, On], &[told(Online, 1, 2), told(Back, 1, 1)], over, &[(Online, 2)]),
        (&[On, On], &[told(Online, 1, 2)], over, &[(Final, 1)]),
        (&[Out, Out], &[told(Online, 1, 2), told(Back, 1, 0)], open, &[]),
    ];
    for (words, before, around, expected) in cases {
        let found = moments(&with(words), &[], before, around);
        assert_eq!(found, expected, "{words:?} {before:?} {around:?}");
        let mut held = with(words);
        held.hold = Hold::Abuse;
        assert_eq!(moments(&held, &[], before, around), [], "held: {words:?}");
    }
    let (old, new) = ("10.1.0.0".parse().unwrap(), "10.2.0.0".parse().unwrap());
    let steps = [Own::DnsOld { domain: "x.example".into(), old, new }];
    assert_eq!(moments(&with(&[On]), &steps, &[], quiet), [(Waiting, 1)]);
    assert_eq!(moments(&with(&[On]), &steps, &[told(Waiting, 1, 1)], quiet), []);
    assert_eq!(moments(&with(&[On]), &[], &[told(Waiting, 1, 1)], quiet), [(Online, 1)]);
}

fn settings(rate: u32, hourly: u32, settle_s: u64) -> Mail {
    Mail {
        from: "Example \"Hosting\" <status@example.net>".into(),
        reply_to: None,
        way: Way::Command(vec!["x".into()]),
        rate,
        hourly,
        settle: crate::model::Span(Duration::from_secs(settle_s)),
        moments: Vec::new(),
        unsubscribe: None,
    }
}

fn at(second: u64) -> Timestamp {
    time("2030-03-04T02:00:00Z").plus(Duration::from_secs(second))
}

fn row(customer: &str, moment: Moment) -> OutboxRow {
    let letter = Letter {
        customer: customer.parse().unwrap(),
        moment,
        round: 1,
        to: format!("a@{customer}.example"),
        language: "en".into(),
        online: 1,
        subject: "s".into(),
        text: "t".into(),
        closing: "c".into(),
    };
    OutboxRow {
        destination: DESTINATION.into(),
        subject: subject(&letter),
        kind: RowKind::Mail,
        number: 0,
        version: 1,
        wanted: serde_json::to_string(&letter).unwrap(),
        calling: None,
        shown: None,
        state: RowState::Waiting,
        attempts: 0,
        wanted_at: at(0),
        next_at: at(0),
        sent_at: None,
        answer: None,
        remote: None,
    }
}

/// Runs a queue against a relay, second by second; what was sent when.
fn run(
    mut rows: Vec<OutboxRow>,
    mail: &Mail,
    seconds: u64,
    mut relay: impl FnMut(u64, &Letter) -> Verdict,
) -> (Vec<(u64, String)>, Vec<OutboxRow>) {
    let stands: BTreeSet<String> = rows.iter().map(|row| row.subject.clone()).collect();
    let (mut calls, mut sent) = (Vec::new(), Vec::new());
    for second in 0..seconds {
        while let Step::Send(row, letter) = next(&rows, &stands, mail, &calls, at(second)) {
            calls.push(at(second));
            let verdict = relay(second, &letter);
            sent.push((second, letter.customer.to_string()));
            let begun = begun((*row).clone(), at(second));
            let done = answered(begun, &row, &verdict, at(second), 0);
            let place = rows.iter_mut().find(|it| it.subject == done.subject);
            *place.unwrap() = done;
        }
    }
    (sent, rows)
}

fn accepted() -> Verdict {
    Verdict::Accepted { said: "250 ok".into() }
}

#[test]
fn a_minute_an_hour_and_a_settling_time_are_kept() {
    let many: Vec<_> = (0..10).map(|n| row(&format!("c{n}"), Moment::Online)).collect();
    let (sent, _) = run(many, &settings(4, 3, 30), 200, |_, _| accepted());
    let seconds: Vec<_> = sent.iter().map(|(second, _)| *second).collect();
    assert_eq!(seconds, [30, 30, 30, 30, 90, 90, 90, 90, 150, 150]);

    let moments = [Moment::Reachable, Moment::Copied, Moment::Partly, Moment::Online];
    let (sent, _) =
        run(moments.map(|it| row("c0", it)).to_vec(), &settings(60, 2, 0), 3_700, |_, _| {
            accepted()
        });
    let seconds: Vec<_> = sent.iter().map(|(second, _)| *second).collect();
    assert_eq!(seconds, [0, 0, 3_600, 3_600]);
}

#[test]
fn a_relay_that_is_away_is_left_alone_and_a_mailbox_that_says_later_keeps_nobody_waiting() {
    let both = vec![row("c0", Moment::Online), row("c1", Moment::Online)];
    let away = |second, _: &Letter| match second {
        0..100 => Verdict::NoRelay { said: "away".into() },
        _ => accepted(),
    };
    let (sent, rows) = run(both.clone(), &settings(600, 3, 0), 400, away);
    assert!(rows.iter().all(|row| row.state == RowState::Sent), "{rows:?}");
    assert!(sent.len() < 16, "{sent:?}");
    let later = |_, letter: &Letter| match letter.customer.as_str() {
        "c0" => Verdict::Later { said: "451".into() },
        _ => accepted(),
    };
    let (sent, rows) = run(both, &settings(600, 3, 0), 8 * 3_600, later);
    assert_eq!(sent.iter().filter(|(second, who)| *second == 0 && who == "c1").count(), 1);
    assert_eq!(rows[0].state, RowState::Refused, "the next contact has its turn");
    assert!((10..20).contains(&sent.len()), "{sent:?}");
}

#[test]
fn what_nobody_knows_of_is_sent_twice_at_most_whatever_happens() {
    let mail = settings(600, 3, 0);
    let unsure = |_, _: &Letter| Verdict::Unsure { said: "?".into() };
    let (sent, rows) = run(vec![row("c0", Moment::Online)], &mail, 7_200, unsure);
    assert_eq!(sent, [(0, "c0".into()), (900, "c0".into())]);
    assert_eq!(rows[0].state, RowState::Calling);
    // Ended in mid-mail by whoever: the same.
    let cut_off = begun(row("c0", Moment::Online), at(0));
    let (sent, rows) = run(vec![cut_off], &mail, 7_200, |_, _| accepted());
    assert_eq!((sent.len(), sent[0].0, rows[0].state), (1, 900, RowState::Sent));
}

#[test]
fn a_clock_that_is_turned_back_neither_repeats_nor_delays_a_mail() {
    let day = Duration::from_secs(86_400);
    let (mail, earlier) = (settings(600, 1, 30), time("2030-03-03T02:00:00Z"));
    let before = row("c0", Moment::Reachable);
    let done = answered(begun(before.clone(), at(0)), &before, &accepted(), at(0), 0);
    let rows = [done, row("c0", Moment::Copied), row("c1", Moment::Online)];
    let stands: BTreeSet<String> = rows.iter().map(|row| row.subject.clone()).collect();
    let Step::Send(due, _) = next(&rows, &stands, &mail, &[at(0)], earlier) else {
        panic!("it waits for the day to come round again")
    };
    assert_ne!(due.subject, rows[0].subject, "that was sent");
    // A month ahead: each at once, once, and never again what was sent.
    let (sent, rows) = run(rows.to_vec(), &mail, 31, |_, _| accepted());
    assert_eq!(sent, [(30, "c1".into())], "c0 had his share of the hour");
    let later = at(0).plus(31 * day);
    let Step::Send(due, _) = next(&rows, &stands, &mail, &[], later) else { panic!("it is due") };
    assert_eq!(due.subject, rows[1].subject);
}

#[test]
fn no_name_and_no_text_can_begin_a_header_and_no_byte_is_above_seven_bits() {
    let hostile = "Bäcker\r\nBcc: all@x.example\u{202e}\u{0}";
    let text = format!("{hostile}\n.\n..\nFrom here\n{}\n", "ü".repeat(500));
    let id = message::id(SiteId([7; 8]), "c0 online 1 a@b.example", "status@example.net");
    let mail = Mail { unsubscribe: Some("mailto:no@example.net".into()), ..settings(1, 1, 0) };
    let at = at(0);
    let thread = Some("<evac.1@example.net>");
    let parts = Parts { to: "a@b.example", subject: hostile, text: &text, id: &id, thread, at };
    let bytes = message::bytes(&mail, &parts).unwrap();
    assert!(bytes.is_ascii());
    let wire = String::from_utf8(bytes).unwrap();
    let (head, _) = wire.split_once("\r\n\r\n").unwrap();
    let names: Vec<_> = head
        .split("\r\n")
        .filter(|line| !line.starts_with([' ', '\t']))
        .map(|line| line.split(':').next().unwrap())
        .collect();
    let expected = [
        "Date",
        "From",
        "To",
        "Subject",
        "Message-ID",
        "In-Reply-To",
        "References",
        "Auto-Submitted",
        "X-Auto-Response-Suppress",
        "List-Unsubscribe",
        "MIME-Version",
        "Content-Type",
        "Content-Transfer-Encoding",
    ];
    assert_eq!(names, expected, "{head}");
    assert!(head.contains("Date: Mon, 04 Mar 2030 02:00:00 +0000"), "{head}");
    assert!(wire.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])));
    // A copy is the same message.
    assert_eq!(id, message::id(SiteId([7; 8]), "c0 online 1 a@b.example", "status@example.net"));
    assert_ne!(id, message::id(SiteId([8; 8]), "c0 online 1 a@b.example", "status@example.net"));
    assert!(
        message::bytes(&mail, &Parts { to: "a@b.example\r\nBcc: c@d.example", ..parts }).is_err()
    );
}

#[test]
fn no_mail_holds_a_text_that_cannot_be_translated() {
    IS_ON.set(true);
    let texts = Texts::new(Language::En).unwrap();
    let (old, new) = ("10.1.0.0".parse().unwrap(), "10.2.0.0".parse().unwrap());
    let service = |number: usize, word| Service {
        label: (number > 0).then(|| format!("zz-shop-{number}")),
        word,
        data_of: (number > 1).then(|| at(0)),
        addresses: vec![(old, new)],
    };
    let mut services: Vec<_> = (0..40).map(|number| service(number, PublicWord::Online)).collect();
    services.extend(WORDS.into_iter().map(|word| service(1, word)));
    services.rotate_right(WORDS.len());
    let domain = || "zz-shop.example".to_owned();
    let steps = [
        Own::DnsOld { domain: domain(), old, new },
        Own::DnsDone { domain: domain() },
        Own::DnsElsewhere { domain: domain(), new },
        Own::DnsUnknown { domain: domain(), new },
        Own::Key { address: "10.2.0.0".into(), key: "SHA256:x".into() },
    ];
    let zone = TimeZone::get("Europe/Amsterdam").unwrap();
    let matter = Matter {
        name: Some("zz-name"),
        services: &services,
        steps: &steps,
        words: None,
        contact: Some("Call +31 20 123 4567."),
        site: "Example Hosting",
        zone: &zone,
    };
    let mut all = vec![test(&texts, &matter).unwrap()];
    all.extend(Moment::ALL.map(|(_, moment)| compose(&texts, moment, &matter).unwrap()));
    for (subject, text, closing) in all {
        for link in [Link::Own("zz-link"), Link::Page("zz-link"), Link::None] {
            let text = whole(&texts, &text, &closing, link).unwrap();
            let left = super::pseudo::words(&format!("{subject}\n{text}"));
            assert_eq!(left, <[String; 0]>::default());
        }
    }
    IS_ON.set(false);
}
