//! What can be typed about what is said in public.

use clap::builder::NonEmptyStringValueParser;
use clap::{Subcommand, ValueEnum};

use std::path::PathBuf;

use crate::model::Span;

/// Make the status page in state/status, and tell every destination what is new
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without [[publish.to]] in evac.toml only the page is made. Exit 3: something \
could not be told yet, and is by the same command or --watch.\n\nExamples:\n  \
evac publish say first --next 20m     a first statement, before anything is known\n  \
evac publish --watch                  keep telling, as figures change\n  \
evac publish --dry-run                show every call, make none\n  \
evac publish token acme               a customer's own page"
)]
pub struct PublishArgs {
    /// What else.
    #[command(subcommand)]
    pub command: Option<PublishCommand>,
    /// Show every call that would be made, and make none
    #[arg(long)]
    pub dry_run: bool,
    /// Keep telling until Ctrl-C, remind of the next update that was promised
    #[arg(long, conflicts_with = "dry_run")]
    pub watch: bool,
    /// End after so many beats
    #[arg(long, value_name = "COUNT", hide = true, requires = "watch")]
    pub beats: Option<u32>,
    /// Milliseconds between two beats
    #[arg(long, value_name = "MS", hide = true, requires = "watch")]
    pub beat_ms: Option<u64>,
}

/// What can be said.
#[derive(Debug, Subcommand)]
pub enum PublishCommand {
    /// Say something to everybody
    Say(SayArgs),
    /// Let out what somebody else wrote, where `[publish] review` asks for that
    Approve {
        /// Which draft; `evac publish posts` lists them
        id: String,
    },
    /// Never let a draft out
    Drop {
        /// Which draft
        id: String,
        /// Why
        #[arg(long, value_parser = NonEmptyStringValueParser::new())]
        reason: String,
    },
    /// List what was said, and what waits for a second person
    Posts,
    /// Who was mailed what, and who cannot be; with `[mail]` in evac.toml `publish` itself mails
    Mail(MailArgs),
    /// Read mails that came back, and write to those mailboxes no more
    Bounces {
        /// A mail, an mbox or a Maildir; `-` is standard input
        #[arg(required_unless_present = "forget")]
        from: Vec<PathBuf>,
        /// Write to this address again
        #[arg(long, value_name = "ADDRESS", conflicts_with = "from")]
        forget: Option<String>,
    },
    /// Give customers a page of their own at a secret address, and show the addresses
    Token {
        /// Whose (see `evac --help`)
        #[arg(required_unless_present = "all")]
        what: Vec<String>,
        /// Everybody's
        #[arg(long, conflicts_with = "what")]
        all: bool,
        /// Take the pages away for good; the next address is another one
        #[arg(long)]
        revoke: bool,
    },
}

/// Who was mailed what, and who cannot be
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  evac publish mail                       who was told what\n  \
evac publish mail --test me@example.org one mail to yourself, and what the relay says\n  \
evac publish mail at-risk acme          tell a customer that his data may not get out"
)]
pub struct MailArgs {
    /// What else.
    #[command(subcommand)]
    pub command: Option<MailCommand>,
    /// Send one mail, to this address, and show what the relay answers
    #[arg(long, value_name = "ADDRESS")]
    pub test: Option<String>,
}

/// What can be done about mails.
#[derive(Debug, Subcommand)]
pub enum MailCommand {
    /// Tell customers that their data may not get out; only a person can know
    AtRisk {
        /// Whom (see `evac --help`)
        #[arg(required_unless_present = "planned")]
        what: Vec<String>,
        /// Everybody whom the plan says that of, and who was not told
        #[arg(long, conflicts_with_all = ["what", "undo"])]
        planned: bool,
        /// A paragraph beside the usual one
        #[arg(long, value_parser = NonEmptyStringValueParser::new())]
        text: Option<String>,
        /// It is not so: who was not told yet is not
        #[arg(long, conflicts_with = "text")]
        undo: bool,
    },
    /// List who can be told only on machines that are being moved, by what the DNS says now
    Contacts,
    /// Try again what mail servers refused
    Again {
        /// Whose (see `evac --help`)
        #[arg(required = true)]
        what: Vec<String>,
    },
}

/// Say something to everybody
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A text is written as LANGUAGE=TEXT (nl=Wij …) or, in the site's first language, \
as TEXT; with a template it is added to it. Every text ends with the promise of the next.\n\n\
Examples:\n  evac publish say first\n  evac publish say same --next 45m\n  \
evac publish say --title \"Power is back\" --text \"The data centre has power again.\""
)]
pub struct SayArgs {
    /// A text to start from
    pub template: Option<Template>,
    /// One line; may be repeated, for other languages
    #[arg(long, value_name = "[LANGUAGE=]TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub title: Vec<String>,
    /// A paragraph; may be repeated
    #[arg(long, value_name = "[LANGUAGE=]TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub text: Vec<String>,
    /// What it is about; without: as its template, or identified
    #[arg(long, value_enum)]
    pub kind: Option<Kind>,
    /// The next update is promised after this; without: `publish.next`
    #[arg(long, value_name = "SPAN")]
    pub next: Option<Span>,
    /// Say it although nobody else has read it
    #[arg(long, value_name = "REASON", value_parser = NonEmptyStringValueParser::new())]
    pub break_glass: Option<String>,
    /// Show the texts and every call, say nothing
    #[arg(long = "dry-run")]
    pub dry: bool,
}

/// Texts to start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Template {
    /// Something is wrong, and we know
    First,
    /// What is affected
    Scope,
    /// What we do about it
    Moving,
    /// Nothing new, and we are still here
    Same,
    /// Something we said does not hold
    Setback,
    /// It is over; only once every customer is online
    Resolved,
}

/// What a post is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "the words are those of every status page")]
pub enum Kind {
    Investigating,
    Identified,
    Monitoring,
    Resolved,
}
