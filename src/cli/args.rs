//! What can be typed. One struct a command; its doc comment is its help.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Parser, Subcommand, ValueEnum};

pub use find::{FindArgs, SnapshotArgs};
pub use gate::{ActivateArgs, GateArgs, HoldArgs, HoldKind, ReleaseArgs};
pub use publish::{
    Kind as PostKind, MailArgs, MailCommand, PublishArgs, PublishCommand, SayArgs, Template,
};
pub use serve::{ServeArgs, ServeCommand, TokenArgs};
pub use store::{MirrorArgs, StoreAddArgs, StoreArgs, StoreCommand};
pub use verify::VerifyArgs;

use crate::model::{Rate, Span, Timestamp};

mod find;
mod gate;
pub mod hands;
mod invite;
mod publish;
pub mod report;
mod serve;
mod store;
mod verify;
pub use hands::{
    FirstArgs, HandoverArgs, NextArgs, NoteArgs, PauseArgs, ReloadArgs, ResumeArgs, RetryArgs,
    Since, SkipArgs, WindowArgs,
};
pub use invite::{AgentArgs, InviteArgs};

/// Gets customers' servers out of a data centre while an access window is open.
#[derive(Debug, Parser)]
#[command(name = "evac", version, disable_help_subcommand = true)]
#[command(after_help = "WHAT is the name of a customer, host, workload or group, or one of \
customer/ID host/ID workload/ID[:/PATH] group/ID tier/NAME state/WORD reason/WORD @FILE.\n\
Exit codes: 0 done, 1 something failed and is listed, 2 usage or invalid input, 3 stopped with \
work left (the same command resumes), 4 refused, 130 second Ctrl-C.")]
pub struct Args {
    /// Where, and as whom.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Where help lists [`GlobalArgs`].
const EVERYWHERE: &str = "Options of every command";

/// Flags that every command takes, before or after its name.
#[derive(Debug, clap::Args)]
pub struct GlobalArgs {
    /// The site's folder: settings, inventory, plans, state
    #[arg(long, global = true, value_name = "DIR", env = "EVAC_SITE", default_value = ".")]
    #[arg(hide_env_values = true, help_heading = EVERYWHERE)]
    pub site: PathBuf,
    /// Who you are; written on every event
    #[arg(long = "as", global = true, value_name = "NAME", env = "EVAC_OPERATOR")]
    #[arg(hide_env_values = true, help_heading = EVERYWHERE)]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub by: Option<String>,
    /// Print JSON on stdout, for programs
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub json: bool,
    /// Do not ask before working on many at once, or before replacing a plan
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub yes: bool,
}

/// Every command.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "the doc comment of each struct is the help of its command")]
pub enum Command {
    Init(InitArgs),
    Demo(DemoArgs),
    Import(ImportArgs),
    Check(CheckArgs),
    Survey(SurveyArgs),
    Plan(PlanArgs),
    Run(RunArgs),
    Limit(LimitArgs),
    Pause(PauseArgs),
    Resume(ResumeArgs),
    First(FirstArgs),
    Skip(SkipArgs),
    Retry(RetryArgs),
    Window(WindowArgs),
    Note(NoteArgs),
    Reload(ReloadArgs),
    Invite(InviteArgs),
    Next(NextArgs),
    Handover(HandoverArgs),
    Status(StatusArgs),
    Find(FindArgs),
    Snapshot(SnapshotArgs),
    Verify(VerifyArgs),
    Restore(RestoreArgs),
    Gate(GateArgs),
    Activate(ActivateArgs),
    Hold(HoldArgs),
    Release(ReleaseArgs),
    Publish(PublishArgs),
    Report(report::ReportArgs),
    Serve(ServeArgs),
    Ledger(LedgerArgs),
    Store(StoreArgs),
    Agent(AgentArgs),
}

/// Write a commented site into a folder
#[derive(Debug, clap::Args)]
pub struct InitArgs {
    /// Where; without: the folder of --site
    pub dir: Option<PathBuf>,
}

/// Evacuate a made-up site on this machine, in about a minute
#[derive(Debug, clap::Args)]
#[command(after_help = "Hosts, files and customers are made up, the rest is real. Needs no root.")]
pub struct DemoArgs {
    /// Where everything is put, and kept; without: a new folder among the temporary ones
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// Write inventory from what you already have
#[derive(Debug, clap::Args)]
#[command(after_help = "The first line of a CSV file names its columns.\n\nExamples:\n  \
evac import csv customers.csv\n  evac import ssh-config ~/.ssh/config")]
pub struct ImportArgs {
    /// What kind of file it is
    pub kind: ImportKind,
    /// The file
    pub file: PathBuf,
}

/// Kinds of files that can be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ImportKind {
    /// A table with one customer, host or workload a line
    Csv,
    /// Names of ~/.ssh/config or a file like it, as `ssh -G` explains them
    SshConfig,
}

/// List every mistake in settings and inventory at once, offline
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// Call somebody once by every way of `[alert]`, and say what came back
    #[arg(long)]
    pub ring: bool,
}

/// Dial hosts: ways in, tools, sizes, and data that nobody listed
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  evac survey\n  evac survey --trust-new group/shared")]
pub struct SurveyArgs {
    /// Only these (see `evac --help`); without: every host
    pub what: Vec<String>,
    /// Pin the keys of hosts and targets that are not known yet, and list them: compare them by
    /// another road. A key that changed is never pinned
    #[arg(long)]
    pub trust_new: bool,
    /// Another machine than the one that was surveyed before answers at these hosts' addresses, or
    /// it has another name: it is meant
    #[arg(long, requires = "what")]
    pub new_machine: bool,
}

/// Put the work in order, and say who will not make it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  evac plan\n  evac plan --window 6h\n  \
evac plan --until 2030-03-05T04:00:00+01:00 --name night")]
pub struct PlanArgs {
    /// How long the window stays open from now, such as 6h or 1h30m
    #[arg(long, value_name = "SPAN", conflicts_with = "until")]
    pub window: Option<Span>,
    /// When the window shuts, with its zone: 2030-03-05T04:00:00+01:00
    #[arg(long, value_name = "TIME")]
    pub until: Option<Timestamp>,
    /// Written to plans/NAME.toml; without: the time of the plan
    #[arg(long, value_name = "NAME", value_parser = plan_name)]
    pub name: Option<String>,
}

/// Carry out a plan; the same command resumes
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Finished work is never done twice. The first Ctrl-C finishes what is on its \
way and ends (exit 3), the second ends at once (130); what has arrived counts either way.\n\n\
Examples:\n  evac run                      plan, and go\n  \
evac run plans/night.toml     follow this plan\n  \
evac run --again              take what changed since it was copied\n  \
evac run --again acme         only of this customer"
)]
pub struct RunArgs {
    /// A plan of `evac plan`; without: one is made, after a look at hosts nobody described. With
    /// --again also WHAT: only these
    #[arg(value_name = "PLAN|WHAT")]
    pub words: Vec<String>,
    /// Take what changed of what is copied already; unchanged files are not opened
    #[arg(long)]
    pub again: bool,
    /// What is gone over there is meant to be: set no pass aside for it
    #[arg(long, requires = "again")]
    pub accept_losses: bool,
    /// Wait for hosts that do not answer, as long as it takes, and go on by itself when they do
    #[arg(long)]
    pub wait: bool,
    /// End when the landing disks are full (exit 3), instead of waiting for space
    #[arg(long)]
    pub stop_when_full: bool,
    /// Milliseconds between two knocks at a port that is shut
    #[arg(long, value_name = "MS", hide = true)]
    pub beat_ms: Option<u64>,
    /// Always so many connections beside the first to each host, whatever they bring
    #[arg(long, value_name = "COUNT", hide = true)]
    pub lanes: Option<u32>,
}

/// Change what an uplink, a host or all may send, while a run goes on
#[derive(Debug, clap::Args)]
#[command(
    after_help = "It holds at once, for everything not asked for yet, and until the run ends; \
rates for every run are written in evac.toml and inventory.toml.\n\nExamples:\n  \
evac limit uplink/ams 300Mbit/s\n  evac limit landing 80MB/s\n  \
evac limit host/vps-014 0     nothing more is asked of it\n  \
evac limit host/vps-014 none"
)]
pub struct LimitArgs {
    /// landing, uplink/ID, resource/ID or host/ID; the ID alone where only one thing has it
    #[arg(value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub id: String,
    /// Such as 300Mbit/s or 20MB/s of payload; 0: nothing; none: as much as it carries
    #[arg(value_name = "RATE", value_parser = limit_rate)]
    pub rate: LimitRate,
}

/// What may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitRate(pub Option<Rate>);

/// Show where everything stands
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// Five sentences that may be repeated to anybody
    #[arg(long)]
    pub brief: bool,
    /// Look again every two seconds, on any terminal, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
}

/// Write copies to their targets, or into a folder
#[derive(Debug, clap::Args)]
#[command(
    after_help = "With --to everything lands beneath DIR/WORKLOAD-ID/, at its source paths. \
The same command resumes.\n\nExamples:\n  evac restore acme --to /srv/look\n  \
evac restore workload/acme-site --include /etc/nginx --to /tmp/x\n  \
evac restore customer/acme        to its target\n  \
evac restore acme --tar acme.tar\nAn archive is unpacked whole by: \
tar --xattrs --xattrs-include='*' --acls --numeric-owner -xpf FILE"
)]
pub struct RestoreArgs {
    /// Only these (see `evac --help`); without: everything
    pub what: Vec<String>,
    /// Into this folder of this machine; without: to their targets
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// As a tar archive into this file; `-` is stdout
    #[arg(long, value_name = "FILE", conflicts_with_all = ["to", "in_place"])]
    pub tar: Option<PathBuf>,
    /// The copy that was whole at this time, with its zone; without: the newest
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
    /// Only this path and what is beneath it; may be repeated
    #[arg(long, value_name = "PATH")]
    pub include: Vec<PathBuf>,
    /// Replace what is there and differs
    #[arg(long)]
    pub overwrite: bool,
    /// Owners go by name: where a name has another number over there, that is used; who has no such
    /// name keeps his number and is listed. Archives hold both anyway
    #[arg(long)]
    pub map_users: bool,
    /// Allow a target's own `/` as the place to write
    #[arg(long, conflicts_with = "to")]
    pub in_place: bool,
}

/// Care for the record of what is done
#[derive(Debug, clap::Args)]
pub struct LedgerArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub command: LedgerCommand,
}

/// What can be done with the ledger.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Write a sound copy of it to a file; a run may go on meanwhile
    Backup {
        /// Where to
        file: PathBuf,
    },
    /// Make a lost one anew from what the store says; changes nothing that is stored
    Rebuild,
    /// Stand by a rebuilt ledger after you looked at it
    Confirm,
}

/// A rate as in settings, `0` or `none`.
fn limit_rate(text: &str) -> Result<LimitRate, String> {
    match text {
        "none" => Ok(LimitRate(None)),
        "0" => Ok(LimitRate(Some(Rate(0)))),
        text => match text.parse() {
            Ok(rate) => Ok(LimitRate(Some(rate))),
            Err(error) => Err(format!("{error}, nor 0 or none")),
        },
    }
}

/// The name of a plan becomes the name of a file.
fn plan_name(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.is_empty() || text.len() > 63 || text.starts_with('.') || !text.chars().all(allowed) {
        return Err("use up to 63 letters, digits, dots, underscores and hyphens".into());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_agrees_with_itself() {
        Args::command().debug_assert();
    }

    #[test]
    fn global_flags_stand_before_or_after_the_command() {
        for line in ["evac --site /s --json status", "evac status --json --site /s"] {
            let args = Args::try_parse_from(line.split(' ')).unwrap();
            assert!(
                args.global.json && args.global.site.as_path() == std::path::Path::new("/s"),
                "{line}"
            );
        }
    }

    #[test]
    fn a_limit_is_a_rate_nothing_or_none() {
        let rate = |text| limit_rate(text).map(|LimitRate(rate)| rate.map(|rate| rate.0));
        assert_eq!(rate("300Mbit/s"), Ok(Some(37_500_000)));
        assert_eq!((rate("0"), rate("0B/s"), rate("none")), (Ok(Some(0)), Ok(Some(0)), Ok(None)));
        assert!(rate("fast").is_err_and(|error| error.contains("nor 0 or none")));
    }

    #[test]
    fn the_name_of_a_plan_stays_in_its_folder() {
        for bad in ["", ".", "../x", "a/b", ".hidden", "a b"] {
            assert!(plan_name(bad).is_err(), "{bad}");
        }
        assert_eq!(plan_name("Night-2.b").unwrap(), "Night-2.b");
    }
}
