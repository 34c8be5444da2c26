//! `evac verify --mirror DEST`: is the second copy what it should be?

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::{Known, list_damage, passes, progress, tell};
use crate::cli::args::VerifyArgs;
use crate::cli::site::Writing;
use crate::cli::{Exit, Failure, Global, mirror, print};
use crate::model::WorkloadId;
use crate::store::verify::{Bad, PassRef, verify};
use crate::store::{KeyRing, PassName, Store};

/// Verifies what is noted as copied there. What is bad is noted no more, and copied again by the
/// next `store mirror`.
pub fn run(
    global: &Global,
    writing: &Writing,
    (args, dest): (&VerifyArgs, &Path),
    chosen: &BTreeSet<WorkloadId>,
) -> Result<Exit, Failure> {
    let (place, disk) = mirror::known(global, &writing.ledger, dest)?;
    let copied: BTreeSet<_> = writing.ledger.mirrored_at(&place)?.into_iter().collect();
    let is_copied = |name: &PassName| copied.contains(&(name.workload.clone(), name.pass));
    let known = passes(&writing.ledger, chosen)?;
    let references: Vec<PassRef> = (known.into_iter().map(|Known { reference, .. }| reference))
        .filter(|reference| is_copied(&reference.name))
        .collect();
    let keys = Arc::new(KeyRing::open(&global.keys_path())?);
    let (store, _) = Store::open_read_only(disk, keys)?;
    let report = verify(&store, &references, args.deep, &mut progress())?;
    list_damage(&store, &report, args.deep)?;
    for pass in report.bad.iter().flat_map(|bad| &bad.passes) {
        writing.ledger.forget_mirrored(&place, &pass.workload, pass.pass)?;
    }
    let bad: Vec<&Bad> = report.bad.iter().collect();
    tell(global, &report, &bad, &[])?;
    if bad.is_empty() {
        return Ok(Exit::Done);
    }
    print::tell(&format!("hint: `evac store mirror {place}` copies it again."));
    Ok(Exit::Failed)
}
