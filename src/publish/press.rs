//! Templates and texts of one language, ready to print with.
//!
//! Templates have one function: `say("key", name=value)` is a text, with what is put into it
//! escaped; moments among the arguments become `<time>` elements. A site may replace any template
//! by its own ([`NAMES`]); those see the same values.

use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde, Value, ValueKind};
use minijinja::{AutoEscape, Environment, ErrorKind, HtmlEscape, UndefinedBehavior};
use serde::Serialize;

use crate::publish::locale::{Arg, Texts};
use crate::publish::page::Look;
use crate::publish::{Language, PublishError};

/// Stands for a moment while a sentence is made and escaped; a private-use character, so no text
/// of ours contains it and nobody else's text gets here.
const MOMENT_MARK: char = '\u{e000}';

/// Every template with evac's own text of it.
const TEMPLATES: [(&str, &str); 12] = [
    ("base.html", include_str!("templates/base.html")),
    ("page.html", include_str!("templates/page.html")),
    ("history.html", include_str!("templates/history.html")),
    ("maintenance.html", include_str!("templates/maintenance.html")),
    ("post-mortem.html", include_str!("templates/post-mortem.html")),
    ("own.html", include_str!("templates/own.html")),
    ("message.html", include_str!("templates/message.html")),
    ("free.html", include_str!("templates/free.html")),
    ("follow.html", include_str!("templates/follow.html")),
    ("atom.xml", include_str!("templates/atom.xml")),
    ("rss.xml", include_str!("templates/rss.xml")),
    ("badge.svg", include_str!("templates/badge.svg")),
];
const CSS: &str = "page.css";
/// The style of all pages, where no site has its own.
pub const STYLE: &str = include_str!("templates/page.css");

/// What a site may replace.
pub const NAMES: [&str; TEMPLATES.len() + 1] = {
    let mut names = [CSS; TEMPLATES.len() + 1];
    let mut index = 0;
    while index < TEMPLATES.len() {
        names[index] = TEMPLATES[index].0;
        index += 1;
    }
    names
};

/// Prints in one language.
pub(super) struct Press {
    texts: Arc<Texts>,
    environment: Environment<'static>,
    own: Vec<String>,
    css: String,
}

impl Press {
    pub(super) fn new(language: Language, look: &Look) -> Result<Self, PublishError> {
        let texts = Arc::new(Texts::new(language)?);
        let own: Vec<String> = look.templates.keys().cloned().collect();
        let fault = |source: minijinja::Error| failed(&own, CSS, source);
        let mut environment = environment(&texts).map_err(fault)?;
        for (name, text) in TEMPLATES {
            let text = look.templates.get(name).map_or(text, String::as_str).to_owned();
            environment.add_template_owned(name, text).map_err(fault)?;
        }
        let css = look.templates.get(CSS).map_or(STYLE, |css| css);
        let css = format!("{}\n{}", css.trim_end(), look.css);
        Ok(Self { texts, environment, own, css: css.trim_end().to_owned() })
    }

    pub(super) fn texts(&self) -> &Texts {
        &self.texts
    }

    /// The style of all pages.
    pub(super) fn css(&self) -> &str {
        &self.css
    }

    /// One file.
    pub(super) fn print(
        &self,
        name: &'static str,
        view: &impl Serialize,
    ) -> Result<String, PublishError> {
        let fault = |source| failed(&self.own, name, source);
        let template = self.environment.get_template(name).map_err(fault)?;
        template.render(Value::from(Serde(view))).map_err(fault)
    }
}

/// Whose fault is it? An error in an included template lies within one of who includes it.
fn failed(own: &[String], name: &'static str, source: minijinja::Error) -> PublishError {
    let mut found = None;
    let mut error = Some(&source);
    while let Some(inner) = error {
        let is_own = |name: &&str| own.iter().any(|own| own == name);
        if let Some(name) = inner.name().filter(is_own) {
            found = Some((name.to_owned(), inner.line().unwrap_or_default()));
        }
        error = std::error::Error::source(inner).and_then(|cause| cause.downcast_ref());
    }
    match found {
        Some((name, line)) => PublishError::Own { name, line, source: Box::new(source) },
        None => PublishError::Template { name, source: Box::new(source) },
    }
}

/// Templates without one: with `say`, escaped, strict.
pub fn environment(texts: &Arc<Texts>) -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?;
    environment.set_syntax(syntax);
    let texts = Arc::clone(texts);
    environment.add_function("say", move |key: String, args: Kwargs| say(&texts, &key, &args));
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
