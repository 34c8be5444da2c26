//! What can be typed to steer a run and to hand it over.

use clap::builder::NonEmptyStringValueParser;

use crate::model::{Span, Timestamp};

/// Stop work on some until somebody resumes it
#[derive(Debug, clap::Args)]
#[command(
    after_help = "What is under way ends within its segment; what is committed stays. Without a \
run, the next one leaves them alone.\n\nExamples:\n  evac pause host/hv-2\n  \
evac --as jo pause group/shared"
)]
pub struct PauseArgs {
    /// Which (see `evac --help`)
    #[arg(required = true)]
    pub what: Vec<String>,
}

/// Go on with what is paused
#[derive(Debug, clap::Args)]
pub struct ResumeArgs {
    /// Which (see `evac --help`)
    #[arg(required = true)]
    pub what: Vec<String>,
}

/// Take some before everything else
#[derive(Debug, clap::Args)]
#[command(after_help = "Nothing that runs is ended for it; the latest word goes before earlier \
ones.\n\nExample:\n  evac first customer/acme")]
pub struct FirstArgs {
    /// Which (see `evac --help`)
    #[arg(required = true)]
    pub what: Vec<String>,
}

/// Leave some out, on purpose
#[derive(Debug, clap::Args)]
#[command(after_help = "It is no failure then, and no run takes it until `evac retry`. What is \
held is not skipped.\n\nExample:\n  evac skip workload/acme-old --reason \"contract ended\"")]
pub struct SkipArgs {
    /// Which (see `evac --help`)
    #[arg(required = true)]
    pub what: Vec<String>,
    /// Why; shown to colleagues
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub reason: Option<String>,
}

/// Try again now what failed, and take what was skipped after all
#[derive(Debug, clap::Args)]
#[command(after_help = "Also what was given up after several tries.\n\nExamples:\n  \
evac retry state/failed\n  evac retry reason/auth")]
pub struct RetryArgs {
    /// Which (see `evac --help`)
    #[arg(required = true)]
    pub what: Vec<String>,
}

/// Say when the access window closes
#[derive(Debug, clap::Args)]
#[command(
    after_help = "It counts for plans, the status, and a run that goes on, until it is said \
anew; it is kept in the ledger, evac.toml stays as it is.\n\nExample:\n  \
evac window closes 2030-03-05T04:00:00+01:00 --hard"
)]
pub struct WindowArgs {
    /// What is said of it
    pub verb: WindowVerb,
    /// When, with its zone: 2030-03-05T04:00:00+01:00
    #[arg(value_name = "TIME")]
    pub at: Timestamp,
    /// Runs end then, as if by Ctrl-C; without, only plans and estimates go by it
    #[arg(long)]
    pub hard: bool,
}

/// What can be said of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum WindowVerb {
    /// It closes at a time
    Closes,
}

/// Write something down: a call, a promise, a decision
#[derive(Debug, clap::Args)]
#[command(after_help = "`evac find` and `evac handover` show it.\n\nExample:\n  \
evac --as jo note acme \"called at 5, needs the database first\"")]
pub struct NoteArgs {
    /// About whom or what (see `evac --help`)
    pub what: String,
    /// What to write down
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub text: String,
}

/// Have a run that goes on read the inventory again
#[derive(Debug, clap::Args)]
#[command(after_help = "New hosts and workloads are taken up, and changed ones of which nothing \
was begun. What cannot be is listed by name and stays as it was (exit 1). Settings count from the \
next run on.")]
pub struct ReloadArgs {}

/// Show what is blocked, on what, and the command that helps; the most valuable first
#[derive(Debug, clap::Args)]
pub struct NextArgs {
    /// Only so many
    #[arg(long, value_name = "N")]
    pub take: Option<usize>,
}

/// Show the next shift what was decided, what is blocked, what runs
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  evac handover\n  \
evac handover --since 2030-03-04T22:00:00+01:00\n  evac handover --since 8h")]
pub struct HandoverArgs {
    /// From when on, as a time with its zone or as a span before now; without: 12h
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub since: Option<Since>,
}

/// A time, or so long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// Then.
    At(Timestamp),
    /// Before now.
    Ago(Span),
}

fn since(text: &str) -> Result<Since, String> {
    let span = |_| text.parse::<Span>().map(Since::Ago);
    let parsed = text.parse::<Timestamp>().map(Since::At).or_else(span);
    parsed.map_err(|error| format!("{error}, nor a time with its zone"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_time_or_so_long_ago() {
        let at = Timestamp::from_second(1_900_000_000);
        assert_eq!(since(&at.to_string()), Ok(Since::At(at)));
        assert!(matches!(since("8h"), Ok(Since::Ago(span)) if span.0.as_secs() == 28_800));
        assert!(since("yesterday").is_err_and(|error| error.contains("nor a time")));
    }
}
