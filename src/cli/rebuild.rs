//! `evac ledger rebuild`: a new ledger from what the store says of itself (promise 10).
//!
//! **Promises.** It changes nothing that is stored, replaces no ledger, and appears whole or not at
//! all. What it cannot read is named and left as it is; the rest comes back. The new ledger is
//! unconfirmed: what only the old one knew (restores, notes, verifications) is gone, so somebody
//! has to look before anything is activated or pushed.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use crate::capture::Cursor;
use crate::cli::failure::{Exit, Failure, shown};
use crate::cli::site::{Global, Loaded};
use crate::cli::{print, verify};
use crate::inventory::Inventory;
use crate::ledger::snapshot::{Consistency, SCHEMA};
use crate::ledger::{Ledger, LeftOut, PassDescription, RebuiltPass, Receipt, Sealing};
use crate::model::{Bytes, CustomerId, RunNumber, SiteId, TreePath};
use crate::store::verify::{PassRef, verify as verify_passes};
use crate::store::{
    Pass, PassSeal, ProvenRun, ProvenSegment, RunEnd, Store, list_passes, read_aside, read_site,
};

/// What is told one by one to people.
const TOLD_MAX: usize = 20;

/// The `ledger rebuild` document.
#[derive(Serialize)]
struct Document {
    schema: u32,
    ledger: String,
    passes: u64,
    sealed: u64,
    partial: u64,
    /// Content that the passes name.
    bytes: Bytes,
    /// Are agents on the sources still known as this site's?
    site_kept: bool,
    /// Places with damage; `verify` names them.
    damaged: u64,
    set_aside: Vec<SetAside>,
    /// Always false: `ledger confirm` is still to come.
    confirmed: bool,
}

/// A pass that did not come back.
#[derive(Serialize)]
struct SetAside {
    workload: String,
    pass: u32,
    why: String,
    hint: &'static str,
}

/// Makes a new ledger where there is none.
pub fn run(global: &Global) -> Result<Exit, Failure> {
    let loaded = global.load()?;
    let lock = global.lock_state()?;
    refuse_to_replace(global)?;
    let store = global.open_store(&lock)?.ok_or_else(|| {
        let what = format!("nothing was ever stored in {}", shown(&global.store_path()));
        Failure::usage(what).hint("Nothing is lost then: `evac run` begins a ledger.")
    })?;
    let site = site_of(&store);
    let (passes, set_aside) = read_passes(&store, &loaded.inventory)?;
    let ledger = Ledger::in_memory()?.with_clock(Arc::clone(&global.clock));
    ledger.rebuild_from(site, passes.clone())?;
    let damaged = note_damage(global, &loaded, &store, &ledger)?;
    // One file that appears at once: half a ledger would claim that the rest was never done.
    ledger.backup_to(&global.ledger_path())?;
    drop(lock);
    let document = document(global, &passes, set_aside, (site.is_some(), damaged));
    tell(global, &document)?;
    let is_whole = document.set_aside.is_empty() && damaged == 0;
    Ok(if is_whole { Exit::Done } else { Exit::Failed })
}

/// A ledger that is there knows more than any rebuilt one; so may the log beside a lost one.
fn refuse_to_replace(global: &Global) -> Result<(), Failure> {
    let ledger = global.ledger_path();
    for suffix in ["", "-wal", "-journal"] {
        let mut path = ledger.clone().into_os_string();
        path.push(suffix);
        let path = PathBuf::from(path);
        // A file of no bytes knows nothing.
        let is_empty = path.symlink_metadata().is_ok_and(|it| it.is_file() && it.len() == 0);
        if path.symlink_metadata().is_ok() && !is_empty {
            let what = format!("{} exists", shown(&path));
            return Err(Failure::refused(what).hint(
                "Move it away first, and keep it: it knows more than a rebuilt ledger will.",
            ));
        }
    }
    Ok(())
}

/// The site's id from the store; without it agents get new folders on the sources.
fn site_of(store: &Store) -> Option<SiteId> {
    let site = read_site(&**store.disk());
    if let Err(error) = &site {
        print::tell(&format!("warning: {}", crate::run::explain(error)));
    }
    site.ok().flatten()
}

/// Every pass that can be read and belongs to somebody; and the others.
fn read_passes(
    store: &Store,
    inventory: &Inventory,
) -> Result<(Vec<RebuiltPass>, Vec<SetAside>), Failure> {
    let (mut passes, mut set_aside) = (Vec::new(), Vec::new());
    for name in list_passes(&**store.disk())? {
        let mut leave = |why: String, hint| {
            let (workload, pass) = (name.workload.to_string(), name.pass.0);
            set_aside.push(SetAside { workload, pass, why, hint });
        };
        let Some(workload) = inventory.workload(&name.workload) else {
            leave(
                "no workload of that name is in the inventory, so nobody knows whose it is".into(),
                "Put its entry back, move the new ledger away, and rebuild again.",
            );
            continue;
        };
        let rebuilt = Pass::open(store.disk(), &name).and_then(|pass| {
            let proven = pass.proven(store)?;
            let set_aside = read_aside(&**store.disk(), &name)?;
            let rebuilt = rebuilt(&pass, workload.customer.clone(), &proven);
            Ok(RebuiltPass { set_aside, ..rebuilt })
        });
        match rebuilt {
            Ok(pass) => passes.push(pass),
            Err(error) => leave(
                crate::run::explain(&error),
                "It stays as it is; the next run takes that workload again, and sends only what \
                 the store does not have.",
            ),
        }
    }
    Ok((passes, set_aside))
}

fn rebuilt(pass: &Pass, customer: CustomerId, proven: &[ProvenRun]) -> RebuiltPass {
    let head = pass.head();
    let cutting = postcard::to_stdvec(&head.cutting).expect("a cutting is a few numbers");
    let description = PassDescription {
        workload: head.workload.clone(),
        customer,
        host: head.host.clone(),
        domain: head.domain,
        cutting,
    };
    let receipts = match pass.seal() {
        Some(seal) => whole_runs(pass, seal, proven),
        None => proven.iter().flat_map(|run| segments(pass, run)).collect(),
    };
    RebuiltPass {
        description,
        number: head.pass,
        started_at: head.started_at,
        sealed: pass.seal().map(sealing),
        set_aside: None,
        run: pass.runs().map(|end| end.run).max().unwrap_or_default(),
        receipts,
    }
}

/// What a run writes when it seals.
fn sealing(seal: &PassSeal) -> Sealing {
    let fuzzy = seal.tally.fuzzy > 0;
    Sealing {
        at: seal.sealed_at,
        tally: seal.tally,
        consistency: if fuzzy { Consistency::Fuzzy } else { Consistency::Crash },
    }
}

/// A seal vouches for whole runs: damage since then is `verify`'s to name, not to be forgotten.
fn whole_runs(pass: &Pass, seal: &PassSeal, proven: &[ProvenRun]) -> Vec<Receipt> {
    let of = |run: RunNumber| proven.iter().find(move |proven| proven.run == run);
    let receipt = |end: &RunEnd| {
        let left_out = of(end.run).into_iter().flat_map(|run| &run.segments);
        let left_out = left_out.flat_map(|segment| &segment.left_out);
        Receipt {
            workload: pass.name().workload.clone(),
            pass: pass.name().pass,
            run: end.run,
            segment: 0,
            manifest_end: end.end_bytes,
            cursor: Cursor { path: TreePath::root(), within: None },
            tally: of(end.run).map(ProvenRun::tally).unwrap_or_default(),
            left_out: left_out.map(listed).collect(),
        }
    };
    seal.runs.iter().map(receipt).collect()
}

fn segments(pass: &Pass, run: &ProvenRun) -> Vec<Receipt> {
    let receipt = |segment: &ProvenSegment| Receipt {
        workload: pass.name().workload.clone(),
        pass: pass.name().pass,
        run: run.run,
        segment: segment.head.number.into(),
        manifest_end: segment.end_bytes,
        cursor: segment
            .head
            .cursor
            .clone()
            .unwrap_or_else(|| Cursor { path: TreePath::root(), within: None }),
        tally: segment.head.tally,
        left_out: segment.left_out.iter().map(listed).collect(),
    };
    run.segments.iter().map(receipt).collect()
}

fn listed((path, why): &(TreePath, String)) -> LeftOut {
    LeftOut { path: path.clone(), why: why.clone() }
}

/// What is not there any more must not be called captured (promise 6); counts places with damage.
fn note_damage(
    global: &Global,
    loaded: &Loaded,
    store: &Store,
    ledger: &Ledger,
) -> Result<u64, Failure> {
    let chosen = loaded.inventory.workloads().map(|workload| workload.id.clone()).collect();
    let passes = verify::passes(ledger, &chosen)?;
    let references: Vec<PassRef> = passes.iter().map(|known| known.reference.clone()).collect();
    let report = verify_passes(store, &references, false, &mut |_| {})?;
    verify::record(global, ledger, &passes, &report, false)?;
    Ok(report.bad.len() as u64)
}

fn document(
    global: &Global,
    passes: &[RebuiltPass],
    set_aside: Vec<SetAside>,
    (site_kept, damaged): (bool, u64),
) -> Document {
    let sealed = passes.iter().filter(|pass| pass.sealed.is_some()).count() as u64;
    let bytes = |pass: &RebuiltPass| match &pass.sealed {
        Some(sealing) => sealing.tally.raw_bytes,
        None => pass.receipts.iter().map(|receipt| receipt.tally.raw_bytes).sum(),
    };
    Document {
        schema: SCHEMA,
        ledger: shown(&global.ledger_path()),
        passes: passes.len() as u64,
        sealed,
        partial: passes.len() as u64 - sealed,
        bytes: passes.iter().map(bytes).sum(),
        site_kept,
        damaged,
        set_aside,
        confirmed: false,
    }
}

fn tell(global: &Global, document: &Document) -> Result<(), Failure> {
    if global.json {
        return print::document(document);
    }
    print::tell(&format!(
        "{} is made anew: {} passes, {} sealed and {} partial, {} of content.",
        document.ledger, document.passes, document.sealed, document.partial, document.bytes
    ));
    for aside in document.set_aside.iter().take(TOLD_MAX) {
        let SetAside { workload, pass, why, hint } = aside;
        print::tell(&format!("set aside: workload/{workload}, pass {pass}: {why}"));
        print::tell(&format!("hint: {hint}"));
    }
    if document.set_aside.len() > TOLD_MAX {
        let more = document.set_aside.len() - TOLD_MAX;
        print::tell(&format!("and {more} more; --json lists all"));
    }
    if !document.site_kept {
        print::tell(
            "warning: the store does not say which site it is; agents that still run on sources \
             end by themselves within a minute.",
        );
    }
    if document.damaged > 0 {
        let places = document.damaged;
        print::tell(&format!(
            "{places} places in the store are damaged; `evac verify` names them."
        ));
    }
    print::tell(
        "What only the old ledger knew is gone: restores, notes, verifications. Nothing is \
         activated or pushed before `evac ledger confirm`; look at `evac status` first.",
    );
    Ok(())
}
