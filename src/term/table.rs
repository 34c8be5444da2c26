//! Tables for people: columns that line up by display width, cut where the line is full.
//!
//! Cells are shown without control characters, so nothing in them can move the cursor. Text columns
//! give way when a table is too wide, the widest first; numbers never do.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::model::text::bounded;
use crate::term::Style;

/// Longest cell that is looked at, in characters.
const MAX_CELL_CHARS: usize = 400;

/// A column of text is not made narrower than this.
const MIN_COLUMNS: usize = 6;

const GAP: &str = "  ";

/// Which side a column lines up on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text; may be cut.
    Left,
    /// Numbers; never cut.
    Right,
}

/// A table under construction.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Titles and sides of the columns.
    pub fn new(columns: &[(&str, Align)]) -> Self {
        let columns = columns.iter().map(|(title, align)| ((*title).to_owned(), *align)).collect();
        Self { columns, rows: Vec::new() }
    }

    /// One row; missing cells are empty, extra ones are not shown.
    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        let mut cells: Vec<String> =
            cells.into_iter().map(|cell| bounded(&cell.into(), MAX_CELL_CHARS)).collect();
        cells.resize(self.columns.len(), String::new());
        self.rows.push(cells);
    }

    /// Has it no rows?
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Title line and rows, each with its line end.
    pub fn render(&self, style: Style) -> String {
        let widths = self.widths(style.columns);
        let titles: Vec<String> = self.columns.iter().map(|(title, _)| title.clone()).collect();
        let mut out = style.bold(&self.line(&titles, &widths)) + "\n";
        for row in &self.rows {
            out.push_str(&self.line(row, &widths));
            out.push('\n');
        }
        out
    }

    fn widths(&self, columns: usize) -> Vec<usize> {
        let width = |index: usize| {
            let cells = self.rows.iter().map(|row| row[index].width());
            cells.chain([self.columns[index].0.width()]).max().unwrap_or(0)
        };
        let mut widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let gaps = GAP.len() * widths.len().saturating_sub(1);
        loop {
            let total = widths.iter().sum::<usize>() + gaps;
            let widest = (0..widths.len())
                .filter(|index| self.columns[*index].1 == Align::Left)
                .filter(|index| widths[*index] > MIN_COLUMNS)
                .max_by_key(|index| widths[*index]);
            match widest {
                Some(index) if total > columns => widths[index] -= 1,
                _ => return widths,
            }
        }
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for ((cell, width), (_, align)) in cells.iter().zip(widths).zip(&self.columns) {
            if !line.is_empty() {
                line.push_str(GAP);
            }
            let cell = fit(cell, *width);
            let padding = " ".repeat(width.saturating_sub(cell.width()));
            match align {
                Align::Left => line.extend([cell.as_str(), &padding]),
                Align::Right => line.extend([padding.as_str(), &cell]),
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// At most `columns` wide on a terminal; an ellipsis marks a cut.
pub(super) fn fit(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used >= columns {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

/// `text` in lines of at most `columns`, broken at spaces, each after `indent` spaces.
pub(super) fn wrap(text: &str, indent: usize, columns: usize) -> String {
    let mut out = String::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && indent + line.width() + 1 + word.width() > columns {
            out.push_str(&format_line(&line, indent, columns));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        out.push_str(&format_line(&line, indent, columns));
    }
    out
}

fn format_line(line: &str, indent: usize, columns: usize) -> String {
    format!("{:indent$}{}\n", "", fit(line, columns.saturating_sub(indent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[[&str; 3]]) -> Table {
        let columns = [("host", Align::Left), ("size", Align::Right), ("next", Align::Left)];
        let mut table = Table::new(&columns);
        for row in rows {
            table.row(*row);
        }
        table
    }

    #[test]
    fn columns_line_up_by_what_is_seen() {
        let table = table(&[["vps-1", "1.2 GB", "ok"], ["日本", "7 B", "é"]]);
        let expected = "\
host     size  next
vps-1  1.2 GB  ok
日本      7 B  é
";
        assert_eq!(table.render(Style::PLAIN), expected);
    }

    #[test]
    fn the_widest_text_gives_way_and_numbers_do_not() {
        let table = table(&[["a-host-of-a-length", "123.4 GB", "a rather long sentence of words"]]);
        let expected = "\
host                size  next
a-host-of-a-l…  123.4 GB  a rather long…
";
        assert_eq!(table.render(Style { columns: 40, colour: false }), expected);
    }

    #[test]
    fn hostile_cells_stay_in_their_place() {
        let mut table = table(&[]);
        assert!(table.is_empty());
        table.row(["a\x1b[2Jb\nc"]);
        assert_eq!(table.render(Style::PLAIN).lines().count(), 2);
        assert!(!table.render(Style::PLAIN).contains('\x1b'));
    }

    #[test]
    fn text_is_cut_and_wrapped_by_display_width() {
        assert_eq!(fit("abc", 3), "abc");
        assert_eq!(fit("abcd", 3), "ab…");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(wrap("one two three", 2, 9), "  one two\n  three\n");
        assert_eq!(wrap("", 2, 9), "");
        assert_eq!(wrap("unbreakable", 0, 5), "unbr…\n");
    }
}
