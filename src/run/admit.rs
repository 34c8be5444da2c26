//! Which host begins when: as the schedule says, for as long as there is work, or somebody has put
//! work off and may want it again.
//!
//! **Promise.** A run ends by itself only when nothing is left but what was paused before it began;
//! what is paused while it goes on is waited for.

use std::pin::pin;
use std::sync::Arc;

use tokio::task::{JoinError, JoinSet};

use crate::model::Event;
use crate::run::engine::ToEngine;
use crate::run::stop::{Phase, Stop};
use crate::run::{Options, Shared, Site, door, hands, host};

/// Admits hosts until there is no work left, or the run is stopped; says whether it was.
pub(super) async fn drive(
    shared: &Arc<Shared>,
    site: &Site,
    options: &Options,
    stop: &Stop,
) -> bool {
    let mut windows = pin!(door::keep(shared, site, options));
    let (mut hosts, mut words) = (JoinSet::new(), shared.hands.listen());
    let (mut is_told, mut is_draining) = (false, false);
    loop {
        admit(shared, &mut hosts);
        let phase = stop.phase();
        if phase != Phase::Running && !is_draining {
            is_draining = true;
            shared.emit(Event::Draining);
            shared.tell(ToEngine::Drain);
        }
        if hosts.is_empty() {
            let count = shared.hands.schedule().paused_count();
            let waits_for_hosts = shared.hands.schedule().waits_for_hosts();
            let waits = waits_for_hosts || shared.hands.schedule().waits_for_somebody();
            if phase != Phase::Running || !waits {
                return false;
            }
            if !waits_for_hosts && !std::mem::replace(&mut is_told, true) {
                note(shared, site, hands::only_paused(count));
            }
        } else {
            is_told = false;
        }
        let further = if phase == Phase::Running { Phase::Draining } else { Phase::Stopping };
        tokio::select! {
            Some(joined) = hosts.join_next() => tell_panic(shared, site, joined),
            _ = words.changed() => {}
            why = &mut windows, if phase == Phase::Running => {
                note(shared, site, why);
                stop.press();
            }
            () = stop.reached(further) => if further == Phase::Stopping {
                hosts.shutdown().await;
                return true;
            },
        }
    }
}

fn admit(shared: &Arc<Shared>, hosts: &mut JoinSet<()>) {
    while let Some(id) = shared.admit() {
        let Some(host) = shared.hands.host(&id) else {
            // Not in the inventory any more: nothing of it is done.
            shared.abandon(&id);
            shared.release(&id);
            continue;
        };
        let shared = shared.clone();
        hosts.spawn(async move {
            host::work(shared.clone(), host).await;
            shared.release(&id);
        });
    }
}

fn tell_panic(shared: &Shared, site: &Site, joined: Result<(), JoinError>) {
    if let Err(error) = joined
        && error.is_panic()
    {
        note(shared, site, format!("a host's task failed: {error}"));
    }
}

fn note(shared: &Shared, site: &Site, text: String) {
    shared.emit(Event::Noted { what: "evac".into(), text, by: site.by.clone() });
}
