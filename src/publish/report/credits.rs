//! What customers get back: outages, rules and fees put together, a line a service and period.
//!
//! **Promises.** Each line has the spans it rests on; no minute counts twice, however many services
//! were down in it. One fee is reckoned by one rule; services of another rule are listed. No credit
//! is above its cap, more downtime never gives less, and the totals are the sums of the lines.
//! Customers on hold are in none of it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::inventory::{Customer, Inventory, Workload};
use crate::model::{CustomerId, WorkloadId};
use crate::publish::report::fees::Fee;
use crate::publish::report::interval::{self, Interval, seconds, union, within, without};
use crate::publish::report::money::{Currency, Money, Percent, Rounding, Share};
use crate::publish::report::outage::Outages;
use crate::publish::report::rules::{Count, Formula, Rule, Rules};

/// One credit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Whose.
    pub customer: CustomerId,
    /// His number in the billing system.
    pub client: Option<String>,
    /// Which service, by its label or id; `None`: all of his together.
    pub service: Option<String>,
    /// What it costs a month.
    pub fee: Money,
    /// Its currency.
    pub currency: String,
    /// What is reckoned over.
    pub period: Interval,
    /// Downtime that counts, in seconds.
    pub down_s: u64,
    /// When that was.
    pub down: Vec<Interval>,
    /// Downtime that does not count, in seconds.
    pub excluded_s: u64,
    /// Is it down still? Then this is not the last word.
    pub open: bool,
    /// Which rule.
    pub rule: String,
    /// How it was reckoned, in words.
    pub how: String,
    /// Did the cap make it less?
    pub capped: bool,
    /// What is given back.
    pub credit: Money,
    /// Days by which the next payment is due later.
    pub free_days: u32,
    /// Its number in the billing system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_id: Option<String>,
    /// When it is paid next, as things are.
    #[serde(skip)]
    pub next_due: Option<Date>,
}

/// All of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Credits {
    /// By customer, service and period; also those that give nothing.
    pub lines: Vec<Line>,
    /// By currency.
    pub totals: BTreeMap<Currency, Money>,
    /// Customers of whom nobody said what they pay.
    pub without_fee: Vec<CustomerId>,
    /// Services that no rule is for.
    pub without_rule: Vec<WorkloadId>,
    /// Services whose rule is not the one of the fee that they share with others.
    pub under_another_rule: Vec<WorkloadId>,
}

/// What credits are made from.
pub struct Basis<'a> {
    pub inventory: &'a Inventory,
    pub outages: &'a Outages,
    /// Services that are counted, and whose they are.
    pub counted: &'a BTreeMap<WorkloadId, CustomerId>,
    pub rules: &'a Rules,
    pub fees: &'a [Fee],
    pub zone: &'a TimeZone,
    /// From the beginning of the outage until now.
    pub span: Interval,
}

/// Puts everything together.
pub fn credits(basis: &Basis<'_>) -> Credits {
    let mut credits = Credits::default();
    let mut missing: BTreeSet<CustomerId> = BTreeSet::new();
    let mut owned: BTreeMap<&CustomerId, Vec<&Workload>> = BTreeMap::new();
    for workload in basis.inventory.workloads() {
        if let Some(customer) = basis.counted.get(&workload.id) {
            owned.entry(customer).or_default().push(workload);
        }
    }
    let mut fees: BTreeMap<&CustomerId, Vec<&Fee>> = BTreeMap::new();
    for fee in basis.fees {
        fees.entry(&fee.customer).or_default().push(fee);
    }
    for customer in &basis.inventory.customers {
        let Some(own) = owned.get(&customer.id) else { continue };
        let fees = fees.get(&customer.id).map(Vec::as_slice).unwrap_or_default();
        if fees.is_empty() {
            missing.insert(customer.id.clone());
        }
        for fee in fees {
            let meant: Vec<&Workload> =
                own.iter().copied().filter(|it| is_meant(fee, it)).collect();
            of_fee(&mut credits, basis, customer, fee, &meant);
        }
    }
    credits.without_fee = missing.into_iter().collect();
    for line in &credits.lines {
        let currency = line.credit.currency;
        let total = credits.totals.entry(currency).or_insert_with(|| Money::zero(currency));
        *total = total.plus(line.credit);
    }
    credits
}

fn is_meant(fee: &Fee, workload: &Workload) -> bool {
    fee.service.as_ref().is_none_or(|service| {
        workload.id.as_str() == service || workload.label.as_ref() == Some(service)
    })
}

fn of_fee(
    credits: &mut Credits,
    basis: &Basis<'_>,
    customer: &Customer,
    fee: &Fee,
    meant: &[&Workload],
) {
    let rules = &basis.rules.rules;
    let own_rule = |it: &Workload| rules.iter().position(|rule| rule.of.fits(customer, it));
    let Some(first) = meant.iter().filter_map(|it| own_rule(it)).min() else {
        credits.without_rule.extend(meant.iter().map(|it| it.id.clone()));
        return;
    };
    // What the terms give nothing for stays out; what they give under another rule is named.
    let others = meant.iter().filter(|it| own_rule(it).is_some_and(|own| own != first));
    credits.under_another_rule.extend(others.map(|it| it.id.clone()));
    let rule = &rules[first];
    let meant: Vec<&Workload> =
        meant.iter().copied().filter(|it| own_rule(it) == Some(first)).collect();
    let all = basis.outages.of_any(meant.iter().map(|it| &it.id));
    let down = union(meant.iter().flat_map(|it| counting(basis, customer, it)));
    let periods =
        basis.rules.period.covering(basis.span, basis.zone, basis.rules.anchor, fee.billing_day);
    let mut was_given = false;
    for period in periods.unwrap_or_default() {
        let here = within(&down, period);
        let all_here = seconds(&within(&all, period));
        if all_here == 0 {
            continue;
        }
        let open = meant.iter().any(|it| basis.outages.open.contains(&it.id))
            && period.to >= basis.span.to;
        let given = give(rule, basis.rules, fee.sum, (seconds(&here), period.seconds()), was_given);
        was_given |= !given.credit.is_zero() || given.free_days > 0;
        credits.lines.push(Line {
            customer: customer.id.clone(),
            client: customer.labels.get("whmcs").cloned(),
            service: fee.service.clone(),
            fee: fee.sum,
            currency: fee.sum.currency.code().to_owned(),
            period,
            down_s: seconds(&here),
            excluded_s: all_here - seconds(&here),
            down: here,
            open,
            rule: rule.name.clone(),
            how: given.how,
            capped: given.capped,
            credit: given.credit,
            free_days: given.free_days,
            service_id: fee.service_id.clone(),
            next_due: fee.next_due,
        });
    }
}

/// When a service was down, without what is not counted.
fn counting(basis: &Basis<'_>, customer: &Customer, workload: &Workload) -> Vec<Interval> {
    let down = basis.outages.down.get(&workload.id).map(Vec::as_slice).unwrap_or_default();
    let meant = basis.rules.exclusions.iter().filter(|it| it.of.fits(customer, workload));
    without(down, &interval::union(meant.map(|it| it.span)))
}

/// What a rule gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// How much.
    pub credit: Money,
    /// Did the cap make it less?
    pub capped: bool,
    /// Days by which the next payment is due later.
    pub free_days: u32,
    /// In words.
    pub how: String,
}

/// What `rule` gives for so many seconds down in a period of so many. What is given once is not
/// given when something `was_given` already.
pub fn give(
    rule: &Rule,
    rules: &Rules,
    fee: Money,
    (down_s, period_s): (u64, u64),
    was_given: bool,
) -> Given {
    let nothing = |how: &str| Given {
        credit: Money::zero(fee.currency),
        capped: false,
        free_days: 0,
        how: how.to_owned(),
    };
    if down_s == 0 || down_s < rule.after {
        return nothing("not long enough");
    }
    let is_once = matches!(rule.formula, Formula::Flat { .. } | Formula::FreeDays { .. });
    if is_once && was_given {
        return nothing("given already");
    }
    if let Formula::FreeDays { days } = rule.formula {
        return Given { free_days: days, ..nothing(&format!("{days} days free")) };
    }
    let Some((share, how)) = share(&rule.formula, down_s, period_s) else {
        return nothing("not long enough");
    };
    let cap = rule.cap.map_or(rules.cap, |cap| cap.min(rules.cap));
    let most = fee.times(cap.share(1), Rounding::Down);
    let credit = fee.times(share, rules.rounding);
    let capped = credit > most;
    let how = if capped { format!("{how}, at most {cap}") } else { how };
    Given { credit: credit.min(most), capped, free_days: 0, how }
}

fn share(formula: &Formula, down_s: u64, period_s: u64) -> Option<(Share, String)> {
    match formula {
        Formula::Tiers(steps) => {
            let (from, percent) = steps.iter().rfind(|(from, _)| *from <= down_s)?;
            let from = crate::model::Span(std::time::Duration::from_secs(*from));
            Some((percent.share(1), format!("{percent} from {from}")))
        }
        Formula::Every { seconds, percent, count } => {
            let times = steps(down_s.into(), (*seconds).into(), *count)?;
            let every = crate::model::Span(std::time::Duration::from_secs(*seconds));
            Some((percent.share(times), format!("{times} × {percent}, {} {every}", word(*count))))
        }
        Formula::UnderTarget { target, step, percent, count } => {
            let whole = i128::from(period_s);
            let up = i128::from(period_s.saturating_sub(down_s));
            let short = target.millionths() * whole - Percent::ALL.millionths() * up;
            let times = steps(short, step.millionths() * whole, *count)?;
            let how = format!("{times} × {percent}, {} {step} under {target}", word(*count));
            Some((percent.share(times), how))
        }
        Formula::Hourly { factor, hours } => {
            let scale = Percent::ALL.millionths() / 100;
            let share = Share {
                part: factor.millionths() * i128::from(down_s),
                whole: scale * 3_600 * i128::from(*hours),
            };
            let factor = factor.to_string();
            let factor = factor.trim_end_matches(" %");
            Some((share, format!("fee × {} / {hours} h × {factor}", minutes(down_s))))
        }
        Formula::Flat { percent } => Some((percent.share(1), format!("{percent} once"))),
        Formula::FreeDays { .. } => None,
    }
}

/// `90 min`, or `90 min 1 s`: whoever reckons again must come to the same sum.
pub(super) fn minutes(seconds: u64) -> String {
    match seconds % 60 {
        0 => format!("{} min", seconds / 60),
        rest => format!("{} min {rest} s", seconds / 60),
    }
}

fn word(count: Count) -> &'static str {
    match count {
        Count::Started => "each begun",
        Count::Full => "each full",
    }
}

/// How many steps there are in `part`; `None` for none.
fn steps(part: i128, step: i128, count: Count) -> Option<u64> {
    if part <= 0 {
        return None;
    }
    let full = part / step;
    let times = full + i128::from(count == Count::Started && part % step != 0);
    u64::try_from(times).ok().filter(|times| *times > 0)
}
