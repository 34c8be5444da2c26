//! What can be typed about the local web pages.

use std::net::SocketAddr;

use clap::Subcommand;
use clap::builder::NonEmptyStringValueParser;

/// Show the look-up and the live view in a browser, on this machine
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "People need a link of their own: `evac serve token NAME`. Without one they see \
nothing. Every look-up is written into state/lookups.log before it is answered. It listens on this \
machine alone; from elsewhere people come through `ssh -L 8088:127.0.0.1:8088 HOST`, or through a \
web server with TLS in front of it, named by --url.\n\nExamples:\n  \
evac serve token jo                    a link for support\n  \
evac serve token kim --operator        a link for the live view too\n  \
evac serve\n  \
evac serve --support --url https://desk.example.net --colleague \"Kim, extension 12\""
)]
pub struct ServeArgs {
    /// Who may look.
    #[command(subcommand)]
    pub command: Option<ServeCommand>,
    /// Only the look-up, for people without a shell
    #[arg(long, conflicts_with = "operator")]
    pub support: bool,
    /// Only the live view, for operators
    #[arg(long)]
    pub operator: bool,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8088")]
    pub listen: SocketAddr,
    /// Listen where others than this machine reach it
    #[arg(long)]
    pub expose: bool,
    /// The address in people's browsers, where it has a name; https:// says that TLS is in front
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Whom callers are put through to who need more than support can say
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub colleague: Option<String>,
}

/// What can be done about people.
#[derive(Debug, Subcommand)]
pub enum ServeCommand {
    /// Give somebody a link, which is shown once; take it away; list who has one
    Token(TokenArgs),
}

/// Who may look.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  evac serve token jo\n  evac serve token --revoke jo\n  \
evac serve token                       list who has a link")]
pub struct TokenArgs {
    /// His name, as it is written beside each look-up and note; without: list everybody
    pub name: Option<String>,
    /// He may see the live view too
    #[arg(long, requires = "name")]
    pub operator: bool,
    /// Take the link of this person away, for good
    #[arg(long, value_name = "NAME", conflicts_with = "name")]
    pub revoke: Option<String>,
    /// What links begin with, as for `evac serve`
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8088")]
    pub url: String,
}
