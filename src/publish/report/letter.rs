//! A message to all customers, as a draft in each language.
//!
//! **Promise.** It says only what the record proves: online is what passed its gate, no loss is
//! said only where every copy was read back.

use crate::publish::dates::{Form, moment};
use crate::publish::locale::{Arg, Texts};
use crate::publish::report::ReportError;
use crate::publish::report::document::{Block, Document};
use crate::publish::report::figures::{Case, Figures};

/// The draft in the language of `texts`.
pub fn letter(case: &Case<'_>, figures: &Figures, texts: &Texts) -> Result<Document, ReportError> {
    let began = moment(texts, case.zone, case.began, Form::Full)?.text;
    let blank =
        || ("blank", Arg::Text(format!("[{}]", say(texts, "report-blank").unwrap_or_default())));
    let counts = [("done", Arg::Count(figures.online)), ("total", Arg::Count(figures.customers))];
    let online = if figures.is_over() {
        texts.say("letter-all-online", &counts[1..])?
    } else {
        texts.say("letter-some-online", &counts)?
    };
    let data = figures.data();
    let proven = data.services > 0 && data.is_proven();
    let mut said = vec![
        texts.say("letter-what", &[("began", Arg::Text(began))])?,
        online,
        say(texts, if figures.unchecked > 0 { "letter-checked-some" } else { "letter-checked" })?,
        say(texts, if proven { "letter-data-proven" } else { "letter-data-open" })?,
    ];
    if figures.services_online == 0 {
        said.remove(2);
    }
    if let Some(minutes) = figures.minutes {
        let args = [("median", Arg::Count(minutes.median)), ("worst", Arg::Count(minutes.worst))];
        said.push(texts.say("letter-length", &args)?);
    }
    said.push(say(texts, "letter-sorry")?);
    said.push(texts.say("letter-next", &[blank()])?);
    said.push(texts.say("letter-contact", &[blank()])?);
    let mut blocks = vec![Block::Notice(say(texts, "letter-draft")?)];
    blocks.extend(said.into_iter().map(Block::Paragraph));
    blocks.push(Block::Paragraph(case.name.to_owned()));
    Ok(Document { language: texts.language().code(), title: say(texts, "letter-title")?, blocks })
}

fn say(texts: &Texts, key: &str) -> Result<String, ReportError> {
    Ok(texts.say(key, &[])?)
}
