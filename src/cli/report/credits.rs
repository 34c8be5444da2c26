//! `evac report credits`: what customers get back, by the company's own rules.

use std::fmt::Write as _;
use std::fs;

use serde::Serialize;

use super::record::Record;
use crate::cli::args::report::CreditsArgs;
use crate::cli::failure::shown;
use crate::cli::print::{self, counted};
use crate::cli::{Exit, Failure, Global, files};
use crate::inventory::SourceFile;
use crate::ledger::snapshot::SCHEMA;
use crate::model::{CustomerId, Span, Timestamp, WorkloadId};
use crate::publish::report::ReportError;
use crate::publish::report::billing::{self, Calls, local};
use crate::publish::report::credits::{Basis, Credits, Line, credits};
use crate::publish::report::outage::counted as services_counted;
use crate::publish::report::rules::{self, Rules};
use crate::publish::report::{fees, money::Money};
use crate::term::{Align, Table};

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    as_of: Timestamp,
    down_since: Timestamp,
    rules: &'a str,
    period: &'a str,
    lines: &'a [Line],
    totals: Vec<Total>,
    without_fee: &'a [CustomerId],
    without_rule: &'a [WorkloadId],
    under_another_rule: &'a [WorkloadId],
    #[serde(skip_serializing_if = "Option::is_none")]
    whmcs: Option<&'a Calls>,
}

#[derive(Serialize)]
struct Total {
    currency: String,
    credit: Money,
}

/// Reckons, and shows.
pub fn run(global: &Global, args: &CreditsArgs) -> Result<Exit, Failure> {
    let path = global.named(&args.rules);
    let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
    let rules = rules::read(&SourceFile::new(&shown(&args.rules), text));
    let rules = rules.map_err(|problems| ReportError::Rules { problems })?;
    let record = Record::read(global, true)?;
    let began = record.began(args.down_since)?;
    let inventory = &record.loaded.inventory;
    let fees = match &args.fees {
        None => fees::of_labels(inventory, rules.currency)?,
        Some(file) => {
            let path = global.named(file);
            let table = fs::read(&path).map_err(|error| unreadable(&path, &error))?;
            fees::of_table(&shown(file), &table, inventory, rules.currency)?
        }
    };
    let case = record.case(began);
    let found = credits(&Basis {
        inventory,
        outages: &case.outages(),
        counted: &services_counted(&record.snapshot),
        rules: &rules,
        fees: &fees,
        zone: &record.zone,
        span: case.span(),
    });
    let now = record.snapshot.as_of;
    let calls = args.whmcs.then(|| billing::whmcs(&found, &rules.name, now, &record.zone));
    if let Some(file) = &args.csv {
        let table = billing::table(&found)?;
        files::replace(file, &String::from_utf8_lossy(&table))?;
    }
    record.doubts().iter().for_each(|doubt| print::tell(&format!("warning: {doubt}")));
    if global.json {
        let total =
            |credit: &Money| Total { currency: credit.currency.code().to_owned(), credit: *credit };
        print::document(&Document {
            schema: SCHEMA,
            as_of: now,
            down_since: began,
            rules: &rules.name,
            period: rules.period.word(),
            lines: &found.lines,
            totals: found.totals.values().map(total).collect(),
            without_fee: &found.without_fee,
            without_rule: &found.without_rule,
            under_another_rule: &found.under_another_rule,
            whmcs: calls.as_ref(),
        })?;
    } else {
        print::result(&shown_lines(&found, &rules, &record, calls.as_ref()))?;
    }
    tell(&found, &record, calls.as_ref());
    let lacks = calls.as_ref().is_some_and(|calls| !calls.lacking.is_empty());
    let left = found.without_rule.len() + found.under_another_rule.len();
    let is_whole = found.without_fee.is_empty() && left == 0 && !lacks;
    Ok(if is_whole { Exit::Done } else { Exit::Failed })
}

fn unreadable(path: &std::path::Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!("cannot read {}", shown(path))).because(error)
}

fn shown_lines(found: &Credits, rules: &Rules, record: &Record, calls: Option<&Calls>) -> String {
    let columns = [
        ("customer", Align::Left),
        ("service", Align::Left),
        ("from", Align::Left),
        ("down", Align::Right),
        ("credit", Align::Right),
        ("by", Align::Left),
    ];
    let mut table = Table::new(&columns);
    for line in &found.lines {
        let open = if line.open { "+" } else { "" };
        let down = Span(std::time::Duration::from_secs(line.down_s));
        let first = line.down.first().map(|one| local(one.from, &record.zone));
        table.row([
            line.customer.to_string(),
            line.service.clone().unwrap_or_default(),
            first.unwrap_or_default(),
            format!("{down}{open}"),
            line.credit.to_string(),
            format!("{}: {}", line.rule, line.how),
        ]);
    }
    let mut text = if table.is_empty() { String::new() } else { table.render(print::style()) };
    for total in found.totals.values() {
        let _ = writeln!(text, "Together: {total}, by {}", rules.name);
    }
    if found.lines.iter().any(|line| line.open) {
        text.push_str("+ down still: not the last word\n");
    }
    if let Some(calls) = calls {
        let _ = writeln!(text, "\nWHMCS would be sent (nothing was):");
        for call in &calls.calls {
            let _ = writeln!(text, "{call}");
        }
    }
    text
}

fn workloads(ids: &[WorkloadId]) -> String {
    super::listed(&ids.iter().map(|id| format!("workload/{id}")).collect::<Vec<_>>())
}

/// Of whom something is missing.
fn tell(found: &Credits, record: &Record, calls: Option<&Calls>) {
    if !found.without_fee.is_empty() {
        let names: Vec<_> = found.without_fee.iter().map(|id| format!("customer/{id}")).collect();
        let names = super::listed(&names);
        print::tell(&format!("Nobody said what they pay (label `fee`, or --fees): {names}"));
    }
    if !found.without_rule.is_empty() {
        print::tell(&format!("No rule is for them: {}", workloads(&found.without_rule)));
    }
    if !found.under_another_rule.is_empty() {
        let names = workloads(&found.under_another_rule);
        print::tell(&format!(
            "They share a fee with services of another rule, and are in no line: {names}. Give \
             each rule's services a fee of their own, with --fees."
        ));
    }
    for lacking in calls.iter().flat_map(|calls| &calls.lacking) {
        print::tell(&format!("No call for {lacking}"));
    }
    let held = record.held();
    if held > 0 {
        let held = counted(held, "customer");
        print::tell(&format!("{held} on hold: in none of this; reckon again after the release."));
    }
}
