//! `evac demo`: a whole evacuation on this machine, and the proof that it was one.
//!
//! The machines are SSH hosts inside this process, on loopback, each a `/bin/sh` and real files;
//! everything between them is evac itself: its own commands, run as a person would, on a site
//! folder as a person would write it. Then a judge that knows nothing of evac's formats compares
//! what was restored with what is at the sources.
//!
//! **Promise.** Exit code 0 is said only when every comparison held. It needs no root, no network
//! but loopback, and no service of the machine. Nothing is left running; the folder is kept.

mod commands;
mod compare;
mod cut;
mod files;
mod fleet;
mod hosts;
mod steps;
mod story;
mod web;

use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::cli::args::DemoArgs;
use crate::cli::failure::shown;
use crate::cli::{Exit, Failure, Global, print};
use crate::run::stop::{Phase, Stop};

use hosts::Machines;
use steps::Demo;
use story::Story;

/// The folders of one demonstration.
struct Folders {
    root: PathBuf,
    /// What is evacuated, a folder a host.
    sources: PathBuf,
    /// What the machine in the new racks is given.
    target: PathBuf,
    /// What is restored to look at.
    look: PathBuf,
    site: PathBuf,
    logs: PathBuf,
    /// Homes on the made-up machines.
    homes: PathBuf,
}

/// Shows a whole evacuation.
pub fn run(global: &Global, args: &DemoArgs) -> Result<Exit, Failure> {
    let folders = Folders::make(args.dir.as_deref())?;
    let mut story = Story::new(global);
    let names: Vec<&str> = fleet::HOSTS.iter().map(|host| host.id).chain([fleet::TARGET]).collect();
    let machines = Machines::start(&names, &folders.homes, &folders.site)?;
    // Ctrl-C reaches the command that is at work, too; what it answers ends the demonstration.
    let stop = Stop::default();
    machines.runtime().spawn(stop.clone().listen(global.clock.clone()));
    let mut demo = Demo::new(global, &folders, &machines, &mut story);
    let told = demo.tell_all(&|| stop.phase() != Phase::Running);
    let (id, mut problems) = (demo.site_id(), demo.problems);
    let left = machines.stop(&id);
    if stop.phase() != Phase::Running {
        print::tell(&format!("Interrupted. {} is kept.", shown(&folders.root)));
        return Ok(Exit::Interrupted);
    }
    told.inspect_err(|_failure| {
        print::tell(&format!("{} is kept, with a log of every command.", shown(&folders.root)));
    })?;
    problems.extend(left.iter().map(|folder| format!("{}: evac left it there", shown(folder))));
    story.end(&folders, &problems)?;
    Ok(if problems.is_empty() { Exit::Done } else { Exit::Failed })
}

impl Folders {
    fn make(dir: Option<&Path>) -> Result<Self, Failure> {
        let root = match dir {
            Some(dir) => std::path::absolute(dir)
                .map_err(|error| Failure::io("find the folder", dir, &error))?,
            None => fresh_folder()?,
        };
        if root.to_str().is_none() {
            return Err(Failure::usage("the folder's name is no text")
                .hint("evac takes any name, but evac.toml is a text that has to name it."));
        }
        let folders = Self {
            sources: root.join("sources"),
            target: root.join(fleet::TARGET),
            look: root.join("look"),
            site: root.join("site"),
            logs: root.join("logs"),
            homes: root.join("homes"),
            root,
        };
        folders.create().map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => {
                Failure::usage(format!("{} has a demonstration in it", shown(&folders.root)))
                    .hint("Name a new folder, or remove this one.")
            }
            _ => Failure::io("make folders in", &folders.root, &error),
        })?;
        Ok(folders)
    }

    fn create(&self) -> std::io::Result<()> {
        fs::create_dir_all(&self.root)?;
        let mut own = DirBuilder::new();
        own.mode(0o700);
        [&self.sources, &self.site, &self.target, &self.look, &self.logs, &self.homes]
            .into_iter()
            .try_for_each(|folder| own.create(folder))
    }
}

/// A folder among the temporary ones that nobody else can have made.
fn fresh_folder() -> Result<PathBuf, Failure> {
    let mut random = [0; 4];
    getrandom::fill(&mut random)
        .map_err(|error| Failure::internal("the system has no randomness").because(&error))?;
    let name = format!("evac-demo-{:08x}", u32::from_le_bytes(random));
    let folder = std::env::temp_dir().join(name);
    DirBuilder::new()
        .mode(0o700)
        .create(&folder)
        .map_err(|error| Failure::io("make the folder", &folder, &error))?;
    Ok(folder)
}
