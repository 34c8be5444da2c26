//! What is done about damage when a run begins and when it ends.
//!
//! First without the sources: packs come back from a mirror, and what is whole by that is said to
//! be. What is still missing then is asked of the sources by the run ([`crate::run::heal`]).
//!
//! **Promise.** A run over a store without damage does not read its manifests for this.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::cli::site::{Loaded, Writing};
use crate::cli::verify::{Known, list_damage, passes};
use crate::cli::{Failure, Global, mirror, print};
use crate::inventory::Inventory;
use crate::ledger::Ledger;
use crate::model::{Bytes, Event, WorkloadId};
use crate::run::heal::{DamagedPass, Ward};
use crate::run::tenants::tenants;
use crate::store::verify::{PassRef, missing, verify};
use crate::store::{DamagedFrame, Disk, KeyRing, PassName, Store, read_damaged, rescue};

/// Mends what can be mended here; gives what is lost all the same.
pub fn prepare(
    global: &Global,
    loaded: &Loaded,
    mut writing: Writing,
) -> Result<(Writing, Ward), Failure> {
    let known = known(&writing.ledger, loaded)?;
    let is_damaged = known.iter().any(|known| known.bad_chunks > 0);
    let disk = writing.store.disk();
    let has_bad_end = read_damaged(&**disk).iter().any(DamagedFrame::is_footer);
    if !is_damaged && writing.store.lost_count() == 0 && !has_bad_end {
        return Ok((writing, Ward::default()));
    }
    let twins = mirror::twins(&writing.ledger)?;
    let manifests = mend_manifests(&writing.store, &known, &twins)?;
    if !manifests.is_empty() {
        // Nobody could know what they name: now it is read.
        let report = verify(&writing.store, &manifests, true, &mut |_| {})?;
        list_damage(&writing.store, &report, true)?;
    }
    let mended = writing.store.mend(&twins)?;
    if mended.packs > 0 {
        let packs = print::counted(mended.packs as usize, "pack");
        print::tell(&format!("{packs} mended without the sources, {}", mended.bytes));
    }
    if mended.packs > 0 || !manifests.is_empty() {
        writing = reopened(writing, &loaded.inventory)?;
    }
    let ward = admit(global, &writing, &known)?;
    let is_settled = ward.damaged().all(|damaged| damaged.is_former);
    if is_settled && !writing.store.unwell_packs()?.is_empty() {
        writing = rescued(writing, loaded, &known)?;
    }
    let count = ward.damaged().count();
    if count > 0 {
        let passes = if count == 1 { "1 pass is".into() } else { format!("{count} passes are") };
        print::tell(&format!("{passes} damaged; what is missing is asked of the sources"));
    }
    Ok((writing, ward))
}

/// The store is opened again after something of it was put in order.
fn reopened(writing: Writing, inventory: &Inventory) -> Result<Writing, Failure> {
    let Writing { ledger, keys, disk, disks, store, writer, lock } = writing;
    drop((store, writer));
    let tenants = tenants(inventory);
    let (store, writer, _) = Store::open_for(Arc::clone(&disk), Arc::clone(&keys), tenants)?;
    Ok(Writing { ledger, keys, disk, disks, store, writer: Some(writer), lock })
}

/// Manifests that cannot be read come back from a mirror; those that others build on first.
fn mend_manifests(
    store: &Store,
    known: &[Known],
    twins: &[Arc<dyn Disk>],
) -> Result<Vec<PassRef>, Failure> {
    let mut mended = Vec::new();
    for Known { reference, is_sealed, bad_chunks, .. } in known.iter().rev() {
        let is_suspect = *is_sealed && *bad_chunks > 0 && !twins.is_empty();
        if is_suspect
            && !missing(store, reference, &mut |_| {})?
            && store.mend_manifest(reference, twins)?
        {
            let PassName { workload, pass } = &reference.name;
            print::tell(&format!("{workload}: the manifest of pass {pass} came from the mirror"));
            mended.push(reference.clone());
        }
    }
    Ok(mended)
}

/// Nothing is missing but what former passes lost for good: what is whole in damaged packs moves
/// out of them.
fn rescued(mut writing: Writing, loaded: &Loaded, known: &[Known]) -> Result<Writing, Failure> {
    let passes: Vec<PassRef> = known.iter().map(|known| known.reference.clone()).collect();
    if let Some(writer) = writing.writer.take() {
        rescue(&writing.store, writer, &passes)?;
    }
    reopened(writing, &loaded.inventory)
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
            let (pass, is_former) = (reference.clone(), *is_former);
            let is_current = *is_sealed && !is_former;
            ward.admit(DamagedPass { pass, is_current, is_former });
        }
        if seen.insert(workload) && *is_sealed {
            ward.be_content_with(workload.clone());
        }
    }
    Ok(ward)
}

fn healed(global: &Global, ledger: &Ledger, pass: &PassRef) -> Result<(), Failure> {
    let (workload, pass) = (pass.name.workload.clone(), pass.name.pass);
    let event = Event::Healed { workload, pass, chunks: 0, bytes: Bytes::ZERO };
    ledger.append(&event, &global.by)?;
    if let Some(line) = crate::term::told(&event) {
        print::tell(&line);
    }
    Ok(())
}

/// What one workload lacked another may have brought since. When nothing is missing any more, what
/// is whole in damaged packs moves out of them.
pub fn finish(
    (global, loaded): (&Global, &Loaded),
    ledger: &Ledger,
    (disk, keys, store): (&Arc<dyn Disk>, &Arc<KeyRing>, &Store),
    ward: &Ward,
) -> Result<(), Failure> {
    if ward.damaged().next().is_none() {
        return Ok(());
    }
    let mut is_settled = true;
    for DamagedPass { pass, is_former, .. } in ward.damaged() {
        let passes = ledger.passes(&pass.name.workload)?;
        let is_bad = passes.iter().any(|it| it.number == pass.name.pass && it.bad_chunks > 0);
        let mut lost: u64 = 0;
        if !is_bad {
            continue;
        }
        if missing(store, pass, &mut |_| lost += 1)? && lost == 0 {
            healed(global, ledger, pass)?;
        } else {
            is_settled &= *is_former;
        }
    }
    if is_settled {
        let known = known(ledger, loaded)?;
        let passes: Vec<PassRef> = known.into_iter().map(|known| known.reference).collect();
        let (store, writer, _) = Store::open(Arc::clone(disk), Arc::clone(keys))?;
        rescue(&store, writer, &passes)?;
    }
    Ok(())
}
