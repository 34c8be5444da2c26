//! The command line: parse, resolve, call, print.
//!
//! [`args`] says what can be typed. [`site::Global`] resolves where and as whom. Every command is
//! one file with one `run(&Global, &Args) -> Result<Exit, Failure>`; [`failure`] turns what went
//! wrong into words, a hint and an exit code.
//!
//! **Invariants.** Results of queries and every JSON document go to stdout; progress, hints and
//! errors go to stderr. A closed stdout ends nothing and is no failure. A command either says why
//! it did not do what was asked, or exits 0.

pub mod activate;
pub mod agent;
pub mod args;
pub mod check;
pub mod demo;
pub mod disks;
pub mod engine;
pub mod facts;
pub mod failure;
pub mod files;
pub mod find;
pub mod fleet;
pub mod gate;
pub mod hands;
pub mod handover;
pub mod heal;
pub mod hold;
pub mod import;
pub mod init;
pub mod invite;
pub mod ledger;
pub mod limit;
pub mod lookup;
pub mod mirror;
pub mod next;
pub mod note;
pub mod plan;
pub mod print;
pub mod publish;
pub mod rebuild;
pub mod reload;
pub mod report;
pub mod restore;
pub mod run;
pub mod serve;
pub mod site;
pub mod snapshot;
pub mod status;
pub mod steer;
pub mod store;
pub mod survey;
pub mod verify;
pub mod window;

use std::ffi::OsString;

use clap::Parser as _;

pub use args::{Args, Command};
pub use failure::{Exit, Failure};
pub use site::Global;

use crate::model::Steer;

/// Runs the command that `arguments` name, the program's own name first.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let args = match Args::try_parse_from(arguments) {
        Ok(args) => args,
        Err(error) => {
            // Nobody is left to tell when neither stdout nor stderr can be written.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Done };
        }
    };
    let done = Global::new(&args.global).and_then(|global| dispatch(&global, &args.command));
    done.unwrap_or_else(|failure| {
        print::tell(&failure.to_string());
        failure.exit()
    })
}

fn dispatch(global: &Global, command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Init(args) => init::run(global, args),
        Command::Demo(args) => demo::run(global, args),
        Command::Import(args) => import::run(global, args),
        Command::Check(args) => check::run(global, args),
        Command::Survey(args) => survey::run(global, args),
        Command::Plan(args) => plan::run(global, args),
        Command::Run(args) => run::run(global, args),
        Command::Limit(args) => limit::run(global, args),
        Command::Pause(args) => steer::run(global, Steer::Pause, &args.what, None),
        Command::Resume(args) => steer::run(global, Steer::Resume, &args.what, None),
        Command::First(args) => steer::run(global, Steer::First, &args.what, None),
        Command::Skip(args) => steer::run(global, Steer::Skip, &args.what, args.reason.as_deref()),
        Command::Retry(args) => steer::run(global, Steer::Retry, &args.what, None),
        Command::Window(args) => window::run(global, args),
        Command::Note(args) => note::run(global, args),
        Command::Reload(args) => reload::run(global, args),
        Command::Invite(args) => invite::run(global, args),
        Command::Next(args) => next::run(global, args),
        Command::Handover(args) => handover::run(global, args),
        Command::Status(args) => status::run(global, args),
        Command::Find(args) => find::run(global, args),
        Command::Snapshot(args) => snapshot::run(global, args),
        Command::Verify(args) => verify::run(global, args),
        Command::Restore(args) => restore::run(global, args),
        Command::Gate(args) => gate::run(global, args),
        Command::Activate(args) => activate::run(global, args),
        Command::Hold(args) => hold::hold(global, args),
        Command::Release(args) => hold::release(global, args),
        Command::Publish(args) => publish::run(global, args),
        Command::Report(args) => report::run(global, args),
        Command::Serve(args) => serve::run(global, args),
        Command::Ledger(args) => ledger::run(global, args),
        Command::Store(args) => store::run(global, args),
        Command::Agent(args) => Ok(agent::run(args)),
    }
}
