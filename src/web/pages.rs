//! Prints pages: templates and texts of every language, made once.

use std::sync::Arc;

use minijinja::Environment;
use minijinja::value::{Serde, Value};
use serde::Serialize;

use crate::publish::locale::Texts;
use crate::publish::press::{STYLE, environment};
use crate::publish::{Language, PublishError, SIGNS};
use crate::web::app::{Trouble, Visit};

const TEMPLATES: [(&str, &str); 4] = [
    ("frame.html", include_str!("templates/frame.html")),
    ("support.html", include_str!("templates/support.html")),
    ("live.html", include_str!("templates/live.html")),
    ("trouble.html", include_str!("templates/trouble.html")),
];

/// Texts of these pages in `language`.
pub(super) fn source(language: Language) -> &'static str {
    match language {
        Language::En => include_str!("locale/en.ftl"),
        Language::Nl => include_str!("locale/nl.ftl"),
        Language::De => include_str!("locale/de.ftl"),
    }
}

/// All pages in all languages.
pub(super) struct Pages {
    presses: Vec<Press>,
    style: String,
}

struct Press {
    texts: Arc<Texts>,
    environment: Environment<'static>,
}

/// What all pages have around them.
#[derive(Serialize)]
pub(super) struct Frame<'a> {
    lang: &'static str,
    css: &'a str,
    signs: &'static str,
    /// The company.
    name: Option<&'a str>,
    /// Who looks.
    person: Option<&'a str>,
    /// What his forms carry.
    form: Option<&'a str>,
    chosen: Option<&'static str>,
    languages: Vec<Tongue>,
    /// Which other page there is for him.
    other: Option<&'static str>,
    wide: bool,
}

/// The page in another language.
#[derive(Serialize)]
struct Tongue {
    code: &'static str,
    name: String,
    current: bool,
}

impl Pages {
    pub(super) fn new() -> Result<Self, PublishError> {
        let style = format!("{}\n{}", STYLE.trim_end(), include_str!("templates/desk.css"));
        let presses = Language::ALL.map(Press::new).into_iter().collect::<Result<_, _>>()?;
        Ok(Self { presses, style: style.trim_end().to_owned() })
    }

    /// The style of all pages.
    pub(super) fn style(&self) -> &str {
        &self.style
    }

    fn press(&self, language: Language) -> &Press {
        let mut presses = self.presses.iter();
        let found = presses.find(|press| press.texts.language() == language);
        found.unwrap_or(&self.presses[0])
    }

    pub(super) fn texts(&self, language: Language) -> &Texts {
        &self.press(language).texts
    }

    /// What is around a page of the company called `name`, for `visit`.
    pub(super) fn frame<'a>(
        &'a self,
        name: &'a str,
        visit: &'a Visit,
        (other, wide): (Option<&'static str>, bool),
    ) -> Result<Frame<'a>, PublishError> {
        let tongue = |language: Language| {
            let name = self.texts(language).say("language-name", &[])?;
            Ok(Tongue { code: language.code(), name, current: language == visit.language })
        };
        Ok(Frame {
            name: Some(name),
            person: Some(&visit.person.name),
            form: Some(&visit.person.form),
            chosen: visit.chosen.map(Language::code),
            languages: Language::ALL
                .map(tongue)
                .into_iter()
                .collect::<Result<_, PublishError>>()?,
            other,
            wide,
            ..self.bare(visit.language)
        })
    }

    fn bare(&self, language: Language) -> Frame<'_> {
        Frame {
            lang: language.code(),
            css: &self.style,
            signs: SIGNS,
            name: None,
            person: None,
            form: None,
            chosen: None,
            languages: Vec::new(),
            other: None,
            wide: false,
        }
    }

    /// A page.
    pub(super) fn print(
        &self,
        language: Language,
        name: &'static str,
        view: &impl Serialize,
    ) -> Result<String, PublishError> {
        let fault = |source| PublishError::Template { name, source: Box::new(source) };
        let template = self.press(language).environment.get_template(name).map_err(fault)?;
        template.render(Value::from(Serde(view))).map_err(fault)
    }

    /// Why there is no other page. Strangers read it in all languages, so that it is always equal.
    pub(super) fn trouble(
        &self,
        trouble: Trouble,
        language: Language,
    ) -> Result<String, PublishError> {
        #[derive(Serialize)]
        struct View<'a> {
            frame: Frame<'a>,
            said: Vec<Said>,
        }
        #[derive(Serialize)]
        struct Said {
            lang: &'static str,
            text: String,
            link: String,
        }
        let key = format!("trouble-{}", trouble.word());
        let is_for_all = matches!(trouble, Trouble::Nothing | Trouble::Often);
        let language = if is_for_all { Language::En } else { language };
        let languages = Language::ALL.into_iter().filter(|it| is_for_all || *it == language);
        let say = |language: Language| {
            let texts = self.texts(language);
            let (text, link) = (texts.say(&key, &[])?, texts.say("go-on", &[])?);
            Ok(Said { lang: language.code(), text, link })
        };
        let said = languages.map(say).collect::<Result<_, PublishError>>()?;
        self.print(language, "trouble.html", &View { frame: self.bare(language), said })
    }
}

impl Press {
    fn new(language: Language) -> Result<Self, PublishError> {
        let texts = Arc::new(Texts::of(language, &[language.source(), source(language)])?);
        let fault = |name| move |source| PublishError::Template { name, source: Box::new(source) };
        let mut environment = environment(&texts).map_err(fault("frame.html"))?;
        for (name, text) in TEMPLATES {
            environment.add_template(name, text).map_err(fault(name))?;
        }
        Ok(Self { texts, environment })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// Messages of a language with the variables of each.
    fn messages(language: Language) -> BTreeMap<&'static str, BTreeSet<&'static str>> {
        let mut found: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        let mut current = "";
        for line in source(language).lines() {
            if let Some((key, _)) = line.split_once(" =").filter(|_| !line.starts_with([' ', '#']))
            {
                current = key;
                assert!(found.insert(key, BTreeSet::new()).is_none(), "{key} twice");
            }
            for rest in line.split('$').skip(1) {
                let end = rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len());
                found.get_mut(current).unwrap().insert(&rest[..end]);
            }
        }
        found
    }

    #[test]
    fn every_language_says_the_same_and_nothing_is_left_over() {
        let english = messages(Language::En);
        assert!(english.len() > 30, "{english:?}");
        for language in Language::ALL {
            assert_eq!(messages(language), english, "{language}");
        }
        let used: String = TEMPLATES.iter().map(|(_, text)| *text).collect();
        let rust = [include_str!("app.rs"), include_str!("support.rs")].concat();
        for key in english.keys() {
            let part = ["trouble-", "proof-"].iter().find_map(|start| key.strip_prefix(start));
            let is_part = part.is_some_and(|part| rust.contains(&format!("\"{part}\"")));
            let is_used = [&used, include_str!("pages.rs")]
                .iter()
                .any(|text| text.contains(&format!("\"{key}\"")));
            assert!(is_part || is_used, "{key}");
        }
    }

    /// `text` without what stands from each `open` to the `close` after it.
    fn without(text: &str, open: &str, close: &str) -> String {
        let mut pieces = text.split(open);
        let mut kept = pieces.next().unwrap().to_owned();
        for piece in pieces {
            kept.push(' ');
            kept.push_str(piece.split_once(close).unwrap().1);
        }
        kept
    }

    #[test]
    fn support_reads_no_word_that_cannot_be_translated() {
        for (name, text) in TEMPLATES.into_iter().filter(|(name, _)| *name != "live.html") {
            let text = without(&without(text, "{%", "%}"), "{{", "}}");
            let mut read = without(&text, "<", ">");
            for begins in [" aria-label=\"", " title=\"", " alt=\"", " placeholder=\""] {
                let values = text.split(begins).skip(1);
                values.for_each(|value| read.push_str(value.split('"').next().unwrap()));
            }
            // The way to a page in English, and a name.
            let read = read.replace("Live view", " ").replace("evac", " ");
            let left: Vec<_> =
                read.split_whitespace().filter(|it| it.contains(char::is_alphabetic)).collect();
            assert_eq!(left, <[&str; 0]>::default(), "{name}");
        }
    }

    #[test]
    fn strangers_read_the_same_in_every_language() {
        let pages = Pages::new().unwrap();
        let nothing = |language| pages.trouble(Trouble::Nothing, language).unwrap();
        assert_eq!(nothing(Language::Nl), nothing(Language::En));
        for trouble in [Trouble::Often, Trouble::Missing, Trouble::Form, Trouble::Unwritten] {
            let german = pages.trouble(trouble, Language::De).unwrap();
            assert!(german.contains("<p lang=\"de\">"), "{german}");
        }
    }
}
