//! `evac reload`: a run that goes on reads the inventory again.

use serde::Serialize;

use crate::cli::args::ReloadArgs;
use crate::cli::{Exit, Failure, Global, hands, print};
use crate::run::control::{Ask, Said};

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    added: u64,
    changed: u64,
    removed: u64,
    kept: &'a [String],
}

/// Has the inventory read again.
pub fn run(global: &Global, _args: &ReloadArgs) -> Result<Exit, Failure> {
    global.read_files()?.usable()?;
    let heard = hands::say(global, &Ask::Reload, |_| {
        let failure = Failure::usage("no run goes on, and every command reads the inventory anew");
        Err(failure.hint("`evac check` says whether it is without mistakes."))
    })?;
    let Said::Reloaded { added, changed, removed, kept } = heard.said else {
        return Err(hands::astray());
    };
    if global.json {
        print::document(&Document { schema: 1, added, changed, removed, kept: &kept })?;
    } else {
        let mut text = format!("workloads: {added} added, {changed} changed, {removed} gone\n");
        for it in &kept {
            text.push_str(&format!("as before: {it}\n"));
        }
        print::result(&text)?;
    }
    Ok(if kept.is_empty() { Exit::Done } else { Exit::Failed })
}
