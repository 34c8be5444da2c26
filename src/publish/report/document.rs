//! A report as blocks, and from them Markdown and a page of HTML that needs nothing else.
//!
//! **Promise.** Whatever text is put in, it stays text: neither a tag nor a sign of Markdown.

use std::fmt::Write as _;

use minijinja::HtmlEscape;

use crate::model::text::bounded;

/// Longest text of one block.
const TEXT_CHARS_MAX: usize = 4_000;
/// Cells up to this are not broken into lines where there is room: in tables of few columns.
const SHORT_CHARS: usize = 30;
const FEW_COLUMNS: usize = 4;
/// The look of the status page, and what reports need beside it.
const CSS: [&str; 2] = [include_str!("../templates/page.css"), include_str!("report.css")];

/// One piece of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// The title of what follows.
    Heading(String),
    /// A smaller one.
    Part(String),
    /// Text.
    Paragraph(String),
    /// Something that everybody must have read.
    Notice(String),
    /// Points.
    List(Vec<String>),
    /// Something to do, each with a box to tick.
    Tasks(Vec<String>),
    /// Columns and rows; the first column names the row.
    Table { head: Vec<String>, rows: Vec<Vec<String>> },
    /// SVG for a wide and a narrow screen; Markdown has none.
    Picture { wide: String, narrow: String },
}

/// A report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its language, as a code.
    pub language: &'static str,
    /// Its title.
    pub title: String,
    /// What it says.
    pub blocks: Vec<Block>,
}

impl Document {
    /// As Markdown.
    pub fn markdown(&self) -> String {
        let mut out = format!("# {}\n", plain(&self.title));
        for block in &self.blocks {
            let _ = match block {
                Block::Heading(text) => writeln!(out, "\n## {}", plain(text)),
                Block::Part(text) => writeln!(out, "\n### {}", plain(text)),
                Block::Paragraph(text) => writeln!(out, "\n{}", plain(text)),
                Block::Notice(text) => writeln!(out, "\n> **{}**", plain(text)),
                Block::List(items) => writeln!(out, "\n{}", listed(items, "- ")),
                Block::Tasks(items) => writeln!(out, "\n{}", listed(items, "- [ ] ")),
                Block::Table { head, rows } => {
                    let rule = head.iter().map(|_| "---").collect::<Vec<_>>().join(" | ");
                    let _ = writeln!(out, "\n| {} |\n| {rule} |", cells(head));
                    rows.iter().try_for_each(|row| writeln!(out, "| {} |", cells(row)))
                }
                Block::Picture { .. } => Ok(()),
            };
        }
        out
    }

    /// As a page.
    pub fn html(&self) -> String {
        let title = escaped(&self.title);
        let mut out = format!(
            "<!doctype html>\n<html lang=\"{}\" dir=\"ltr\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta name=\"robots\" content=\"noindex, nofollow, noarchive\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'\">\n\
             <title>{title}</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>\n{}</style>\n\
             </head>\n<body>\n<main>\n<h1>{title}</h1>\n",
            self.language,
            CSS.concat()
        );
        for block in &self.blocks {
            let _ = match block {
                Block::Heading(text) => writeln!(out, "<h2>{}</h2>", escaped(text)),
                Block::Part(text) => writeln!(out, "<h3>{}</h3>", escaped(text)),
                Block::Paragraph(text) => {
                    writeln!(out, "<p class=\"free\" dir=\"auto\">{}</p>", escaped(text))
                }
                Block::Notice(text) => writeln!(out, "<p class=\"notice\">{}</p>", escaped(text)),
                Block::List(items) => writeln!(out, "<ul>\n{}</ul>", points(items, "")),
                Block::Tasks(items) => {
                    writeln!(out, "<ul class=\"tasks\">\n{}</ul>", points(items, "☐ "))
                }
                Block::Table { head, rows } => writeln!(out, "{}", table(head, rows)),
                Block::Picture { wide, narrow } => writeln!(
                    out,
                    "<div class=\"wide\">{wide}</div>\n<div class=\"narrow\">{narrow}</div>"
                ),
            };
        }
        out.push_str("</main>\n</body>\n</html>\n");
        out
    }
}

/// Text within HTML.
pub fn escaped(text: &str) -> String {
    HtmlEscape(&kept(text)).to_string()
}

fn points(items: &[String], mark: &str) -> String {
    let mut out = String::new();
    for item in items {
        let _ = writeln!(out, "<li dir=\"auto\">{mark}{}</li>", escaped(item));
    }
    out
}

fn table(head: &[String], rows: &[Vec<String>]) -> String {
    let mut titles = String::new();
    for title in head {
        let _ = write!(titles, "<th scope=\"col\">{}</th>", escaped(title));
    }
    let mut out = format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"{}\">\
         <table class=\"groups\">\n<thead><tr>{titles}</tr></thead>\n<tbody>\n",
        escaped(&head.join(", "))
    );
    for row in rows {
        let mut line = String::new();
        for (index, cell) in row.iter().enumerate() {
            let (open, close) = if index == 0 { ("th scope=\"row\"", "th") } else { ("td", "td") };
            let is_short = head.len() <= FEW_COLUMNS && cell.chars().count() <= SHORT_CHARS;
            let class = if is_short { " class=\"short\"" } else { "" };
            let _ = write!(line, "<{open} dir=\"auto\"{class}>{}</{close}>", escaped(cell));
        }
        let _ = writeln!(out, "<tr>{line}</tr>");
    }
    out + "</tbody>\n</table></div>"
}

fn listed(items: &[String], mark: &str) -> String {
    items.iter().map(|item| format!("{mark}{}", plain(item))).collect::<Vec<_>>().join("\n")
}

fn cells(row: &[String]) -> String {
    row.iter().map(|cell| plain(cell).replace('\n', " ")).collect::<Vec<_>>().join(" | ")
}

/// Text within Markdown: what could be a sign gets a backslash.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for (index, line) in kept(text).lines().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let mut line = line.trim_start();
        // What begins a heading, a quote or a list does so only at the start of a line.
        if line.starts_with(['#', '+', '-', '=']) {
            out.push('\\');
        }
        let number = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let mut after = line[number..].chars();
        let is_point = number > 0 && matches!(after.next(), Some('.' | ')'));
        if is_point && after.next().is_none_or(char::is_whitespace) {
            let _ = write!(out, "{}\\", &line[..number]);
            line = &line[number..];
        }
        for c in line.chars() {
            if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '&' | '!' | '~') {
                out.push('\\');
            }
            out.push(c);
        }
    }
    out
}

/// Bounded and without control characters, but with its lines.
fn kept(text: &str) -> String {
    let lines = text.trim().lines().take(100);
    lines.map(|line| bounded(line, TEXT_CHARS_MAX)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        let evil = "<script>alert(1)</script> | a [b](c) *d*\n# e \x1b[2J &amp;";
        let document = Document {
            language: "en",
            title: evil.to_owned(),
            blocks: vec![
                Block::Paragraph(evil.to_owned()),
                Block::List(vec![evil.to_owned()]),
                Block::Table { head: vec![evil.to_owned()], rows: vec![vec![evil.to_owned()]] },
            ],
        };
        let (html, markdown) = (document.html(), document.markdown());
        assert!(!html.contains("<script") && !html.contains('\x1b'), "{html}");
        assert!(markdown.contains("\\<script\\>") && markdown.contains("\\# e"), "{markdown}");
        assert!(markdown.lines().all(|line| line.trim_start() != "# e"), "{markdown}");
        let row = markdown.lines().last().unwrap();
        assert_eq!(row.replace("\\|", "").matches('|').count(), 2, "{row}");
    }

    #[test]
    fn no_line_of_a_text_begins_a_list_or_is_struck_out() {
        let markdown = |text: &str| plain(text);
        assert_eq!(markdown("1. the shop\n12) the mail"), "1\\. the shop\n12\\) the mail");
        assert_eq!(markdown("1.5 TB, 4 March"), "1.5 TB, 4 March");
        assert_eq!(markdown("~~never~~ > 5"), "\\~\\~never\\~\\~ \\> 5");
        assert_eq!(markdown("> said\n- that"), "\\> said\n\\- that");
    }
}
