//! The pages beside the page: history, planned work, and what happened.

use serde::Serialize;

use crate::ledger::snapshot::Window;
use crate::model::Timestamp;
use crate::publish::dates::{Form, Moment, moment};
use crate::publish::frame::{Frame, Place};
use crate::publish::messages::{Message, message};
use crate::publish::press::Press;
use crate::publish::progress::Point;
use crate::publish::{Kind, PublishError, StatusPage, Update};

/// Messages and figures that a page shows at most.
const MESSAGES_MAX: usize = 200;
const POINTS_MAX: usize = 48;

#[derive(Serialize)]
struct History<'a> {
    frame: Frame<'a>,
    headline: String,
    updates: Vec<Message>,
    points: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    at: Moment,
    customers: u64,
    copied: u64,
    online: u64,
}

#[derive(Serialize)]
struct Maintenance<'a> {
    frame: Frame<'a>,
    headline: String,
    windows: Vec<WindowRow>,
    updates: Vec<Message>,
}

#[derive(Serialize)]
struct WindowRow {
    key: &'static str,
    opens: Option<Moment>,
    closes: Option<Moment>,
}

/// Everything that was posted, and how the figures came about.
pub(super) fn history(
    page: &StatusPage,
    press: &Press,
    place: Place<'_>,
) -> Result<String, PublishError> {
    let texts = press.texts();
    let row = |point: &Point| {
        let Point { at, customers, copied, online } = *point;
        let at = moment(texts, &page.timezone, at, Form::Full)?;
        Ok::<_, PublishError>(Row { at, customers, copied, online })
    };
    // Evenly thinned; the newest and the oldest stay.
    let step = page.history.len().div_ceil(POINTS_MAX).max(1);
    let last = page.history.len().saturating_sub(1);
    let points = page.history.iter().rev().enumerate();
    let points = points.filter(|(index, _)| index.is_multiple_of(step) || *index == last);
    let view = History {
        frame: Frame::new(page, press, place)?,
        headline: texts.say("page-history", &[])?,
        updates: messages(page, press, Kind::is_of_incident)?,
        points: points.map(|(_, point)| row(point)).collect::<Result<_, _>>()?,
    };
    press.print("history.html", &view)
}

/// Windows, and what was posted about planned work.
pub(super) fn maintenance(
    page: &StatusPage,
    press: &Press,
    place: Place<'_>,
) -> Result<String, PublishError> {
    let texts = press.texts();
    let say = |at: Timestamp| moment(texts, &page.timezone, at, Form::Full);
    let row = |window: &Window| {
        Ok::<_, PublishError>(WindowRow {
            key: match (window.opens, window.closes) {
                (None, None) => "window-unknown",
                (Some(_), None) => "window-from",
                (None, Some(_)) => "window-until",
                (Some(_), Some(_)) => "window-from-until",
            },
            opens: window.opens.map(say).transpose()?,
            closes: window.closes.map(say).transpose()?,
        })
    };
    let view = Maintenance {
        frame: Frame::new(page, press, place)?,
        headline: texts.say("page-maintenance", &[])?,
        windows: page.windows.iter().map(row).collect::<Result<_, _>>()?,
        updates: messages(page, press, |kind| kind == Kind::Maintenance)?,
    };
    press.print("maintenance.html", &view)
}

/// What happened, told afterwards; `None` before somebody did.
pub(super) fn post_mortem(
    page: &StatusPage,
    press: &Press,
    place: Place<'_>,
) -> Result<Option<String>, PublishError> {
    let updates = messages(page, press, |kind| kind == Kind::PostMortem)?;
    if updates.is_empty() {
        return Ok(None);
    }
    let view = History {
        frame: Frame::new(page, press, place)?,
        headline: press.texts().say("page-post-mortem", &[])?,
        updates,
        points: Vec::new(),
    };
    press.print("post-mortem.html", &view).map(Some)
}

fn messages(
    page: &StatusPage,
    press: &Press,
    is_wanted: impl Fn(Kind) -> bool,
) -> Result<Vec<Message>, PublishError> {
    let wanted = page.updates.iter().filter(|update: &&Update| is_wanted(update.kind));
    wanted.take(MESSAGES_MAX).map(|update| message(page, press.texts(), update)).collect()
}
