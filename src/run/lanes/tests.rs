//! The ladder against ways of a few lines: what each flow carries, up to what the line does.

use std::time::Duration;

use super::ladder::{Ladder, LaneRules, Look};

const TICK: Duration = Duration::from_millis(500);
/// One that is asked for joins after this many ticks.
const DIAL_TICKS: u32 = 2;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// One host on a way.
struct Host {
    ladder: Ladder,
    own_bytes: u64,
    lanes: u32,
    waited_ticks: u32,
    dials: u32,
    waits: bool,
}

impl Host {
    fn new(rtt: Duration, lines_max: u32) -> Self {
        let mut ladder = Ladder::new(LaneRules::default(), lines_max);
        ladder.begin(rtt);
        Self { ladder, own_bytes: 0, lanes: 0, waited_ticks: 0, dials: 0, waits: true }
    }

    fn lines(&self) -> f64 {
        f64::from(if self.lanes >= 3 { self.lanes } else { self.lanes + 1 })
    }

    fn look(&mut self, now: Duration, all_bytes: u64) {
        let look = Look {
            now,
            own_bytes: self.own_bytes,
            all_bytes,
            waits: Some(self.waits),
            lanes: self.lanes,
            is_dialling: self.waited_ticks > 0,
        };
        let wanted = self.ladder.look(&look);
        self.lanes = self.lanes.min(wanted);
        if self.lanes == wanted {
            self.waited_ticks = 0;
            return;
        }
        self.waited_ticks += 1;
        if self.waited_ticks > DIAL_TICKS {
            self.dials += wanted - self.lanes;
            self.lanes = wanted;
            self.waited_ticks = 0;
        }
    }
}

/// Hosts that share a line of `capacity` bytes a second, on which one flow carries `flow`.
struct Way {
    hosts: Vec<Host>,
    flow: f64,
    capacity: f64,
    ticks: u32,
}

impl Way {
    fn new(hosts: usize, rtt: Duration, flow: f64, capacity: f64) -> Self {
        let hosts = (0..hosts).map(|_| Host::new(rtt, 16)).collect();
        Self { hosts, flow, capacity, ticks: 0 }
    }

    fn pass(&mut self, seconds: u32) -> f64 {
        let began = self.all_bytes();
        for _ in 0..seconds * 2 {
            self.ticks += 1;
            let flows: f64 = self.hosts.iter().map(Host::lines).sum();
            let each = self.flow.min(self.capacity / flows) * TICK.as_secs_f64();
            for host in &mut self.hosts {
                host.own_bytes += (each * host.lines()) as u64;
            }
            let all_bytes = self.all_bytes();
            for host in &mut self.hosts {
                host.look(TICK * self.ticks, all_bytes);
            }
        }
        (self.all_bytes() - began) as f64 / f64::from(seconds)
    }

    fn all_bytes(&self) -> u64 {
        self.hosts.iter().map(|host| host.own_bytes).sum()
    }

    fn dials(&self) -> u32 {
        self.hosts.iter().map(|host| host.dials).sum()
    }
}

#[test]
fn a_long_lossy_way_is_filled_within_seconds() {
    let mut way = Way::new(1, ms(100), 1.25e6, 12.5e6);
    way.pass(12);
    let rate = way.pass(20);
    assert!(rate > 0.9 * way.capacity, "{rate} with {} lanes", way.hosts[0].lanes);
    assert!(way.hosts[0].lanes <= 15, "one of the sixteen is the first line");
}

#[test]
fn no_more_lanes_stay_than_carry_something() {
    let mut way = Way::new(1, ms(40), 3.0e6, 12.5e6);
    let rate = way.pass(60) / way.capacity;
    assert!(rate > 0.85, "{rate}");
    way.pass(60);
    let lanes = way.hosts[0].lanes;
    assert!((4..=8).contains(&lanes), "five flows fill it: {lanes}");
}

#[test]
fn a_way_that_one_flow_fills_is_left_alone_longer_each_time() {
    let mut way = Way::new(1, ms(40), 20e6, 12.5e6);
    way.pass(3600);
    assert_eq!(way.hosts[0].lanes, 0);
    // At 0, 30, 90, 210, 450, 930 s and every ten minutes.
    assert!((20..=48).contains(&way.dials()), "{} dials", way.dials());
}

#[test]
fn on_a_short_way_nothing_is_tried() {
    let mut way = Way::new(8, ms(1), 20e6, 125e6);
    way.pass(600);
    assert_eq!(way.dials(), 0);
}

#[test]
fn on_a_full_line_no_host_takes_from_its_neighbours() {
    let mut way = Way::new(8, ms(40), 12.5e6, 12.5e6);
    way.pass(120);
    let lanes: Vec<u32> = way.hosts.iter().map(|host| host.lanes).collect();
    assert!(lanes.iter().sum::<u32>() <= 8, "{lanes:?}");
}

#[test]
fn a_host_that_waits_for_something_else_gets_none() {
    let mut way = Way::new(1, ms(100), 1.25e6, 12.5e6);
    way.hosts[0].waits = false;
    way.pass(60);
    assert_eq!(way.dials(), 0);
}

#[test]
fn a_line_that_looked_full_while_flows_were_young_is_tried_again_at_once() {
    let mut way = Way::new(1, ms(100), 6e6, 12.5e6);
    way.pass(12);
    let young = way.hosts[0].lanes;
    way.flow = 1.25e6;
    way.pass(15);
    assert!(way.hosts[0].lanes > young, "{young} before");
    let rate = way.pass(20) / way.capacity;
    assert!(rate > 0.8, "{rate}");
}

#[test]
fn after_a_lane_that_failed_nothing_is_tried_for_a_while() {
    let mut way = Way::new(1, ms(100), 1.25e6, 12.5e6);
    while way.hosts[0].waited_ticks == 0 {
        way.pass(1);
    }
    let now = TICK * way.ticks;
    let host = &mut way.hosts[0];
    assert!(host.ladder.failed(now, 0));
    assert!(!host.ladder.failed(now, 0), "those that fail together fail once");
    host.waited_ticks = 0;
    way.pass(29);
    assert_eq!(way.dials(), 0);
    way.pass(10);
    assert!(way.dials() > 0);
}

#[test]
fn one_connection_a_host_means_one() {
    let mut host = Host::new(ms(100), 1);
    for tick in 0..100 {
        host.own_bytes += 600_000;
        host.look(TICK * tick, host.own_bytes);
    }
    assert_eq!(host.dials, 0);
}
