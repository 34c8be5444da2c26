//! Lies of a target during a restore.

use evac::model::Reason;
use evac::wire::{ToAgent, ToLanding};

use crate::far::Far;

pub fn lie(lie: &str, far: &mut Far) -> Option<()> {
    if lie == "a target that only beats" {
        return far.beat();
    }
    if lie == "a target that falls silent" {
        return far.wait();
    }
    if lie == "a full landing disk over there" {
        let detail = "your disk is full".to_owned();
        return far.say(&ToLanding::Failed { reason: Reason::LandingFull, detail });
    }
    let ready = ToLanding::PlaceReady { is_free: lie != "looked at what was never sent" };
    far.say(&ready)?;
    let placed = |batch| ToLanding::Placed { batch, durable: true, entries: 1, bytes: 1 };
    let batch =
        |message| if let ToAgent::Batch { number, .. } = message { Some(number) } else { None };
    match lie {
        "a batch that was never sent" => far.say(&placed(7)),
        "a batch written twice" => {
            let number = far.hear_until(batch)?;
            far.say(&placed(number))?;
            far.say(&placed(number))
        }
        "done before it began" => {
            far.say(&ToLanding::PlaceDone { entries: 9, bytes: 9, problems: 0 })
        }
        "done without writing" => {
            far.hear_until(|message| matches!(message, ToAgent::PlaceEnd).then_some(()))?;
            far.say(&ToLanding::PlaceDone { entries: 9, bytes: 9, problems: 0 })
        }
        "ready twice" => far.say(&ready),
        "looked at what was never sent" => far.say(&ToLanding::Looked { number: 7 }),
        "an offer from a target" => far.say(&ToLanding::BaseMore),
        "a target that hangs up" => far.end(),
        other => panic!("no such lie: {other}"),
    }
}
