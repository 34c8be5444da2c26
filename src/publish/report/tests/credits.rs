//! Credits of the weekend, and what holds for all of them.

use proptest::prelude::*;

use super::Story;
use crate::inventory::SourceFile;
use crate::publish::report::billing;
use crate::publish::report::credits::{Basis, Credits, credits, give};
use crate::publish::report::money::{Currency, Money};
use crate::publish::report::outage::counted;
use crate::publish::report::rules::{self, Rules};
use crate::publish::report::{fees, interval::seconds};

const HOURLY: &str = "name = \"Terms\"\nrounding = \"half-up\"\ncap = 50\n[[rule]]\n\
                      name = \"hour\"\nkind = \"every\"\nevery = \"1h\"\ncount = \"started\"\n\
                      percent = \"0.5\"\n";

fn rules(text: &str) -> Rules {
    rules::read(&SourceFile::new("sla.toml", text)).unwrap()
}

fn reckoned(story: &Story, text: &str, table: &str) -> Credits {
    let (rules, told) = (rules(text), story.told());
    let case = story.case(&told);
    let fees = fees::of_table("fees.csv", table.as_bytes(), &story.inventory, rules.currency);
    credits(&Basis {
        inventory: &story.inventory,
        outages: &case.outages(),
        counted: &counted(&told.snapshot),
        rules: &rules,
        fees: &fees.unwrap(),
        zone: &story.zone,
        span: case.span(),
    })
}

/// Customer, hours down, credit of each line.
fn short(credits: &Credits) -> Vec<String> {
    let lines = credits.lines.iter();
    lines.map(|it| format!("{} {}h {}", it.customer, it.down_s / 3_600, it.credit)).collect()
}

#[test]
fn outages_that_cross_a_month_are_reckoned_in_each() {
    let found = reckoned(&Story::weekend(), HOURLY, "customer,fee\n");
    // The month ends at 22:00 UTC; acme was down 10 h and half an hour more.
    let expected = [
        "acme 10h EUR 2.20",
        "bloom 26h EUR 1.30",
        "bloom 4h EUR 0.20",
        "chess 26h EUR 0.91",
        "chess 14h EUR 0.49",
    ];
    assert_eq!(short(&found), expected, "{:?}", found.lines);
    assert_eq!(found.lines[0].down.len(), 2);
    assert_eq!(found.lines[0].period.seconds(), 31 * 86_400 - 3_600, "a month with one hour less");
    let open: Vec<_> = found.lines.iter().map(|line| line.open).collect();
    assert_eq!(open, [false, false, false, false, true]);
    assert_eq!(found.totals.values().map(Money::to_string).collect::<Vec<_>>(), ["EUR 5.10"]);
    assert!(found.without_fee.is_empty() && found.without_rule.is_empty());
}

#[test]
fn services_that_are_down_together_count_once_and_what_is_excluded_does_not() {
    let table = "customer,service,fee\nacme,shop.acme.example,20\nacme,acme-db,30\n";
    let excluded = "currency = \"EUR\"\n[[exclude]]\nfrom = \"2030-03-30T20:00:00Z\"\n\
                    to = \"2030-03-31T04:00:00Z\"\nreason = \"announced\"\nclass = [\"web\"]\n\
                    [[rule]]\nname = \"db\"\nservice = [\"acme-db\"]\nkind = \"tiers\"\n\
                    steps = [{ from = \"1h\", percent = 10 }, { from = \"10h\", percent = 25 }]\n\
                    [[rule]]\n";
    let text = HOURLY.replacen("[[rule]]\n", excluded, 1);
    let found = reckoned(&Story::weekend(), &text, table);
    let own: Vec<_> = short(&found).into_iter().filter(|it| it.starts_with("acme")).collect();
    assert_eq!(own, ["acme 2h EUR 0.30", "acme 10h EUR 7.50"]);
    assert_eq!(found.lines[0].excluded_s, 8 * 3_600);
    assert_eq!(found.lines[1].how, "25 % from 10h00m");
}

#[test]
fn nothing_that_was_down_under_another_rule_of_one_fee_is_passed_over_in_silence() {
    let webs = HOURLY.replacen("kind", "class = [\"web\"]\nkind", 1);
    let found = reckoned(&Story::weekend(), &webs, "customer,fee\n");
    let unruled: Vec<_> = found.without_rule.iter().map(crate::model::WorkloadId::as_str).collect();
    assert_eq!(unruled, ["chess-mail"], "no rule is for anything of his");
    assert!(found.under_another_rule.is_empty(), "the terms give nothing for a database");
    let others = "[[rule]]\nname = \"other\"\nkind = \"flat\"\npercent = 9\n";
    let found = reckoned(&Story::weekend(), &format!("{webs}{others}"), "customer,fee\n");
    let others: Vec<_> =
        found.under_another_rule.iter().map(crate::model::WorkloadId::as_str).collect();
    assert_eq!((others.as_slice(), found.without_rule.len()), (["acme-db"].as_slice(), 0));
    assert!(short(&found).contains(&"chess 26h EUR 0.63".to_owned()), "{:?}", short(&found));
}

#[test]
fn a_time_that_is_just_reached_is_reached_and_can_be_reckoned_again() {
    let text = "name = \"x\"\nrounding = \"half-even\"\n[[rule]]\nname = \"x\"\nafter = \"2h\"\n\
                kind = \"hourly\"\nfactor = 50\n";
    let rules = rules(text);
    let yen = "JPY".parse::<Currency>().unwrap().sum("7300").unwrap();
    let given = |down| give(&rules.rules[0], &rules, yen, (down, 2_592_000), false);
    assert_eq!(given(7_199).credit.digits(), "0");
    let (even, odd) = (given(7_200), given(7_259));
    assert_eq!(
        (even.credit.digits(), even.how),
        ("1000".into(), "fee × 120 min / 730 h × 50".into())
    );
    // 7,300 × 7,259 s / 2,628,000 s × 50 = 1,008.19…
    let how = "fee × 120 min 59 s / 730 h × 50".to_owned();
    assert_eq!((odd.credit.digits(), odd.how), ("1008".into(), how));
}

#[test]
fn mistakes_in_a_table_of_fees_have_their_line() {
    let story = Story::new();
    let check = |table: &str, expected: &str| {
        let read = fees::of_table("fees.csv", table.as_bytes(), &story.inventory, None);
        let error = read.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check("customer,fee,prize\n", "fees.csv:1: no column is called `prize`");
    check("fee\n", "the columns `customer` and `fee` are needed");
    check("customer,fee,currency\nacme,1,EUR\nnobody,1,EUR\n", "fees.csv:3: no customer has");
    check("customer,service,fee,currency\nacme,x,1,EUR\n", "customer/acme has no service `x`");
    check("customer,fee,currency\nacme,\"1,50\",EUR\n", "fees.csv:2: `1,50` is not a sum");
    check("customer,fee\nacme,1\n", "neither it nor the rules name a currency");
    check("customer,fee,currency\nacme,1,EUR\nacme,2,EUR\n", "stands in line 2");
    let twice = "customer,service,fee,currency\nacme,acme-site,20,EUR\n\
                 acme,shop.acme.example,20,EUR\n";
    check(twice, "fees.csv:3: the same service stands in line 2");
}

#[test]
fn whmcs_is_shown_what_is_final_and_who_cannot_be_told() {
    let free = HOURLY.replace(
        "kind = \"every\"\nevery = \"1h\"\ncount = \"started\"\npercent = \"0.5\"\n",
        "kind = \"free-days\"\ndays = 30\n",
    );
    let story = Story::weekend();
    let zone = &story.zone;
    let shown = |credits: &Credits| billing::whmcs(credits, "Terms", super::time(super::NOW), zone);
    let calls = shown(&reckoned(&story, HOURLY, "customer,fee\n"));
    let texts: Vec<_> = calls.calls.iter().map(ToString::to_string).collect();
    assert_eq!(calls.calls.len(), 3, "{texts:?}");
    let first = "action=AddCredit clientid=\"8812\" amount=\"2.20\" date=\"2030-04-01\" \
                 description=\"Terms, hour: all services down 630 min: 2030-03-30 21:00 CET to \
                 2030-03-31 08:00 CEST; ";
    assert!(texts[0].starts_with(first), "{texts:?}");
    let lacking = [
        "customer/chess: its label `whmcs` is no client number",
        "customer/chess: it is down still, so the sum is not final",
    ];
    assert_eq!(calls.lacking, lacking);
    let table = "customer,fee,currency,service_id,next_due\nacme,40,EUR,77,2030-04-15\n";
    let calls = shown(&reckoned(&story, &free, table));
    let text = calls.calls[0].to_string();
    assert_eq!(text, "action=UpdateClientProduct serviceid=\"77\" nextduedate=\"2030-05-15\"");
    let lacks = "customer/bloom: nobody said its service number";
    assert!(calls.lacking.iter().any(|it| it == lacks), "{:?}", calls.lacking);
    let bytes = billing::table(&reckoned(&story, HOURLY, "customer,fee\n")).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.lines().count() == 6 && !text.contains("mallory"), "{text}");
}

const FORMULAS: [&str; 6] = [
    "kind = \"tiers\"\nsteps = [{ from = \"1m\", percent = 5 }, { from = \"2h\", percent = 60 }]",
    "kind = \"every\"\nevery = \"30m\"\ncount = \"full\"\npercent = \"5\"",
    "kind = \"every\"\nevery = \"1d\"\ncount = \"started\"\npercent = \"3.333333\"\nafter = \"2h\"",
    "kind = \"under-target\"\ntarget = \"99.9\"\nstep = \"0.1\"\npercent = 10\ncount = \"started\"",
    "kind = \"hourly\"\nfactor = 50",
    "kind = \"flat\"\npercent = 100",
];

proptest! {
    #[test]
    fn more_downtime_never_gives_less_and_never_more_than_the_cap(
        formula in 0..FORMULAS.len(),
        fee in 0_u64..10_000_000,
        cap in 0_u32..=150,
        times in (0_u64..2_592_000, 0_u64..2_592_000),
    ) {
        let head = format!("name = \"x\"\nrounding = \"half-even\"\ncap = {cap}\n[[rule]]\n");
        let rules = rules(&format!("{head}name = \"x\"\n{}\n", FORMULAS[formula]));
        let euro: Currency = "EUR".parse().unwrap();
        let sum = |cents: u64| euro.sum(&format!("{}.{:02}", cents / 100, cents % 100)).unwrap();
        let fee_sum = sum(fee);
        let given = |down| give(&rules.rules[0], &rules, fee_sum, (down, 2_592_000), false).credit;
        let (less, more) = (given(times.0.min(times.1)), given(times.0.max(times.1)));
        prop_assert!(less <= more);
        prop_assert!(more <= sum(fee * u64::from(cap) / 100));
        prop_assert!(given(0).is_zero());
    }
}

#[test]
fn totals_are_the_sums_of_the_lines() {
    let found = reckoned(&Story::weekend(), HOURLY, "customer,fee\n");
    let euro = "EUR".parse().unwrap();
    let sum = found.lines.iter().fold(Money::zero(euro), |sum, line| sum.plus(line.credit));
    assert_eq!(found.totals[&euro], sum);
    assert!(found.lines.iter().all(|line| line.down_s == seconds(&line.down)));
}
