//! What can be typed about what is told afterwards.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::model::Timestamp;

/// Tell what happened, what customers get back, whom the law wants told; and may we leave?
#[derive(Debug, Args)]
#[command(after_help = "Nothing is sent. Customers on hold are in none of it but `leave`, and in \
what is made with --internal.\n\nExamples:\n  evac report leave\n  evac report incident\n  \
evac report credits --rules sla.toml --csv credits.csv\n  \
evac report notices --aware 2030-03-03T14:20:00+01:00\n  evac report evidence")]
pub struct ReportArgs {
    /// What is told.
    #[command(subcommand)]
    pub command: ReportCommand,
}

/// What can be told.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "the doc comment of each struct is the help of its command")]
pub enum ReportCommand {
    Incident(IncidentArgs),
    Credits(CreditsArgs),
    Notices(NoticesArgs),
    Evidence(EvidenceArgs),
    Leave(LeaveArgs),
}

/// Draft the report of what happened, and a message to customers
#[derive(Debug, Args)]
#[command(after_help = "Notes that begin with `public:` are in it, others only with --internal. \
Since when services are down: `began` under [incident] in evac.toml, --down-since, or else the \
first public message.\n\nExamples:\n  evac report incident --language nl\n  \
evac --as kim report incident --internal --to /srv/inside")]
pub struct IncidentArgs {
    /// In this language (en, nl, de); may be repeated; without: those of the site
    #[arg(long, value_name = "CODE")]
    pub language: Vec<String>,
    /// Into this folder; without: reports/incident in the site
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// For colleagues: all notes, who did what, and how many customers are on hold
    #[arg(long)]
    pub internal: bool,
    /// Since when services are down, with its zone: 2030-03-03T14:00:00+01:00
    #[arg(long, value_name = "TIME")]
    pub down_since: Option<Timestamp>,
}

/// Reckon what customers get back, by rules of your own
#[derive(Debug, Args)]
#[command(after_help = "Rules are TOML: name, rounding, period (calendar-month, 30-days, \
billing-month), cap, [[exclude]] and [[rule]] of kind tiers, every, under-target, hourly, flat or \
free-days; see the README. Exit 1: of somebody a fee, a rule or a number is missing.\n\n\
Example:\n  evac report credits --rules sla.toml --fees fees.csv --csv credits.csv --whmcs")]
pub struct CreditsArgs {
    /// The rules
    #[arg(long, value_name = "FILE")]
    pub rules: PathBuf,
    /// What customers pay: a table with the columns customer, service, fee, currency, billing_day,
    /// service_id, next_due; without: the labels `fee`, `currency`, …
    #[arg(long, value_name = "FILE")]
    pub fees: Option<PathBuf>,
    /// Write all lines into this table
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Show what WHMCS would be sent; nothing is
    #[arg(long)]
    pub whmcs: bool,
    /// Since when services are down, with its zone
    #[arg(long, value_name = "TIME")]
    pub down_since: Option<Timestamp>,
}

/// Draft a notice to each customer (GDPR), a register, and a checklist of what NIS2 asks
#[derive(Debug, Args)]
#[command(after_help = "Typed again, it drafts a further notice for whom something is new, and \
says what. A checklist, not legal advice.")]
pub struct NoticesArgs {
    /// Into this folder; without: reports/notices in the site
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// When you became aware of it, with its zone: the clocks run from then
    #[arg(long, value_name = "TIME")]
    pub aware: Option<Timestamp>,
    /// Since when services are down, with its zone
    #[arg(long, value_name = "TIME")]
    pub down_since: Option<Timestamp>,
}

/// Write down what evac saw of access, refusals and decisions, each line with its hash
#[derive(Debug, Args)]
#[command(after_help = "Lines that name somebody on hold are withheld, but counted and hashed; \
--internal has all. Keep the last hash elsewhere: it proves the whole file.")]
pub struct EvidenceArgs {
    /// Into this folder; without: reports/evidence in the site
    #[arg(long, value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// For your own counsel: withhold nothing
    #[arg(long)]
    pub internal: bool,
}

/// Say whether anything is still only in the old place; exit 4 while it is
#[derive(Debug, Args)]
pub struct LeaveArgs {
    /// Ask where customers' names lead now
    #[arg(long)]
    pub dns: bool,
}
