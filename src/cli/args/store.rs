//! What can be typed about the store.

use std::path::PathBuf;

use clap::Subcommand;

/// Care for what is stored
#[derive(Debug, clap::Args)]
pub struct StoreArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub command: StoreCommand,
}

/// What can be done with the store.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Keep a second copy of it in a folder, best on another disk
    Mirror(MirrorArgs),
}

/// Keep a second copy of the store in a folder, best on another disk
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The most valuable workloads first; what is there already is not copied again. \
While a run goes on it keeps copying what is new, and ends after it. Damage here is mended from \
there by the next `evac run`.\n\nExample:\n  evac store mirror /mnt/second/evac"
)]
pub struct MirrorArgs {
    /// The folder; made where it is missing
    #[arg(value_name = "DEST")]
    pub dest: PathBuf,
}
