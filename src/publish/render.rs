//! The page as files in memory: HTML in every language, JSON beside it.
//!
//! | file | what |
//! |---|---|
//! | `index.html` | the page in the site's first language |
//! | `LANGUAGE/index.html` | the page in each language |
//! | `api/v2/summary.json`, `api/v2/status.json` | see [`crate::publish::api`] |
//!
//! **Invariants.** Templates see [`StatusPage`]'s counts and texts made of them, nothing else. What
//! is put into HTML is escaped. A file refers to nothing outside this folder, so the page works
//! from a web server, from a stick and from a mail attachment.

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde, Value, ValueKind};
use minijinja::{AutoEscape, Environment, ErrorKind, HtmlEscape, UndefinedBehavior};
use serde::Serialize;

use crate::model::{PublicWord, Timestamp};
use crate::publish::dates::{Form, Moment, is_utc, moment};
use crate::publish::locale::{Arg, Texts};
use crate::publish::page::{Access, Stage};
use crate::publish::{Language, PublishError, StatusPage, api};

const PAGE: &str = "page.html";

/// Stands for a moment while a sentence is made and escaped; a private-use character, so no text
/// of ours contains it and nobody else's text gets here.
const MOMENT_MARK: char = '\u{e000}';

/// All files of a page, by their path inside the folder. Equal pages give equal bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rendered {
    /// Content by relative path, `/` between its parts.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Makes every file of `page`.
pub fn render(page: &StatusPage) -> Result<Rendered, PublishError> {
    let mut files = BTreeMap::new();
    for (index, language) in page.languages.iter().enumerate() {
        let name = format!("{language}/index.html");
        files.insert(name, html(page, *language, "../")?.into_bytes());
        if index == 0 {
            files.insert("index.html".to_owned(), html(page, *language, "")?.into_bytes());
        }
    }
    let texts = Texts::new(page.languages[0])?;
    files.insert("api/v2/summary.json".to_owned(), api::json(&api::summary(page, &texts)?));
    files.insert("api/v2/status.json".to_owned(), api::json(&api::status(page, &texts)?));
    Ok(Rendered { files })
}

/// `copied`, as it ends the keys of its texts and the name of its sign.
pub(super) fn word_key(word: PublicWord) -> &'static str {
    match word {
        PublicWord::Queued => "queued",
        PublicWord::Copying => "copying",
        PublicWord::Copied => "copied",
        PublicWord::Restoring => "restoring",
        PublicWord::Testing => "testing",
        PublicWord::Online => "online",
        PublicWord::WaitingForYou => "waiting-for-you",
        PublicWord::NeedsAttention => "needs-attention",
    }
}

/// The sentence everything begins with: "312 of 500 customers copied".
pub(super) fn headline(page: &StatusPage, texts: &Texts) -> Result<String, PublishError> {
    let (key, done) = match page.stage() {
        Stage::NoFigures => return texts.say("headline-none", &[]),
        Stage::Copying => ("headline-copied", page.copied()),
        Stage::Returning | Stage::Done if page.online() == 0 => ("headline-copied", page.copied()),
        Stage::Returning | Stage::Done => ("headline-online", page.online()),
    };
    texts.say(key, &[("done", Arg::Count(done)), ("total", Arg::Count(page.customers))])
}

/// All that the template sees.
#[derive(Serialize)]
struct View<'a> {
    lang: &'static str,
    /// Leads from the page to the folder's root.
    base: &'a str,
    name: &'a str,
    css: &'static str,
    headline: String,
    stage: &'static str,
    also_copied: Option<u64>,
    advice: bool,
    customers: u64,
    rows: [Row; 8],
    bar: Vec<Stretch>,
    local: Moment,
    utc: Option<Moment>,
    next: Moment,
    access: Sentence,
    links: Vec<Link>,
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

/// The page in another language.
#[derive(Serialize)]
struct Link {
    code: &'static str,
    name: String,
    href: String,
    current: bool,
}

/// A sentence with a moment in it.
#[derive(Serialize)]
struct Sentence {
    key: &'static str,
    opens: Option<Moment>,
    closes: Option<Moment>,
}

/// One page. `base` leads from it to the folder's root.
fn html(page: &StatusPage, language: Language, base: &str) -> Result<String, PublishError> {
    let texts = Texts::new(language)?;
    let zone = &page.timezone;
    let view = View {
        lang: language.code(),
        base,
        name: &page.name,
        css: include_str!("templates/page.css"),
        headline: headline(page, &texts)?,
        stage: stage_key(page.stage()),
        also_copied: (page.stage() == Stage::Returning && page.online() > 0).then(|| page.copied()),
        advice: page.stage() != Stage::Done,
        customers: page.customers,
        rows: page
            .counts
            .map(|count| Row { word: word_key(count.word), customers: count.customers }),
        bar: bar(page),
        local: moment(&texts, zone, page.as_of, Form::Full)?,
        utc: utc_beside(page, &texts)?,
        next: moment(&texts, zone, page.next_update, Form::Near(page.as_of))?,
        access: access(page, &texts)?,
        links: links(page, language, base)?,
    };
    let fault = |source| PublishError::Template { name: PAGE, source: Box::new(source) };
    let environment = environment(texts).map_err(fault)?;
    let template = environment.get_template(PAGE).map_err(fault)?;
    template.render(Value::from(Serde(view))).map_err(fault)
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

fn links(page: &StatusPage, current: Language, base: &str) -> Result<Vec<Link>, PublishError> {
    let link = |language: &Language| {
        Ok(Link {
            code: language.code(),
            name: Texts::new(*language)?.say("language-name", &[])?,
            href: format!("{base}{language}/index.html"),
            current: *language == current,
        })
    };
    page.languages.iter().map(link).collect()
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

/// Templates and the one function they have: `say("key", name=value)`.
fn environment(texts: Texts) -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?;
    environment.set_syntax(syntax);
    let texts = Arc::new(texts);
    environment.add_function("say", move |key: String, args: Kwargs| say(&texts, &key, &args));
    environment.add_template(PAGE, include_str!("templates/page.html"))?;
    Ok(environment)
}

/// A text as HTML; moments among the arguments become `<time>` elements.
fn say(texts: &Texts, key: &str, kwargs: &Kwargs) -> Result<Value, minijinja::Error> {
    let mut moments = Vec::new();
    let mut args = Vec::new();
    for name in kwargs.args() {
        let value: Value = kwargs.get(name)?;
        let arg = match value.kind() {
            ValueKind::Number => Arg::Count(u64::try_from(value)?),
            ValueKind::Map => {
                let (iso, text) = (value.get_attr("iso")?, value.get_attr("text")?);
                moments.push((
                    name,
                    format!(
                        "<time datetime=\"{iso}\">{}</time>",
                        HtmlEscape(text.as_str().unwrap_or_default())
                    ),
                ));
                Arg::Text(mark(moments.len() - 1))
            }
            _ => Arg::Text(value.to_string().replace(MOMENT_MARK, "")),
        };
        args.push((name, arg));
    }
    let fault = |error: PublishError| {
        minijinja::Error::new(ErrorKind::InvalidOperation, "no such text").with_source(error)
    };
    let mut text = HtmlEscape(&texts.say(key, &args).map_err(fault)?).to_string();
    for (index, (_, html)) in moments.iter().enumerate() {
        text = text.replace(&mark(index), html);
    }
    Ok(Value::from_safe_string(text))
}

/// The place of a sentence's moment number `index`.
fn mark(index: usize) -> String {
    format!("{MOMENT_MARK}{index}{MOMENT_MARK}")
}
