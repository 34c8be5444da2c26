//! A TOML file as a tree in which every key and value knows its file and line.
//!
//! **Bounds.** A file has at most [`FILE_BYTES_MAX`]; the parser bounds nesting.

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::inventory::{Origin, Problem};

/// Largest file that is read: 500 customers take about 300 kB.
pub const FILE_BYTES_MAX: u64 = 32 << 20;
/// Syntax errors reported of one file; what follows the first few is noise.
const SYNTAX_ERRORS_MAX: usize = 5;

/// A file's name as shown to people, and its text or why there is none.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// The name, relative to the site where it lies in it.
    pub name: Arc<str>,
    /// The text, or why it could not be read.
    pub text: Result<String, String>,
}

impl SourceFile {
    /// A file whose text is at hand.
    pub fn new(name: &str, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: Ok(text.into()) }
    }
    /// The file as a whole.
    pub fn origin(&self) -> Origin {
        Origin { file: Arc::clone(&self.name), line: 0 }
    }
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// What TOML can hold.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    /// A date or time without quotes, as written.
    Time(String),
    Array(Vec<Node>),
    Table(Table),
}

impl Value {
    /// The kind in words, for "expected …, found …".
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Boolean(_) => "true or false",
            Self::Time(_) => "a time",
            Self::Array(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// Keys in the order of their lines.
#[derive(Debug, Clone, Default)]
pub(super) struct Table(pub(super) Vec<Field>);

/// One key of a table.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) key: String,
    /// Where the key stands.
    pub(super) origin: Origin,
    pub(super) node: Node,
}

impl Table {
    pub(super) fn get(&self, key: &str) -> Option<&Field> {
        self.0.iter().find(|field| field.key == key)
    }
    /// Sets a key as `field` has it, replacing what was there.
    pub(super) fn set(&mut self, field: Field) {
        match self.0.iter_mut().find(|known| known.key == field.key) {
            Some(known) => *known = field,
            None => self.0.push(field),
        }
    }
}

/// Parses one file; with a syntax error the file as a whole is set aside.
pub(super) fn parse(file: &SourceFile, problems: &mut Vec<Problem>) -> Option<Table> {
    let text = match &file.text {
        Ok(text) => text,
        Err(why) => {
            let problem = Problem::error(&file.origin(), why.clone());
            problems.push(problem.hint("The whole file is set aside until it can be read."));
            return None;
        }
    };
    let lines = Lines::of(file, text);
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors.iter().take(SYNTAX_ERRORS_MAX) {
        let origin = error.span().map_or_else(|| file.origin(), |span| lines.at(span.start));
        let what = format!("not TOML: {}", error.message().replace('\n', ", "));
        problems.push(Problem::error(&origin, what).hint("The whole file is set aside."));
    }
    errors.is_empty().then(|| lines.table(document.into_inner()))
}

/// Turns offsets into lines.
struct Lines {
    file: Arc<str>,
    /// Offsets at which a line begins.
    starts: Vec<usize>,
}

impl Lines {
    fn of(file: &SourceFile, text: &str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect();
        Self { file: Arc::clone(&file.name), starts }
    }

    fn at(&self, offset: usize) -> Origin {
        let line = self.starts.partition_point(|start| *start <= offset);
        Origin { file: Arc::clone(&self.file), line: u32::try_from(line).unwrap_or(u32::MAX) }
    }

    fn table(&self, table: DeTable<'_>) -> Table {
        let mut fields: Vec<_> = table
            .into_iter()
            .map(|(key, node)| {
                let at = key.span().start;
                let origin = self.at(at);
                (at, Field { key: key.into_inner().into_owned(), origin, node: self.node(node) })
            })
            .collect();
        fields.sort_by_key(|(at, _)| *at);
        Table(fields.into_iter().map(|(_, field)| field).collect())
    }

    fn node(&self, node: Spanned<DeValue<'_>>) -> Node {
        let origin = self.at(node.span().start);
        let value = match node.into_inner() {
            DeValue::String(text) => Value::Text(text.into_owned()),
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
                .map_or_else(|_| Value::Float(f64::INFINITY), Value::Integer),
            DeValue::Float(float) => Value::Float(float.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(boolean) => Value::Boolean(boolean),
            DeValue::Datetime(time) => Value::Time(time.to_string()),
            DeValue::Array(nodes) => {
                Value::Array(nodes.into_iter().map(|node| self.node(node)).collect())
            }
            DeValue::Table(table) => Value::Table(self.table(table)),
        };
        Node { value, origin }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_text(text: &str) -> (Option<Table>, Vec<Problem>) {
        let mut problems = Vec::new();
        let table = parse(&SourceFile::new("x.toml", text), &mut problems);
        (table, problems)
    }

    #[test]
    fn every_value_knows_its_line() {
        let (table, _) = parse_text("# c\n[[host]]\nid = \"a\"\nuses = [\n \"x\",\n \"y\" ]\n");
        let table = table.unwrap();
        let Value::Array(hosts) = &table.get("host").unwrap().node.value else { panic!() };
        assert_eq!(hosts[0].origin.line, 2);
        let Value::Table(host) = &hosts[0].value else { panic!() };
        assert_eq!(host.get("id").unwrap().origin.line, 3);
        let Value::Array(uses) = &host.get("uses").unwrap().node.value else { panic!() };
        assert_eq!(uses[1].origin.line, 6);
    }

    #[test]
    fn bad_syntax_sets_the_file_aside_with_its_lines() {
        let (table, problems) = parse_text("a = 1\nb = [1,\nc == 2\n");
        assert!(table.is_none());
        assert!(problems.iter().any(|problem| problem.line >= 2), "{problems:?}");
        assert!(problems.len() <= SYNTAX_ERRORS_MAX);
    }

    #[test]
    fn deep_nesting_is_refused() {
        let (table, problems) = parse_text(&format!("a = {}", "[".repeat(100_000)));
        assert!(table.is_none() && !problems.is_empty());
    }
}
