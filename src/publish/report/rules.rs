//! What credits are given for, as data: a TOML file of the company's own terms.
//!
//! **Promise.** What is not understood is a mistake with its line, never a guess: nothing is
//! reckoned by half a rule. Of several rules the first that fits a service is its rule.

use jiff::civil::Date;

use crate::inventory::document::{SourceFile, Table, Value, parse};
use crate::inventory::fields::Fields;
use crate::inventory::{Class, Customer, Origin, Problem, Workload};
use crate::model::{Span, Timestamp};
use crate::publish::report::interval::Interval;
use crate::publish::report::money::{Currency, Percent, Rounding};
use crate::publish::report::period::Period;

/// Hours of a month where a rule says nothing else.
const MONTH_HOURS: u32 = 730;

const KINDS: [(&str, Kind); 6] = [
    ("tiers", Kind::Tiers),
    ("every", Kind::Every),
    ("under-target", Kind::UnderTarget),
    ("hourly", Kind::Hourly),
    ("flat", Kind::Flat),
    ("free-days", Kind::FreeDays),
];
const COUNTS: [(&str, Count); 2] = [("started", Count::Started), ("full", Count::Full)];

#[derive(Clone, Copy)]
enum Kind {
    Tiers,
    Every,
    UnderTarget,
    Hourly,
    Flat,
    FreeDays,
}

/// Which steps of a time or percentage are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Each that was begun.
    Started,
    /// Each that is whole.
    Full,
}

/// How a credit follows from the downtime in a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Formula {
    /// The percentage of the longest time that was reached, in seconds; both rise.
    Tiers(Vec<(u64, Percent)>),
    /// So much for each step of time, in seconds.
    Every { seconds: u64, percent: Percent, count: Count },
    /// So much for each step that availability is under the target.
    UnderTarget { target: Percent, step: Percent, percent: Percent, count: Count },
    /// The fee of an hour, times the hours that it was down, times a factor (in millionths).
    Hourly { factor: Percent, hours: u32 },
    /// So much, once.
    Flat { percent: Percent },
    /// No money: the next payment is due so many days later, once.
    FreeDays { days: u32 },
}

/// Which services are meant: each list that is written must have it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selector {
    classes: Vec<Class>,
    tiers: Vec<String>,
    groups: Vec<String>,
    labels: Vec<String>,
    services: Vec<String>,
    customers: Vec<String>,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What it is called.
    pub name: String,
    /// For whom it is.
    pub of: Selector,
    /// What it gives.
    pub formula: Formula,
    /// Nothing is given for less than this in a period, in seconds.
    pub after: u64,
    /// What it gives at most in a period.
    pub cap: Option<Percent>,
}

/// Time that is not counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exclusion {
    /// When.
    pub span: Interval,
    /// Why.
    pub reason: String,
    /// For which services.
    pub of: Selector,
}

/// The terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// What they are called; stands on every document.
    pub name: String,
    /// Of fees that name none.
    pub currency: Option<Currency>,
    /// What a credit is reckoned over.
    pub period: Period,
    /// When the first of several periods of thirty days begins.
    pub anchor: Option<Date>,
    /// What becomes of parts of a cent.
    pub rounding: Rounding,
    /// What is given at most in a period.
    pub cap: Percent,
    /// Time that is not counted.
    pub exclusions: Vec<Exclusion>,
    /// In their order.
    pub rules: Vec<Rule>,
}

impl Selector {
    fn read(fields: &mut Fields<'_>) -> Self {
        let known = Class::ALL.map(Class::word);
        let mut classes = Vec::new();
        for (word, at) in fields.placed_texts("class") {
            match Class::ALL.into_iter().find(|class| class.word() == word) {
                Some(class) => classes.push(class),
                None => fields.error(at, format!("`class` is none of {}", known.join(", ")), ""),
            }
        }
        Self {
            classes,
            tiers: fields.texts("tier"),
            groups: fields.texts("group"),
            labels: fields.texts("label"),
            services: fields.texts("service"),
            customers: fields.texts("customer"),
        }
    }

    /// Is this service meant?
    pub fn fits(&self, customer: &Customer, workload: &Workload) -> bool {
        let has = |list: &[String], it: Option<&str>| {
            list.is_empty() || it.is_some_and(|it| list.iter().any(|one| one == it))
        };
        (self.classes.is_empty() || self.classes.contains(&workload.class))
            && has(&self.tiers, customer.tier.as_ref().map(crate::model::TierName::as_str))
            && has(&self.groups, customer.group.as_ref().map(crate::model::GroupId::as_str))
            && has(&self.labels, workload.label.as_deref())
            && has(&self.services, Some(workload.id.as_str()))
            && has(&self.customers, Some(customer.id.as_str()))
    }
}

/// Reads the terms; all that is wrong with them at once.
pub fn read(file: &SourceFile) -> Result<Rules, Vec<Problem>> {
    let mut problems = Vec::new();
    let rules = parse(file, &mut problems).map(|table| {
        let whole = Origin { line: 1, ..file.origin() };
        rules(Fields::new(&table, &whole, "the rules", &mut problems), &whole)
    });
    match rules {
        Some(rules) if problems.is_empty() => Ok(rules),
        _ => Err(problems),
    }
}

fn rules(mut fields: Fields<'_>, whole: &Origin) -> Rules {
    const HINT: &str = "Name your terms, as customers know them; the name stands on every line.";
    let name = fields.needed_text("name", HINT).unwrap_or_default();
    let period = fields.word("period", &Period::WORDS).unwrap_or(Period::CalendarMonth);
    let anchor = fields.parse::<Date>("anchor");
    let currency = fields.parse("currency");
    let rounding = fields.word("rounding", &Rounding::WORDS);
    if rounding.is_none() {
        let what = "nothing says what becomes of parts of a cent: there is no `rounding`";
        fields.error(whole, what, "Write rounding = \"half-up\", \"half-even\" or \"down\".");
    }
    let cap = percent(&mut fields, "cap").unwrap_or(Percent::ALL);
    let mut exclusions = Vec::new();
    for (table, at) in fields.tables("exclude") {
        exclusions.extend(exclusion(table, at, fields.problems()));
    }
    let mut rules = Vec::new();
    for (table, at) in fields.tables("rule") {
        rules.extend(rule(table, at, fields.problems()));
    }
    if rules.is_empty() {
        fields.error(whole, "there is no [[rule]] that can be used", "Write at least one.");
    }
    fields.finish();
    let rounding = rounding.unwrap_or(Rounding::Down);
    Rules { name, currency, period, anchor, rounding, cap, exclusions, rules }
}

fn exclusion(table: &Table, at: &Origin, problems: &mut Vec<Problem>) -> Option<Exclusion> {
    let mut fields = Fields::new(table, at, "[[exclude]]", problems);
    let from = needed::<Timestamp>(&mut fields, "from", at);
    let to = needed::<Timestamp>(&mut fields, "to", at);
    let reason = fields.needed_text("reason", "Say why it is not counted; customers will ask.");
    let of = Selector::read(&mut fields);
    let span = from.zip(to).map(|(from, to)| Interval::new(from, to));
    if span.is_some_and(|span| span.to <= span.from) {
        fields.error(at, "`to` is not after `from`", "");
    }
    fields.finish();
    Some(Exclusion { span: span?, reason: reason?, of })
}

fn rule(table: &Table, at: &Origin, problems: &mut Vec<Problem>) -> Option<Rule> {
    let mut fields = Fields::new(table, at, "[[rule]]", problems);
    let name = fields.needed_text("name", "Name it; the name stands on every line it gives.");
    let of = Selector::read(&mut fields);
    let kind = fields.word("kind", &KINDS);
    if kind.is_none() && table.get("kind").is_none() {
        let words: Vec<_> = KINDS.iter().map(|(word, _)| *word).collect();
        let hint = format!("One of {}.", words.join(", "));
        fields.error(at, "[[rule]] has no `kind`", &hint);
    }
    let formula = kind.and_then(|kind| formula(kind, &mut fields, at));
    let after = fields.parse::<Span>("after").map_or(0, |span| span.0.as_secs());
    let cap = percent(&mut fields, "cap");
    if kind.is_some() {
        fields.finish();
    }
    Some(Rule { name: name?, of, formula: formula?, after, cap })
}

fn formula(kind: Kind, fields: &mut Fields<'_>, at: &Origin) -> Option<Formula> {
    Some(match kind {
        Kind::Tiers => Formula::Tiers(tiers(fields, at)?),
        Kind::Every => {
            let seconds = needed::<Span>(fields, "every", at);
            let (count, percent) = (count(fields, at), needed_percent(fields, "percent", at));
            let seconds = above_zero(fields, at, "every", seconds?.0.as_secs())?;
            Formula::Every { seconds, percent: percent?, count: count? }
        }
        Kind::UnderTarget => {
            let (target, step) =
                (needed_percent(fields, "target", at), needed_percent(fields, "step", at));
            let (count, percent) = (count(fields, at), needed_percent(fields, "percent", at));
            let (target, step) = (target?, step?);
            above_zero(fields, at, "step", step.millionths() as u64)?;
            if target > Percent::ALL {
                fields.error(at, "`target` is above 100 %", "");
                return None;
            }
            Formula::UnderTarget { target, step, percent: percent?, count: count? }
        }
        Kind::Hourly => {
            let factor = needed_percent(fields, "factor", at)?;
            let hours = fields.integer("hours", 1, 10_000).unwrap_or(MONTH_HOURS);
            Formula::Hourly { factor, hours }
        }
        Kind::Flat => Formula::Flat { percent: needed_percent(fields, "percent", at)? },
        Kind::FreeDays => {
            let days = fields.integer("days", 1, 3_660);
            if days.is_none() && !has(fields, "days") {
                fields.error(at, "[[rule]] of this kind has no `days`", "");
            }
            Formula::FreeDays { days: days? }
        }
    })
}

fn tiers(fields: &mut Fields<'_>, at: &Origin) -> Option<Vec<(u64, Percent)>> {
    let mut steps: Vec<(u64, Percent)> = Vec::new();
    for (table, at) in fields.tables("steps") {
        let mut step = Fields::new(table, at, "steps", fields.problems());
        let from = needed::<Span>(&mut step, "from", at);
        let percent = needed_percent(&mut step, "percent", at);
        step.finish();
        let (from, percent) = (from?.0.as_secs(), percent?);
        if steps.last().is_some_and(|last| from <= last.0 || percent < last.1) {
            fields.error(at, "this step does not come after the one before it", "They must rise.");
            return None;
        }
        steps.push((from, percent));
    }
    if steps.is_empty() {
        let hint = "Write steps = [{ from = \"15m\", percent = \"5\" }, …].";
        fields.error(at, "[[rule]] of this kind has no `steps`", hint);
        return None;
    }
    Some(steps)
}

fn count(fields: &mut Fields<'_>, at: &Origin) -> Option<Count> {
    let count = fields.word("count", &COUNTS);
    if count.is_none() && !has(fields, "count") {
        let hint = "Write count = \"started\" or count = \"full\": it makes a difference.";
        fields.error(at, "[[rule]] of this kind has no `count`", hint);
    }
    count
}

fn above_zero(fields: &mut Fields<'_>, at: &Origin, key: &str, number: u64) -> Option<u64> {
    if number == 0 {
        fields.error(at, format!("`{key}` is zero"), "");
    }
    (number > 0).then_some(number)
}

fn has(fields: &mut Fields<'_>, key: &'static str) -> bool {
    fields.raw(key).is_some()
}

fn needed<T>(fields: &mut Fields<'_>, key: &'static str, at: &Origin) -> Option<T>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    if !has(fields, key) {
        fields.error(at, format!("there is no `{key}`"), "");
    }
    fields.parse(key)
}

fn needed_percent(fields: &mut Fields<'_>, key: &'static str, at: &Origin) -> Option<Percent> {
    if !has(fields, key) {
        fields.error(at, format!("there is no `{key}`"), "");
    }
    percent(fields, key)
}

/// A number in quotes, or a whole one without: others are not what they look like.
fn percent(fields: &mut Fields<'_>, key: &'static str) -> Option<Percent> {
    let field = fields.raw(key)?;
    let at = &field.node.origin;
    let text = match &field.node.value {
        Value::Text(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        _ => {
            fields.error(at, format!("`{key}` is no number"), "Write it in quotes: \"0.1\".");
            return None;
        }
    };
    text.parse().map_err(|error| fields.error(at, format!("`{key}`: {error}"), "")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let read = read(&SourceFile::new("sla.toml", text));
        read.map_or_else(|all| all.iter().map(ToString::to_string).collect(), |_| Vec::new())
    }

    #[test]
    fn the_example_of_the_readme_is_understood() {
        let readme = include_str!("../../../README.md");
        let blocks = readme.split("```toml\n").skip(1);
        let mut blocks = blocks.map(|block| block.split("```").next().unwrap());
        let example = blocks.find(|block| block.contains("[[rule]]")).unwrap();
        assert_eq!(problems(example), Vec::<String>::new());
    }

    #[test]
    fn every_mistake_has_its_line() {
        let good = "name = \"Terms\"\nrounding = \"down\"\n[[rule]]\nname = \"all\"\n\
                    kind = \"every\"\nevery = \"1h\"\ncount = \"full\"\npercent = \"5%\"\n";
        assert_eq!(problems(good), Vec::<String>::new());
        let check = |from: &str, to: &str, expected: &str| {
            let found = problems(&good.replace(from, to));
            assert!(found.iter().any(|it| it.contains(expected)), "{to}: {found:?}");
        };
        check("count = \"full\"\n", "", "sla.toml:3: [[rule]] of this kind has no `count`");
        check("percent = \"5%\"", "percent = 0.5", "sla.toml:8: `percent` is no number");
        check("percent = \"5%\"", "percent = \"-5\"", "sla.toml:8: `percent`: `-5` is not a");
        check("rounding", "rouding", "the rules has no key `rouding`");
        check("every = \"1h\"", "every = \"0s\"", "`every` is zero");
        check("every = \"1h\"", "every = \"1h\"\ndays = 3", "[[rule]] has no key `days`");
        check("name = \"all\"", "name = \"all\"\nclass = [\"wep\"]", "`class` is none of");
        check("kind = \"every\"", "kind = \"tiers\"", "has no `steps`");
        let excluded = "[[exclude]]\nfrom = \"2030-03-04T16:00:00Z\"\n\
                        to = \"2030-03-04T15:00:00Z\"\nreason = \"x\"\n[[rule]]";
        check("[[rule]]", excluded, "sla.toml:3: `to` is not after `from`");
    }
}
