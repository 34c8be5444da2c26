//! `evac import`: what people already have, as a file of `inventory.d`.
//!
//! Importing a file again replaces what its import wrote before, and nothing else: what people
//! write stands in other files, which overlay it.

mod ssh_config;

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde::Serialize;

use crate::cli::args::{ImportArgs, ImportKind};
use crate::cli::failure::{Exit, Failure, shown};
use crate::cli::files;
use crate::cli::print::{self, counted};
use crate::cli::site::Global;
use crate::inventory::import::{self, FILE_BYTES_MAX, Imported};
use crate::inventory::{INVENTORY_FOLDER, Settings};
use crate::ledger::snapshot::SCHEMA;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    file: String,
    rows: usize,
    customers: usize,
    hosts: usize,
    workloads: usize,
    dropped: &'a [String],
    ignored: &'a [String],
    unknown_tiers: Vec<&'a str>,
    notes: Vec<Note<'a>>,
}

#[derive(Serialize)]
struct Note<'a> {
    line: u64,
    what: &'a str,
}

const CSV_HINT: &str = "The first line names the columns, such as: customer, host, address, paths.";
const SSH_HINT: &str = "Hosts are the names after `Host`, without `*`, `?` and `!`.";

/// Imports one file.
pub fn run(global: &Global, args: &ImportArgs) -> Result<Exit, Failure> {
    let settings = global.read_files()?.settings;
    let name = shown(Path::new(args.file.file_name().unwrap_or_default()));
    let (imported, kind, hint) = match args.kind {
        ImportKind::Csv => (import::csv(&read(&args.file)?, &name), "csv", CSV_HINT),
        ImportKind::SshConfig => (ssh_config::read(&args.file, &name)?, "ssh-config", SSH_HINT),
    };
    let imported = imported.map_err(|error| {
        Failure::usage(format!("cannot import {}", shown(&args.file))).because(&error).hint(hint)
    })?;
    let folder = global.site.join(INVENTORY_FOLDER);
    files::make_folder(&folder)?;
    let written = import::file_name(kind, &args.file);
    files::replace(&folder.join(&written), &imported.toml)?;
    let file = format!("{INVENTORY_FOLDER}/{written}");
    let tiers = unknown_tiers(&imported, &settings);
    if global.json {
        let notes = imported.notes.iter();
        print::document(&Document {
            schema: SCHEMA,
            file,
            rows: imported.rows,
            customers: imported.customers,
            hosts: imported.hosts,
            workloads: imported.workloads,
            dropped: &imported.dropped,
            ignored: &imported.ignored,
            unknown_tiers: tiers,
            notes: notes.map(|note| Note { line: note.line, what: &note.what }).collect(),
        })?;
    } else {
        print::tell(&text(&file, &name, &imported, &tiers));
    }
    Ok(Exit::Done)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    // One byte more than is taken, so that a file that is too large shows.
    let read = File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => Err(Failure::usage(format!("cannot read {}", shown(path))).because(&error)),
    }
}

fn unknown_tiers<'a>(imported: &'a Imported, settings: &Settings) -> Vec<&'a str> {
    let is_known = |tier: &str| settings.tiers.keys().any(|known| known.as_str() == tier);
    imported.tiers.iter().map(String::as_str).filter(|tier| !is_known(tier)).collect()
}

fn text(file: &str, name: &str, imported: &Imported, tiers: &[&str]) -> String {
    let mut text = format!(
        "Wrote {file}: {}, {}, {} of {}.\n",
        counted(imported.customers, "customer"),
        counted(imported.hosts, "host"),
        counted(imported.workloads, "workload"),
        counted(imported.rows, "row"),
    );
    let mut list = |what: &str, names: &[String]| {
        if !names.is_empty() {
            let _ = writeln!(text, "{what}: {}", names.join(", "));
        }
    };
    list("Dropped, may hold secrets", &imported.dropped);
    list("Columns that mean nothing to evac", &imported.ignored);
    for note in &imported.notes {
        let _ = writeln!(text, "{name}: {note}");
    }
    if !tiers.is_empty() {
        let _ = writeln!(text, "Give weights in [tiers] of evac.toml: {}", tiers.join(", "));
    }
    text.push_str("Next: evac check");
    text
}
