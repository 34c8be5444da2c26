//! What can be typed about what is public.

use clap::Subcommand;

/// Make the status page in state/status
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  evac publish\n  evac publish token acme\n  \
evac publish token --all")]
pub struct PublishArgs {
    /// Something else than the page.
    #[command(subcommand)]
    pub command: Option<PublishCommand>,
}

/// What else can be done with the page.
#[derive(Debug, Subcommand)]
pub enum PublishCommand {
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
