//! Would these tests notice a missing fsync? One sync at a time does nothing, and the power goes
//! as soon as a receipt was written after it.

use super::*;
use crate::store::Fault;

/// Lies about one sync; says which file it was, whether a receipt followed, and what was found.
fn lie(sources: &Sources, sync: u64, seed: u64) -> Option<(String, bool, Option<String>)> {
    let landing = Landing::new(sources);
    landing.disk.arm(Some(Fault::LieAboutSync(sync)));
    let disk = landing.disk.clone();
    let has_receipt = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let noted = has_receipt.clone();
    landing.run(
        Agents::default(),
        Box::new(move |_, _, event| {
            if matches!(event, Event::SegmentCommitted { .. }) && disk.struck().is_some() {
                noted.store(true, std::sync::atomic::Ordering::Relaxed);
                disk.cut_power();
            }
        }),
    );
    let struck = landing.disk.struck()?;
    landing.disk.power_cycle(seed);
    let found = match landing.open() {
        Err(error) => Some(error),
        Ok((store, _writer)) => landing.broken(&store, &landing.ledger()),
    };
    Some((struck, has_receipt.load(std::sync::atomic::Ordering::Relaxed), found))
}

#[test]
fn a_sync_that_lies_is_caught() {
    let sources = Sources::new();
    let mut caught = std::collections::BTreeMap::<String, (u32, u32)>::new();
    for sync in 1.. {
        let lies: Vec<_> = (0..6).map_while(|seed| lie(&sources, sync, seed)).collect();
        if lies.is_empty() {
            break;
        }
        for (struck, has_receipt, found) in lies {
            eprintln!("{sync} {struck} {has_receipt} {found:?}");
            let kind = struck.split('/').next().unwrap_or_default().to_owned();
            let count = caught.entry(kind).or_default();
            count.0 += u32::from(has_receipt);
            count.1 += u32::from(found.is_some());
        }
    }
    eprintln!("{caught:?}");
    assert!(caught["sync packs"].1 > 0, "{caught:?}");
    assert!(caught["sync manifests"].1 > 0, "{caught:?}");
    assert_eq!(caught["sync index"].1, 0, "{caught:?}");
}
