//! From offers to segments to runs to a sealed pass.

use std::time::Duration;

use crate::model::{Bytes, Event, Reason};
use crate::run::coordinator::session::Session;
use crate::run::coordinator::{Command, Coordinator, Frame, Known, SessionId};
use crate::wire::{ToLanding, WireError};

/// Why a session ends with the run.
const STOPPED: &str = "the run was asked to stop";
/// How long a draining run waits for what it asked of a host.
const DRAIN_PATIENCE: Duration = Duration::from_secs(10);

impl Coordinator {
    /// A message of a capture; everything else was handled where it arrived.
    pub(super) fn said(&mut self, id: SessionId, message: ToLanding, known: &dyn Known) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let verdict = match message {
            ToLanding::Offer { number, records, cursor, tally } => {
                self.names.note(&records, session.tenant());
                let taken = session.take_offer(number, records, (cursor, tally), &self.limits);
                taken.map(|left_out| self.out.extend(left_out.into_iter().map(Command::Emit)))
            }
            ToLanding::Sketch { number, sketch, cursor, tally } => {
                let taken = session.take_sketch(number, sketch, (cursor, tally), &self.limits);
                taken.map(|left_out| self.out.extend(left_out.into_iter().map(Command::Emit)))
            }
            ToLanding::Names { offer, names } => self.names_said(id, offer, &names),
            ToLanding::WalkBegan { roots, clock_s } => {
                session.segment.read_from(clock_s);
                session.checker.resolved(roots)
            }
            ToLanding::Owners(owners) => session.segment.owned_by(*owners),
            ToLanding::WalkDone { tally } => session.walk_done(tally),
            ToLanding::RereadGone { ticket } => {
                self.reread_gone(id, ticket, known);
                return;
            }
            _ => Err(WireError::Unexpected("a message that does not belong to a capture")),
        };
        match verdict {
            Ok(()) => {
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.progress_at = self.now;
                }
                self.decide(id, known);
            }
            Err(error) => self.end(id, Reason::Protocol, error.to_string(), known),
        }
    }

    /// A frame of checked pieces: each must have been asked of this host.
    pub(super) fn frame(&mut self, id: SessionId, frame: Frame, known: &dyn Known) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let asked = |(chunk, length)| session.wanted.get(&chunk) == Some(&length);
        if !frame.pieces().all(asked) {
            let detail = "it sent content that was not asked of it".to_owned();
            self.end(id, Reason::Protocol, detail, known);
            return;
        }
        let mut raw_bytes = 0;
        for (chunk, length) in frame.pieces() {
            // The same piece twice in a frame is a waste of the sender's, no more.
            if session.wanted.remove(&chunk).is_some() {
                session.arriving.insert(chunk, length);
                raw_bytes += u64::from(length);
            }
            if let Some(claim) = self.claims.get_mut(&chunk) {
                claim.has_arrived = true;
            }
        }
        self.touched.push(id);
        session.progress_at = self.now;
        session.arrived(raw_bytes);
        let wire_bytes = frame.bytes.len() as u64;
        session.asked.learn(raw_bytes, wire_bytes);
        let booked = session.asked.end(raw_bytes, wire_bytes);
        self.rates.settle(&session.assignment.passes, booked, wire_bytes as f64);
        session.tally_mut().sent_bytes += Bytes(wire_bytes);
        let workload = session.workload().clone();
        let event = Event::Received {
            host: session.assignment.host.clone(),
            workload: workload.clone(),
            sent_bytes: Bytes(wire_bytes),
            raw_bytes: Bytes(raw_bytes),
        };
        self.out.push(Command::Emit(event));
        self.out.push(Command::Append(id, workload, frame));
    }

    /// Moves what is whole into the segment, closes it when it is due, ends the run when it is.
    pub(super) fn advance(&mut self, id: SessionId) {
        self.looks += 1;
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        self.touched.push(id);
        while let Some(offer) = session.offers.pop_whole() {
            session.count(&offer.tally);
            session.segment.take(offer, self.now);
            let is_full = session.segment.raw_bytes() >= self.limits.segment_bytes
                || session.segment.held_bytes() >= self.limits.segment_held_bytes;
            if is_full {
                Self::close_segment(session, id, &mut self.out);
            }
        }
        let draining = self.draining.or(session.resting);
        let is_old = session.segment.age(self.now) >= self.limits.segment_age;
        let is_last = session.walk_done.is_some() && session.offers.is_empty();
        if !session.segment.is_empty() && (is_old || is_last || draining.is_some()) {
            Self::close_segment(session, id, &mut self.out);
        }
        if let Some(since) = draining {
            self.drain_session(id, since);
        } else {
            self.end_run(id);
        }
    }

    fn close_segment(session: &mut Session, id: SessionId, out: &mut Vec<Command>) {
        let (workload, pass) = (session.workload().clone(), session.pass());
        session.begin_commit(session.segment.held_bytes());
        let closed = session.segment.close(workload, pass);
        out.push(Command::Commit(id, closed));
    }

    /// While draining: what was asked for is taken and committed, then the session ends. A host
    /// that does not deliver is not waited for.
    fn drain_session(&mut self, id: SessionId, since: Duration) {
        let Some(session) = self.sessions.get(&id) else {
            return;
        };
        let is_idle = session.wanted_bytes == 0 || self.now.saturating_sub(since) > DRAIN_PATIENCE;
        if is_idle && !session.is_committing() && !session.is_sealing {
            let whose = if session.resting.is_some() { "somebody put it off" } else { STOPPED };
            let detail = whose.to_owned();
            self.out.push(Command::End(id, Reason::Stopped, detail));
            self.drop_session(id);
        }
    }

    /// Nothing more is asked of it; when what was is durable, it ends.
    pub(super) fn rest(&mut self, id: SessionId, known: &dyn Known) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.resting.get_or_insert(self.now);
            self.decide(id, known);
        }
    }

    /// Another level, also where it waits in line already.
    pub(super) fn set_level(&mut self, id: SessionId, level: u32, known: &dyn Known) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.assignment.level = level;
            if self.rates.leave(id) {
                session.is_queued = false;
            }
            self.decide(id, known);
        }
    }

    /// A run ends when its last segment is durable; then follows a sweep, or the seal.
    fn end_run(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let Some(walk) = session.walk_done else {
            return;
        };
        let is_settled = session.offers.is_empty()
            && session.segment.is_empty()
            && !session.is_committing()
            // What another host sent in its stead still comes: it must find its session.
            && session.wanted_bytes == 0
            && !session.is_sealing;
        if !is_settled {
            return;
        }
        if let Some(keep_gone) = session.next_sweep(&walk, self.limits.sweeps_max) {
            let run = session.begin_sweep();
            let (workload, pass) = (session.workload().clone(), session.pass());
            self.out.push(Command::Emit(Event::RunBegan { workload, pass, run }));
            self.out.push(Command::Sweep { session: id, run, keep_gone });
        } else {
            session.is_sealing = true;
            self.out.push(Command::Seal(id, session.doubts));
        }
    }

    /// A segment is durable.
    pub(super) fn committed(&mut self, id: SessionId, known: &dyn Known) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.end_commit();
            session.progress_at = self.now;
        }
        self.decide(id, known);
    }
}
