//! `evac status`: where everything stands, at any time, run or no run.

use std::io::IsTerminal as _;
use std::time::Duration;

use serde::Serialize;

use crate::cli::args::StatusArgs;
use crate::cli::failure::{Exit, Failure};
use crate::cli::print;
use crate::cli::publish::{mailed, untold};
use crate::cli::site::Global;
use crate::ledger::snapshot::{SCHEMA, Snapshot};
use crate::model::{HostId, Timestamp};
use crate::publish::mail::office::Told;
use crate::run::invite::book::Invitation;
use crate::term;

/// Between two looks of `--watch`.
const WATCH_EVERY: Duration = Duration::from_secs(2);
/// Clears a terminal and begins at its top.
const CLEAR: &str = "\x1b[2J\x1b[H";

/// What may be repeated to anybody.
#[derive(Serialize)]
struct Brief {
    schema: u32,
    as_of: Timestamp,
    sentences: [String; 5],
}

/// Everything, and who is to call.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    snapshot: &'a Snapshot,
    invited: Vec<Invited<'a>>,
    /// How mails to customers stand, where they are written.
    #[serde(skip_serializing_if = "Option::is_none")]
    mail: Option<Told>,
}

/// A host whose console is waited for.
#[derive(Serialize)]
struct Invited<'a> {
    host: &'a HostId,
    until: Timestamp,
    /// Did its agent call already?
    called: bool,
}

impl<'a> Invited<'a> {
    fn of(it: &'a Invitation) -> Self {
        Self { host: &it.host, until: it.until, called: it.agent_key.is_some() }
    }
}

/// Shows where everything stands; with `--watch` until nobody reads it any more.
pub fn run(global: &Global, args: &StatusArgs) -> Result<Exit, Failure> {
    loop {
        let shown = show(global, args)?;
        if !args.watch {
            print::result(&shown.text)?;
            shown.tell_at_work();
            return Ok(Exit::Done);
        }
        let is_terminal = std::io::stdout().is_terminal();
        let clear = if is_terminal && !global.json { CLEAR } else { "" };
        let at_work = if global.json { String::new() } else { shown.at_work.unwrap_or_default() };
        if !print::is_read(&format!("{clear}{}{at_work}", shown.text))? {
            return Ok(Exit::Done);
        }
        std::thread::sleep(WATCH_EVERY);
    }
}

struct Shown {
    text: String,
    at_work: Option<String>,
}

impl Shown {
    fn tell_at_work(&self) {
        if let Some(line) = &self.at_work {
            print::tell(line);
        }
    }
}

/// The inventory may change, and a run begin and end, while somebody watches.
fn show(global: &Global, args: &StatusArgs) -> Result<Shown, Failure> {
    let loaded = global.load()?;
    let reading = global.open_read_only()?;
    let (_, snapshot) = reading.look(&loaded, global.now())?;
    let text = match (args.brief, global.json) {
        (true, json) => brief(&snapshot, reading.running.is_some(), json)?,
        (false, true) => {
            let invited = reading.invited.iter().map(Invited::of).collect();
            let mail = mailed(&loaded, &reading.ledger)?;
            print::line(&Document { snapshot: &snapshot, invited, mail })?
        }
        (false, false) => {
            let lines = reading.invited.iter().map(|it| format!("{}: {}\n", it.host, it.text()));
            let lines: String = lines.collect();
            term::status(&snapshot, print::style())
                + &(if lines.is_empty() { lines } else { format!("\nInvited\n{lines}") })
        }
    };
    let is_told = !args.brief && !global.json;
    let promise = crate::publish::update::public(&reading.ledger.posts()?);
    let promise = crate::cli::publish::reminder(&promise, snapshot.as_of).filter(|_| is_told);
    let untold = if is_told { untold(&loaded, &reading, &snapshot)? } else { Vec::new() };
    let untold = (!untold.is_empty()).then(|| {
        let count = print::counted(untold.len(), "customer");
        format!("Not told that not all of theirs may get out: {count}; see `evac next`.\n")
    });
    let does = if term::is_between_windows(&snapshot) { "Waiting for access" } else { "At work" };
    let at_work = reading.running.filter(|_| is_told).map(|holder| {
        format!(
            "{does}: process {} on {} ({}) since {}.\n",
            holder.pid, holder.host, holder.operator, holder.since
        )
    });
    let mail = if is_told { mailed(&loaded, &reading.ledger)? } else { None };
    let mail = mail.map(|told| format!("Mails to customers: {}.\n", told.counts()));
    let promise = promise.map(|line| line + "\n");
    let lines = at_work.into_iter().chain(mail).chain(untold).chain(promise);
    let lines: Vec<String> = lines.collect();
    Ok(Shown { text, at_work: (!lines.is_empty()).then(|| lines.concat()) })
}

fn brief(snapshot: &Snapshot, running: bool, json: bool) -> Result<String, Failure> {
    let sentences = term::brief(snapshot, running);
    if !json {
        return Ok(sentences.join("\n") + "\n");
    }
    print::line(&Brief { schema: SCHEMA, as_of: snapshot.as_of, sentences })
}
