//! What is done about damage when a run begins and when it ends.
//!
//! First without the sources: packs come back from a mirror, and what is whole by that is said to
//! be. What is still missing then is asked of the sources by the run ([`crate::run::heal`]).
//!
//! **Promise.** A run over a store without damage does not read its manifests for this.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::cli::site::{Loaded, Writing};
use crate::cli::verify::{Known, passes};
use crate::cli::{Failure, Global, mirror, print};
use crate::ledger::Ledger;
use crate::model::{Bytes, Event, WorkloadId};
use crate::run::heal::{DamagedPass, Ward};
use crate::store::verify::missing;
use crate::store::{Store, read_damaged};

/// Mends what can be mended here; gives what is lost all the same.
pub fn prepare(
    global: &Global,
    loaded: &Loaded,
    mut writing: Writing,
) -> Result<(Writing, Ward), Failure> {
    let known = known(&writing.ledger, loaded)?;
    let is_damaged = known.iter().any(|known| known.bad_chunks > 0);
    let disk = writing.store.disk();
    let has_bad_end = read_damaged(&**disk).iter().any(|frame| frame.is_footer());
    if !is_damaged && writing.store.lost_count() == 0 && !has_bad_end {
        return Ok((writing, Ward::default()));
    }
    let mended = writing.store.mend(&mirror::twins(&writing.ledger)?)?;
    if mended.packs > 0 {
        let packs = print::counted(mended.packs as usize, "pack");
        print::tell(&format!("{packs} mended without the sources, {}", mended.bytes));
        writing = reopened(writing)?;
    }
    let ward = admit(global, &writing, &known)?;
    let count = ward.damaged().count();
    if count > 0 {
        let passes = if count == 1 { "1 pass is".into() } else { format!("{count} passes are") };
        print::tell(&format!("{passes} damaged; what is missing is asked of the sources"));
    }
    Ok((writing, ward))
}

/// The store is opened again after something of it was put in order.
fn reopened(writing: Writing) -> Result<Writing, Failure> {
    let Writing { ledger, keys, disk, store, writer, lock } = writing;
    drop((store, writer));
    let (store, writer, _) = Store::open(Arc::clone(&disk), Arc::clone(&keys))?;
    Ok(Writing { ledger, keys, disk, store, writer: Some(writer), lock })
}

/// Passes of every workload, the newest of each first.
fn known(ledger: &Ledger, loaded: &Loaded) -> Result<Vec<Known>, Failure> {
    let all: BTreeSet<WorkloadId> =
        loaded.inventory.workloads().map(|workload| workload.id.clone()).collect();
    let mut known = passes(ledger, &all)?;
    known.reverse();
    Ok(known)
}

/// Looks what every pass lacks. The ledger hears of what it did not know.
fn admit(global: &Global, writing: &Writing, known: &[Known]) -> Result<Ward, Failure> {
    let (mut ward, mut seen) = (Ward::default(), BTreeSet::new());
    for Known { reference, is_sealed, is_former, bad_chunks } in known {
        let (workload, pass) = (&reference.name.workload, reference.name.pass);
        let mut lost: u64 = 0;
        let is_read = missing(&writing.store, reference, &mut |missing| {
            lost += 1;
            ward.note(workload, &missing);
        })?;
        let is_whole = is_read && lost == 0;
        if is_whole && *bad_chunks > 0 {
            healed(global, &writing.ledger, reference)?;
        }
        if !is_whole && *bad_chunks == 0 {
            let (workload, bad_chunks) = (workload.clone(), lost.max(1));
            let event = Event::VerifyFailed { workload, pass, bad_chunks };
            writing.ledger.append(&event, &global.by)?;
        }
        if lost > 0 {
            let is_current = *is_sealed && !is_former;
            ward.admit(DamagedPass { pass: reference.clone(), is_current });
        }
        if seen.insert(workload) && *is_sealed {
            ward.be_content_with(workload.clone());
        }
    }
    Ok(ward)
}

fn healed(
    global: &Global,
    ledger: &Ledger,
    pass: &crate::store::verify::PassRef,
) -> Result<(), Failure> {
    let (workload, pass) = (pass.name.workload.clone(), pass.name.pass);
    let event = Event::Healed { workload, pass, chunks: 0, bytes: Bytes::ZERO };
    ledger.append(&event, &global.by)?;
    if let Some(line) = crate::term::told(&event) {
        print::tell(&line);
    }
    Ok(())
}

/// What one workload lacked another may have brought since.
pub fn finish(
    global: &Global,
    ledger: &Ledger,
    store: &Store,
    ward: &Arc<Ward>,
) -> Result<(), Failure> {
    for DamagedPass { pass, .. } in ward.damaged() {
        let passes = ledger.passes(&pass.name.workload)?;
        let is_bad = passes.iter().any(|it| it.number == pass.name.pass && it.bad_chunks > 0);
        let mut lost: u64 = 0;
        if is_bad && missing(store, pass, &mut |_| lost += 1)? && lost == 0 {
            healed(global, ledger, pass)?;
        }
    }
    Ok(())
}
