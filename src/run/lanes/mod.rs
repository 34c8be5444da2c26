//! Further connections to a host, over which frames come side by side.
//!
//! **Promises.**
//! - A lane that cannot be opened, breaks or ends costs nothing but itself: what was on its way is
//!   sent again over other lines, exactly that ([`ToAgent::LaneLost`]). Only one that lies ends the
//!   session.
//! - A lane that is not worth it is drained before it is closed.
//! - Lanes keep nobody waiting who has no connection yet: few are dialled at once, per host and in
//!   all, one alone until the first is in, each once. After a failure none is tried for a while, so
//!   that nobody is shut out for knocking too often.
//! - Memory is bounded: besides what may wait for the engine, each lane holds at most one frame.
//!   What lanes bring passes through the same gate as what the first line brings.
//!
//! Hosts behind a bastion get none: their connections run through few shared ones.

pub mod ladder;
mod reader;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::inventory::Host;
use crate::model::{Event, Reason};
use crate::run::Shared;
use crate::run::coordinator::{Input, SessionId};
use crate::run::engine::ToEngine;
use crate::run::reach::{Entry, LaneWay};
use crate::run::stop::Phase;
use crate::run::talk::{Outbox, TalkError};
use crate::ssh::Connection;
use crate::wire::lane::{JoinNote, LaneToken};
use crate::wire::{HEAD_BYTES, ToAgent, encode};
use ladder::{Ladder, Look};
use reader::{Joined, News, Told, dial, read};

/// How often the ladder looks.
const LOOK: Duration = Duration::from_millis(500);
/// Lanes of one host that are dialled at once, when one got in before: as many connections to one
/// sshd as the dialler lets be under way.
const DIALS_MAX: usize = 4;
/// A lane that was asked to end and does not is lost.
const END_PATIENCE: Duration = Duration::from_secs(60);

/// What arrives from a host, over all its lines: for itself, and for all on its uplink.
#[derive(Debug, Clone, Default)]
pub struct Arrived {
    own: Arc<AtomicU64>,
    all: Arc<AtomicU64>,
}

impl Arrived {
    /// Of a host whose uplink counts into `all`.
    pub fn on(all: Arc<AtomicU64>) -> Self {
        Self { own: Arc::default(), all }
    }

    /// Adds what was read.
    pub fn add(&self, bytes: usize) {
        self.own.fetch_add(bytes as u64, Ordering::Relaxed);
        self.all.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// A lane that carries.
struct Lane {
    /// Of its frames, heads and all, what was handed on.
    taken_bytes: u64,
    /// It was asked to end.
    ending_since: Option<Duration>,
    connection: Option<Connection>,
}

/// The lanes of one agent.
pub struct Lanes {
    shared: Arc<Shared>,
    host: Arc<Host>,
    entry: Option<Arc<Entry>>,
    ladder: Ladder,
    first: Outbox,
    /// Of the first line's frames, heads and all, what was handed on.
    first_bytes: u64,
    token: Option<LaneToken>,
    newest: u32,
    lanes: BTreeMap<u32, Lane>,
    has_joined: bool,
    /// The agent is told what has arrived: it may get lanes.
    is_counted: bool,
    dials: JoinSet<Result<Joined, (u32, TalkError)>>,
    readers: JoinSet<()>,
    news: (Sender<Told>, Receiver<Told>),
    arrived: Arrived,
    waits: Option<bool>,
    session: Option<SessionId>,
    timer: Interval,
}

impl Lanes {
    /// None yet, beside a first line with this round trip.
    pub fn new(
        (shared, host): (Arc<Shared>, Arc<Host>),
        (first, entry, rtt): (Outbox, Option<Arc<Entry>>, Duration),
        arrived: Arrived,
        mut ladder: Ladder,
    ) -> Self {
        ladder.begin(rtt);
        // Behind a bastion all connections would share those to it.
        let is_counted = entry.is_some() && host.jump.is_none() && ladder.may_ever();
        if is_counted {
            let rtt_ms = rtt.as_millis() as u32;
            let _ = first.send(encode(&ToAgent::Count { rtt_ms }));
        }
        let mut timer = interval(LOOK);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            shared,
            host,
            entry,
            ladder,
            first,
            first_bytes: 0,
            token: None,
            newest: 0,
            lanes: BTreeMap::new(),
            has_joined: false,
            is_counted,
            dials: JoinSet::new(),
            readers: JoinSet::new(),
            news: channel(1),
            arrived,
            waits: None,
            session: None,
            timer,
        }
    }

    /// The lines carry this session now.
    pub fn begin(&mut self, session: SessionId) {
        self.session = Some(session);
        self.waits = None;
        self.ladder.forget_rates();
        self.tell_count();
    }

    /// The agent says whether what it sends waits for the way.
    pub fn waits(&mut self, waits: bool) {
        self.waits = Some(waits);
    }

    /// A frame came over the first line.
    pub fn first_took(&mut self, frame_bytes: usize) {
        self.first_bytes += (frame_bytes + HEAD_BYTES) as u64;
        if self.is_counted {
            self.say(&ToAgent::Took { line: 0, bytes: self.first_bytes });
        }
    }

    /// The next frame that comes over a lane; keeps as many lanes as the ladder wants meanwhile.
    /// Cancelling loses nothing.
    pub async fn next(&mut self) -> Result<Vec<u8>, TalkError> {
        loop {
            tokio::select! {
                Some((number, news)) = self.news.1.recv() => {
                    if let Some(frame) = self.take(number, news)? {
                        return Ok(frame);
                    }
                }
                Some(dialled) = self.dials.join_next() => match dialled {
                    Ok(Ok(joined)) => self.join(joined),
                    Ok(Err((_, error))) if error.reason == Reason::Protocol => return Err(error),
                    Ok(Err((number, error))) => {
                        // The agent may have let it in before it broke, and have given it frames.
                        self.say(&ToAgent::LaneLost { lane: number, bytes: 0 });
                        self.failed(&error);
                    }
                    Err(_) => {}
                },
                _ = self.timer.tick() => self.look(),
            }
        }
    }

    fn say(&self, message: &ToAgent) {
        // A first line that is gone shows where it is read.
        let _ = self.first.send(encode(message));
    }

    fn now(&self) -> Duration {
        self.shared.clock.elapsed()
    }

    /// Lanes that are not about to end.
    fn carrying(&self) -> u32 {
        self.lanes.values().filter(|lane| lane.ending_since.is_none()).count() as u32
    }

    fn take(&mut self, number: u32, news: News) -> Result<Option<Vec<u8>>, TalkError> {
        // What was given up is sent again.
        let Some(lane) = self.lanes.get_mut(&number) else {
            return Ok(None);
        };
        match news {
            News::Frame(frame) => {
                lane.taken_bytes += (frame.len() + HEAD_BYTES) as u64;
                let bytes = lane.taken_bytes;
                self.say(&ToAgent::Took { line: number, bytes });
                return Ok(Some(frame));
            }
            News::Ended => {
                let connection = self.lanes.remove(&number).and_then(|lane| lane.connection);
                self.readers.spawn(close(connection));
            }
            News::Broke(error) if error.reason == Reason::Protocol => return Err(error),
            News::Broke(error) => {
                self.lose(number);
                self.failed(&error);
            }
        }
        self.tell_count();
        Ok(None)
    }

    /// Has the agent send again what did not come over a lane.
    fn lose(&mut self, number: u32) {
        if let Some(lane) = self.lanes.remove(&number) {
            self.say(&ToAgent::LaneLost { lane: number, bytes: lane.taken_bytes });
            if let Some(connection) = lane.connection {
                connection.kill();
            }
        }
    }

    fn failed(&mut self, error: &TalkError) {
        let lanes = self.carrying() + self.dials.len() as u32;
        if !self.ladder.failed(self.now(), lanes) {
            return;
        }
        let text = format!(
            "a further connection to {} did not last: {}; evac goes on over those it has",
            self.host.id, error.detail
        );
        let (what, by) = (self.host.id.to_string(), "evac".to_owned());
        self.shared.emit(Event::Noted { what, text, by });
    }

    /// Brings the number of lanes nearer to what the ladder wants.
    fn look(&mut self) {
        let now = self.now();
        let is_stuck = |lane: &Lane| lane.ending_since.is_some_and(|at| at + END_PATIENCE <= now);
        let stuck: Vec<u32> =
            self.lanes.iter().filter(|(_, lane)| is_stuck(lane)).map(|(n, _)| *n).collect();
        for number in stuck {
            self.lose(number);
        }
        if !self.is_counted {
            return;
        }
        let wanted = self.ladder.look(&Look {
            now,
            own_bytes: self.arrived.own.load(Ordering::Relaxed),
            all_bytes: self.arrived.all.load(Ordering::Relaxed),
            waits: self.waits,
            lanes: self.carrying(),
            is_dialling: !self.dials.is_empty(),
        });
        self.dial_up_to(wanted);
        let excess = self.carrying().saturating_sub(wanted);
        let newest: Vec<u32> = self.lanes.keys().rev().copied().take(excess as usize).collect();
        for number in newest {
            if let Some(lane) = self.lanes.get_mut(&number).filter(|l| l.ending_since.is_none()) {
                lane.ending_since = Some(now);
                self.say(&ToAgent::LaneEnd { lane: number });
            }
        }
        if excess > 0 {
            self.tell_count();
        }
    }

    fn dial_up_to(&mut self, wanted: u32) {
        let Some(entry) = self.entry.clone() else {
            return;
        };
        let at_once = if self.has_joined { DIALS_MAX } else { 1 };
        while self.carrying() + (self.dials.len() as u32) < wanted
            && self.dials.len() < at_once
            && self.shared.phase() == Phase::Running
        {
            let Some(token) = self.token() else {
                return;
            };
            self.newest += 1;
            let note = JoinNote { token, lane: self.newest };
            let (shared, host) = (self.shared.clone(), self.host.clone());
            self.dials.spawn(dial(shared, host, entry.clone(), note));
        }
    }

    /// The session's token; the agent hears of it when the first lane is wanted.
    fn token(&mut self) -> Option<LaneToken> {
        if self.token.is_none() {
            let mut bytes = [0; 16];
            getrandom::fill(&mut bytes).ok()?;
            let token = LaneToken(bytes);
            self.say(&ToAgent::Lanes { token });
            self.token = Some(token);
        }
        self.token
    }

    fn join(&mut self, joined: Joined) {
        let Joined { number, way, decoder } = joined;
        let LaneWay { stream, connection } = way;
        self.has_joined = true;
        self.lanes.insert(number, Lane { taken_bytes: 0, ending_since: None, connection });
        let (news, arrived) = (self.news.0.clone(), self.arrived.clone());
        self.readers.spawn(read(number, (stream.hear, stream.speak), decoder, arrived, news));
        while self.readers.try_join_next().is_some() {}
        self.tell_count();
        self.look();
    }

    fn tell_count(&self) {
        if let Some(session) = self.session {
            let count = self.carrying();
            self.shared.tell(ToEngine::Input(Input::Lanes(session, count)));
        }
    }

    /// Lets go of the agent; what is left of the lanes is to be closed when it is gone.
    pub fn leave(self) -> (Ladder, Closing) {
        let connections = self.lanes.into_values().filter_map(|lane| lane.connection).collect();
        (self.ladder, Closing { connections, _readers: self.readers })
    }
}

/// Lanes whose agent is about to go.
pub struct Closing {
    connections: Vec<Connection>,
    _readers: JoinSet<()>,
}

impl Closing {
    /// Says goodbye to all of them.
    pub async fn close(self) {
        let mut goodbyes = JoinSet::new();
        for connection in self.connections {
            goodbyes.spawn(close(Some(connection)));
        }
        while goodbyes.join_next().await.is_some() {}
    }

    /// Ends them without a word.
    pub fn kill(self) {
        for connection in self.connections {
            connection.kill();
        }
    }
}

async fn close(connection: Option<Connection>) {
    if let Some(connection) = connection {
        connection.close().await;
    }
}
