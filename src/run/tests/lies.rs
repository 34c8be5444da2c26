//! Would these tests notice a missing fsync? One sync at a time does nothing, and the power goes
//! as soon as a receipt was written after it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::store::Fault;

/// How often each sync is missed, with another draw of what the power loss leaves.
const TRIES: u64 = 6;

/// One sync that did nothing.
struct Lie {
    /// `packs`, `index` or `manifests`.
    kind: String,
    /// Did a receipt follow?
    is_relied_on: bool,
    /// What was found broken afterwards.
    found: Option<String>,
}

/// Lies about one sync; `None` if there are not so many.
fn lie(sources: &Sources, sync: u64, seed: u64) -> Option<Lie> {
    let landing = Landing::new(sources);
    landing.disk.arm(Some(Fault::LieAboutSync(sync)));
    let disk = landing.disk.clone();
    let has_receipt = Arc::new(AtomicBool::new(false));
    let noted = has_receipt.clone();
    let cut_power = move |_: &Ledger, _, event: &Event| {
        if matches!(event, Event::SegmentCommitted { .. }) && disk.struck().is_some() {
            noted.store(true, Ordering::Relaxed);
            disk.cut_power();
        }
    };
    landing.run(Agents::default(), Box::new(cut_power));
    let struck = landing.disk.struck()?;
    landing.disk.power_cycle(seed);
    let found = match landing.open() {
        Err(error) => Some(error),
        Ok((store, _writer)) => broken(&store, &landing.ledger()),
    };
    let file = struck.strip_prefix("sync ").unwrap();
    let kind = file.split('/').next().unwrap().to_owned();
    Some(Lie { kind, is_relied_on: has_receipt.load(Ordering::Relaxed), found })
}

/// The sync of a manifest stands right before its receipts: missing it always shows. That of a pack
/// shows when a receipt names what was in doubt. The index log is a cache: missing its sync costs
/// time and nothing else.
#[test]
fn a_sync_that_lies_is_caught() {
    let sources = Sources::new();
    let mut lies: BTreeMap<String, Vec<Lie>> = BTreeMap::new();
    for sync in 1.. {
        let tries: Vec<Lie> = (0..TRIES).map_while(|seed| lie(&sources, sync, seed)).collect();
        if tries.is_empty() {
            break;
        }
        for lie in tries.into_iter().filter(|lie| lie.is_relied_on) {
            lies.entry(lie.kind.clone()).or_default().push(lie);
        }
    }
    let caught = |kind: &str| {
        let caught = lies[kind].iter().filter(|lie| lie.found.is_some()).count();
        eprintln!("{kind}: {caught} of {} missing syncs caught", lies[kind].len());
        (caught, lies[kind].len())
    };
    let (packs, all_packs) = caught("packs");
    assert!(packs * 4 > all_packs, "packs: {packs} of {all_packs}");
    let (manifests, all_manifests) = caught("manifests");
    // A torn file may, very rarely, be whole by chance.
    assert!(manifests * 10 >= all_manifests * 9, "manifests: {manifests} of {all_manifests}");
    assert_eq!(caught("index").0, 0);
}
