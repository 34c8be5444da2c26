//! Lies about short names.

use evac::model::ChunkId;
use evac::wire::{Sketch, ToAgent, ToLanding, WalkTally};

use crate::far::Far;

/// Offers a file briefly and says other names than its own; a name says which piece is meant, in
/// the bytes that are its short name, and in the others which it is.
pub fn lie(lie: &str, far: &mut Far, file: Vec<evac::capture::Record>, id: ChunkId) -> Option<()> {
    let sketch = Box::new(Sketch::new(file));
    let other = match lie {
        "a name of another piece" => ChunkId([7; ChunkId::LEN]),
        "a name that only begins as it should" => {
            let mut other = id;
            other.0[31] ^= 1;
            other
        }
        "a name that nobody asked for" => {
            return far.say(&ToLanding::Names { offer: 0, names: vec![id] });
        }
        other => panic!("no such lie: {other}"),
    };
    let tally = WalkTally::default();
    far.say(&ToLanding::Sketch { number: 0, sketch, cursor: None, tally })?;
    loop {
        let offer = far.hear_until(|message| match message {
            ToAgent::AskNames { offer, .. } => Some(Some(offer)),
            ToAgent::Bye => Some(None),
            _ => None,
        })?;
        far.say(&ToLanding::Names { offer: offer?, names: vec![other] })?;
    }
}
