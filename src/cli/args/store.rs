//! What can be typed about the store.

use std::path::PathBuf;

use clap::Subcommand;

use crate::model::Bytes;

/// Care for what is stored
#[derive(Debug, clap::Args)]
pub struct StoreArgs {
    /// What to do with it
    #[command(subcommand)]
    pub command: StoreCommand,
}

/// What can be done with the store.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "the doc comment of each struct is the help of its command")]
pub enum StoreCommand {
    Add(StoreAddArgs),
    Mirror(MirrorArgs),
}

/// Give the store a further disk, also while a run goes on or waits for space
#[derive(Debug, clap::Args)]
#[command(
    after_help = "It is used at once and by every later run. Nothing is moved: new packs go \
where there is room.\n\nExamples:\n  evac store add /mnt/disk2/evac\n  \
evac store add /mnt/disk2/evac --reserve 50GB"
)]
pub struct StoreAddArgs {
    /// The folder; made where it is missing, in a folder that exists
    pub path: PathBuf,
    /// What stays free on it; without: a hundredth, at most 10GB
    #[arg(long, value_name = "SIZE")]
    pub reserve: Option<Bytes>,
    /// Add it although it lies on the same device as another: it adds no space
    #[arg(long)]
    pub same_device: bool,
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
