//! `evac publish`: the page in `state/status`, from what the ledger knows now; before the first
//! host is listed too.

mod dns;
mod look;
mod token;

use std::collections::BTreeSet;
use std::fs;

use serde::Serialize;

use crate::cli::args::{PublishArgs, PublishCommand};
use crate::cli::failure::{Exit, Failure, shown};
use crate::cli::print;
use crate::cli::site::{Global, Loaded};
use crate::ledger::FleetView;
use crate::ledger::snapshot::{SCHEMA, Snapshot};
use crate::model::Timestamp;
use crate::publish::groups::Naming;
use crate::publish::own::{is_secret, own_page, questions};
use crate::publish::progress::{PROGRESS_FILE, history_of};
use crate::publish::token::TokenFile;
use crate::publish::{Language, Outcome, OwnPage, Site, StatusPage, publish_folder, render};

#[derive(Serialize)]
struct Document {
    schema: u32,
    folder: String,
    outcome: &'static str,
    as_of: Timestamp,
    next_update: Timestamp,
    /// All that are no secret.
    files: Vec<String>,
    /// Customers with a page of their own.
    own_pages: usize,
}

/// Makes the page, or does something else with it.
pub fn run(global: &Global, args: &PublishArgs) -> Result<Exit, Failure> {
    match &args.command {
        None => page(global),
        Some(PublishCommand::Token { what, all, revoke }) => {
            token::run(global, what, *all, *revoke)
        }
    }
}

fn page(global: &Global) -> Result<Exit, Failure> {
    let document = make(global)?;
    if global.json {
        print::document(&document)?;
    } else {
        let Document { folder, outcome, next_update, .. } = document;
        print::tell(&format!("{folder} {outcome}; it promises the next one by {next_update}."));
        print::tell("Copy it to a web server outside the data centre.");
    }
    Ok(Exit::Done)
}

/// Makes the page.
fn make(global: &Global) -> Result<Document, Failure> {
    let loaded = global.load_settings()?;
    if let [line, ..] = global.holds_log().read()?.unreadable[..] {
        let what = format!("line {line} of state/holds.log cannot be read, and may be a hold");
        return Err(Failure::refused(what).hint(crate::cli::gate::UNREADABLE_HINT));
    }
    let reading = global.open_read_only()?;
    let (view, snapshot) = reading.look(&loaded, global.now())?;
    let site = site(global, &loaded, &view, snapshot.as_of)?;
    let page = StatusPage::new(&snapshot, &site);
    let own = own_pages(global, &loaded, &snapshot, page.languages[0])?;
    let rendered = render(&page, &own)?;
    global.make_state()?;
    let folder = global.status_path();
    let outcome = match publish_folder(&rendered, &folder)? {
        Outcome::Written => "written",
        Outcome::Unchanged => "unchanged",
    };
    Ok(Document {
        schema: SCHEMA,
        folder: shown(&folder),
        outcome,
        as_of: snapshot.as_of,
        next_update: page.next_update,
        files: rendered.files.into_keys().filter(|path| !is_secret(path)).collect(),
        own_pages: own.len(),
    })
}

fn site(
    global: &Global,
    loaded: &Loaded,
    view: &FleetView,
    now: Timestamp,
) -> Result<Site, Failure> {
    let settings = &loaded.settings;
    let zone = &settings.site.timezone;
    let timezone = jiff::tz::TimeZone::get(zone).map_err(|error| {
        Failure::usage(format!("nobody knows the time zone `{zone}`")).because(&error)
    })?;
    let languages: Result<Vec<Language>, _> =
        settings.site.languages.iter().map(|language| language.parse()).collect();
    let publish = &settings.publish;
    // Without an earlier page, or with one that nobody can read, the curve begins here.
    let before = fs::read(global.status_path().join(PROGRESS_FILE)).unwrap_or_default();
    Ok(Site {
        name: settings.site.name.clone(),
        url: publish.url.clone(),
        timezone,
        languages: languages.map_err(|error| Failure::usage(error.to_string()))?,
        next_update: now.plus(publish.next.0),
        contact: publish.contact.clone(),
        advice: publish.advice.clone(),
        look: look::look(settings, &global.site)?,
        naming: Naming {
            names: publish.groups.clone(),
            smallest: u64::from(publish.smallest_group),
        },
        windows: view.windows.clone(),
        updates: Vec::new(),
        history: history_of(&before),
    })
}

/// The pages of everybody who was given one.
fn own_pages(
    global: &Global,
    loaded: &Loaded,
    snapshot: &Snapshot,
    first: Language,
) -> Result<Vec<OwnPage>, Failure> {
    let tokens = TokenFile::of(&global.keys_path()).read()?;
    let inventory = &loaded.inventory;
    let has_page: Vec<_> =
        snapshot.customers.iter().filter_map(|c| Some((c, tokens.get(&c.id)?))).collect();
    let names: BTreeSet<_> =
        has_page.iter().flat_map(|(customer, _)| questions(customer, inventory)).collect();
    let answers = dns::ask(names, &*global.clock);
    let pages = has_page.into_iter().map(|(customer, issued)| {
        own_page(customer, inventory, &answers, issued.token.clone(), first)
    });
    Ok(pages.collect())
}
