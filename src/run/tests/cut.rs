//! An agent dies in the middle: its host is dialled again and goes on, the other never notices.

use super::*;

#[test]
fn an_agent_may_die_anywhere() {
    let sources = Sources::new();
    let whole = Landing::new(&sources).run(Agents::default(), unwatched());
    assert!(whole.is_whole());
    let mut cuts = 0;
    for host in HOSTS {
        let said = whole.agents.count(host).wire_bytes;
        for step in 0..12 {
            let landing = Landing::new(&sources);
            let ran = landing.run(Agents::cut(host, 9 + said * step / 13), unwatched());
            let seen = format!("{host} at {step}/12: {:?} {:#?}", ran.end, ran.events);
            assert!(ran.is_whole(), "{seen}");
            let was_cut = ran.agents.was_cut();
            cuts += u32::from(was_cut);
            for other in HOSTS {
                let count = ran.agents.count(other);
                let dials = 1 + u32::from(was_cut && other == host);
                assert_eq!(count.dials, dials, "{other}: {seen}");
                let again = u64::from(was_cut && other == host) * sources.files(other);
                assert!(count.opened_files <= sources.files(other) + again, "{other}: {seen}");
            }
            assert_little_is_sent_twice(&ran, &seen);
            landing.disk.power_cycle(step);
            landing.assert_restores(&sources);
        }
    }
    assert!(cuts > 16, "only {cuts} lines were cut");
}

/// How often a line is cut in the test below: more often than a host is dialled without progress.
const CUTS: usize = 12;

#[test]
fn a_line_that_is_cut_after_every_receipt_still_carries_everything() {
    let sources = Sources::new();
    sources.add_large("alpha", 2 * CUTS);
    let landing = Landing::new(&sources);
    let agents = Arc::new(Agents::default());
    let (line, left) = (agents.clone(), Mutex::new(CUTS));
    let cut = move |_: &Ledger, _, event: &Event| {
        let mut left = left.lock().unwrap();
        let is_receipt = matches!(event, Event::SegmentCommitted { .. });
        if *left > 0 && is_receipt && event.workload() == Some(&workload("alpha")) {
            *left -= 1;
            line.snip("alpha");
        }
    };
    let ran = landing.run_with(agents, Box::new(cut));
    let seen = format!("{:?} {:#?}", ran.end, ran.events);
    assert!(ran.is_whole(), "{seen}");
    let dials = ran.agents.count("alpha").dials as usize;
    assert!(dials > 8, "only {dials} dials: {seen}");
    landing.assert_restores(&sources);
}

/// At most what one host may have under way comes again.
fn assert_little_is_sent_twice(ran: &Ran, seen: &str) {
    let mut sent = BTreeSet::new();
    let mut again = 0;
    for (id, length) in HOSTS.iter().flat_map(|host| ran.agents.count(host).sent) {
        again += if sent.insert(id) { 0 } else { u64::from(length) };
    }
    assert!(again <= pace().limits.window_bytes_max, "{again} bytes twice: {seen}");
}
