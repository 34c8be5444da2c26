//! One agent at work on one workload, as the landing site sees it.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::capture::{Cursor, Record};
use crate::model::{Bytes, ChunkId, Event, PassNumber, RunNumber, Tally, WorkloadId};
use crate::run::coordinator::decide::Halt;
use crate::run::coordinator::naming::Unnamed;
use crate::run::coordinator::open::{Offer, OpenOffers, held};
use crate::run::coordinator::rates::Asked;
use crate::run::coordinator::segment::OpenSegment;
use crate::run::coordinator::waits::Waits;
use crate::run::coordinator::{Assignment, Limits, SourceDoubts};
use crate::store::Tenant;
use crate::wire::{RunChecker, Sketch, WalkTally, WireError};

/// An honest agent holds 32 MiB of unanswered content, at least a byte in each offer that counts
/// here, and sends what is not full ten times a second at most.
const OFFERS_UNANSWERED_MAX: usize = 16_384;
/// Raw bytes under way over one lane.
const LANE_WINDOW_BYTES: u64 = 2 << 20;
/// Offers that wait for pieces of other hosts; they hold records, no content.
const OFFERS_OPEN_MAX: usize = 32_768;

/// One agent's work on one workload.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) assignment: Assignment,
    pub(super) checker: RunChecker,
    pub(super) offers: OpenOffers,
    pub(super) segment: OpenSegment,
    /// Pieces wanted of this agent and not yet received.
    pub(super) wanted: HashMap<ChunkId, u32>,
    /// Pieces received and not yet in the store.
    pub(super) arriving: HashMap<ChunkId, u32>,
    /// Raw bytes wanted and not yet in the store; includes what is being appended.
    pub(super) wanted_bytes: u64,
    /// Of those, what has not arrived, and what it will be on the wire.
    pub(super) asked: Asked,
    /// Why no more is asked for.
    pub(super) halt: Halt,
    pub(super) waits: Waits,
    pub(super) rereads: HashMap<u64, ChunkId>,
    pub(super) next_ticket: u64,
    pub(super) walk_done: Option<WalkTally>,
    pub(super) lost_pieces: u64,
    pub(super) sweeps: u32,
    /// Does the run under way take what is new, so that a closing sweep must follow?
    pub(super) is_walk: bool,
    /// Of the runs of this session, the most that one of them could not see.
    /// Names that were gone in the sweep before, and stayed.
    gone_before: u64,
    /// Does the sweep under way take what is gone for gone?
    is_decisive: bool,
    pub(super) doubts: SourceDoubts,
    pub(super) is_sealing: bool,
    /// Since when nothing more is asked of it, because somebody put it off.
    pub(super) resting: Option<Duration>,
    /// What the records of each segment take that was handed over and is not yet durable.
    committing: VecDeque<u64>,
    committing_bytes: u64,
    /// When it last did what it should.
    pub(super) progress_at: Duration,
    /// Is it listened to?
    pub(super) is_heard: bool,
    /// Does it stand in a line, for room in the budget or for a rate?
    pub(super) is_queued: bool,
    pub(super) arrived_bytes: u64,
    /// Connections beside the first.
    pub(super) lanes: u32,
    rate: RateMeter,
}

impl Session {
    pub(super) fn new(assignment: Assignment, now: Duration) -> Self {
        let (paths, cursor) = (assignment.paths.clone(), assignment.cursor.as_ref());
        let is_walk = assignment.run == RunNumber(0) || assignment.is_delta;
        Self {
            checker: RunChecker::new(paths, assignment.run, cursor),
            segment: OpenSegment::new(assignment.run, assignment.segment),
            offers: OpenOffers::default(),
            wanted: HashMap::new(),
            arriving: HashMap::new(),
            wanted_bytes: 0,
            asked: Asked::default(),
            halt: Halt::Own,
            waits: Waits::new(now),
            rereads: HashMap::new(),
            next_ticket: 0,
            walk_done: None,
            lost_pieces: 0,
            sweeps: u32::from(!is_walk),
            is_walk,
            gone_before: 0,
            is_decisive: false,
            doubts: SourceDoubts::default(),
            is_sealing: false,
            resting: None,
            committing: VecDeque::new(),
            committing_bytes: 0,
            progress_at: now,
            is_heard: true,
            is_queued: false,
            arrived_bytes: 0,
            lanes: 0,
            rate: RateMeter { bytes_per_second: 0.0, since: now, bytes: 0 },
            assignment,
        }
    }

    pub(super) fn workload(&self) -> &WorkloadId {
        &self.assignment.workload
    }

    pub(super) fn pass(&self) -> PassNumber {
        self.assignment.pass
    }

    pub(super) fn tenant(&self) -> Tenant {
        self.assignment.tenant
    }

    /// Was it asked for this piece, and has not sent it or it is not in the store yet?
    pub(super) fn sends(&self, id: &ChunkId) -> bool {
        self.wanted.contains_key(id) || self.arriving.contains_key(id)
    }

    pub(super) fn level(&self) -> u32 {
        self.assignment.level
    }

    /// Checks and queues an offer; returns what it says was left out.
    pub(super) fn take_offer(
        &mut self,
        number: u64,
        records: Vec<Record>,
        (cursor, tally): (Option<Cursor>, WalkTally),
        limits: &Limits,
    ) -> Result<Vec<Event>, WireError> {
        let events = self.check_offer(number, &records, limits)?;
        self.offers.push(Offer::new(number, records, cursor, tally));
        Ok(events)
    }

    /// The same with short names.
    pub(super) fn take_sketch(
        &mut self,
        number: u64,
        sketch: Box<Sketch>,
        (cursor, tally): (Option<Cursor>, WalkTally),
        limits: &Limits,
    ) -> Result<Vec<Event>, WireError> {
        let events = self.check_offer(number, sketch.nameless(), limits)?;
        self.offers.push_unnamed(number, Unnamed::new(sketch), cursor, tally);
        Ok(events)
    }

    fn check_offer(
        &mut self,
        number: u64,
        records: &[Record],
        limits: &Limits,
    ) -> Result<Vec<Event>, WireError> {
        if self.walk_done.is_some() || self.is_sealing {
            return Err(WireError::Unexpected("an offer after the end of a run"));
        }
        self.checker.offer(number, records)?;
        let is_too_much = self.offers.unanswered() > OFFERS_UNANSWERED_MAX
            || self.offers.len() > OFFERS_OPEN_MAX
            || self.held_bytes() + held(records) > limits.held_bytes_max;
        if is_too_much {
            return Err(WireError::Unexpected("more offers than an agent may have open"));
        }
        let left_out = |record: &Record| match record {
            Record::LeftOut { path, why } => Some(Event::LeftOut {
                workload: self.assignment.workload.clone(),
                path: path.to_string(),
                why: crate::model::text::bounded(why, crate::capture::entry::WHY_BYTES_MAX),
            }),
            _ => None,
        };
        Ok(records.iter().filter_map(left_out).collect())
    }

    /// Which sweep follows a run that is over: does it keep what is gone from its place? `None`:
    /// none does, the pass is complete.
    ///
    /// What was captured and is gone may have moved behind the walk, and a copy too many is no
    /// loss: it stays, until as many are gone in the next sweep, and nothing vanishes between
    /// being listed and being read. Then nothing moves any more, and the sweep after that takes
    /// what is gone for gone. If something has moved meanwhile, another one looks for it.
    pub(super) fn next_sweep(&mut self, walk: &WalkTally, sweeps_max: u32) -> Option<bool> {
        if self.is_walk {
            return Some(true);
        }
        let is_calm = walk.vanished == 0 && self.lost_pieces == 0;
        let is_as_before = walk.gone == self.gone_before;
        let was_decisive = std::mem::take(&mut self.is_decisive);
        self.gone_before = if was_decisive { 0 } else { walk.gone };
        let is_complete = is_calm && (walk.gone == 0 || (was_decisive && is_as_before));
        if is_complete || self.sweeps >= sweeps_max {
            return None;
        }
        // One that decides is never the last: what it took for gone may have moved.
        let may_decide = !was_decisive && self.sweeps + 1 < sweeps_max;
        self.is_decisive = is_calm && is_as_before && may_decide;
        Some(!self.is_decisive)
    }

    /// The agent says the run is complete; its counts must be ours.
    pub(super) fn walk_done(&mut self, tally: WalkTally) -> Result<(), WireError> {
        if self.walk_done.is_some() || self.is_sealing {
            return Err(WireError::Unexpected("a second end of a run"));
        }
        if (tally.offers, tally.records) != self.checker.counts() || self.checker.is_inside_file() {
            return Err(WireError::Unexpected("an end of a run whose counts do not agree"));
        }
        self.walk_done = Some(tally);
        self.doubts.failing = self.doubts.failing.max(tally.failing);
        self.doubts.missing_roots = self.doubts.missing_roots.max(tally.missing_roots);
        Ok(())
    }

    /// What its records take that are not yet durable.
    pub(super) fn held_bytes(&self) -> u64 {
        self.offers.held_bytes() + self.segment.held_bytes() + self.committing_bytes
    }

    /// A segment was handed over, to be made durable.
    pub(super) fn begin_commit(&mut self, held_bytes: u64) {
        self.committing.push_back(held_bytes);
        self.committing_bytes += held_bytes;
    }

    /// The oldest of them is.
    pub(super) fn end_commit(&mut self) {
        self.committing_bytes -= self.committing.pop_front().unwrap_or(0);
    }

    /// Is any of them not?
    pub(super) fn is_committing(&self) -> bool {
        !self.committing.is_empty()
    }

    /// Does the agent owe something, and the landing site nothing?
    pub(super) fn owes(&self) -> bool {
        let is_ours_to_act =
            self.offers.unanswered() > 0 || self.is_committing() || self.is_sealing;
        let is_asked = !self.wanted.is_empty() || self.offers.owes_names();
        is_asked || (!is_ours_to_act && self.arriving.is_empty())
    }

    /// Begins the next run of the same pass.
    pub(super) fn begin_sweep(&mut self) -> RunNumber {
        let run = RunNumber(self.segment.run().0 + 1);
        self.checker = RunChecker::new(self.assignment.paths.clone(), run, None);
        self.segment = OpenSegment::new(run, 0);
        self.walk_done = None;
        self.lost_pieces = 0;
        self.sweeps += 1;
        self.is_walk = false;
        run
    }

    /// Every piece that it was asked for or waits for.
    pub(super) fn concerns(&self) -> Vec<ChunkId> {
        let asked = self.wanted.keys().chain(self.arriving.keys()).copied();
        asked.chain(self.offers.answered_pieces()).collect()
    }

    /// What may be wanted at once: twice what passes in a round trip, within bounds.
    pub(super) fn window_bytes(&self, limits: &Limits) -> u64 {
        // A quarter of a second stands for compression at one end and appending at the other.
        let round = self.assignment.rtt.as_secs_f64() + 0.25;
        let wanted = 2.0 * self.rate.bytes_per_second * round;
        // Each lane has a frame under way and another one waiting.
        let lanes = u64::from(self.lanes) * LANE_WINDOW_BYTES;
        (wanted as u64).max(limits.window_bytes_min + lanes).min(limits.window_bytes_max)
    }

    /// How long what is wanted will take at the rate of late.
    pub(super) fn expected(&self) -> Duration {
        let rate = self.rate.bytes_per_second.max(65_536.0);
        Duration::from_secs_f64(self.wanted_bytes as f64 / rate)
    }

    /// Counts what arrived.
    pub(super) fn arrived(&mut self, bytes: u64) {
        self.arrived_bytes += bytes;
        self.rate.bytes += bytes;
    }

    /// Follows the rate; called about every half second or more.
    pub(super) fn measure(&mut self, now: Duration) {
        self.rate.measure(now);
    }

    /// Adds a tally delta of the agent to the open segment.
    pub(super) fn count(&mut self, tally: &WalkTally) {
        let into = self.segment.tally_mut();
        into.opened_files = into.opened_files.saturating_add(tally.opened_files);
        into.read_bytes += Bytes(tally.read_bytes);
        into.vanished = into.vanished.saturating_add(tally.vanished);
    }

    /// The tally of the segment being filled.
    pub(super) fn tally_mut(&mut self) -> &mut Tally {
        self.segment.tally_mut()
    }
}

/// An exponential average over about two seconds.
#[derive(Debug)]
struct RateMeter {
    bytes_per_second: f64,
    since: Duration,
    bytes: u64,
}

impl RateMeter {
    fn measure(&mut self, now: Duration) {
        let span = now.saturating_sub(self.since).as_secs_f64();
        if span < 0.5 {
            return;
        }
        let weight = 1.0 - (-span / 2.0).exp();
        self.bytes_per_second += weight * (self.bytes as f64 / span - self.bytes_per_second);
        self.since = now;
        self.bytes = 0;
    }
}
