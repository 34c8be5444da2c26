//! What can be typed to look somebody up, here and where the landing site is out of reach.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;

/// Show the customer that a caller means: name, domain, number, address, even misspelled
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Words may come in any order; links, mail addresses, telephone numbers and \
nets as they are pasted. Exits 1 when nobody matches.\n\nExamples:\n  evac find acme.example\n  \
evac find 203.0.113.14\n  evac find \"020-123 45 67\"\n  evac find bakerij hoekje\n  \
evac find --in dark.evac acme"
)]
pub struct FindArgs {
    /// What the caller says, in any case; links and mail addresses too
    #[arg(required = true, value_parser = NonEmptyStringValueParser::new())]
    pub text: Vec<String>,
    /// Look it up in this file of `evac snapshot`; no site is needed
    #[arg(long = "in", value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// Write a file to look customers up in where the landing site is out of reach
#[derive(Debug, clap::Args)]
#[command(after_help = "It holds names, domains, numbers of other systems, addresses, and where \
everybody stood; no keys, no contacts, no reasons, and of the notes those that begin with \
`support:`. `evac find --in FILE TEXT` reads it on any machine.\n\nExample:\n  \
evac snapshot /media/stick/dark.evac")]
pub struct SnapshotArgs {
    /// The file; only an older one of these is replaced
    pub file: PathBuf,
}
