//! `evac verify --source PERCENT`: is what was taken what the living sources have?

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::{Known, chosen, passes};
use crate::cli::args::VerifyArgs;
use crate::cli::site::Loaded;
use crate::cli::{Exit, Failure, Global, engine, fleet, print};
use crate::inventory::Host;
use crate::ledger::snapshot::SCHEMA;
use crate::model::{Bytes, HostId, Reason};
use crate::run::compare::{Comparer, Found, News, Picking};
use crate::run::stop::{Phase, Stop};
use crate::run::talk::TalkError;
use crate::store::PassName;
use crate::store::verify::BadPath;
use crate::wire::compare::Verdict;

/// Paths that are told one by one to people.
const TOLD_MAX: usize = 20;
/// Paths of a kind in the document; all are counted.
const LISTED_MAX: usize = 1_000;

/// The `verify --source` document.
#[derive(Default, Serialize)]
struct Document {
    schema: u32,
    percent: f64,
    seed: u64,
    /// Files that were picked and asked for.
    files: u64,
    checked_bytes: Bytes,
    same: u64,
    /// They look different by now: changed since.
    changed: u64,
    gone: u64,
    unreadable: u64,
    wrong_count: u64,
    /// They look the same, and are not what was taken.
    wrong: Vec<BadPath>,
    /// Hosts that could not be asked.
    failed: Vec<FailedHost>,
    stopped: bool,
}

#[derive(Serialize)]
struct FailedHost {
    host: HostId,
    reason: Reason,
    detail: String,
}

/// Asks the agents of the sources.
pub fn run(
    global: &Global,
    loaded: &Loaded,
    args: &VerifyArgs,
    percent: f64,
) -> Result<Exit, Failure> {
    let lock = global.lock_state()?;
    let ledger = Arc::new(global.open_ledger(&lock)?);
    let (_, snapshot) = fleet::look(&ledger, loaded, false, global.now())?;
    let known = passes(&ledger, &chosen(loaded, &snapshot, &args.what)?)?;
    let Some((store, _)) = global.open_store_read_only()? else {
        return Err(Failure::usage("nothing is stored yet").hint("`evac run` takes it."));
    };
    let picking = Picking { seed: args.seed.map_or_else(seed, Ok)?, percent };
    let document = Document { schema: SCHEMA, percent, seed: picking.seed, ..Document::default() };
    let document = Arc::new(Mutex::new(document));
    let (stop, noting) = (Stop::default(), document.clone());
    let comparer = Comparer {
        reach: Arc::new(engine::reach_as(ledger.site()?, global, loaded)?),
        ledger,
        store,
        picking,
        stop: stop.clone(),
        tell: Arc::new(move |news| {
            noting.lock().unwrap_or_else(PoisonError::into_inner).take(news);
        }),
    };
    let runtime = engine::runtime()?;
    runtime.spawn(stop.clone().listen(global.clock.clone()));
    let at_once = loaded.settings.limits.hosts as usize;
    runtime.block_on(comparer.compare(work(loaded, known), at_once));
    runtime.shutdown_background();
    drop(lock);
    let mut document = document.lock().unwrap_or_else(PoisonError::into_inner);
    document.stopped = stop.phase() > Phase::Running;
    document.wrong.sort();
    tell(global, &document)?;
    let is_well = document.wrong_count == 0 && document.failed.is_empty();
    Ok(match (document.stopped, is_well) {
        (true, _) => Exit::Stopped,
        (false, true) => Exit::Done,
        (false, false) => Exit::Failed,
    })
}

/// The newest sealed pass of each workload, by the host it is of.
fn work(loaded: &Loaded, known: Vec<Known>) -> Vec<(Host, Vec<PassName>)> {
    let mut of_host: BTreeMap<HostId, Vec<PassName>> = BTreeMap::new();
    for Known { reference, is_sealed, is_former, .. } in known {
        let workload = loaded.inventory.workload(&reference.name.workload);
        if let Some(workload) = workload.filter(|_| is_sealed && !is_former) {
            of_host.entry(workload.host.clone()).or_default().push(reference.name);
        }
    }
    let host = |(id, passes)| Some((loaded.inventory.host(&id)?.clone(), passes));
    of_host.into_iter().filter_map(host).collect()
}

/// Short enough to be typed again, and exact in every reader of JSON.
fn seed() -> Result<u64, Failure> {
    let number = getrandom::u32().map_err(|error| {
        Failure::failed("the system gives no random numbers").because(&std::io::Error::other(error))
    })?;
    Ok(number.into())
}

impl Document {
    fn take(&mut self, news: News) {
        match news {
            News::Failed(host, TalkError { reason, detail }) => {
                self.failed.push(FailedHost { host, reason, detail });
            }
            News::File(Found { workload, path, bytes, verdict }) => {
                self.files += 1;
                self.checked_bytes += Bytes(bytes);
                match verdict {
                    Verdict::Same => self.same += 1,
                    Verdict::Changed => self.changed += 1,
                    Verdict::Gone => self.gone += 1,
                    Verdict::Unreadable => self.unreadable += 1,
                    Verdict::Wrong(_) => {
                        self.wrong_count += 1;
                        if self.wrong.len() < LISTED_MAX {
                            self.wrong.push(BadPath { workload, path });
                        }
                    }
                }
            }
        }
    }
}

fn tell(global: &Global, document: &Document) -> Result<(), Failure> {
    if global.json {
        return print::document(document);
    }
    for FailedHost { host, reason, detail } in &document.failed {
        print::tell(&format!("{host}: {}: {detail}", reason.word()));
        print::tell(&format!("hint: {}", reason.hint()));
    }
    for path in document.wrong.iter().take(TOLD_MAX) {
        print::tell(&format!("wrong: {path} looks as it did, and is not what was taken"));
    }
    if document.wrong_count > 0 {
        print::tell(
            "hint: A disk or memory, here or there, is not to be trusted; look at dmesg on both. \
             With `recheck = \"always\"` at the workload, `evac run --again` reads all of it anew.",
        );
    }
    let Document { files, checked_bytes, same, changed, gone, wrong_count, .. } = document;
    let Document { unreadable, seed, percent, .. } = document;
    print::tell(&format!(
        "{files} files picked ({percent} %, --seed {seed}), {checked_bytes} hashed over there: \
         {same} the same, {changed} changed since, {gone} gone, {unreadable} unreadable, \
         {wrong_count} wrong"
    ));
    Ok(())
}
