//! What is said in public, in words: templates for people, and facts that evac says by itself.
//!
//! **Promises.** Every text ends with the promise of the next one, unless everything is over.
//! "Resolved" is not said before every customer who is counted is online, by the gate's word. What
//! names somebody who is held back is not said at all ([`guard`]).

pub mod facts;
pub mod guard;
pub mod short;

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use crate::ledger::outbox::PostText;
use crate::model::Timestamp;
use crate::publish::dates::{Form, moment};
use crate::publish::locale::{Arg, Texts};
use crate::publish::update::Kind;
use crate::publish::{Language, PublishError};

/// Texts that people start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    /// Something is wrong, and we know.
    First,
    /// What is affected.
    Scope,
    /// What we do about it.
    Moving,
    /// Nothing new, and we are still here.
    Same,
    /// What we said does not hold.
    Setback,
    /// It is over.
    Resolved,
}

impl Template {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::First, Self::Scope, Self::Moving, Self::Same, Self::Setback, Self::Resolved];

    /// As it is typed, and as its texts are called.
    pub fn word(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Scope => "scope",
            Self::Moving => "moving",
            Self::Same => "same",
            Self::Setback => "setback",
            Self::Resolved => "resolved",
        }
    }

    /// What it is about.
    pub fn kind(self) -> Kind {
        match self {
            Self::First | Self::Setback => Kind::Investigating,
            Self::Scope | Self::Moving | Self::Same => Kind::Identified,
            Self::Resolved => Kind::Resolved,
        }
    }

    /// Its text in each of `languages`, without a promise.
    pub fn texts(
        self,
        languages: &[Language],
    ) -> Result<BTreeMap<Language, PostText>, PublishError> {
        in_each(languages, |texts| {
            let text = |part: &str| texts.say(&format!("say-{}-{part}", self.word()), &[]);
            Ok(PostText { title: text("title")?, body: text("body")? })
        })
    }
}

/// Makes a text in each language.
fn in_each(
    languages: &[Language],
    make: impl Fn(&Texts) -> Result<PostText, PublishError>,
) -> Result<BTreeMap<Language, PostText>, PublishError> {
    languages.iter().map(|language| Ok((*language, make(&Texts::new(*language)?)?))).collect()
}

/// `texts` with the promise at the end of each, by language code.
pub fn promised(
    texts: BTreeMap<Language, PostText>,
    next_by: Option<Timestamp>,
    now: Timestamp,
    zone: &TimeZone,
) -> Result<BTreeMap<String, PostText>, PublishError> {
    let mut done = BTreeMap::new();
    for (language, mut text) in texts {
        if let Some(next_by) = next_by {
            let said = Texts::new(language)?;
            let time = moment(&said, zone, next_by, Form::Near(now))?.text;
            text.body.push_str("\n\n");
            text.body.push_str(&said.say("say-next", &[("time", Arg::Text(time))])?);
        }
        done.insert(language.code().to_owned(), text);
    }
    Ok(done)
}

/// 64 random bits as a name.
pub fn new_id() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{:016x}", u64::from_be_bytes(bytes)))
}
