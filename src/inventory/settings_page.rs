//! The page's part of `[publish]`: how the public page looks, whom it names for questions, and how
//! groups are called.
//!
//! Texts for customers are written once, in the site's first language, or by language:
//! `contact = "…"` or `contact = { en = "…", nl = "…" }`. evac translates none of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::inventory::document::{Field, Table, Value};
use crate::inventory::fields::Fields;
use crate::inventory::settings::{LANGUAGES, Site};
use crate::model::GroupId;

/// Smallest group that is counted in public by its name, unless `smallest_group` says otherwise.
pub const DEFAULT_SMALLEST_GROUP: u32 = 5;

/// A text for customers, by language.
pub type Wording = BTreeMap<String, String>;

/// How the public page looks, and what is on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageSettings {
    /// Where the page is read.
    pub url: Option<String>,
    /// Whom to ask.
    pub contact: Wording,
    /// What customers should do or leave, in the company's own words.
    pub advice: Wording,
    /// A picture beside the name, as written.
    pub logo: Option<PathBuf>,
    /// `#rrggbb`; the page takes the nearest that can be read.
    pub colour: Option<String>,
    /// A folder with templates of one's own, as written.
    pub templates: Option<PathBuf>,
    /// Groups with fewer customers are counted together.
    pub smallest_group: u32,
    /// What groups are called in public; without, by their id.
    pub groups: BTreeMap<GroupId, Wording>,
}

impl Default for PageSettings {
    fn default() -> Self {
        Self {
            url: None,
            contact: Wording::new(),
            advice: Wording::new(),
            logo: None,
            colour: None,
            templates: None,
            smallest_group: DEFAULT_SMALLEST_GROUP,
            groups: BTreeMap::new(),
        }
    }
}

/// Takes its keys out of `[publish]`.
pub(super) fn page(fields: &mut Fields<'_>, site: &Site) -> PageSettings {
    PageSettings {
        url: url(fields),
        contact: wording(fields, "contact", site),
        advice: wording(fields, "advice", site),
        logo: fields.text("logo").map(PathBuf::from),
        colour: colour(fields),
        templates: fields.text("templates").map(PathBuf::from),
        smallest_group: fields
            .integer("smallest_group", 2, 1_000)
            .unwrap_or(DEFAULT_SMALLEST_GROUP),
        groups: groups(fields, site),
    }
}

fn url(fields: &mut Fields<'_>) -> Option<String> {
    const HINT: &str = "Write where customers read it: url = \"https://status.example.net/\".";
    let (text, at) = fields.placed_text("url")?;
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_plain = |c: char| c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c);
    if rest.is_none_or(|rest| rest.is_empty() || !rest.chars().all(is_plain)) {
        fields.error(at, format!("`url` is `{text}`, which is no address of a page"), HINT);
        return None;
    }
    Some(format!("{}/", text.trim_end_matches('/')))
}

fn colour(fields: &mut Fields<'_>) -> Option<String> {
    let (text, at) = fields.placed_text("colour")?;
    let digits = text.strip_prefix('#').unwrap_or_default();
    if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        fields.error(at, format!("`colour` is `{text}`"), "Write it as colour = \"#14568a\".");
        return None;
    }
    Some(text.to_ascii_lowercase())
}

/// One text in the site's first language, or a table of them.
fn wording(fields: &mut Fields<'_>, key: &'static str, site: &Site) -> Wording {
    let Some(field) = fields.raw(key) else { return Wording::new() };
    if matches!(field.node.value, Value::Table(_)) {
        let texts = fields.text_map(key);
        if let Some(language) = texts.keys().find(|key| !LANGUAGES.contains(&key.as_str())) {
            let hint = format!("evac has texts in: {}.", LANGUAGES.join(", "));
            let what = format!("language `{language}` of `{key}` is unknown");
            fields.error(&field.node.origin, what, &hint);
        }
        return texts;
    }
    let first = site.languages.first().cloned().unwrap_or_default();
    fields.text(key).map(|text| (first, text)).into_iter().collect()
}

fn groups(fields: &mut Fields<'_>, site: &Site) -> BTreeMap<GroupId, Wording> {
    let Some((table, at)) = fields.table("groups") else { return BTreeMap::new() };
    let mut groups = BTreeMap::new();
    for field in &table.0 {
        let id = match GroupId::new(field.key.as_str()) {
            Ok(id) => id,
            Err(error) => {
                fields.error(&field.origin, error.to_string(), "");
                continue;
            }
        };
        // A field of its own, so that the key is read as every wording is.
        let alone = Table(vec![Field { key: "name".into(), ..field.clone() }]);
        let mut named = Fields::new(&alone, at, "[publish.groups]", fields.problems());
        groups.insert(id, wording(&mut named, "name", site));
    }
    groups
}

#[cfg(test)]
mod tests {
    use crate::inventory::settings_page::PageSettings;
    use crate::inventory::{Problem, SourceFile, read_files};

    fn read(text: &str) -> (PageSettings, Vec<String>) {
        let text = format!("[site]\nname = \"x\"\nlanguages = [\"nl\", \"en\"]\n{text}");
        let settings = SourceFile::new("evac.toml", &text);
        let inventory = SourceFile::new("inventory.toml", "[[host]]\nid = \"a\"\naddress = \"b\"");
        let reading = read_files(&settings, &[inventory]);
        let problems = reading.problems.iter().filter(|problem| problem.file == "evac.toml");
        (reading.settings.publish.page.clone(), problems.map(Problem::to_string).collect())
    }

    #[test]
    fn a_text_is_in_the_first_language_or_in_those_it_names() {
        let (publish, problems) = read(
            "[publish]\nurl = \"https://status.example.net\"\ncontact = \"Bel ons\"\n\
             advice = { en = \"Wait\", de = \"Warten\" }\n[publish.groups]\n\
             shared = { en = \"Shared\" }\nvps = \"VPS\"",
        );
        assert_eq!(problems, <[String; 0]>::default());
        assert_eq!(publish.url.as_deref(), Some("https://status.example.net/"));
        assert_eq!(publish.contact["nl"], "Bel ons");
        assert_eq!(publish.advice["de"], "Warten");
        let names: Vec<_> =
            publish.groups.iter().map(|(id, name)| format!("{id} {name:?}")).collect();
        assert_eq!(names, ["shared {\"en\": \"Shared\"}", "vps {\"nl\": \"VPS\"}"]);
    }

    #[test]
    fn every_mistake_has_its_line() {
        let (publish, problems) = read(
            "[publish]\nurl = \"ftp://x\"\ncolour = \"blue\"\nnext = \"5s\"\n\
             contact = { fr = \"Appelez\" }\nlogos = 1",
        );
        assert_eq!(publish.url, None);
        let lines: Vec<&str> = problems.iter().filter_map(|text| text.split(':').nth(1)).collect();
        assert_eq!(problems.len(), 5, "{problems:?}");
        for line in ["5", "6", "8", "9"] {
            assert!(lines.contains(&line), "{line}: {problems:?}");
        }
    }
}
