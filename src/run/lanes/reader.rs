//! One lane: dialled, joined to its agent, read until it ends.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tokio::time::timeout;

use crate::inventory::Host;
use crate::model::Reason;
use crate::run::Shared;
use crate::run::lanes::Arrived;
use crate::run::reach::{Entry, LaneWay};
use crate::run::stream::{Hear, Speak};
use crate::run::talk::TalkError;
use crate::wire::lane::{JoinNote, OverLane};
use crate::wire::{Decoder, SILENCE_S};

/// How long a lane may take to join, once its process runs.
const JOIN_PATIENCE: Duration = Duration::from_secs(30);

/// What a lane brought, and which.
pub(super) type Told = (u32, News);

/// What a lane brought.
pub(super) enum News {
    Frame(Vec<u8>),
    Ended,
    Broke(TalkError),
}

/// One that just joined.
pub(super) struct Joined {
    pub(super) number: u32,
    pub(super) way: LaneWay,
    pub(super) decoder: Decoder<OverLane>,
}

/// Connects once more and has the connection join the agent; a failure names the lane.
pub(super) async fn dial(
    shared: Arc<Shared>,
    host: Arc<Host>,
    entry: Arc<Entry>,
    note: JoinNote,
) -> Result<Joined, (u32, TalkError)> {
    let number = note.lane;
    dialled(&shared, &host, &entry, note).await.map_err(|error| (number, error))
}

async fn dialled(
    shared: &Shared,
    host: &Host,
    entry: &Entry,
    note: JoinNote,
) -> Result<Joined, TalkError> {
    let closed = |_| TalkError::new(Reason::Internal, "closed");
    let _turn = shared.lane_dials.acquire().await.map_err(closed)?;
    let mut way = shared.reach.lane(host, entry).await?;
    way.stream.speak.speak(note.to_bytes().to_vec().into()).await?;
    let mut decoder = Decoder::default();
    let first = timeout(JOIN_PATIENCE, next(&mut *way.stream.hear, &mut decoder, &|_| {})).await;
    let late = |_| TalkError::new(Reason::Timeout, "the agent did not take the lane");
    match first.map_err(late)?? {
        OverLane::Heartbeat => Ok(Joined { number: note.lane, way, decoder }),
        _ => Err(TalkError::new(Reason::Protocol, "a lane did not begin as one")),
    }
}

/// The next message over a lane.
async fn next(
    hear: &mut dyn Hear,
    decoder: &mut Decoder<OverLane>,
    count: &(dyn Fn(usize) + Send + Sync),
) -> Result<OverLane, TalkError> {
    loop {
        let message = decoder.next_message();
        let message = message.map_err(|e| TalkError::new(Reason::Protocol, e.to_string()))?;
        if let Some(message) = message {
            return Ok(message);
        }
        let Some(bytes) = hear.hear().await? else {
            let said = crate::model::text::bounded(hear.noise().trim(), 200);
            return Err(TalkError::new(Reason::Lost, format!("it ended. {said}")));
        };
        count(bytes.len());
        decoder.push(&bytes);
    }
}

/// Hands on what a lane brings until it ends.
pub(super) async fn read(
    number: u32,
    (mut hear, _speak): (Box<dyn Hear>, Box<dyn Speak>),
    mut decoder: Decoder<OverLane>,
    arrived: Arrived,
    news: Sender<Told>,
) {
    let count = |bytes| arrived.add(bytes);
    let silence = Duration::from_secs(SILENCE_S);
    loop {
        let told = match timeout(silence, next(&mut *hear, &mut decoder, &count)).await {
            Err(_) => News::Broke(TalkError::new(Reason::Timeout, "it was silent")),
            Ok(Ok(OverLane::Heartbeat)) => continue,
            Ok(Ok(OverLane::Frame(bytes))) => News::Frame(bytes.into_vec()),
            Ok(Ok(OverLane::End)) => News::Ended,
            Ok(Err(error)) => News::Broke(error),
        };
        let is_last = !matches!(told, News::Frame(_));
        if news.send((number, told)).await.is_err() || is_last {
            return;
        }
    }
}
