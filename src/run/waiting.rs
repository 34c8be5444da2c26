//! Waiting for access (`run --wait`): hosts that do not answer are knocked at until they do, and
//! are worked on then; meanwhile people are told what the silence means.
//!
//! **Promises.**
//! - No login is tried where nobody answers, and none of these hosts takes another's place.
//! - What is told is what was heard for a whole beat, and is told once.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::inventory::{Host, Inventory};
use crate::model::{Event, HostId};
use crate::run::Shared;
use crate::run::knocks::{Entrance, Knocks, Silence};
use crate::ssh::knock::{Heard, knock};

/// Between two looks at who is waited for.
const LOOK: Duration = Duration::from_secs(1);
/// More machines in a row than any way in leads through.
const JUMPS_MAX: usize = 8;

/// What came of a knock.
enum News {
    At(Entrance, Heard),
    /// Does something answer that is not at the provider?
    Outside(bool),
}

struct Waiting<'a> {
    shared: &'a Shared,
    by: &'a str,
    outside: &'a [(String, u16)],
    beat: Duration,
    knocks: Knocks,
    under_way: JoinSet<News>,
    outside_answers: Option<bool>,
    asked_outside: Option<Duration>,
    /// What the silence meant, and since when.
    silence: (Option<Silence>, Duration),
    told: Option<Silence>,
}

/// Brings hosts back that answer, for as long as a run goes on.
pub(super) async fn knock_on(
    shared: &Shared,
    outside: &[(String, u16)],
    (by, beat): (&str, Duration),
) -> Infallible {
    let mut waiting = Waiting {
        shared,
        by,
        outside,
        beat,
        knocks: Knocks::new(beat),
        under_way: JoinSet::new(),
        outside_answers: None,
        asked_outside: None,
        silence: (None, Duration::ZERO),
        told: None,
    };
    loop {
        let away = waiting.away();
        waiting.knock(&away);
        tokio::select! {
            Some(Ok(news)) = waiting.under_way.join_next() => waiting.hear(news, &away),
            () = tokio::time::sleep(LOOK.min(beat)) => waiting.tell(&away),
        }
    }
}

/// Hosts that are waited for, by where one knocks.
type Away = BTreeMap<Entrance, Vec<HostId>>;

impl Waiting<'_> {
    fn away(&self) -> Away {
        let inventory = self.shared.hands.inventory();
        let mut away = Away::new();
        for id in self.shared.hands.schedule().away() {
            // Who is to call is not knocked at.
            let calls = self.shared.lobby.expects(&id).is_some();
            if let Some(host) = inventory.host(&id).filter(|_| !calls) {
                let found = self.shared.reach.entrance(&id);
                let found = found.map(|(address, port)| Entrance { address, port });
                let entrance = found.unwrap_or_else(|| entrance(&inventory, host));
                away.entry(entrance).or_default().push(id);
            }
        }
        away
    }

    fn knock(&mut self, away: &Away) {
        let now = self.shared.clock.elapsed();
        let awaited: BTreeSet<Entrance> = away.keys().cloned().collect();
        for door in self.knocks.due(now, &awaited) {
            self.under_way.spawn(async move {
                let heard = knock(&door.address, door.port).await;
                News::At(door, heard)
            });
        }
        let is_due = self.asked_outside.is_none_or(|at| at + self.beat <= now);
        if is_due && !away.is_empty() && !self.outside.is_empty() {
            self.asked_outside = Some(now);
            let outside = self.outside.to_vec();
            self.under_way.spawn(async move { News::Outside(any_answers(&outside).await) });
        }
    }

    fn hear(&mut self, news: News, away: &Away) {
        let now = self.shared.clock.elapsed();
        match news {
            News::Outside(answers) => self.outside_answers = Some(answers),
            News::At(door, heard) => {
                self.knocks.heard(&door, heard, now);
                if heard == Heard::Greeting {
                    let hosts = away.get(&door).map_or([].as_slice(), Vec::as_slice);
                    self.shared.hands.schedule().back(hosts);
                    self.shared.hands.spread();
                }
            }
        }
    }

    /// Tells what the silence means, once it has meant so for a while.
    fn tell(&mut self, away: &Away) {
        let now = self.shared.clock.elapsed();
        if self.shared.hands.door.is_shut() {
            // Nobody is asked, so nobody is silent, and the next window has knocks of its own.
            (self.silence, self.told) = ((None, now), None);
            self.knocks = Knocks::new(self.beat);
            return;
        }
        let awaited = away.keys().cloned().collect();
        let at_work = self.shared.hands.schedule().at_work();
        let silence = Silence::of(self.knocks.tally(&awaited), at_work, self.outside_answers);
        if silence != self.silence.0 {
            self.silence = (silence, now);
        }
        let lasts = self.silence.1 + self.beat <= now;
        if silence == self.told || !lasts {
            return;
        }
        self.told = silence;
        let hosts = away.values().map(Vec::len).sum();
        let text = match silence {
            Some(silence) => silence.text(hosts),
            None => "every host answers that was waited for".to_owned(),
        };
        self.shared.emit(Event::Noted { what: "evac".into(), text, by: self.by.to_owned() });
    }
}

/// Where one knocks for `host`: at the outermost machine on the way to it.
fn entrance(inventory: &Inventory, host: &Host) -> Entrance {
    let mut outermost = host;
    for _ in 0..JUMPS_MAX {
        let Some(jump) = outermost.jump.as_ref().and_then(|id| inventory.host(id)) else { break };
        outermost = jump;
    }
    Entrance { address: outermost.address.clone(), port: outermost.port }
}

/// Does anybody say anything, be it no?
async fn any_answers(places: &[(String, u16)]) -> bool {
    for (address, port) in places {
        if !matches!(knock(address, *port).await, Heard::Nothing | Heard::NoWay) {
            return true;
        }
    }
    false
}
