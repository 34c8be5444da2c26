//! What can be typed about what is switched on, and about who is held back.

use clap::ValueEnum;
use clap::builder::NonEmptyStringValueParser;

/// Ask what is restored whether it works, by the checks of the inventory
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Nothing passes without an answer as asked for; exit 1 when something does not \
pass. What nobody wrote checks for passes only when somebody says so by name.\n\nExamples:\n  \
evac gate acme\n  evac gate --baseline               ask the old machines the same, while they \
live\n  evac --as kim gate acme --unchecked \"looked at it by hand\"\n  \
evac gate --watch                  keep asking what is switched on"
)]
pub struct GateArgs {
    /// Only these (see `evac --help`); without: everything
    pub what: Vec<String>,
    /// Ask the sources: what fails there already keeps nothing back later
    #[arg(long, conflicts_with_all = ["unchecked", "watch"])]
    pub baseline: bool,
    /// Let those pass that have no checks, if their copy was read back (`verify --deep`)
    #[arg(long, value_name = "REASON", value_parser = NonEmptyStringValueParser::new())]
    #[arg(conflicts_with = "watch")]
    pub unchecked: Option<String>,
    /// Go on asking what is switched on; what fails twice is no longer called online
    #[arg(long)]
    pub watch: bool,
    /// End after so many rounds
    #[arg(long, value_name = "COUNT", requires = "watch", hide = true)]
    pub beats: Option<u64>,
}

/// Say that what passed its gate is switched on: only then is it called online
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Every check is asked once more. Refused (exit 4) is what does not pass, what is \
on hold, and what shares a machine with something on hold.\n\nExamples:\n  \
evac activate acme\n  evac activate state/gated\n  evac activate acme --undo"
)]
pub struct ActivateArgs {
    /// These (see `evac --help`)
    #[arg(required = true)]
    pub what: Vec<String>,
    /// Take it back: it is switched off again
    #[arg(long)]
    pub undo: bool,
}

/// Hold customers back: never switched on, never counted in public
#[derive(Debug, clap::Args)]
#[command(after_help = "It holds at once, while a run goes on too, and survives the loss of the \
ledger.\n\nExample:\n  evac --as kim hold acme abuse --reason \"complaint 4711\"")]
pub struct HoldArgs {
    /// The customers that this names (see `evac --help`)
    pub what: String,
    /// Why, in a word
    pub kind: HoldKind,
    /// Why, for colleagues
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub reason: String,
}

/// Kinds of holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum HoldKind {
    /// A complaint about abuse
    Abuse,
    /// A legal matter
    Legal,
    /// The customer asked for it
    Customer,
}

/// End a hold: two people must say so within a day
#[derive(Debug, clap::Args)]
#[command(after_help = "The first to say it asks, the second confirms. Both need --as NAME.\n\n\
Example:\n  evac --as kim release acme --reason \"solved, ticket 4711\"\n  \
evac --as jo release acme --reason \"I read it too\"")]
pub struct ReleaseArgs {
    /// The customers that this names (see `evac --help`)
    pub what: String,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub reason: String,
}
