//! From an agent that called to one on the line.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Lobby;
use crate::inventory::Host;
use crate::model::text::bounded;
use crate::model::{Event, HostId, Reason};
use crate::run::Shared;
use crate::run::line::Line;
use crate::run::stream::{Hear, Pending, Speak, Stream};
use crate::run::talk::{Patience, Talk, TalkError};
use crate::ssh::invite::visit::{Held, VisitReader, VisitWriter};
use crate::ssh::invite::{Visit, call};
use crate::wire::{AgentFacts, Grant, MAGIC};

/// For its first word.
const FIRST: Duration = Duration::from_secs(30);
/// Of what a machine calls itself.
const NAME_CHARS_MAX: usize = 64;
/// For a last word to one that goes.
const FAREWELL: Duration = Duration::from_secs(2);

/// The connections that hosts work over, each with its number.
#[derive(Default)]
pub(super) struct Working {
    last: u64,
    held: BTreeMap<HostId, (u64, Held)>,
}

/// A host that called and is worked on. Without it its connection ends, and it calls again.
pub struct Guest {
    lobby: Arc<Lobby>,
    host: HostId,
    number: u64,
}

impl Guest {
    /// Is something left to be done, now or by another run?
    pub(in crate::run) fn is_needed(&self) -> bool {
        self.lobby.hands.schedule().needs(&self.host)
    }

    /// It was told to go.
    pub(in crate::run) fn done(&self) {
        self.lobby.done(&self.host);
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut working = self.lobby.working.lock().expect("no holder of this lock panics");
        if working.held.get(&self.host).is_some_and(|(number, _)| *number == self.number) {
            working.held.remove(&self.host);
        }
    }
}

/// What people compare: a line may be typed on the wrong machine.
fn introduction(facts: &AgentFacts) -> String {
    let name = bounded(&facts.hostname, NAME_CHARS_MAX);
    match facts.uid {
        0 => format!("on the line is a machine that calls itself {name}"),
        uid => format!(
            "on the line is a machine that calls itself {name}; its agent is user {uid}, not root: \
             what it may not read is listed with each workload"
        ),
    }
}

fn lost(text: impl Into<String>) -> TalkError {
    TalkError::new(Reason::Lost, text)
}

impl Lobby {
    /// The agent of a host that is to call; `None`: it is not, and may be dialled.
    pub(in crate::run) async fn line(
        self: &Arc<Self>,
        host: &Host,
        shared: &Shared,
    ) -> Option<Result<Line, TalkError>> {
        let waiting = self.expects(&host.id)?;
        let visit = self.here().remove(&host.id).filter(|visit| !visit.is_gone());
        let Some(visit) = visit else {
            return Some(Err(TalkError::new(Reason::Unreachable, waiting)));
        };
        let line = self.greet(visit, host, shared).await;
        if let Ok(line) = &line {
            let (rtt_ms, agent_bytes) = (line.rtt.as_secs_f64() * 1e3, crate::model::Bytes::ZERO);
            shared.emit(Event::HostReady { host: host.id.clone(), rtt_ms, agent_bytes });
            self.note_of(&host.id, introduction(&line.talk.facts));
        }
        Some(line)
    }

    async fn greet(
        self: &Arc<Self>,
        visit: Visit,
        host: &Host,
        shared: &Shared,
    ) -> Result<Line, TalkError> {
        let generation = shared.generation(&host.id)?;
        let rtt = visit.rtt;
        let (mut reader, writer, held) = visit.split();
        let guest = self.hold(&host.id, held);
        let go = Bytes::from(format!("{}\n", call::GO));
        writer.write(go).await.map_err(|error| lost(error.to_string()))?;
        let began = tokio::time::timeout(FIRST, magic(&mut reader)).await;
        let first = began.map_err(|_| lost("its agent does not begin"))??;
        let stream = Stream { hear: Box::new(reader), speak: Box::new(writer) };
        let patience = Patience::default();
        let talk = Talk::greet_within(patience, stream, &first, generation, Grant::Read).await?;
        Ok(Line { talk, connection: None, rtt, entry: None, guest: Some(guest) })
    }

    fn hold(self: &Arc<Self>, host: &HostId, held: Held) -> Guest {
        let mut working = self.working.lock().expect("no holder of this lock panics");
        working.last += 1;
        let number = working.last;
        working.held.insert(host.clone(), (number, held));
        Guest { lobby: self.clone(), host: host.clone(), number }
    }

    /// Ends the connection that a host works over.
    pub(super) fn hang_up(&self, host: &HostId) {
        let mut working = self.working.lock().expect("no holder of this lock panics");
        working.held.remove(host);
    }

    /// One that waits is told to go; one that works is cut off, and told when it calls again.
    pub(super) async fn send_off(&self, host: &HostId) {
        let visit = self.here().remove(host);
        self.hang_up(host);
        if let Some(visit) = visit {
            let (mut reader, writer, _held) = visit.split();
            let over = Bytes::from(format!("{}\n", call::OVER));
            let farewell = async {
                if writer.write(over).await.is_ok() {
                    while reader.read().await.is_some() {}
                }
            };
            // One that hears nothing goes by itself after a while.
            let _ = tokio::time::timeout(FAREWELL, farewell).await;
        }
    }
}

/// What comes after the agent's magic.
async fn magic(reader: &mut VisitReader) -> Result<Vec<u8>, TalkError> {
    let mut said = Vec::new();
    while said.len() < MAGIC.len() {
        said.extend_from_slice(&reader.read().await.ok_or_else(|| lost("the agent ended"))?);
    }
    if !said.starts_with(MAGIC) {
        return Err(TalkError::new(Reason::Protocol, "what called is no agent of evac"));
    }
    Ok(said.split_off(MAGIC.len()))
}

impl Hear for VisitReader {
    fn hear(&mut self) -> Pending<'_, Result<Option<Bytes>, TalkError>> {
        Box::pin(async { Ok(self.read().await) })
    }

    fn noise(&self) -> String {
        String::new()
    }
}

impl Speak for VisitWriter {
    fn speak(&self, bytes: Bytes) -> Pending<'_, Result<(), TalkError>> {
        Box::pin(async { self.write(bytes).await.map_err(|error| lost(error.to_string())) })
    }

    fn end(&self) -> Pending<'_, Result<(), TalkError>> {
        Box::pin(async { self.eof().await.map_err(|error| lost(error.to_string())) })
    }
}
