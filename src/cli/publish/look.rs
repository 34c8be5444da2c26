//! What the site brings along for its page: logo, colour, templates.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::cli::failure::{Failure, shown};
use crate::inventory::Settings;
use crate::inventory::settings::resolve;
use crate::inventory::settings_page::PageSettings;
use crate::model::text::{closest, printable};
use crate::publish::{Look, TEMPLATES, colour};

/// A logo is inside every page, and a page is to be small.
const LOGO_BYTES_MAX: u64 = 8 << 10;
const TEMPLATE_BYTES_MAX: u64 = 1 << 20;

/// Reads it all.
pub fn look(settings: &Settings, site: &Path) -> Result<Look, Failure> {
    let PageSettings { logo, colour, templates, .. } = &settings.publish.page;
    let mut look = Look::default();
    if let Some(logo) = logo {
        look.logo = Some(data_link(&resolve(logo, site, None))?);
    }
    look.css = colour.as_deref().and_then(colour::css).unwrap_or_default();
    if let Some(folder) = templates {
        let folder = resolve(folder, site, None);
        let fail = |error: std::io::Error| Failure::io("list", &folder, &error);
        for entry in fs::read_dir(&folder).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            let name = printable(path.file_name().unwrap_or_default().as_encoded_bytes());
            if !TEMPLATES.contains(&name.as_str()) {
                return Err(unknown(&path, &name));
            }
            let text = String::from_utf8(read(&path, TEMPLATE_BYTES_MAX)?).map_err(|error| {
                Failure::usage(format!("{} is not UTF-8", shown(&path))).because(&error)
            })?;
            look.templates.insert(name, text);
        }
    }
    Ok(look)
}

fn unknown(path: &Path, name: &str) -> Failure {
    let known = TEMPLATES.join(", ");
    let hint = match closest(name, TEMPLATES) {
        Some(close) => format!("Did you mean `{close}`? There are: {known}."),
        None => format!("There are: {known}."),
    };
    Failure::usage(format!("{} is no template of evac's", shown(path))).hint(hint)
}

/// The picture inside a link. What it is, its first bytes say, not its name.
fn data_link(path: &Path) -> Result<String, Failure> {
    let bytes = read(path, LOGO_BYTES_MAX)?;
    let text = bytes.trim_ascii_start();
    let kind = if bytes.starts_with(b"\x89PNG\r\n") {
        "image/png"
    } else if text.starts_with(b"<svg") || text.starts_with(b"<?xml") {
        "image/svg+xml"
    } else {
        let failure = Failure::usage(format!("{} is neither SVG nor PNG", shown(path)));
        return Err(failure.hint("Name such a file in `logo`, or take that out of [publish]."));
    };
    Ok(format!("data:{kind};base64,{}", STANDARD.encode(&bytes)))
}

fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Failure> {
    let fail = |error: std::io::Error| Failure::io("read", path, &error);
    let length = fs::metadata(path).map_err(fail)?.len();
    if length > bytes_max {
        let what = format!("{} has {length} bytes, at most {bytes_max} are taken", shown(path));
        return Err(Failure::usage(what).hint("A smaller one keeps the page fast on a phone."));
    }
    fs::read(path).map_err(fail)
}
