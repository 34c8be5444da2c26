//! An agent that lies. The tests put it on a host in the place of evac's own; the environment
//! variable `LIE` says how it lies, the arguments are those of the real agent.
//!
//! It speaks with evac's own encoding as far as the lie allows. After the lie it behaves: it waits
//! for the goodbye, removes its folder and ends, unless not doing so is the lie.

mod captures;
mod far;
mod frames;
mod names;
mod targets;

use std::path::Path;
use std::time::Duration;

use evac::agent::Lair;
use evac::model::{Generation, Reason};
use evac::wire::{MAGIC, ToAgent, ToLanding, VERSION};

use far::Far;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, command, _, folder, _, generation] = arguments.as_slice() else {
        panic!("called as no agent is: {arguments:?}");
    };
    assert_eq!(command, "agent");
    let generation = Generation(generation.parse().expect("a generation is a number"));
    let lair = Lair::enter(Path::new(folder), generation).expect("the folder is ours");
    let lie = std::env::var("LIE").expect("LIE says how to lie");
    // A landing site that hangs up in the middle of a lie is what the tests want.
    let _ = tell(&lie, &mut Far::new());
    lair.leave().expect("nobody else puts anything there");
}

/// `None`: the landing site hung up.
fn tell(lie: &str, far: &mut Far) -> Option<()> {
    match lie {
        "no magic" => return far.raw(&vec![b'#'; 70 * 1024]).and_then(|()| far.wait()),
        "another magic" => return far.raw(b"EVACAGT9").and_then(|()| far.end()),
        _ => far.raw(MAGIC)?,
    }
    match lie {
        "silence" => return far.wait(),
        "beats instead of a greeting" => return far.beat(),
        "another version" => far.greet(VERSION + 1)?,
        "a full landing disk at the greeting" => {
            let detail = "your disk is full".to_owned();
            far.say(&ToLanding::Failed { reason: Reason::LandingFull, detail })?;
        }
        _ => far.greet(VERSION)?,
    }
    loop {
        match far.hear()? {
            ToAgent::Capture(order) => {
                captures::lie(lie, far, &order)?;
                return far.wait();
            }
            ToAgent::Place(_) => {
                targets::lie(lie, far)?;
                return far.wait();
            }
            ToAgent::Bye => return Some(()),
            _ => {}
        }
    }
}

/// How often it says that it lives.
const BEAT: Duration = Duration::from_millis(20);
