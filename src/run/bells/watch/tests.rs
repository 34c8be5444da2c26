//! What rings, and what does not, as a run goes on second by second.

use super::*;
use crate::model::{PassNumber, Tally, Timestamp};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn host(name: &str) -> HostId {
    HostId::new(name).unwrap()
}

fn ready(name: &str) -> Event {
    Event::HostReady { host: host(name), rtt_ms: 1.0, agent_bytes: Bytes(0) }
}

fn failed(name: &str, reason: Reason) -> Event {
    Event::HostFailed { host: host(name), reason, detail: String::new(), retry_s: None }
}

fn received() -> Event {
    let workload = "w".parse().unwrap();
    Event::Received { host: host("a"), workload, sent_bytes: Bytes(1), raw_bytes: Bytes(1) }
}

fn sealed() -> Event {
    let (workload, pass) = ("w".parse().unwrap(), PassNumber(1));
    Event::CaptureSealed { workload, pass, tally: Tally::default() }
}

/// A run over so many workloads, and what it rings while the clock goes on second by second.
struct Run {
    watch: Watch,
    now: u64,
    rung: Vec<(u64, Bell)>,
}

impl Run {
    fn new(waits: bool, workloads: u64) -> Self {
        let mut watch = Watch::new(waits, 0, s(0));
        let (hosts, customers, bytes) = (workloads, 1, Bytes(0));
        watch.hear(&Event::RunStarted { workloads, hosts, customers, bytes }, s(0));
        Self { watch, now: 0, rung: Vec::new() }
    }

    fn hear(&mut self, event: &Event) -> &mut Self {
        self.watch.hear(event, s(self.now));
        self.look(None)
    }

    fn look(&mut self, usage: Option<Usage>) -> &mut Self {
        let rings = self.watch.tick(s(self.now), usage);
        self.rung.extend(rings.into_iter().map(|ring| (self.now, ring.bell)));
        self
    }

    fn pass(&mut self, seconds: u64) -> &mut Self {
        for _ in 0..seconds {
            self.now += 1;
            self.look(None);
        }
        self
    }
}

#[test]
fn a_window_that_opens_shuts_and_opens_again_rings_each_time() {
    let mut run = Run::new(true, 2);
    run.pass(7_200).hear(&ready("a")).hear(&ready("b")).pass(1_000);
    assert_eq!(run.rung[0], (7_200, Bell::WindowOpened));
    run.rung.clear();
    run.hear(&received()).hear(&failed("a", Reason::Lost)).pass(10);
    run.hear(&failed("b", Reason::Lost)).pass(60).hear(&failed("a", Reason::Timeout)).pass(900);
    assert_eq!(run.rung, [(8_240, Bell::WindowShut)], "30 s after the last was lost");
    run.rung.clear();
    run.hear(&ready("b"));
    assert_eq!(run.rung, [(run.now, Bell::WindowOpened)]);
}

#[test]
fn a_line_that_is_dialled_again_at_once_rings_nothing() {
    let mut run = Run::new(false, 2);
    run.hear(&ready("a")).hear(&received()).hear(&failed("a", Reason::Lost)).pass(20);
    run.hear(&ready("a")).pass(60);
    assert_eq!(run.rung, []);
}

#[test]
fn nothing_for_two_minutes_is_a_standstill_only_while_somebody_should_send() {
    let mut run = Run::new(false, 2);
    run.pass(600).hear(&ready("a")).pass(119).hear(&received()).pass(119);
    assert_eq!(run.rung, []);
    run.pass(1);
    assert_eq!(run.rung, [(839, Bell::Standstill)]);
    run.pass(2_000);
    assert_eq!(run.rung.len(), 1, "one that lasts rings once");
    run.hear(&sealed()).hear(&sealed()).pass(2_000);
    run.hear(&Event::HostDone { host: host("a") }).pass(500);
    assert_eq!(run.rung.len(), 1, "nothing is left to send");
}

#[test]
fn hosts_that_fail_for_one_reason_together_ring_and_others_do_not() {
    let mut run = Run::new(false, 9);
    run.hear(&failed("a", Reason::Auth)).hear(&failed("b", Reason::Auth));
    run.hear(&failed("a", Reason::Auth)).hear(&failed("c", Reason::AgentPlace)).pass(601);
    run.hear(&failed("d", Reason::Auth));
    assert_eq!(run.rung, [], "two at a time, two reasons, too long ago");
    run.hear(&failed("e", Reason::Auth)).hear(&failed("f", Reason::Auth));
    assert_eq!(run.rung, [(601, Bell::Failing)]);
}

#[test]
fn hosts_that_are_waited_for_and_shut_out_are_no_failures() {
    let mut run = Run::new(true, 9);
    for name in ["a", "b", "c", "d"] {
        run.hear(&failed(name, Reason::Refused)).pass(300);
    }
    assert_eq!(run.rung, []);
}

#[test]
fn a_disk_that_fills_rings_once_until_it_was_emptied() {
    let mut run = Run::new(false, 1);
    let usage = |percent: u64| Some(Usage { free: Bytes(100 - percent), total: Bytes(100) });
    run.look(usage(79)).look(usage(80)).look(usage(81)).look(usage(78)).look(usage(82)).pass(700);
    assert_eq!(run.rung, [(0, Bell::StoreFilling)]);
    run.look(usage(74)).look(usage(80));
    assert_eq!(run.rung.len(), 2);
    assert_eq!(Watch::new(false, 3, s(0)).tick(s(0), None)[0].bell, Bell::AtRisk);
}

#[test]
fn the_end_rings_with_its_figures() {
    let mut watch = Watch::new(false, 0, s(0));
    let report = RunReport { captured: 4, failed: 1, ..RunReport::default() };
    watch.hear(&Event::Report(report), s(9));
    let text = &watch.tick(s(9), None)[0].text;
    assert!(text.starts_with("the run ended: 4 captured, 1 failed, 0 partial"), "{text}");
}

#[test]
fn the_end_of_a_window_rings_and_so_does_the_first_host_of_the_next() {
    let mut run = Run::new(true, 3);
    let closed = Timestamp::from_second(1_900_000_000);
    run.hear(&ready("a")).hear(&Event::WindowOver { closed, opens: None });
    run.hear(&Event::HostDone { host: host("a") }).pass(4_000);
    let next = Event::WindowBegins { opens: None, closes: None, hard: false, late: 2 };
    run.hear(&next).hear(&ready("b"));
    let rung: Vec<_> = run.rung.iter().map(|(_, bell)| *bell).collect();
    assert_eq!(rung, [Bell::WindowOpened, Bell::WindowShut, Bell::AtRisk, Bell::WindowOpened]);
}
