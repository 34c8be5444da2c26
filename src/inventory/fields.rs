//! Takes the keys of a table one by one, notes what is wrong with each, and at the end every key
//! that nobody asked for.
//!
//! **Invariant.** A wrong value yields `None` and a [`Problem`] at its line, never a panic, and the
//! other keys are still looked at.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use crate::inventory::document::{Field, Node, Table, Value};
use crate::inventory::{Entry, Origin, Problem};
use crate::model::text::{bounded, closest};

/// Longest piece of a user's text repeated in a message.
const SHOWN_MAX: usize = 80;

/// A table being read.
pub(super) struct Fields<'a> {
    table: &'a Table,
    origin: Origin,
    /// What the table is, for messages: `host`, `[ssh]`.
    what: &'static str,
    entry: Option<Entry>,
    asked: Vec<&'static str>,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(
        table: &'a Table,
        origin: &Origin,
        what: &'static str,
        problems: &'a mut Vec<Problem>,
    ) -> Self {
        Self { table, origin: origin.clone(), what, entry: None, asked: Vec::new(), problems }
    }

    /// Problems from here on set `entry` aside.
    pub(super) fn of(mut self, entry: Option<Entry>) -> Self {
        self.entry = entry;
        self
    }

    pub(super) fn entry(&self) -> Option<Entry> {
        self.entry.clone()
    }

    pub(super) fn error(&mut self, origin: &Origin, what: impl Into<String>, hint: &str) {
        let entry = self.entry.clone();
        self.problems.push(Problem { entry, ..Problem::error(origin, what).hint(hint) });
    }

    /// The problems noted so far, for a nested table.
    pub(super) fn problems(&mut self) -> &mut Vec<Problem> {
        self.problems
    }

    pub(super) fn raw(&mut self, key: &'static str) -> Option<&'a Field> {
        self.asked.push(key);
        self.table.get(key)
    }

    fn expected(&mut self, key: &str, node: &Node, expected: &str) {
        let what = format!("`{key}` must be {expected}, not {}", node.value.kind());
        self.error(&node.origin, what, "");
    }

    /// A text, with where it stands.
    pub(super) fn placed_text(&mut self, key: &'static str) -> Option<(&'a str, &'a Origin)> {
        let field = self.raw(key)?;
        self.text_of(key, &field.node, "a text in quotes")
    }

    fn text_of(
        &mut self,
        key: &str,
        node: &'a Node,
        expected: &str,
    ) -> Option<(&'a str, &'a Origin)> {
        match &node.value {
            Value::Text(text) | Value::Time(text) => Some((text, &node.origin)),
            _ => {
                self.expected(key, node, expected);
                None
            }
        }
    }

    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        self.placed_text(key).map(|(text, _)| text.to_owned())
    }

    /// A text that must not be empty.
    pub(super) fn needed_text(&mut self, key: &'static str, hint: &str) -> Option<String> {
        match self.placed_text(key) {
            Some((text, _)) if !text.trim().is_empty() => Some(text.to_owned()),
            Some((_, origin)) => {
                self.error(origin, format!("`{key}` is empty"), hint);
                None
            }
            None if self.table.get(key).is_some() => None,
            None => {
                let what = format!("{} has no `{key}`", self.what);
                self.error(&self.origin.clone(), what, hint);
                None
            }
        }
    }

    fn parse_at<T>(&mut self, key: &str, text: &str, origin: &Origin) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        text.parse().map_err(|error| self.error(origin, format!("`{key}`: {error}"), "")).ok()
    }

    /// A text with a type of its own.
    pub(super) fn parse<T>(&mut self, key: &'static str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        let (text, origin) = self.placed_text(key)?;
        self.parse_at(key, text, origin)
    }

    /// The texts of a list, with where they stand.
    pub(super) fn placed_texts(&mut self, key: &'static str) -> Vec<(&'a str, &'a Origin)> {
        let Some(field) = self.raw(key) else { return Vec::new() };
        let Value::Array(nodes) = &field.node.value else {
            self.expected(key, &field.node, "a list of texts such as [\"a\", \"b\"]");
            return Vec::new();
        };
        nodes.iter().filter_map(|node| self.text_of(key, node, "a list of texts")).collect()
    }

    pub(super) fn texts(&mut self, key: &'static str) -> Vec<String> {
        self.placed_texts(key).into_iter().map(|(text, _)| text.to_owned()).collect()
    }

    /// An id that must be there.
    pub(super) fn needed_id<T>(&mut self, key: &'static str, hint: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        if self.table.get(key).is_none() {
            self.asked.push(key);
            let what = format!("{} has no `{key}`", self.what);
            self.error(&self.origin.clone(), what, hint);
            return None;
        }
        self.parse(key)
    }

    /// `port`, if it is written.
    pub(super) fn port(&mut self) -> Option<u16> {
        self.integer("port", 1, 65_535).and_then(|port| u16::try_from(port).ok())
    }

    /// The items of a list, each with a type of its own.
    pub(super) fn parse_list<T>(&mut self, key: &'static str) -> Vec<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        let texts = self.placed_texts(key);
        texts.into_iter().filter_map(|(text, at)| self.parse_at(key, text, at)).collect()
    }

    pub(super) fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let field = self.raw(key)?;
        if let Value::Boolean(boolean) = field.node.value {
            return Some(boolean);
        }
        self.expected(key, &field.node, "true or false");
        None
    }

    /// A whole number from `min` to `max`.
    pub(super) fn integer(&mut self, key: &'static str, min: u32, max: u32) -> Option<u32> {
        let field = self.raw(key)?;
        let Value::Integer(integer) = field.node.value else {
            self.expected(key, &field.node, "a whole number");
            return None;
        };
        let fitting = u32::try_from(integer).ok().filter(|value| (min..=max).contains(value));
        if fitting.is_none() {
            let what = format!("`{key}` must be from {min} to {max}, not {integer}");
            self.error(&field.node.origin, what, "");
        }
        fitting
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        let (text, origin) = self.placed_text(key)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let list: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let what =
            format!("`{key}` is `{}`, but must be {}", bounded(text, SHOWN_MAX), list.join(", "));
        let hint = suggestion(text, &list);
        self.error(origin, what, &hint);
        None
    }

    /// A table of this table, with where it begins.
    pub(super) fn table(&mut self, key: &'static str) -> Option<(&'a Table, &'a Origin)> {
        let field = self.raw(key)?;
        self.table_of(key, &field.node, "a table")
    }

    fn table_of(
        &mut self,
        key: &str,
        node: &'a Node,
        expected: &str,
    ) -> Option<(&'a Table, &'a Origin)> {
        if let Value::Table(table) = &node.value {
            return Some((table, &node.origin));
        }
        self.expected(key, node, expected);
        None
    }

    /// The tables of a list: `[[key]]` or `key = [{…}]`.
    pub(super) fn tables(&mut self, key: &'static str) -> Vec<(&'a Table, &'a Origin)> {
        let Some(field) = self.raw(key) else { return Vec::new() };
        let Value::Array(nodes) = &field.node.value else {
            self.expected(key, &field.node, &format!("a list of tables; write [[{key}]]"));
            return Vec::new();
        };
        nodes.iter().filter_map(|node| self.table_of(key, node, "a list of tables")).collect()
    }

    /// A table of texts.
    pub(super) fn text_map(&mut self, key: &'static str) -> BTreeMap<String, String> {
        let Some((table, _)) = self.table(key) else { return BTreeMap::new() };
        let pairs = table.0.iter().filter_map(|field| {
            let (text, _) = self.text_of(&field.key, &field.node, "a text in quotes")?;
            Some((field.key.clone(), text.to_owned()))
        });
        pairs.collect()
    }

    /// A table of weights: finite numbers from zero up.
    pub(super) fn weights(&mut self, key: &'static str) -> Vec<(&'a str, f64, &'a Origin)> {
        let Some((table, _)) = self.table(key) else { return Vec::new() };
        let mut weights = Vec::new();
        for field in &table.0 {
            let weight = match field.node.value {
                Value::Integer(weight) => weight as f64,
                Value::Float(weight) => weight,
                _ => f64::NAN,
            };
            if (0.0..=1e9).contains(&weight) {
                weights.push((field.key.as_str(), weight, &field.origin));
            } else {
                let what = format!("weight of `{}` must be a number from 0 to 1e9", field.key);
                self.error(&field.node.origin, what, "");
            }
        }
        weights
    }

    /// Notes every key that nobody asked for.
    pub(super) fn finish(mut self) {
        let unknown = self.table.0.iter().filter(|field| !self.asked.contains(&&*field.key));
        for field in unknown.collect::<Vec<_>>() {
            let what = format!("{} has no key `{}`", self.what, bounded(&field.key, SHOWN_MAX));
            let hint = suggestion(&field.key, &self.asked);
            self.error(&field.origin, what, &hint);
        }
    }
}

/// "did you mean", where one of `known` is close enough.
pub(super) fn suggestion<'a>(
    unknown: &str,
    known: impl IntoIterator<Item = &'a (impl AsRef<str> + ?Sized + 'a)>,
) -> String {
    closest(unknown, known.into_iter().map(AsRef::as_ref))
        .map_or_else(String::new, |word| format!("Did you mean `{word}`?"))
}
