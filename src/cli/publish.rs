//! `evac publish`: the page in `state/status`, from what the ledger knows now; before the first
//! host is listed too.

use std::time::Duration;

use serde::Serialize;

use crate::cli::args::PublishArgs;
use crate::cli::failure::{Exit, Failure, shown};
use crate::cli::print;
use crate::cli::site::Global;
use crate::inventory::Settings;
use crate::ledger::snapshot::SCHEMA;
use crate::model::Timestamp;
use crate::publish::{Language, Outcome, Site, StatusPage, publish_folder, render};

/// The next page is promised this long after the one before.
const NEXT_UPDATE: Duration = Duration::from_secs(30 * 60);

#[derive(Serialize)]
struct Document {
    schema: u32,
    folder: String,
    outcome: &'static str,
    as_of: Timestamp,
    next_update: Timestamp,
    files: Vec<String>,
}

/// Makes the page.
pub fn run(global: &Global, _args: &PublishArgs) -> Result<Exit, Failure> {
    let loaded = global.load_settings()?;
    if let [line, ..] = global.holds_log().read()?.unreadable[..] {
        let what = format!("line {line} of state/holds.log cannot be read, and may be a hold");
        return Err(Failure::refused(what).hint(crate::cli::gate::UNREADABLE_HINT));
    }
    let reading = global.open_read_only()?;
    let (_, snapshot) = reading.look(&loaded, global.now())?;
    let next_update = snapshot.as_of.plus(NEXT_UPDATE);
    let page = StatusPage::new(&snapshot, &site(&loaded.settings, next_update)?);
    let rendered = render(&page)?;
    global.make_state()?;
    let folder = global.status_path();
    let outcome = match publish_folder(&rendered, &folder)? {
        Outcome::Written => "written",
        Outcome::Unchanged => "unchanged",
    };
    if global.json {
        print::document(&Document {
            schema: SCHEMA,
            folder: shown(&folder),
            outcome,
            as_of: snapshot.as_of,
            next_update,
            files: rendered.files.into_keys().collect(),
        })?;
    } else {
        let folder = shown(&folder);
        print::tell(&format!("{folder} {outcome}; it promises the next one by {next_update}."));
        print::tell("Copy it to a web server outside the data centre.");
    }
    Ok(Exit::Done)
}

fn site(settings: &Settings, next_update: Timestamp) -> Result<Site, Failure> {
    let zone = &settings.site.timezone;
    let timezone = jiff::tz::TimeZone::get(zone).map_err(|error| {
        Failure::usage(format!("nobody knows the time zone `{zone}`")).because(&error)
    })?;
    let languages: Result<Vec<Language>, _> =
        settings.site.languages.iter().map(|language| language.parse()).collect();
    Ok(Site {
        name: settings.site.name.clone(),
        url: None,
        timezone,
        languages: languages.map_err(|error| Failure::usage(error.to_string()))?,
        next_update,
    })
}
