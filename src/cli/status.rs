//! `evac status`: where everything stands, at any time, run or no run.

use crate::cli::args::StatusArgs;
use crate::cli::failure::{Exit, Failure};
use crate::cli::print;
use crate::cli::site::Global;
use crate::term;

/// Shows where everything stands.
pub fn run(global: &Global, _args: &StatusArgs) -> Result<Exit, Failure> {
    let loaded = global.load()?;
    let reading = global.open_read_only()?;
    let (_, snapshot) = reading.look(&loaded, global.now())?;
    if global.json {
        print::document(&snapshot)?;
        return Ok(Exit::Done);
    }
    print::result(&term::status(&snapshot, print::style()))?;
    if let Some(holder) = &reading.running {
        print::tell(&format!(
            "At work: process {} on {} ({}) since {}.",
            holder.pid, holder.host, holder.operator, holder.since
        ));
    }
    Ok(Exit::Done)
}
