//! `evac store`: a further disk, whether a run goes on or not, and a second copy.

use serde::Serialize;

use crate::cli::args::{StoreAddArgs, StoreArgs, StoreCommand};
use crate::cli::failure::Exit;
use crate::cli::{Failure, Global, hands, mirror, print};
use crate::model::Bytes;
use crate::run::control::{Ask, Said};
use crate::run::landing::added;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    path: &'a str,
    free: Bytes,
    reserve: Bytes,
    running: bool,
}

/// Does what is asked with the store.
pub fn run(global: &Global, args: &StoreArgs) -> Result<Exit, Failure> {
    match &args.command {
        StoreCommand::Add(args) => add(global, args),
        StoreCommand::Mirror(args) => mirror::run(global, args),
    }
}

fn add(global: &Global, args: &StoreAddArgs) -> Result<Exit, Failure> {
    global.load_settings()?;
    let path = std::path::absolute(&args.path)
        .map_err(|error| Failure::io("find the folder", &args.path, &error))?;
    let path: std::path::PathBuf = path.components().collect();
    let (reserve, same_device) = (args.reserve, args.same_device);
    let ask = Ask::StoreAdd { path: path.clone(), reserve, same_device };
    let heard = hands::say(global, &ask, |ledger| {
        let (disks, who) = (global.open_disks(true)?, (global.by.as_str(), global.now()));
        let view = disks.add(&global.state(), (&path, reserve), same_device, who)?;
        ledger.append(&added(&view, global.by.clone()), &global.by)?;
        Ok(Said::of_disk(&view))
    })?;
    let running = heard.by_run;
    let Said::DiskAdded { path, free, reserve } = heard.said else {
        return Err(hands::astray());
    };
    if global.json {
        print::document(&Document { schema: 1, path: &path, free, reserve, running })?;
    } else {
        let then = if running { "the run uses it" } else { "the next run uses it" };
        print::result(&format!("{path}: {free} free, {reserve} of it stays so; {then}\n"))?;
    }
    Ok(Exit::Done)
}
