//! The evacuation, step by step: each runs a command, checks what came of it, and tells it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::commands::Commands;
use super::compare::{Comparison, fingerprint};
use super::cut::{AFTER, Cut};
use super::fleet::{self, HOSTS};
use super::hosts::Machines;
use super::story::Story;
use super::web::Web;
use super::{Folders, files};
use crate::cli::failure::shown;
use crate::cli::{Failure, Global};
use crate::model::{Bytes, Event, RunReport};

mod online;

/// One step of the story.
type Step<'a> = fn(&mut Demo<'a>) -> Result<(), Failure>;

/// A demonstration under way.
pub struct Demo<'a> {
    global: &'a Global,
    folders: &'a Folders,
    machines: &'a Machines,
    story: &'a mut Story,
    commands: Commands,
    /// What did not hold.
    pub problems: Vec<String>,
    /// Problems that an ordinary user cannot but have.
    excused: usize,
}

impl<'a> Demo<'a> {
    pub fn new(
        global: &'a Global,
        folders: &'a Folders,
        machines: &'a Machines,
        story: &'a mut Story,
    ) -> Self {
        let commands = Commands::new(&folders.site, &folders.logs);
        Self { global, folders, machines, story, commands, problems: Vec::new(), excused: 0 }
    }

    /// Everything, in order, until `is_stopped`.
    pub fn tell_all(&mut self, is_stopped: &dyn Fn() -> bool) -> Result<(), Failure> {
        self.make()?;
        let before = self.fingerprint()?;
        let steps: [Step<'a>; 10] = [
            Self::check,
            Self::plan,
            Self::capture,
            Self::again,
            Self::verify,
            Self::restore,
            Self::compare,
            Self::gate,
            Self::activate,
            Self::publish,
        ];
        for step in steps {
            if is_stopped() {
                return Ok(());
            }
            step(self)?;
        }
        if self.fingerprint()? != before {
            self.problems.push("something was written at the sources".into());
        }
        Ok(())
    }

    /// What agents of this site are called by.
    pub fn site_id(&self) -> String {
        let site = Global { site: self.folders.site.clone(), ..self.global.clone() };
        let ledger = site.open_read_only().and_then(|reading| Ok(reading.ledger.site()?));
        ledger.map(|id| id.to_string()).unwrap_or_default()
    }

    fn fingerprint(&self) -> Result<blake3::Hash, Failure> {
        fingerprint(&self.folders.sources)
            .map_err(|error| Failure::io("look through", &self.folders.sources, &error))
    }

    /// Notes what should not be.
    fn expect(&mut self, holds: bool, otherwise: impl Into<String>) {
        if !holds {
            self.problems.push(otherwise.into());
        }
    }

    fn make(&mut self) -> Result<(), Failure> {
        let Folders { root, sources, site, target, .. } = self.folders;
        let made =
            files::make(sources).map_err(|error| Failure::io("make files in", sources, &error))?;
        let ports = self.machines.ports();
        let write = |name: &str, text: String| {
            let file = site.join(name);
            fs::write(&file, text).map_err(|error| Failure::io("write", &file, &error))
        };
        write("evac.toml", fleet::settings(self.global.now(), ports[HOSTS.len()]))?;
        let web_port = Web::start(sources, target)?;
        write("inventory.toml", fleet::inventory(&ports, sources, target, web_port))?;
        self.story.figure("source_bytes", made.bytes.0);
        self.story.figure("source_files", made.files);
        let mut lines = vec![
            format!(
                "{}: {} customers on {} hosts, {} files, {}.",
                fleet::COMPANY,
                fleet::CUSTOMERS.len(),
                HOSTS.len(),
                made.files,
                made.bytes
            ),
            format!(
                "The hosts are SSH servers in this process; the files are real, in {}.",
                shown(root)
            ),
        ];
        if !made.left_out.is_empty() {
            let left_out: Vec<&str> = made.left_out.into_iter().collect();
            lines.push(format!("Not possible for this user here: {}.", left_out.join(", ")));
        }
        self.story.tell("made", &lines)
    }

    fn check(&mut self) -> Result<(), Failure> {
        let found: Value = self.commands.one(&["check"])?;
        let count = found["problems"].as_array().map_or(0, Vec::len);
        self.expect(count == 0, format!("check found {count} problems"));
        let workloads = fleet::workload_count();
        self.story.tell(
            "check",
            &[format!("{count} mistakes in settings and inventory; {workloads} workloads.")],
        )
    }

    fn plan(&mut self) -> Result<(), Failure> {
        let plan: Value = self.commands.one(&["plan", "--name", "demo"])?;
        let complete = plan["customers_complete"]["low"].as_u64().unwrap_or(0);
        let first = plan["workloads"][0]["id"].as_str().unwrap_or("nothing").to_owned();
        self.expect(complete == fleet::CUSTOMERS.len() as u64, "the plan leaves somebody behind");
        self.story.tell(
            "plan",
            &[format!(
                "The window shuts in 6 h: {complete} of {} customers make it. First: {first}.",
                fleet::CUSTOMERS.len()
            )],
        )
    }

    /// The run, with one connection cut under way; evac must get over it by itself.
    fn capture(&mut self) -> Result<(), Failure> {
        let index = HOSTS.iter().position(|host| host.id == fleet::CUT);
        let host = self.machines.host(index.expect("the host to cut is one of the fleet"));
        host.cut_after(AFTER.0);
        let mut cut = Cut::default();
        let report = self.run(&mut |event| cut.note(event, host.sent_bytes()))?;
        self.tell_run(&report)?;
        self.tell_cut(&cut)
    }

    fn run(&mut self, see: &mut dyn FnMut(&Event)) -> Result<RunReport, Failure> {
        let mut report = None;
        self.commands.each(&["run", "plans/demo.toml"], &mut |event: Event| {
            see(&event);
            if let Event::Report(totals) = event {
                report = Some(totals);
            }
        })?;
        report.ok_or_else(|| Failure::internal("the run ended without a report"))
    }

    fn tell_run(&mut self, report: &RunReport) -> Result<(), Failure> {
        let wanted = fleet::workload_count() as u64;
        self.expect(report.captured == wanted, format!("captured {}", report.captured));
        let odd = report.fuzzy + report.vanished;
        self.expect(odd == 0, format!("{odd} files changed or vanished, and nobody touched them"));
        let store = self.folders.site.join("state/store");
        let on_disk =
            size_of(&store).map_err(|error| Failure::io("look through", &store, &error))?;
        let RunReport { captured, read_bytes, sent_bytes, reused_bytes, elapsed_s, .. } = report;
        for (name, bytes) in [
            ("read_bytes", *read_bytes),
            ("sent_bytes", *sent_bytes),
            ("reused_bytes", *reused_bytes),
            ("store_bytes", on_disk),
        ] {
            self.story.figure(name, bytes.0);
        }
        self.story.tell(
            "run",
            &[
                format!("{captured} of {wanted} workloads captured in {elapsed_s:.1} s:"),
                format!(
                    "{read_bytes} read, {sent_bytes} sent over SSH, {on_disk} on the disk here."
                ),
                format!("{reused_bytes} did not cross: the same was here, mostly of another host."),
            ],
        )
    }

    fn tell_cut(&mut self, cut: &Cut) -> Result<(), Failure> {
        match cut.judge() {
            Ok(lines) => self.story.tell("cut", &lines),
            Err(problem) => {
                self.problems.push(problem);
                Ok(())
            }
        }
    }

    /// Finished work is not done twice.
    fn again(&mut self) -> Result<(), Failure> {
        let report = self.run(&mut |_| {})?;
        let (sent, opened) = (report.sent_bytes, report.opened_files);
        self.expect(sent.0 + opened == 0, format!("the second run sent {sent}, opened {opened}"));
        self.story.tell(
            "run again",
            &[format!("{sent} sent, {opened} files opened: finished work is not done twice.")],
        )
    }

    fn verify(&mut self) -> Result<(), Failure> {
        let found: Value = self.commands.one(&["verify", "--deep"])?;
        let bad = found["bad"].as_array().map_or(0, Vec::len);
        let chunks = found["checked_chunks"].as_u64().unwrap_or(0);
        let bytes = Bytes(found["checked_bytes"].as_u64().unwrap_or(0));
        self.expect(bad == 0, format!("verify found {bad} places with damage"));
        self.expect(chunks > 0, "verify checked nothing");
        self.story.tell(
            "verify",
            &[format!("{chunks} chunks, {bytes}, read back from the store and hashed: {bad} bad.")],
        )
    }

    fn restore(&mut self) -> Result<(), Failure> {
        let words = |has_target: bool| -> Vec<String> {
            let hosts = HOSTS.iter().filter(|host| host.has_target == has_target);
            hosts.map(|host| format!("host/{}", host.id)).collect()
        };
        let (placed, looked_at) = (words(true), words(false));
        let look = shown(&self.folders.look);
        let mut onto: Vec<&str> = vec!["restore"];
        onto.extend(placed.iter().map(String::as_str));
        let onto = self.restored(&onto)?;
        let mut into: Vec<&str> = vec!["restore", "--to", &look];
        into.extend(looked_at.iter().map(String::as_str));
        let into = self.restored(&into)?;
        let mut lines = vec![
            format!("{onto}, over SSH onto {}, the new machine.", fleet::TARGET),
            format!("{into}, into a folder to look at: no machine for them yet."),
        ];
        if self.excused > 0 {
            lines.push(
                "Folders above these are root's, and you are not: evac lists each, and says".into(),
            );
            lines.push("in status and on the page that somebody has to look.".into());
        }
        self.story.tell("restore", &lines)
    }

    fn restored(&mut self, arguments: &[&str]) -> Result<String, Failure> {
        let (mut workloads, mut entries, mut bytes) = (0, 0, Bytes::ZERO);
        let mut problems = Vec::new();
        let code = self.commands.run(arguments, &mut |line: Value| {
            // Events of the same command carry no document's number.
            if line["schema"].is_null() {
                return;
            }
            workloads += 1;
            entries += line["entries"].as_u64().unwrap_or(0);
            bytes += Bytes(line["bytes"].as_u64().unwrap_or(0));
            problems.extend(line["problems"].as_array().into_iter().flatten().cloned());
        })?;
        let all = problems.len();
        problems.retain(|problem| !self.is_excused(problem));
        self.excused += all - problems.len();
        if code > 1 || (code == 1 && !problems.is_empty()) {
            return Err(self.commands.failed(arguments));
        }
        Ok(format!("{workloads} workloads, {entries} names, {bytes}"))
    }

    /// The folders above the demonstration's own belong to root; an ordinary user cannot restore
    /// that. evac says so, and is right.
    fn is_excused(&self, problem: &Value) -> bool {
        let path = Path::new(problem[0].as_str().unwrap_or_default());
        let is_owner = problem[1].as_str().is_some_and(|why| why.starts_with("owner "));
        let is_above = self.folders.root.starts_with(path) && path != self.folders.root;
        is_owner && is_above && !rustix::process::geteuid().is_root()
    }

    /// Every restored byte, by somebody who knows nothing of evac.
    fn compare(&mut self) -> Result<(), Failure> {
        let mut comparison = Comparison::default();
        for host in &HOSTS {
            for workload in host.workloads() {
                let source = self.folders.sources.join(host.id).join(&workload.path);
                let place = if host.has_target { &self.folders.target } else { &self.folders.look };
                let inside = source.strip_prefix("/").unwrap_or(&source);
                comparison.add(&source, &place.join(&workload.id).join(inside));
            }
        }
        let Comparison { entries, bytes, differences, difference_count } = comparison;
        self.story.figure("compared_bytes", bytes.0);
        self.expect(entries > 0 && bytes.0 > 0, "nothing was compared");
        self.problems.extend(differences);
        self.story.tell(
            "compare",
            &[
                format!("{entries} names and {bytes} of content with the sources, one by one:"),
                format!(
                    "{difference_count} differences in bytes, owners, modes, times, links, xattrs."
                ),
            ],
        )
    }

    /// The page, on which nobody is named, and the one on hold is not even counted.
    fn publish(&mut self) -> Result<(), Failure> {
        let _: Value = self.commands.one(&["publish"])?;
        let folder = self.folders.site.join("state/status");
        let (pages, text) =
            read_all(&folder).map_err(|error| Failure::io("read the page in", &folder, &error))?;
        self.expect(pages > 0, "there is no page");
        let text = text.to_lowercase();
        for word in fleet::unspoken() {
            let said = text.contains(&word.to_lowercase());
            self.expect(!said, format!("the public page says \"{word}\""));
        }
        let counted = fleet::CUSTOMERS.len() - 1;
        let online = self.online();
        let headline = match online {
            0 => format!("of {counted} customers copied"),
            _ => format!("{online} of {counted} customers online"),
        };
        let says = text.contains(&headline);
        self.expect(says, format!("the public page does not count {counted} customers"));
        self.story.tell(
            "publish",
            &[
                format!("{pages} files for a web server elsewhere; {counted} customers, no names."),
                format!("{} is neither named nor counted on it.", fleet::HELD),
            ],
        )
    }
}

/// How many files a folder has, and all that is in them.
fn read_all(folder: &Path) -> std::io::Result<(u64, String)> {
    let (mut count, mut text) = (0, String::new());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if fs::metadata(&path)?.is_dir() {
            let (more, inside) = read_all(&path)?;
            count += more;
            text.push_str(&inside);
        } else {
            count += 1;
            text.push_str(&String::from_utf8_lossy(&fs::read(&path)?));
        }
    }
    Ok((count, text))
}

/// What the files of a folder take.
fn size_of(folder: &Path) -> std::io::Result<Bytes> {
    let mut bytes = Bytes::ZERO;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { size_of(&entry.path())? } else { Bytes(metadata.len()) };
    }
    Ok(bytes)
}
