//! Lies without an end. How much a host may hold is known to its operator alone, so entries are
//! bounded by the landing disk and by whoever watches it; what evac promises is that its memory
//! stays bounded meanwhile, and that a stop ends it.

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use evac::model::{Bytes, Event, Reason};
use evac::run::Pace;
use evac::run::coordinator::Limits;
use evac::run::stop::{Phase, Stop};
use evac::run::talk::Patience;

use super::ground::{Ground, failure, honest, liar};
use super::{PATIENCE, pace};

/// What the landing site may take beside its budget (promise 8), of which nothing is used here.
const MEMORY_MAX: Bytes = Bytes(256 << 20);

/// Set in a process that has nothing else to do.
const ALONE: &str = "EVAC_TEST_ALONE";

#[test]
fn entries_with_large_attributes() {
    // 14 MiB each: more than may ever be in memory.
    check("entries_with_large_attributes", "endless entries", 24);
}

#[test]
fn omissions() {
    check("omissions", "endless omissions", 3);
}

/// Runs the test again in a process of its own, whose memory nobody else uses; there the liar is
/// drained after so many durable segments, each of 8 MiB of records or more.
fn check(test: &str, lie: &str, segments: u64) {
    if std::env::var_os(ALONE).is_some() {
        return drain(lie, segments);
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", &format!("lies::endless::{test}")]);
    let output = child.env(ALONE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn drain(lie: &str, segments_max: u64) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut ground = Ground::new(Some(lie), &[]).await;
        let (segments, is_honest_done) = (AtomicU64::new(0), AtomicBool::new(false));
        let drain = move |event: &Event, stop: &Stop| {
            match event {
                Event::SegmentCommitted { workload, .. } if *workload == liar() => {
                    segments.fetch_add(1, Ordering::Relaxed);
                }
                Event::CaptureSealed { .. } => is_honest_done.store(true, Ordering::Relaxed),
                _ => return,
            }
            // Whoever waited for the honest host stops the liar.
            let is_enough = segments.load(Ordering::Relaxed) >= segments_max;
            if is_enough && is_honest_done.load(Ordering::Relaxed) && stop.phase() == Phase::Running
            {
                stop.press();
            }
        };
        // A flood is work; an honest host may have to wait for it as long as it really does.
        let patience = Patience { silence: Duration::from_secs(60), ..PATIENCE };
        let pace = Pace { limits: Limits::default(), ..pace(PATIENCE.silence) };
        let told = ground.run(&[honest(), liar()], patience, pace, drain).await;
        let (reason, detail) = failure(&told, &liar()).expect("the liar was ended");
        assert_eq!(reason, Reason::Stopped, "{detail}");
        assert!(told.end.has_work_left);
        ground.check_honest();
        ground.check_liar();
        let peak = peak();
        assert!(peak <= MEMORY_MAX, "{peak} at most at once");
        ground.end().await;
    });
}

/// The most memory this process had.
fn peak() -> Bytes {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().unwrap();
    Bytes(kib << 10)
}
