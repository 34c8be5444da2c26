//! `evac init`: a commented site, ready to be filled in. Nothing that exists is overwritten.

use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::cli::args::InitArgs;
use crate::cli::failure::{Exit, Failure, shown};
use crate::cli::files;
use crate::cli::print;
use crate::cli::site::Global;
use crate::inventory::{INVENTORY_FILE, SETTINGS_FILE, sample};
use crate::ledger::snapshot::SCHEMA;

/// Stands in the settings until somebody writes the company's name.
const SITE_NAME: &str = "Example Hosting";
const IGNORE_FILE: &str = ".gitignore";
const IGNORE: &str = "# Ledger, keys, customers' data, the page: never in a repository.\n\
                      /state/\n";

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    site: String,
    files: &'a [&'static str],
}

/// Writes a site.
pub fn run(global: &Global, args: &InitArgs) -> Result<Exit, Failure> {
    let site = match &args.dir {
        Some(dir) => {
            std::path::absolute(dir).map_err(|error| Failure::io("find the folder", dir, &error))?
        }
        None => global.site.clone(),
    };
    let settings = sample::settings(SITE_NAME);
    let files = [(SETTINGS_FILE, settings.as_str()), (INVENTORY_FILE, sample::INVENTORY)];
    for (name, _) in files {
        if fs::symlink_metadata(site.join(name)).is_ok() {
            return Err(exists(&site.join(name)));
        }
    }
    files::make_folder(&site)?;
    let mut written = Vec::new();
    for (name, text) in files {
        files::create(&site.join(name), text)?;
        written.push(name);
    }
    let ignore = site.join(IGNORE_FILE);
    if fs::symlink_metadata(&ignore).is_err() {
        files::create(&ignore, IGNORE)?;
        written.push(IGNORE_FILE);
    }
    if global.json {
        print::document(&Document { schema: SCHEMA, site: shown(&site), files: &written })?;
    } else {
        print::tell(&next_steps(&site, &written));
    }
    Ok(Exit::Done)
}

fn exists(path: &Path) -> Failure {
    Failure::refused(format!("{} exists", shown(path)))
        .hint("Nothing was written; name another folder: `evac init DIR`.")
}

fn next_steps(site: &Path, written: &[&str]) -> String {
    format!(
        "Wrote {} in {}.

Next:
  1. $EDITOR evac.toml          your company's name; the access window, if you know it
  2. $EDITOR inventory.toml     customers and hosts; or: evac import csv FILE
  3. evac check                 every mistake at once, with its line
  4. evac survey --trust-new    dial the hosts, pin their keys, find what nobody listed
  5. evac run                   copy, most valuable first; the same command resumes",
        written.join(", "),
        shown(site),
    )
}
