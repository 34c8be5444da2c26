//! How many lanes a host is worth. Pure: looks with the time go in, a number comes out.
//!
//! One TCP flow over a long way that loses a packet in a thousand carries a fraction of the line;
//! several carry several times that, until the line is full. Nobody knows the line, so it is tried:
//! while what a host sends waits for the way and for nothing else, lanes are added in steps, and
//! each step stays only if what arrives grew by at least half of what the new lanes should bring.
//! Of a step that brought less, so many stay as carry what it brought. Steps double; on a long way
//! there are two, four lanes and all, since each costs seconds.
//!
//! - What other hosts on the same uplink lose meanwhile is no gain: with a full line, lanes only
//!   take from the neighbours.
//! - A step that brought nothing is not tried again for [`PAUSE`], which doubles each time, unless
//!   much less arrives than the way has carried before: flows are fast when they begin and slow
//!   down with their first losses, so the line looks full too early.
//! - On a short way one flow recovers from a loss at once, so nothing is tried there.

use std::collections::VecDeque;
use std::time::Duration;

/// Where lanes are tried.
#[derive(Debug, Clone, Copy)]
pub struct LaneRules {
    /// On a shorter way one flow fills the line: measured, at 1 ms and 0.1 % loss it does 0.9 of
    /// 100 Mbit/s.
    pub rtt_min: Duration,
    /// On a longer way several are tried at once.
    pub rtt_long: Duration,
    /// Always so many lanes, whatever they bring; for tests.
    pub forced: Option<u32>,
}

impl Default for LaneRules {
    fn default() -> Self {
        let (rtt_min, rtt_long) = (Duration::from_millis(3), Duration::from_millis(20));
        Self { rtt_min, rtt_long, forced: None }
    }
}

/// Lanes of the first step on a long way.
const FIRST_STEP: u32 = 4;
/// With so many lanes the agent leaves the first line to messages.
const LANES_ALONE: u32 = 3;
/// How long a host must wait for its way before lanes are tried, on a long way and on others.
const WAIT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_millis(2_500));
/// New lanes are looked at after this long at the earliest…
const SETTLE: Duration = Duration::from_secs(1);
/// …and judged after this long; all lanes of a long way, whose flows take longer to find their
/// pace, after the second.
const JUDGE: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(6));
/// The first lanes on a long way are followed by all if they bring so much: what one flow did
/// before was measured while it was young and fast.
const FIRST_GAIN: f64 = 0.5;
/// What arrived before a step is measured over this long.
const MEASURE: Duration = Duration::from_secs(2);
/// Lanes that did not come in this time do not come.
const JOIN: Duration = Duration::from_secs(30);
/// After a step that brought nothing; it doubles up to the second.
const PAUSE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(600));
/// Less than this share of what was carried before is not all the way can carry.
const SLACK: f64 = 0.8;
/// Bytes a second that count as sending.
const OWN_MIN: f64 = 64e3;
/// A smaller gain is none.
const GAIN_MIN: f64 = 0.2;

/// What is seen of a host.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// When.
    pub now: Duration,
    /// What has arrived from it so far, over all lines.
    pub own_bytes: u64,
    /// The same for all hosts on its uplink, itself among them.
    pub all_bytes: u64,
    /// Does what it sends wait for the way, and for nothing else? `None`: it did not say yet, which
    /// on a long way with a full line may take as long as anything else.
    pub waits: Option<bool>,
    /// Lanes that carry.
    pub lanes: u32,
    /// Are more on their way?
    pub is_dialling: bool,
}

/// What arrived a second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Rates {
    own: f64,
    others: f64,
}

/// A step that was made and is not judged yet.
#[derive(Debug, Clone, Copy)]
struct Step {
    from: u32,
    before: Rates,
    began: Duration,
    /// Since when all lanes are there, and what had arrived then.
    joined: Option<(Duration, u64, u64)>,
}

/// Decides how many lanes a host gets; outlives its connections.
#[derive(Debug)]
pub struct Ladder {
    rules: LaneRules,
    lanes_max: u32,
    rtt: Duration,
    wanted: u32,
    step: Option<Step>,
    waits_since: Option<Duration>,
    /// Since when much less arrives than before.
    low_since: Option<Duration>,
    /// Not before this, unless much less arrives than before.
    retry_at: Duration,
    /// Not before this in any case.
    quiet_until: Duration,
    pause: Duration,
    /// The most that arrived a second for a while.
    best: f64,
    /// The least that a line carried a second while there was more to carry.
    each: f64,
    seen: VecDeque<(Duration, u64, u64)>,
}

impl Ladder {
    /// For a host with at most so many connections.
    pub fn new(rules: LaneRules, lines_max: u32) -> Self {
        Self {
            rules,
            lanes_max: lines_max.saturating_sub(1),
            rtt: Duration::ZERO,
            wanted: 0,
            step: None,
            waits_since: None,
            low_since: None,
            retry_at: Duration::ZERO,
            quiet_until: Duration::ZERO,
            pause: PAUSE.0,
            best: 0.0,
            each: f64::INFINITY,
            seen: VecDeque::new(),
        }
    }

    /// A first line was opened, over a way with this round trip.
    pub fn begin(&mut self, rtt: Duration) {
        self.rtt = rtt;
        self.wanted = 0;
        self.step = None;
        self.each = f64::INFINITY;
        self.forget_rates();
    }

    /// May there ever be lanes on this way?
    pub fn may_ever(&self) -> bool {
        let is_worth_it = self.rtt >= self.rules.rtt_min || self.rules.forced.is_some();
        self.lanes_max > 0 && is_worth_it
    }

    /// Another workload begins: what was measured says nothing about it.
    pub fn forget_rates(&mut self) {
        self.waits_since = None;
        self.low_since = None;
        self.seen.clear();
    }

    /// How many lanes there should be.
    pub fn look(&mut self, look: &Look) -> u32 {
        if let Some(forced) = self.rules.forced {
            let is_quiet = look.now < self.quiet_until;
            return if is_quiet { look.lanes } else { forced.min(self.lanes_max) };
        }
        self.remember(look);
        match self.step {
            Some(step) => self.follow(step, look),
            None => self.consider(look),
        }
        self.wanted
    }

    /// A lane could not be opened, or broke; so many are there or on their way. Nothing is tried
    /// again for a while. Several that fail together fail once: says whether this is the first.
    pub fn failed(&mut self, now: Duration, lanes: u32) -> bool {
        let is_first = now >= self.quiet_until;
        if is_first {
            self.quiet_until = now + self.pause;
            self.lengthen_pause();
        }
        self.wanted = self.wanted.min(lanes);
        if let Some(step) = &mut self.step
            && lanes <= step.from
        {
            self.step = None;
        }
        is_first
    }

    fn lengthen_pause(&mut self) {
        self.pause = (self.pause * 2).min(PAUSE.1);
    }

    fn is_long(&self) -> bool {
        self.rtt >= self.rules.rtt_long
    }

    fn remember(&mut self, look: &Look) {
        self.seen.push_back((look.now, look.own_bytes, look.all_bytes));
        while self.seen.get(1).is_some_and(|(at, ..)| *at + MEASURE <= look.now) {
            self.seen.pop_front();
        }
        self.waits_since = self.is_waiting(look).then(|| self.waits_since.unwrap_or(look.now));
    }

    fn is_waiting(&self, look: &Look) -> bool {
        look.waits.unwrap_or(self.is_long())
    }

    /// Over the last while; nothing before that while has passed.
    fn rates(&self, look: &Look) -> Option<Rates> {
        let since = self.seen.front().filter(|(at, ..)| *at + WAIT.0 <= look.now)?;
        Some(rates_since(*since, look))
    }

    /// May a step be made, and which?
    fn consider(&mut self, look: &Look) {
        if look.lanes < self.wanted && !look.is_dialling {
            // Some ended by themselves.
            self.wanted = look.lanes;
            self.retry_at = look.now + self.pause;
        }
        let Some(rates) = self.rates(look) else {
            return;
        };
        let wait = if self.is_long() { WAIT.0 } else { WAIT.1 };
        let waits = self.waits_since.is_some_and(|since| since + wait <= look.now);
        if waits {
            self.best = self.best.max(rates.own);
        }
        let is_low = waits && rates.own < SLACK * self.best;
        self.low_since = is_low.then(|| self.low_since.unwrap_or(look.now));
        // What is measured is an average: it must have had the time to sink.
        let is_sunk = self.low_since.is_some_and(|since| since + MEASURE <= look.now);
        // Before anything arrives there is nothing to compare with.
        let may_more = rates.own > OWN_MIN
            && self.may_ever()
            && self.wanted < self.lanes_max
            && look.lanes == self.wanted
            && look.now >= self.quiet_until;
        let is_due = look.now >= self.retry_at || is_sunk;
        if waits && may_more && is_due {
            self.each = self.each.min(rates.own / f64::from(carrying(self.wanted)));
            let step = Step { from: self.wanted, before: rates, began: look.now, joined: None };
            self.wanted = self.above(self.wanted);
            self.low_since = None;
            self.step = Some(step);
        }
    }

    fn above(&self, lanes: u32) -> u32 {
        let more = match lanes {
            0 if self.is_long() => FIRST_STEP,
            0 => 1,
            _ if self.is_long() => self.lanes_max,
            lanes => 2 * carrying(lanes),
        };
        more.min(self.lanes_max)
    }

    fn follow(&mut self, mut step: Step, look: &Look) {
        let is_there = look.lanes >= self.wanted;
        let is_late = step.began + JOIN <= look.now;
        if step.joined.is_none() && (is_there || is_late) {
            self.wanted = self.wanted.min(look.lanes.max(step.from));
            step.joined = Some((look.now, look.own_bytes, look.all_bytes));
        }
        self.step = Some(step);
        if let Some(joined) = step.joined
            && joined.0 + SETTLE <= look.now
        {
            self.judge(&step, joined, look);
        }
    }

    fn judge(&mut self, step: &Step, joined: (Duration, u64, u64), look: &Look) {
        let after = rates_since(joined, look);
        let taken = (step.before.others - after.others).max(0.0);
        let gain = (after.own - step.before.own - taken) / step.before.own.max(1.0);
        let (from, to) = (carrying(step.from), carrying(self.wanted));
        let hoped = f64::from(to) / f64::from(from) - 1.0;
        let is_first = self.is_long() && step.from == 0;
        let enough = if is_first { FIRST_GAIN } else { hoped / 2.0 };
        if hoped > 0.0 && gain >= enough {
            self.step = None;
            self.pause = PAUSE.0;
            self.retry_at = look.now;
            return;
        }
        let judge = if self.is_long() && !is_first { JUDGE.1 } else { JUDGE.0 };
        if joined.0 + judge > look.now {
            return;
        }
        self.step = None;
        self.best = after.own;
        self.retry_at = look.now + self.pause;
        if gain >= GAIN_MIN {
            let each = self.each.min(step.before.own / f64::from(from)).max(1.0);
            let worth = (after.own / each).ceil() as u32 + 1;
            self.wanted = worth.clamp(step.from, self.wanted);
            return;
        }
        self.wanted = step.from;
        // One that has nothing to send shows nothing about the way.
        if self.is_waiting(look) {
            self.lengthen_pause();
        }
    }
}

/// Lines that carry content with so many lanes.
fn carrying(lanes: u32) -> u32 {
    if lanes >= LANES_ALONE { lanes } else { lanes + 1 }
}

fn rates_since((at, own_bytes, all_bytes): (Duration, u64, u64), look: &Look) -> Rates {
    let span = look.now.saturating_sub(at).as_secs_f64().max(1e-3);
    let own = look.own_bytes.saturating_sub(own_bytes) as f64 / span;
    let all = look.all_bytes.saturating_sub(all_bytes) as f64 / span;
    Rates { own, others: (all - own).max(0.0) }
}
