//! `evac verify`: is everything that was taken still there, and what it was?

mod copy;
mod source;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::cli::args::VerifyArgs;
use crate::cli::site::Loaded;
use crate::cli::{Exit, Failure, Global, fleet, print};
use crate::ledger::snapshot::{SCHEMA, Snapshot};
use crate::ledger::{self, Ledger};
use crate::model::{Bytes, Event, PassNumber, WorkloadId};
use crate::store::verify::{Bad, BadKind, PassRef, VerifyProgress, VerifyReport, verify};
use crate::store::{PassName, RunEnd, Store, put_damaged, read_damaged};

/// Paths of one damage that are told one by one to people.
const PATHS_TOLD_MAX: usize = 20;

/// After "bad".
const FORMER: &str = " in former passes only";

/// The `verify` document.
#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    checked_chunks: u64,
    checked_bytes: Bytes,
    bad: &'a [&'a Bad],
    /// Damage that only former passes have, and was known before.
    former: &'a [&'a Bad],
}

/// Verifies what is stored of every pass, or of some workloads'.
pub fn run(global: &Global, args: &VerifyArgs) -> Result<Exit, Failure> {
    let loaded = global.load()?;
    if let Some(percent) = args.source {
        return source::run(global, &loaded, args, percent);
    }
    let writing = global.open_for_reading_back()?;
    let (_, snapshot) = fleet::look(&writing.ledger, &loaded, false, global.now())?;
    let chosen = chosen(&loaded, &snapshot, &args.what)?;
    if let Some(dest) = &args.mirror {
        return copy::run(global, &writing, (args, dest), &chosen);
    }
    let passes = passes(&writing.ledger, &chosen)?;
    let references: Vec<PassRef> = passes.iter().map(|known| known.reference.clone()).collect();
    let report = verify(&writing.store, &references, args.deep, &mut progress())?;
    list_damage(&writing.store, &report, args.deep)?;
    record(global, &writing.ledger, &passes, &report, args.deep)?;
    let (former, bad) = parted(&passes, &report.bad);
    tell(global, &report, &bad, &former)?;
    Ok(if bad.is_empty() { Exit::Done } else { Exit::Failed })
}

/// The workloads that `what` names; all of them without a word.
fn chosen(
    loaded: &Loaded,
    snapshot: &Snapshot,
    what: &[String],
) -> Result<BTreeSet<WorkloadId>, Failure> {
    Ok(if what.is_empty() {
        loaded.inventory.workloads().map(|workload| workload.id.clone()).collect()
    } else {
        loaded.select(what, snapshot)?.workloads.into_keys().collect()
    })
}

/// What former passes are known to have lost, and everything else. It was found before, a later
/// pass has the truth, and nobody has the old state any more: no check gets better by failing for
/// it for ever.
fn parted<'a>(passes: &[Known], bad: &'a [Bad]) -> (Vec<&'a Bad>, Vec<&'a Bad>) {
    let settled: BTreeSet<&PassName> = passes
        .iter()
        .filter(|known| known.is_former && known.bad_chunks > 0)
        .map(|known| &known.reference.name)
        .collect();
    let is_former =
        |bad: &&Bad| !bad.passes.is_empty() && bad.passes.iter().all(|pass| settled.contains(pass));
    bad.iter().partition(is_former)
}

/// What is bad inside packs is listed beside them: it counts as not there from now on, so a run
/// asks for it again. Only a deep look takes anything off that list.
pub(super) fn list_damage(store: &Store, report: &VerifyReport, deep: bool) -> Result<(), Failure> {
    let disk = &**store.disk();
    let listed = read_damaged(disk);
    let mut list = report.damaged.clone();
    list.extend(listed.iter().filter(|frame| !deep && !frame.is_footer()).cloned());
    if list.is_empty() && listed.is_empty() {
        return Ok(());
    }
    Ok(put_damaged(disk, list)?)
}

/// A pass that is verified.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// Which, with the runs its receipts vouch for.
    pub reference: PassRef,
    /// Is it sealed?
    pub is_sealed: bool,
    /// Is a later one sealed?
    pub is_former: bool,
    /// What is known to be bad of it.
    pub bad_chunks: u64,
}

/// Every pass of the chosen workloads. One that was given up (its manifest rotted, say) is of no
/// use to anybody once a later one is sealed: its damage must not be told of the workload, which
/// is whole.
pub(super) fn passes(
    ledger: &Ledger,
    chosen: &BTreeSet<WorkloadId>,
) -> Result<Vec<Known>, Failure> {
    let mut passes = Vec::new();
    for workload in chosen {
        let known = ledger.passes(workload)?;
        let sealed = known.iter().rposition(|pass| pass.sealed_at.is_some());
        let is_given_up = |(at, pass): &(usize, ledger::Pass)| {
            pass.sealed_at.is_none() && sealed.is_some_and(|sealed| *at < sealed)
        };
        for (at, pass) in known.into_iter().enumerate().filter(|pass| !is_given_up(pass)) {
            let name = PassName { workload: workload.clone(), pass: pass.number };
            let ends: Vec<RunEnd> = ledger
                .run_ends(workload, pass.number)?
                .into_iter()
                .map(|(run, end_bytes)| RunEnd { run, end_bytes })
                .collect();
            passes.push(Known {
                reference: PassRef { name, ends },
                is_sealed: pass.sealed_at.is_some(),
                is_former: sealed.is_some_and(|sealed| at < sealed),
                bad_chunks: pass.bad_chunks,
            });
        }
    }
    Ok(passes)
}

/// What was read back and matched may be called verified; what did not falls back.
pub(super) fn record(
    global: &Global,
    ledger: &Ledger,
    passes: &[Known],
    report: &VerifyReport,
    deep: bool,
) -> Result<(), Failure> {
    let mut bad: BTreeMap<&PassName, u64> = BTreeMap::new();
    let is_away = |damage: &&Bad| damage.kind == BadKind::DiskAway;
    // What is on a disk that is not there is neither damaged nor verified.
    let unseen: BTreeSet<&WorkloadId> =
        report.bad.iter().filter(is_away).flat_map(|damage| &damage.workloads).collect();
    for pass in report.bad.iter().filter(|damage| !is_away(damage)).flat_map(|d| &d.passes) {
        *bad.entry(pass).or_default() += 1;
    }
    for Known { reference, is_sealed, .. } in passes {
        let (workload, pass) = (reference.name.workload.clone(), reference.name.pass);
        let event = match bad.get(&reference.name) {
            Some(bad_chunks) => Event::VerifyFailed { workload, pass, bad_chunks: *bad_chunks },
            None if deep && *is_sealed && !unseen.contains(&workload) => {
                let checked_bytes = bytes_of(ledger, &workload, pass)?;
                Event::Verified { workload, pass, checked_bytes }
            }
            None => continue,
        };
        ledger.append(&event, &global.by)?;
    }
    Ok(())
}

fn bytes_of(ledger: &Ledger, workload: &WorkloadId, pass: PassNumber) -> Result<Bytes, Failure> {
    let passes = ledger.passes(workload)?;
    let found = passes.iter().find(|known| known.number == pass);
    Ok(found.map_or(Bytes::ZERO, |known| known.tally.raw_bytes))
}

/// A line for each tenth is enough for a log, and for a person who waits.
fn progress() -> impl FnMut(VerifyProgress) {
    let mut told = 0;
    move |progress| {
        let tenth = progress.done_frames * 10 / progress.frames.max(1);
        if tenth > told {
            told = tenth;
            let percent = tenth * 10;
            print::tell(&format!("verified {percent} %, {}", progress.checked_bytes));
        }
    }
}

fn tell(
    global: &Global,
    report: &VerifyReport,
    bad: &[&Bad],
    former: &[&Bad],
) -> Result<(), Failure> {
    if global.json {
        return print::document(&Document {
            schema: SCHEMA,
            checked_chunks: report.checked_chunks,
            checked_bytes: report.checked_bytes,
            bad,
            former,
        });
    }
    let all = bad.iter().map(|bad| (bad, "")).chain(former.iter().map(|bad| (bad, FORMER)));
    for (bad, of) in all {
        let kind = serde_json::to_value(bad.kind).ok();
        let kind = kind.as_ref().and_then(|kind| kind.as_str()).unwrap_or("damage");
        print::tell(&format!("bad{of}: {kind} in {}, {} paths", bad.place, bad.path_count));
        for path in bad.paths.iter().take(PATHS_TOLD_MAX) {
            print::tell(&format!("  {path}"));
        }
        let more = bad.path_count.saturating_sub(PATHS_TOLD_MAX as u64);
        if more > 0 {
            print::tell(&format!("  and {more} more; --json lists up to a thousand"));
        }
    }
    let (chunks, bytes) = (report.checked_chunks, report.checked_bytes);
    print::tell(&match bad.len() {
        0 if chunks == 0 => "nothing is stored of these yet: nothing was checked".to_owned(),
        0 => format!("{chunks} chunks, {bytes}: all is well"),
        count => format!("{chunks} chunks, {bytes}: {count} places with damage"),
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::PassDescription;
    use crate::ledger::snapshot::Consistency;
    use crate::model::{Domain, Tally};

    #[test]
    fn a_pass_that_was_given_up_counts_until_a_later_one_is_sealed() {
        let (ledger, workload) = (Ledger::in_memory().unwrap(), WorkloadId::new("w").unwrap());
        let description = PassDescription {
            workload: workload.clone(),
            customer: "acme".parse().unwrap(),
            host: "h".parse().unwrap(),
            domain: Domain([0; 8]),
            cutting: Vec::new(),
        };
        let begin = || ledger.begin_pass(&description, None, "jo").unwrap();
        let seal = |pass| {
            let tally = Tally::default();
            ledger.seal(&workload, pass, &tally, Consistency::Crash, "jo").unwrap();
        };
        let verified = || -> Vec<u32> {
            let passes = passes(&ledger, &BTreeSet::from([workload.clone()])).unwrap();
            passes.iter().map(|known| known.reference.name.pass.0).collect()
        };
        begin();
        let second = begin();
        assert_eq!(verified(), [1, 2]);
        seal(second);
        assert_eq!(verified(), [2]);
        begin();
        assert_eq!(verified(), [2, 3]);
    }
}
