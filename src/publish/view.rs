//! The page itself: how far it is, what was posted, what to do, until when to wait.

use serde::Serialize;

use crate::model::{PublicWord, Timestamp};
use crate::publish::dates::{Form, Moment, is_utc, moment};
use crate::publish::frame::{Frame, Free, Place, free};
use crate::publish::groups::GroupCount;
use crate::publish::locale::Texts;
use crate::publish::messages::{Message, message};
use crate::publish::page::{Access, Stage};
use crate::publish::press::Press;
use crate::publish::progress::{Range, changed_total};
use crate::publish::render::{headline, word_key};
use crate::publish::wording::{Said, pick};
use crate::publish::{PublishError, StatusPage};

/// The signs of all words, and the patterns of the bar.
pub const SIGNS: &str = include_str!("templates/signs.svg");
/// Earlier messages that the page names.
const EARLIER_MAX: usize = 4;
/// Longest name of a group.
const MAX_GROUP_CHARS: usize = 80;

/// All that the template sees.
#[derive(Serialize)]
struct View<'a> {
    frame: Frame<'a>,
    signs: &'static str,
    headline: String,
    stage: &'static str,
    also_copied: Option<u64>,
    advice: bool,
    own_advice: Option<Free>,
    customers: u64,
    rows: [Row; 8],
    bar: Vec<Stretch>,
    times: Times,
    latest: Option<Message>,
    earlier: Vec<Message>,
    changed: Option<Changed>,
    groups: Vec<GroupRow>,
    outlook: OutlookView,
    access: Sentence,
}

/// One line of the table.
#[derive(Serialize)]
struct Row {
    word: &'static str,
    customers: u64,
}

/// One stretch of the bar; percents as text, so that every machine writes the same digits.
#[derive(Serialize)]
struct Stretch {
    kind: &'static str,
    legend: &'static str,
    customers: u64,
    x: String,
    width: String,
}

/// A sentence with a moment in it.
#[derive(Serialize)]
struct Sentence {
    key: &'static str,
    opens: Option<Moment>,
    closes: Option<Moment>,
}

/// A line of the table of groups.
#[derive(Serialize)]
struct GroupRow {
    /// Nothing: all others.
    name: Option<Said>,
    customers: u64,
    copied: u64,
    online: u64,
}

/// From when to when.
#[derive(Serialize)]
struct Between {
    low: Moment,
    high: Moment,
}

#[derive(Serialize)]
struct OutlookView {
    copied: Option<Between>,
    unknown: u64,
    online: Option<Between>,
}

/// Why the total is not what it was.
#[derive(Serialize)]
struct Changed {
    before: u64,
    after: u64,
    at: Moment,
}

/// The page. `place` says where it is.
pub(super) fn html(
    page: &StatusPage,
    press: &Press,
    place: Place<'_>,
) -> Result<String, PublishError> {
    let texts = press.texts();
    let mut updates = page.updates.iter().filter(|update| update.kind.is_of_incident());
    let latest = updates.next();
    let earlier = updates.take(EARLIER_MAX);
    let view = View {
        frame: Frame::new(page, press, place)?,
        signs: SIGNS,
        headline: headline(page, texts)?,
        stage: stage_key(page.stage()),
        also_copied: (page.stage() == Stage::Returning && page.online() > 0).then(|| page.copied()),
        advice: page.stage() != Stage::Done,
        own_advice: free(page, &page.advice, texts.language()),
        customers: page.customers,
        rows: page
            .counts
            .map(|count| Row { word: word_key(count.word), customers: count.customers }),
        bar: bar(page),
        times: times(page, texts)?,
        latest: latest.map(|update| message(page, texts, update)).transpose()?,
        earlier: earlier.map(|update| message(page, texts, update)).collect::<Result<_, _>>()?,
        changed: changed(page, texts)?,
        groups: page.groups.iter().map(|group| group_row(page, texts, group)).collect(),
        outlook: outlook(page, texts)?,
        access: access(page, texts)?,
    };
    press.print("page.html", &view)
}

fn group_row(page: &StatusPage, texts: &Texts, group: &GroupCount) -> GroupRow {
    let named = pick(&group.name, texts.language(), &page.languages, MAX_GROUP_CHARS);
    let by_id = || group.id.as_ref().map(|id| Said { text: id.to_string(), lang: None });
    GroupRow {
        name: named.or_else(by_id),
        customers: group.customers,
        copied: group.copied,
        online: group.online,
    }
}

fn outlook(page: &StatusPage, texts: &Texts) -> Result<OutlookView, PublishError> {
    let say = |at: Timestamp| moment(texts, &page.timezone, at, Form::Near(page.as_of));
    let between = |range: Range| {
        Ok::<_, PublishError>(Between {
            low: say(range.low.max(page.as_of))?,
            high: say(range.high)?,
        })
    };
    Ok(OutlookView {
        copied: page.outlook.copied.map(between).transpose()?,
        unknown: page.outlook.unknown,
        online: page.outlook.online.map(between).transpose()?,
    })
}

fn changed(page: &StatusPage, texts: &Texts) -> Result<Option<Changed>, PublishError> {
    let Some((before, after)) = changed_total(&page.history) else { return Ok(None) };
    let at = moment(texts, &page.timezone, after.at, Form::Near(page.as_of))?;
    Ok(Some(Changed { before: before.customers, after: after.customers, at }))
}

/// As of when, and until when.
#[derive(Serialize)]
pub(super) struct Times {
    local: Moment,
    utc: Option<Moment>,
    next: Moment,
}

pub(super) fn times(page: &StatusPage, texts: &Texts) -> Result<Times, PublishError> {
    Ok(Times {
        local: moment(texts, &page.timezone, page.as_of, Form::Full)?,
        utc: utc_beside(page, texts)?,
        next: moment(texts, &page.timezone, page.next_update, Form::Near(page.as_of))?,
    })
}

/// UTC said beside the site's time, with its date only where that differs; alone where the site
/// lives by it.
fn utc_beside(page: &StatusPage, texts: &Texts) -> Result<Option<Moment>, PublishError> {
    if is_utc(&page.timezone, page.as_of) {
        return Ok(None);
    }
    let at = page.as_of.as_jiff();
    let same_day =
        at.to_zoned(page.timezone.clone()).date() == at.to_zoned(jiff::tz::TimeZone::UTC).date();
    let form = if same_day { Form::Near(page.as_of) } else { Form::Full };
    moment(texts, &jiff::tz::TimeZone::UTC, page.as_of, form).map(Some)
}

fn stage_key(stage: Stage) -> &'static str {
    match stage {
        Stage::NoFigures => "stage-none",
        Stage::Copying => "stage-copying",
        Stage::Returning => "stage-returning",
        Stage::Done => "stage-done",
    }
}

fn access(page: &StatusPage, texts: &Texts) -> Result<Sentence, PublishError> {
    let say = |at: Timestamp| moment(texts, &page.timezone, at, Form::Near(page.as_of));
    let (key, opens, closes) = match page.access {
        Access::Unknown => ("access-unknown", None, None),
        Access::Opens { at, until: None } => ("access-opens", Some(at), None),
        Access::Opens { at, until } => ("access-opens-closes", Some(at), until),
        Access::Open { since, until: None } => ("access-open", since, None),
        Access::Open { since: None, until } => ("access-closes", None, until),
        Access::Open { since, until } => ("access-open-closes", since, until),
        Access::Over { at } => ("access-over", None, Some(at)),
    };
    let opens = opens.map(say).transpose()?;
    let closes = closes.map(say).transpose()?;
    Ok(Sentence { key, opens, closes })
}

/// Stretches that add up to everybody: online, copied, those that wait for somebody, the rest.
fn bar(page: &StatusPage) -> Vec<Stretch> {
    let online = page.online();
    let copied = page.copied() - online;
    let apart = page.at(PublicWord::WaitingForYou) + page.at(PublicWord::NeedsAttention);
    let open = page.customers - page.copied() - apart;
    let mut start = 0;
    let stretches = [
        ("online", "legend-online", online),
        ("copied", "legend-copied", copied),
        ("apart", "legend-apart", apart),
        ("open", "legend-open", open),
    ];
    stretches
        .into_iter()
        .map(|(kind, legend, customers)| {
            let x = percent(start, page.customers);
            start += customers;
            Stretch { kind, legend, customers, x, width: percent(customers, page.customers) }
        })
        .collect()
}

/// `62.40%`, by whole numbers.
fn percent(part: u64, whole: u64) -> String {
    let hundredths = u128::from(part) * 10_000 / u128::from(whole.max(1));
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}
