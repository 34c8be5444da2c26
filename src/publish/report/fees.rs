//! What customers pay: from labels of the inventory, or from a table.
//!
//! | label | column | what |
//! |---|---|---|
//! | | `customer` | an id |
//! | | `service` | a workload's id or label; empty: all of the customer's together |
//! | `fee` | `fee` | a month, such as `49.00` |
//! | `currency` | `currency` | such as `EUR`; empty: that of the rules |
//! | `billing_day` | `billing_day` | the day of the month, for `billing-month` |
//! | `whmcs_service` | `service_id` | for a later due date |
//! | `next_due` | `next_due` | a day, such as `2030-04-01` |
//!
//! A table replaces the labels of the customers it names. The client's id is the label `whmcs`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use crate::inventory::{Customer, Inventory, Workload};
use crate::model::text::bounded;
use crate::model::{CustomerId, WorkloadId};
use crate::publish::report::ReportError;
use crate::publish::report::money::{Currency, Money};

/// Columns that a table may have.
const COLUMNS: [&str; 7] =
    ["customer", "service", "fee", "currency", "billing_day", "service_id", "next_due"];
/// Longest table that is read, in rows.
const ROWS_MAX: usize = 1_000_000;

/// What one service costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fee {
    /// Whose.
    pub customer: CustomerId,
    /// A workload's id or label; `None`: all of them.
    pub service: Option<String>,
    /// A month.
    pub sum: Money,
    /// Day of the month on which it is paid.
    pub billing_day: i8,
    /// Its number in the billing system.
    pub service_id: Option<String>,
    /// When it is paid next.
    pub next_due: Option<Date>,
}

/// What labels say.
pub fn of_labels(
    inventory: &Inventory,
    currency: Option<Currency>,
) -> Result<Vec<Fee>, ReportError> {
    let with_fee = inventory.customers.iter().filter(|it| it.labels.contains_key("fee"));
    let fees = with_fee.map(|customer| {
        let label = |key: &str| customer.labels.get(key).map_or("", String::as_str);
        let names = ["fee", "currency", "billing_day", "whmcs_service", "next_due"];
        let [fee, currency_text, day, service_id, next_due] = names.map(label);
        let cells = Cells { fee, currency: currency_text, day, service_id, next_due };
        cells.fee(customer, None, currency).map_err(|what| {
            let (file, line) = (customer.origin.file.to_string(), u64::from(customer.origin.line));
            ReportError::Fees { file, line, what }
        })
    });
    fees.collect()
}

/// What the table `text` says of the customers it names, and labels of the others.
pub fn of_table(
    file: &str,
    text: &[u8],
    inventory: &Inventory,
    currency: Option<Currency>,
) -> Result<Vec<Fee>, ReportError> {
    let fail = |line: u64, what: String| ReportError::Fees { file: file.to_owned(), line, what };
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text);
    let header = reader.headers().map_err(|error| fail(1, error.to_string()))?.clone();
    if let Some(unknown) = header.iter().find(|name| !COLUMNS.contains(name)) {
        let what = format!("no column is called `{}`", bounded(unknown, 40));
        return Err(fail(1, format!("{what}; known are {}", COLUMNS.join(", "))));
    }
    let column = |name: &str| header.iter().position(|title| title == name);
    if column("customer").is_none() || column("fee").is_none() {
        return Err(fail(1, "the columns `customer` and `fee` are needed".to_owned()));
    }
    let mut fees: Vec<Fee> = Vec::new();
    // A service has an id and a label: by whichever it is named, it is paid for once.
    let mut seen: BTreeMap<(&CustomerId, Option<&WorkloadId>), u64> = BTreeMap::new();
    let customers: BTreeMap<&str, &Customer> =
        inventory.customers.iter().map(|it| (it.id.as_str(), it)).collect();
    let mut owned: BTreeMap<&CustomerId, Vec<&Workload>> = BTreeMap::new();
    for workload in inventory.workloads() {
        owned.entry(&workload.customer).or_default().push(workload);
    }
    for row in reader.records() {
        let row = row.map_err(|error| {
            let line = error.position().map_or(0, csv::Position::line);
            fail(line, error.to_string())
        })?;
        let line = row.position().map_or(0, csv::Position::line);
        let cell = |name: &str| column(name).and_then(|index| row.get(index)).unwrap_or_default();
        let (customer, service) = (cell("customer"), cell("service"));
        let known = customers.get(customer).copied().ok_or_else(|| {
            fail(line, format!("no customer has the id `{}`", bounded(customer, 80)))
        })?;
        let own = owned.get(&known.id).map(Vec::as_slice).unwrap_or_default();
        let meant = meant(own, service);
        if meant.is_empty() {
            let service = bounded(service, 80);
            return Err(fail(line, format!("customer/{customer} has no service `{service}`")));
        }
        for id in meant {
            if let Some(first) = seen.insert((&known.id, id), line) {
                return Err(fail(line, format!("the same service stands in line {first}")));
            }
        }
        let cells = Cells {
            fee: cell("fee"),
            currency: cell("currency"),
            day: cell("billing_day"),
            service_id: cell("service_id"),
            next_due: cell("next_due"),
        };
        let service = (!service.is_empty()).then(|| service.to_owned());
        fees.push(cells.fee(known, service, currency).map_err(|what| fail(line, what))?);
        if fees.len() > ROWS_MAX {
            return Err(fail(line, "the table is too long".to_owned()));
        }
    }
    let named: BTreeSet<_> = seen.keys().map(|(customer, _)| *customer).collect();
    let labels = of_labels(inventory, currency)?.into_iter();
    fees.extend(labels.filter(|fee| !named.contains(&fee.customer)));
    Ok(fees)
}

/// The services that a row names, by id or label; `None` for all of them together.
fn meant<'a>(own: &[&'a Workload], service: &str) -> Vec<Option<&'a WorkloadId>> {
    if service.is_empty() {
        return vec![None];
    }
    let is_meant =
        |it: &&&Workload| it.id.as_str() == service || it.label.as_deref() == Some(service);
    own.iter().filter(is_meant).map(|it| Some(&it.id)).collect()
}

struct Cells<'a> {
    fee: &'a str,
    currency: &'a str,
    day: &'a str,
    service_id: &'a str,
    next_due: &'a str,
}

impl Cells<'_> {
    fn fee(
        &self,
        customer: &Customer,
        service: Option<String>,
        currency: Option<Currency>,
    ) -> Result<Fee, String> {
        let written = (!self.currency.is_empty()).then(|| self.currency.parse::<Currency>());
        let written = written.transpose().map_err(|error| error.to_string())?;
        let currency = written.or(currency).ok_or("neither it nor the rules name a currency")?;
        let billing_day = match self.day {
            "" => 1,
            text => text
                .parse()
                .ok()
                .filter(|day| (1..=31).contains(day))
                .ok_or_else(|| format!("`{}` is no day of the month", bounded(text, 40)))?,
        };
        let next_due = match self.next_due {
            "" => None,
            text => Some(
                text.parse::<Date>()
                    .map_err(|_| format!("`{}` is no day such as 2030-04-01", bounded(text, 40)))?,
            ),
        };
        Ok(Fee {
            customer: customer.id.clone(),
            service,
            sum: currency.sum(self.fee).map_err(|error| error.to_string())?,
            billing_day,
            service_id: (!self.service_id.is_empty()).then(|| self.service_id.to_owned()),
            next_due,
        })
    }
}
