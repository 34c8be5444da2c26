//! `evac survey`: ways in, kinds of machines, sizes, and data that nobody listed.
//!
//! It writes facts, so it works under the state's lock: beside a run it is refused.

mod text;

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::args::SurveyArgs;
use crate::cli::site::Loaded;
use crate::cli::{Exit, Failure, Global, engine, fleet, print};
use crate::inventory::what::Selection;
use crate::inventory::{Host, Target};
use crate::ledger::Ledger;
use crate::run::stop::{Phase, Stop};
use crate::run::survey::{News, Survey, Surveyor};

/// Looks at the hosts.
pub fn run(global: &Global, args: &SurveyArgs) -> Result<Exit, Failure> {
    let loaded = global.load()?;
    let lock = global.lock_state()?;
    let ledger = Arc::new(global.open_ledger(&lock)?);
    let selection = select(global, &loaded, &ledger, &args.what)?;
    let hosts = hosts(&loaded, &selection)?;
    let targets = targets(&loaded, args, &selection);
    let progress = Progress::start(hosts.len() + targets.len(), global.json);
    let stop = Stop::default();
    let surveyor = Surveyor {
        reach: Arc::new(engine::reach_as(ledger.site()?, global, &loaded)?),
        ledger,
        clock: global.clock.clone(),
        by: global.by.clone(),
        trust_new: args.trust_new,
        new_machine: args.new_machine,
        stop: stop.clone(),
        tell: progress.teller(),
    };
    let runtime = engine::runtime()?;
    runtime.spawn(stop.clone().listen(global.clock.clone()));
    let at_once = loaded.settings.limits.hosts as usize;
    let survey = runtime.block_on(surveyor.survey(&hosts, &targets, at_once));
    progress.finish();
    runtime.shutdown_background();
    drop(lock);
    if global.json {
        print::document(&survey)?;
    } else {
        print::result(&text::survey(&survey, print::style()))?;
    }
    Ok(exit(&survey, stop.phase()))
}

fn exit(survey: &Survey, phase: Phase) -> Exit {
    match phase {
        Phase::Stopping => Exit::Interrupted,
        Phase::Draining => Exit::Stopped,
        Phase::Running if survey.is_clean() => Exit::Done,
        Phase::Running => Exit::Failed,
    }
}

fn select(
    global: &Global,
    loaded: &Loaded,
    ledger: &Ledger,
    what: &[String],
) -> Result<Selection, Failure> {
    let (_, snapshot) = fleet::look(ledger, loaded, false, global.now())?;
    loaded.select(what, &snapshot)
}

/// Hosts that something is taken from; the others are only ways to them.
fn hosts(loaded: &Loaded, selection: &Selection) -> Result<Vec<Host>, Failure> {
    let wanted = |host: &&Host| host.capture && selection.hosts.contains(&host.id);
    let hosts: Vec<Host> = loaded.inventory.hosts.iter().filter(wanted).cloned().collect();
    if hosts.is_empty() {
        let hint = "Hosts with `capture = false` are ways to others and are not looked at.";
        return Err(Failure::usage("there is no host to survey among these").hint(hint));
    }
    Ok(hosts)
}

/// Where the selected workloads go; dialled only to pin their keys.
fn targets(loaded: &Loaded, args: &SurveyArgs, selection: &Selection) -> Vec<Target> {
    let is_meant = |target: &&Target| {
        let goes_there = |id| {
            let workload = loaded.inventory.workload(id);
            workload.is_some_and(|workload| workload.target.as_ref() == Some(&target.id))
        };
        args.what.is_empty() || selection.workloads.keys().any(goes_there)
    };
    let targets = loaded.inventory.targets.iter().filter(|_| args.trust_new);
    targets.filter(is_meant).cloned().collect()
}

/// How far it is, on stderr: a bar for people, a line a machine where there is no terminal.
struct Progress {
    bar: Option<ProgressBar>,
    is_quiet: bool,
}

impl Progress {
    fn start(machines: usize, is_quiet: bool) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(machines as u64);
            let style =
                ProgressStyle::with_template("{bar:24} {pos} of {len} looked at  {elapsed}");
            if let Ok(style) = style {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        });
        Self { bar, is_quiet }
    }

    fn teller(&self) -> Arc<dyn Fn(&News) + Send + Sync> {
        let (bar, is_quiet) = (self.bar.clone(), self.is_quiet);
        Arc::new(move |news| {
            let line = text::line(news);
            match (&bar, news) {
                (Some(bar), News::Pinned(_)) => bar.suspend(|| print::tell(&line)),
                // What came of it is told at the end, by cause.
                (Some(bar), _) => bar.inc(1),
                (None, News::Pinned(_)) => print::tell(&line),
                (None, _) if is_quiet => {}
                (None, _) => print::tell(&line),
            }
        })
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
