//! The report of an incident: overview, timeline, impact, data, what went well and badly, and what
//! only people can fill in.

use crate::inventory::Class;
use crate::publish::dates::{Form, moment};
use crate::publish::locale::{Arg, Texts};
use crate::publish::report::ReportError;
use crate::publish::report::curve::Curve;
use crate::publish::report::document::{Block, Document};
use crate::publish::report::figures::{Case, DataFigures, Figures};
use crate::publish::report::picture::Picture;
use crate::publish::report::story::{self, Edition};
use crate::publish::say::guard::Guard;

/// One of the counts of data.
type Count = fn(&DataFigures) -> u64;

/// A first statement within so many minutes is good.
const FIRST_MINUTES: u64 = 15;
/// Rows for actions that people fill in.
const BLANK_ROWS: usize = 3;

/// Makes the report in the language of `texts`.
pub fn report(
    case: &Case<'_>,
    figures: &Figures,
    texts: &Texts,
    (edition, guard): (Edition<'_>, &Guard),
) -> Result<Document, ReportError> {
    let curve = Curve::of(case);
    let say = |key: &str| texts.say(key, &[]);
    let name = ("name", Arg::Text(case.name.to_owned()));
    let as_of = moment(texts, case.zone, case.snapshot.as_of, Form::Full)?.text;
    let title = match edition {
        Edition::Public => texts.say("report-title", &[name])?,
        Edition::Internal { .. } => texts.say("report-title-internal", &[name])?,
    };
    let mut blocks = vec![Block::Notice(texts.say("report-draft", &[("time", Arg::Text(as_of))])?)];
    if let Edition::Internal { by, .. } = edition {
        let args = [("by", Arg::Text(by.to_owned())), ("held", Arg::Count(figures.held))];
        blocks.push(Block::Notice(texts.say("report-internal", &args)?));
    }
    blocks.push(Block::Heading(say("report-overview")?));
    blocks.push(Block::Paragraph(overview(case, figures, texts)?));
    if figures.services_online > 0 {
        blocks.push(Block::Paragraph(checked(figures, texts)?));
    }
    blocks.push(Block::Heading(say("report-timeline")?));
    blocks.extend(timeline(case, &curve, texts, (edition, guard))?);
    blocks.push(Block::Heading(say("report-impact")?));
    blocks.push(impact(figures, texts)?);
    blocks.push(Block::Heading(say("report-data")?));
    blocks.extend(data(figures, texts)?);
    blocks.extend(facts(case, figures, &curve, texts)?);
    blocks.push(Block::Heading(say("report-factors")?));
    let asked = [
        "report-factors-ask-1",
        "report-factors-ask-2",
        "report-factors-ask-3",
        "report-factors-ask-4",
    ];
    blocks.push(Block::Tasks(asked.into_iter().map(say).collect::<Result<_, _>>()?));
    blocks.push(Block::Heading(say("report-actions")?));
    let head = ["report-action", "report-owner", "report-due"];
    let row = vec![say("report-blank")?; head.len()];
    blocks.push(Block::Table {
        head: head.into_iter().map(say).collect::<Result<_, _>>()?,
        rows: vec![row; BLANK_ROWS],
    });
    Ok(Document { language: texts.language().code(), title, blocks })
}

fn overview(case: &Case<'_>, figures: &Figures, texts: &Texts) -> Result<String, ReportError> {
    let began = moment(texts, case.zone, case.began, Form::Full)?.text;
    let mut args = vec![("began", Arg::Text(began)), ("total", Arg::Count(figures.customers))];
    if figures.is_over() {
        return Ok(texts.say("report-overview-over", &args)?);
    }
    args.push(("done", Arg::Count(figures.online)));
    Ok(texts.say("report-overview-open", &args)?)
}

fn checked(figures: &Figures, texts: &Texts) -> Result<String, ReportError> {
    let count = [("count", Arg::Count(figures.unchecked))];
    Ok(match figures.unchecked {
        0 => texts.say("report-checked", &[])?,
        _ => texts.say("report-checked-some", &count)?,
    })
}

fn timeline(
    case: &Case<'_>,
    curve: &Curve,
    texts: &Texts,
    (edition, guard): (Edition<'_>, &Guard),
) -> Result<Vec<Block>, ReportError> {
    let posts: Vec<_> = (1..).zip(case.said().map(|post| post.at)).collect();
    let zone = case.snapshot.as_of.as_jiff().to_zoned(case.zone.clone());
    let zone = zone.strftime("%Z").to_string();
    let args = [("total", Arg::Count(curve.customers)), ("zone", Arg::Text(zone))];
    let caption = texts.say("report-picture", &args)?;
    let picture = Picture {
        curve,
        span: case.span(),
        windows: &story::windows(case),
        posts: &posts,
        zone: case.zone,
        title: &caption,
    };
    let (wide, narrow) = (picture.wide(), picture.narrow());
    let is_internal = matches!(edition, Edition::Internal { .. });
    let mut head = vec![texts.say("report-time", &[])?, texts.say("report-event", &[])?];
    if is_internal {
        head.push(texts.say("report-by", &[])?);
    }
    let mut rows = Vec::new();
    for row in story::rows(case, curve, texts, (edition, guard))? {
        let mut cells = vec![moment(texts, case.zone, row.at, Form::Full)?.text, row.what];
        if is_internal {
            cells.push(row.by);
        }
        rows.push(cells);
    }
    let table = Block::Table { head, rows };
    Ok(vec![Block::Picture { wide, narrow }, Block::Paragraph(caption), table])
}

fn impact(figures: &Figures, texts: &Texts) -> Result<Block, ReportError> {
    let unknown = texts.say("report-no-figure", &[])?;
    let minutes = |of: fn(crate::publish::report::figures::Spread) -> u64| {
        figures.minutes.map_or_else(|| unknown.clone(), |spread| of(spread).to_string())
    };
    let values = [
        ("report-customers", figures.customers.to_string()),
        ("report-customers-online", figures.online.to_string()),
        ("report-services", figures.services.to_string()),
        ("report-services-online", figures.services_online.to_string()),
        ("report-left-out", figures.left_out.to_string()),
        ("report-minutes-median", minutes(|spread| spread.median)),
        ("report-minutes-most", minutes(|spread| spread.most)),
        ("report-minutes-worst", minutes(|spread| spread.worst)),
        ("report-bytes", figures.bytes.to_string()),
    ];
    let mut rows = Vec::new();
    for (key, value) in values {
        rows.push(vec![texts.say(key, &[])?, value]);
    }
    let head = vec![texts.say("report-number", &[])?, texts.say("report-value", &[])?];
    Ok(Block::Table { head, rows })
}

fn data(figures: &Figures, texts: &Texts) -> Result<Vec<Block>, ReportError> {
    let all = figures.data();
    let proven = all.services > 0 && all.is_proven();
    let key = if proven { "report-data-proven" } else { "report-data-open" };
    let columns: [(&str, Count); 7] = [
        ("report-data-services", |it| it.services),
        ("report-data-verified", |it| it.verified),
        ("report-data-captured", |it| it.captured),
        ("report-data-partial", |it| it.partial),
        ("report-data-none", |it| it.none),
        ("report-data-fuzzy", |it| it.fuzzy),
        ("report-data-unreadable", |it| it.unreadable),
    ];
    let mut head = vec![texts.say("report-class", &[])?];
    for (key, _) in columns {
        head.push(texts.say(key, &[])?);
    }
    let mut rows = Vec::new();
    for (class, data) in &figures.classes {
        let mut row = vec![texts.say(class_key(*class), &[])?];
        row.extend(columns.iter().map(|(_, of)| of(data).to_string()));
        rows.push(row);
    }
    Ok(vec![Block::Paragraph(texts.say(key, &[])?), Block::Table { head, rows }])
}

fn class_key(class: Class) -> &'static str {
    match class {
        Class::Identity => "report-class-identity",
        Class::Database => "report-class-database",
        Class::Mail => "report-class-mail",
        Class::Web => "report-class-web",
        Class::Bulk => "report-class-bulk",
    }
}

/// What went well and what did not: facts, each with a question that people answer.
fn facts(
    case: &Case<'_>,
    figures: &Figures,
    curve: &Curve,
    texts: &Texts,
) -> Result<Vec<Block>, ReportError> {
    let (mut well, mut badly) = (Vec::new(), Vec::new());
    let mut fact = |good: bool, key: &str, counts: &[(&'static str, u64)]| {
        let args: Vec<_> = counts.iter().map(|(name, it)| (*name, Arg::Count(*it))).collect();
        let list = if good { &mut well } else { &mut badly };
        texts.say(key, &args).map(|text| list.push(text))
    };
    match case.said().map(|post| post.at).min() {
        Some(at) => {
            let minutes = at.since(case.began).as_secs().div_ceil(60);
            fact(minutes <= FIRST_MINUTES, "report-fact-first", &[("minutes", minutes)])?;
        }
        None => fact(false, "report-fact-silent", &[])?,
    }
    let (kept, all) = promises(case);
    if all > 0 {
        fact(kept == all, "report-fact-kept", &[("kept", kept), ("all", all)])?;
    }
    let data = figures.data();
    let proven = data.verified == data.services;
    let counts = [("done", data.verified), ("total", data.services)];
    fact(proven, "report-fact-verified", &counts)?;
    if data.none + data.partial > 0 {
        fact(false, "report-fact-missing", &[("count", data.none + data.partial)])?;
    }
    if curve.taken_back > 0 {
        fact(false, "report-fact-back", &[("count", curve.taken_back)])?;
    }
    if let Some(minutes) = figures.minutes {
        let counts = [("minutes", minutes.worst), ("median", minutes.median)];
        fact(false, "report-fact-worst", &counts)?;
    }
    let mut blocks = Vec::new();
    let sides = [
        ("report-well", "report-prompt-well", well),
        ("report-badly", "report-prompt-badly", badly),
    ];
    for (heading, prompt, facts) in sides {
        let prompt = texts.say(prompt, &[])?;
        blocks.push(Block::Heading(texts.say(heading, &[])?));
        let mut tasks: Vec<_> = facts.iter().map(|fact| format!("{fact} {prompt}")).collect();
        tasks.push(texts.say("report-blank", &[])?);
        blocks.push(Block::Tasks(tasks));
    }
    Ok(blocks)
}

/// How many promises of a next update were kept, of those whose time has come.
fn promises(case: &Case<'_>) -> (u64, u64) {
    let posts: Vec<_> = case.said().collect();
    let (mut kept, mut all) = (0, 0);
    for (index, post) in posts.iter().enumerate() {
        let Some(by) = post.next_by else { continue };
        let next = posts.get(index + 1).map(|next| next.at);
        let is_kept = next.is_some_and(|at| at <= by);
        if is_kept || by <= case.snapshot.as_of {
            all += 1;
            kept += u64::from(is_kept);
        }
    }
    (kept, all)
}
