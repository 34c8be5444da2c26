//! What can be typed to invite a host, and what its agent is started with.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;

use crate::model::Span;

/// Have a host called from its console, where nobody can log in; prints the line to type there
#[derive(Debug, clap::Args)]
#[command(after_help = "The line works once, while a run goes on, for a shell with curl and \
sha256sum; what to type without curl is told besides. The agent reads the paths of the host's \
workloads and nothing else, writes nothing, and goes when all is taken. A new line ends the former \
one of that host.\n\nOn an untrusted way, and wherever it can be pasted, use --paste: that line \
checks what it runs, and its code does not cross in clear.\n\nExamples:\n  evac invite vps-014\n  \
evac invite vps-014 --listen 198.51.100.7:443 --for 30m\n  \
evac invite vps-014 --paste | mail …     for a customer who is root there\n  \
evac invite vps-014 --revoke")]
pub struct InviteArgs {
    /// Which, as in inventory.toml
    #[arg(value_name = "HOST", value_parser = NonEmptyStringValueParser::new())]
    pub host: String,
    /// So long the line works
    #[arg(long = "for", value_name = "SPAN", default_value = "2h")]
    pub works_for: Span,
    /// Where the run listens, as seen from the host; without: where the last line said, or this
    /// machine's address towards the host, port 7022
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,
    /// So long the agent stays without hearing from here
    #[arg(long, value_name = "SPAN", default_value = "1h")]
    pub stay: Span,
    /// Print the line to paste instead of the one to type
    #[arg(long)]
    pub paste: bool,
    /// Take the invitation back: the line works no more, and whoever came goes
    #[arg(long, conflicts_with_all = ["listen", "paste"])]
    pub revoke: bool,
}

/// The far side of a connection
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub struct AgentArgs {
    /// Its own folder
    #[arg(long)]
    pub folder: PathBuf,
    /// Number of its session
    #[arg(long)]
    pub generation: u64,
    /// Joins this connection to the agent that runs there
    #[arg(long)]
    pub lane: bool,
    /// Use only what others leave
    #[arg(long)]
    pub gentle: bool,
    /// This is a rescue system: the machine is on its disks
    #[arg(long)]
    pub disks: bool,
    /// Calls this landing site by itself; the code comes over standard input
    #[arg(long)]
    pub call: Option<String>,
    /// Fingerprint of its key
    #[arg(long, default_value = "")]
    pub landing_key: String,
    /// Seconds to stay without hearing from it
    #[arg(long, default_value_t = 3_600)]
    pub stay_s: u64,
    /// What may be read
    pub granted: Vec<PathBuf>,
}
