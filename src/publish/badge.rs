//! `badge.svg`: the one figure in a picture that other pages may show.

use serde::Serialize;

use crate::model::text::bounded;
use crate::publish::locale::Arg;
use crate::publish::page::Stage;
use crate::publish::press::Press;
use crate::publish::{PublishError, StatusPage};

/// Longest name on a badge.
const MAX_NAME_CHARS: usize = 40;
/// About what a character of the font takes, and the room around a text.
const CHAR_WIDTH: usize = 7;
const ROOM: usize = 12;

#[derive(Serialize)]
struct View {
    name: String,
    text: String,
    fill: &'static str,
    width: usize,
    left: usize,
    right: usize,
    left_middle: usize,
    right_middle: usize,
    left_text: usize,
    right_text: usize,
}

/// The badge in the language of `press`.
pub(super) fn svg(page: &StatusPage, press: &Press) -> Result<String, PublishError> {
    let (key, done) = match page.stage() {
        Stage::NoFigures => ("badge-none", 0),
        _ if page.online() == 0 => ("badge-copied", page.copied()),
        _ => ("badge-online", page.online()),
    };
    let args = [("done", Arg::Count(done)), ("total", Arg::Count(page.customers))];
    let text = press.texts().say(key, if key == "badge-none" { &[] } else { &args })?;
    let name = bounded(&page.name, MAX_NAME_CHARS);
    let fill = if page.stage() == Stage::Done { "#1c6b3f" } else { "#14568a" };
    let width_of = |text: &str| text.chars().count() * CHAR_WIDTH;
    let (left_text, right_text) = (width_of(&name), width_of(&text));
    let (left, right) = (left_text + ROOM, right_text + ROOM);
    let view = View {
        name,
        text,
        fill,
        width: left + right,
        left,
        right,
        left_middle: left / 2,
        right_middle: left + right / 2,
        left_text,
        right_text,
    };
    press.print("badge.svg", &view)
}
