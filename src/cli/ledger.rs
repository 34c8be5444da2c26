//! `evac ledger`: care for the record of what is done.

use std::fs;
use std::path::Path;

use crate::cli::args::{LedgerArgs, LedgerCommand};
use crate::cli::failure::{Exit, Failure, shown};
use crate::cli::site::Global;
use crate::cli::{print, rebuild};
use crate::ledger::Ledger;
use crate::ledger::snapshot::SCHEMA;

/// Does what is asked with the ledger.
pub fn run(global: &Global, args: &LedgerArgs) -> Result<Exit, Failure> {
    match &args.command {
        LedgerCommand::Backup { file } => backup(global, file),
        LedgerCommand::Rebuild => rebuild::run(global),
        LedgerCommand::Confirm => confirm(global),
    }
}

/// A copy while others write; only an earlier copy is ever replaced.
fn backup(global: &Global, file: &Path) -> Result<Exit, Failure> {
    let path = ledger_path(global)?;
    refuse_to_replace(&path, file)?;
    Ledger::open_read_only(&path)?.backup_to(file)?;
    let file = shown(file);
    if global.json {
        print::document(&serde_json::json!({ "schema": SCHEMA, "file": file }))?;
    } else {
        print::tell(&format!("The ledger is copied to {file}."));
    }
    Ok(Exit::Done)
}

fn confirm(global: &Global) -> Result<Exit, Failure> {
    ledger_path(global)?;
    let lock = global.lock_state()?;
    let ledger = global.open_ledger(&lock)?;
    let was_confirmed = ledger.is_confirmed()?;
    ledger.confirm(&global.by)?;
    if global.json {
        let document = serde_json::json!({ "schema": SCHEMA, "was_confirmed": was_confirmed });
        print::document(&document)?;
    } else if was_confirmed {
        print::tell("Nothing to confirm: the ledger was not rebuilt.");
    } else {
        print::tell(&format!("{} stands by the rebuilt ledger.", global.by));
    }
    Ok(Exit::Done)
}

fn ledger_path(global: &Global) -> Result<std::path::PathBuf, Failure> {
    let path = global.ledger_path();
    if path.exists() {
        return Ok(path);
    }
    let hint = "`evac run` begins one; where data was stored already, `evac ledger rebuild` does.";
    Err(Failure::usage(format!("there is no ledger {}", shown(&path))).hint(hint))
}

/// A slip of the hand must not cost the ledger itself, nor any other file.
fn refuse_to_replace(ledger: &Path, file: &Path) -> Result<(), Failure> {
    if fs::symlink_metadata(file).is_err() {
        return Ok(());
    }
    let same = fs::canonicalize(file).ok() == fs::canonicalize(ledger).ok();
    if same {
        let what = format!("{} is the ledger itself", shown(file));
        return Err(Failure::refused(what).hint("Name another file, best on another disk."));
    }
    if Ledger::open_read_only(file).is_err() {
        let what = format!("{} exists and is no copy of a ledger", shown(file));
        return Err(Failure::refused(what).hint("Name another file."));
    }
    Ok(())
}
