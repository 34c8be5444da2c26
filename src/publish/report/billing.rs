//! Credits for the billing system: a table, and the calls that WHMCS would be sent. evac sends
//! none.
//!
//! **Promise.** No cell of a table is a formula, whoever chose the names in it.

use std::fmt::Write as _;

use jiff::ToSpan as _;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::model::Timestamp;
use crate::model::text::bounded;
use crate::publish::report::ReportError;
use crate::publish::report::credits::{Credits, Line, minutes};
use crate::publish::report::interval::Interval;

/// Longest reason in a call.
const REASON_CHARS_MAX: usize = 400;

/// A call that would be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Call {
    /// Its name.
    pub action: &'static str,
    /// What would be sent with it, in order; never a secret.
    pub parameters: Vec<(&'static str, String)>,
}

/// What would be sent, and what could not be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Calls {
    /// In the order of the lines.
    pub calls: Vec<Call>,
    /// Of whom something is not known that a call needs, and what.
    pub lacking: Vec<String>,
}

/// Local time for people: `2030-03-03 14:10 CET`.
pub fn local(at: Timestamp, zone: &TimeZone) -> String {
    at.as_jiff().to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
}

/// The spans of a line in words.
pub fn spans(spans: &[Interval], zone: &TimeZone) -> String {
    let one = |span: &Interval| format!("{} to {}", local(span.from, zone), local(span.to, zone));
    spans.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// All lines as CSV; times are RFC 3339 in UTC.
pub fn table(credits: &Credits) -> Result<Vec<u8>, ReportError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let fail = |error: csv::Error| ReportError::Table { source: error.into() };
    let titles = [
        "customer",
        "client",
        "service",
        "currency",
        "fee",
        "period_from",
        "period_to",
        "down_s",
        "excluded_s",
        "open",
        "rule",
        "how",
        "capped",
        "credit",
        "free_days",
        "down",
    ];
    writer.write_record(titles).map_err(fail)?;
    for line in &credits.lines {
        let down: Vec<_> = line.down.iter().map(|it| format!("{}/{}", it.from, it.to)).collect();
        let cells = [
            line.customer.to_string(),
            line.client.clone().unwrap_or_default(),
            line.service.clone().unwrap_or_default(),
            line.currency.clone(),
            line.fee.digits(),
            line.period.from.to_string(),
            line.period.to.to_string(),
            line.down_s.to_string(),
            line.excluded_s.to_string(),
            line.open.to_string(),
            line.rule.clone(),
            line.how.clone(),
            line.capped.to_string(),
            line.credit.digits(),
            line.free_days.to_string(),
            down.join(" "),
        ];
        writer.write_record(cells.map(|text| no_formula(&text))).map_err(fail)?;
    }
    writer.into_inner().map_err(|error| ReportError::Table { source: error.into_error() })
}

/// A cell that no spreadsheet reckons with: what begins like a formula gets a quote before it.
/// Where a comma is for decimals, cells also end at a semicolon.
pub fn no_formula(text: &str) -> String {
    const STARTS: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\u{fffd}', '＝', '＋', '－', '＠'];
    let cell = |text: &str| {
        let is_formula = text.trim_start().starts_with(STARTS);
        if is_formula { format!("'{text}") } else { text.to_owned() }
    };
    bounded(text, 30_000).split(';').map(cell).collect::<Vec<_>>().join(";")
}

/// What WHMCS would be sent for `credits`.
pub fn whmcs(credits: &Credits, terms: &str, today: Timestamp, zone: &TimeZone) -> Calls {
    let mut calls = Calls::default();
    let date = today.as_jiff().to_zoned(zone.clone()).date().to_string();
    for line in &credits.lines {
        let who = match &line.service {
            Some(service) => format!("customer/{} ({})", line.customer, bounded(service, 80)),
            None => format!("customer/{}", line.customer),
        };
        if line.open && (!line.credit.is_zero() || line.free_days > 0) {
            calls.lacking.push(format!("{who}: it is down still, so the sum is not final"));
            continue;
        }
        if !line.credit.is_zero() {
            match line.client.as_deref().filter(|id| is_number(id)) {
                Some(client) => calls.calls.push(Call {
                    action: "AddCredit",
                    parameters: vec![
                        ("clientid", client.to_owned()),
                        ("amount", line.credit.digits()),
                        ("date", date.clone()),
                        ("description", description(line, terms, zone)),
                    ],
                }),
                None => {
                    calls.lacking.push(format!("{who}: its label `whmcs` is no client number"));
                }
            }
        }
        if line.free_days > 0 {
            calls.later(line, &who);
        }
    }
    calls
}

impl Calls {
    fn later(&mut self, line: &Line, who: &str) {
        let service = line.service_id.as_deref().filter(|id| is_number(id));
        let due =
            line.next_due.and_then(|due| due.checked_add(i64::from(line.free_days).days()).ok());
        match (service, due) {
            (Some(service), Some(due)) => self.calls.push(Call {
                action: "UpdateClientProduct",
                parameters: vec![
                    ("serviceid", service.to_owned()),
                    ("nextduedate", due.to_string()),
                ],
            }),
            (None, _) => self.lacking.push(format!("{who}: nobody said its service number")),
            (_, None) => self.lacking.push(format!("{who}: nobody said when it is due next")),
        }
    }
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = format!("action={}", self.action);
        for (name, value) in &self.parameters {
            let _ = write!(text, " {name}={value:?}");
        }
        f.write_str(&text)
    }
}

fn description(line: &Line, terms: &str, zone: &TimeZone) -> String {
    let service = line.service.as_deref().unwrap_or("all services");
    let down = spans(&line.down, zone);
    let length = minutes(line.down_s);
    let text = format!("{terms}, {}: {service} down {length}: {down}. {}", line.rule, line.how);
    bounded(&text, REASON_CHARS_MAX)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() <= 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for evil in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\r=1", "＝1"] {
            assert!(no_formula(evil).starts_with('\''), "{evil:?}: {}", no_formula(evil));
        }
        assert_eq!(no_formula("shop.acme.example"), "shop.acme.example");
        assert_eq!(no_formula("shop; =1+1;a-b"), "shop;' =1+1;a-b");
    }
}
