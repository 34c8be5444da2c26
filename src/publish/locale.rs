//! Languages: texts with real plurals, and numbers as people of that language write them.
//!
//! Texts are Fluent files under `locale/`, embedded. Every language has exactly the same messages
//! with the same variables; tests compare them. A text that is missing is an error, never English
//! on a Dutch page.

use std::fmt;
use std::str::FromStr;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

use crate::model::text::bounded;
use crate::publish::PublishError;

/// A language the page can be read in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// English.
    En,
    /// Dutch.
    Nl,
    /// German.
    De,
}

/// A language that evac has no texts for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there are no texts in `{text}`; known are {known}", known = known())]
pub struct UnknownLanguage {
    /// What was asked for, bounded.
    pub text: String,
}

fn known() -> String {
    Language::ALL.map(Language::code).join(", ")
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::En, Self::Nl, Self::De];

    /// BCP 47 code; also the name of the folder with its page.
    pub fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Nl => "nl",
            Self::De => "de",
        }
    }

    /// Its Fluent file.
    pub fn source(self) -> &'static str {
        match self {
            Self::En => include_str!("locale/en.ftl"),
            Self::Nl => include_str!("locale/nl.ftl"),
            Self::De => include_str!("locale/de.ftl"),
        }
    }

    /// What is said in it in public, see [`crate::publish::say`].
    pub(super) fn said(self) -> &'static str {
        match self {
            Self::En => include_str!("say/en.ftl"),
            Self::Nl => include_str!("say/nl.ftl"),
            Self::De => include_str!("say/de.ftl"),
        }
    }

    /// What customers are written in it, see [`crate::publish::mail`].
    pub(super) fn written(self) -> &'static str {
        match self {
            Self::En => include_str!("mail/en.ftl"),
            Self::Nl => include_str!("mail/nl.ftl"),
            Self::De => include_str!("mail/de.ftl"),
        }
    }

    /// What is told in it afterwards, see [`crate::publish::report`].
    pub(super) fn told(self) -> &'static str {
        match self {
            Self::En => include_str!("report/en.ftl"),
            Self::Nl => include_str!("report/nl.ftl"),
            Self::De => include_str!("report/de.ftl"),
        }
    }

    fn identifier(self) -> LanguageIdentifier {
        self.code().parse().expect("our own codes are valid BCP 47")
    }
}

impl FromStr for Language {
    type Err = UnknownLanguage;
    fn from_str(text: &str) -> Result<Self, UnknownLanguage> {
        let found = Self::ALL.into_iter().find(|language| language.code() == text);
        found.ok_or_else(|| UnknownLanguage { text: bounded(text, 40) })
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

/// A value inside a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arg {
    /// A number: selects the plural, is written with its groups of thousands.
    Count(u64),
    /// Written as it is.
    Text(String),
}

/// The texts of one language.
pub struct Texts {
    language: Language,
    bundle: FluentBundle<FluentResource>,
}

impl Texts {
    /// Reads the embedded files of `language`.
    pub fn new(language: Language) -> Result<Self, PublishError> {
        Self::of(
            language,
            &[language.source(), language.said(), language.written(), language.told()],
        )
    }

    /// Reads Fluent files of `language`.
    pub fn of(language: Language, sources: &[&str]) -> Result<Self, PublishError> {
        let fail = |why: String| PublishError::Text {
            language: language.code(),
            key: "(whole file)".to_owned(),
            why,
        };
        let mut bundle = FluentBundle::new_concurrent(vec![language.identifier()]);
        // Arguments are numbers and times in the text's own language; marks around each of them
        // would only end up in copied text.
        bundle.set_use_isolating(false);
        bundle.set_formatter(Some(match language {
            Language::En => grouped_by_comma,
            Language::Nl | Language::De => grouped_by_point,
        }));
        #[cfg(test)]
        if pseudo::IS_ON.get() {
            bundle.set_transform(Some(pseudo::wide));
        }
        for source in sources {
            let resource = FluentResource::try_new((*source).to_owned())
                .map_err(|(_, errors)| fail(format!("{errors:?}")))?;
            bundle.add_resource(resource).map_err(|errors| fail(format!("{errors:?}")))?;
        }
        Ok(Self { language, bundle })
    }

    /// Which language this is.
    pub fn language(&self) -> Language {
        self.language
    }

    /// The text of `key`. A missing text or argument is an error.
    pub fn say(&self, key: &str, args: &[(&str, Arg)]) -> Result<String, PublishError> {
        let fail = |why: String| PublishError::Text {
            language: self.language.code(),
            key: bounded(key, 80),
            why,
        };
        let message = self.bundle.get_message(key).and_then(|message| message.value());
        let pattern = message.ok_or_else(|| fail("there is no such text".to_owned()))?;
        let mut values = FluentArgs::with_capacity(args.len());
        for (name, arg) in args {
            values.set(*name, value(arg));
        }
        let mut errors = Vec::new();
        let text = self.bundle.format_pattern(pattern, Some(&values), &mut errors);
        match errors.first() {
            None => Ok(text.into_owned()),
            Some(error) => Err(fail(error.to_string())),
        }
    }
}

fn value(arg: &Arg) -> FluentValue<'_> {
    match arg {
        Arg::Count(count) => FluentValue::from(*count),
        Arg::Text(text) => FluentValue::from(text.as_str()),
    }
}

fn grouped_by_comma<M>(value: &FluentValue, _: &M) -> Option<String> {
    grouped(value, ',')
}

fn grouped_by_point<M>(value: &FluentValue, _: &M) -> Option<String> {
    grouped(value, '.')
}

/// Whole numbers in groups of three; anything else is left to Fluent.
fn grouped(value: &FluentValue, separator: char) -> Option<String> {
    let FluentValue::Number(number) = value else { return None };
    let digits = format!("{:.0}", number.value);
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(separator);
        }
        out.push(digit);
    }
    Some(out)
}

/// A language nobody speaks: letters as wide as Chinese ones. What is still in ASCII on a page
/// never went through the texts.
#[cfg(test)]
pub(super) mod pseudo {
    use std::borrow::Cow;
    use std::cell::Cell;

    thread_local! {
        /// Whether texts read from now on are wide.
        pub static IS_ON: Cell<bool> = const { Cell::new(false) };
    }

    /// `text` in wide letters.
    pub fn wide(text: &str) -> Cow<'_, str> {
        let wide = |letter: char| match letter {
            'A'..='Z' | 'a'..='z' => char::from_u32(letter as u32 + 0xFEE0).unwrap_or(letter),
            other => other,
        };
        text.chars().map(wide).collect::<String>().into()
    }
}
