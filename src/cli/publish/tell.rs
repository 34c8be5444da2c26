//! Tells every destination what is public now.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::mailing::{self, Mailed};
use super::shifts::{Shifts, Wait, desk};
use super::{Made, page};
use crate::cli::failure::{Exit, Failure};
use crate::cli::print;
use crate::cli::site::Global;
use crate::ledger::Ledger;
use crate::ledger::outbox::{OutboxRow, Post};
use crate::publish::desk::{Place, Told};
use crate::publish::drift::Drift;
use crate::publish::to;
use crate::publish::wanted::{Public, wanted, withdrawn};

/// How long a command goes on telling before it leaves the rest to the next.
pub const PATIENCE: Duration = Duration::from_secs(8);

/// What became of it.
pub struct Outcome {
    pub told: Vec<Told>,
    /// Mails to customers, where they are written.
    pub mailed: Option<Mailed>,
    /// Posts that name somebody who is held back.
    pub held_back: Vec<String>,
    pub exit: Exit,
}

/// Wants everything told that is public, and tells it within `patience`.
pub fn tell(global: &Global, made: &Arc<Made>, patience: Duration) -> Result<Outcome, Failure> {
    tell_by(&mut Shifts::new(global), global, made, (patience, Wait::Done))
}

/// The same by workers some of whom may still be at it.
pub fn tell_by(
    shifts: &mut Shifts<'_>,
    global: &Global,
    made: &Arc<Made>,
    (patience, wait): (Duration, Wait),
) -> Result<Outcome, Failure> {
    let settings = &made.loaded.settings;
    let (told, held_back) = (Vec::new(), held_back(made));
    let exit = if held_back.is_empty() { Exit::Done } else { Exit::Refused };
    let mut outcome = Outcome { told, mailed: None, held_back, exit };
    if settings.publish.to.is_empty() && settings.mail.is_none() {
        return Ok(outcome);
    }
    if !made.is_confirmed {
        let failure = Failure::refused("the ledger was rebuilt, and nobody has confirmed it yet");
        return Err(failure.hint("Look at `evac status`, then `evac ledger confirm`."));
    }
    let ledger = Arc::new(global.open_ledger_for_words()?);
    let places = places(global, made);
    want(&ledger, made, &places)?;
    let desk = desk(global, &ledger, made)?;
    let stand = shifts.tell((&desk, made), &places, patience, wait)?;
    (outcome.told, outcome.mailed) = (stand.told, stand.mailed);
    let waiting = outcome.told.iter().any(|told| told.waiting > 0);
    let refused = outcome.told.iter().any(|told| told.refused > 0);
    outcome.exit = outcome.exit.and(if waiting { Exit::Stopped } else { Exit::Done });
    outcome.exit = outcome.exit.and(if refused { Exit::Failed } else { Exit::Done });
    outcome.exit = outcome.exit.and(outcome.mailed.as_ref().map_or(Exit::Done, Mailed::exit));
    Ok(outcome)
}

/// Destinations, as written and as they work.
pub fn places(global: &Global, made: &Made) -> Vec<Arc<Place>> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let place = |written: &crate::inventory::settings_publish::Destination| {
        let works = to::of(written, &global.site, home.as_deref());
        Arc::new(Place { written: written.clone(), works })
    };
    made.loaded.settings.publish.to.iter().map(place).collect()
}

/// What is public of it, without what names somebody who is held back.
fn public_updates(made: &Made) -> Vec<crate::publish::Update> {
    let is_clean = |id: &str| !made.posts.iter().any(|post| post.id == id && names(made, post));
    made.updates.iter().filter(|update| is_clean(&update.id)).cloned().collect()
}

/// Does a person's post name somebody who is held back? What evac says by itself names nobody.
fn names(made: &Made, post: &Post) -> bool {
    let texts = post.texts.values().flat_map(|text| [&text.title, &text.body]);
    post.by != page::ITSELF && texts.into_iter().any(|text| made.guard.named_in(text).is_some())
}

fn held_back(made: &Made) -> Vec<String> {
    let posts = made.posts.iter();
    posts.filter(|post| names(made, post)).map(|post| post.id.clone()).collect()
}

/// Writes down what each shall be told, and takes back what must not be told any more.
fn want(ledger: &Ledger, made: &Made, places: &[Arc<Place>]) -> Result<(), Failure> {
    let all = ledger.outbox()?;
    let updates = public_updates(made);
    for place in places {
        let rows: Vec<OutboxRow> =
            all.iter().filter(|row| row.destination == place.written.id).cloned().collect();
        let public = public(made, &updates);
        let (does, beat) = (place.works.does(), place.works.beat());
        ledger.want(&wanted(&place.written, &does, beat, &rows, &public))?;
        let mut gone = withdrawn(&place.written, &rows, &made.snapshot);
        let unsaid = held_back(made).into_iter();
        gone.extend(unsaid.filter(|id| rows.iter().any(|row| row.subject == *id)));
        ledger.drop_unsent(&place.written.id, &gone)?;
    }
    Ok(())
}

/// What is public now, for [`wanted`].
pub fn public<'a>(made: &'a Made, updates: &'a [crate::publish::Update]) -> Public<'a> {
    Public { updates, snapshot: &made.snapshot, page_hash: &made.hash, languages: &made.languages }
}

/// Where destinations show something else than they were told.
pub fn drift(global: &Global, made: &Made) -> Result<Vec<Drift>, Failure> {
    let mut shifts = Shifts::new(global);
    drift_by(&mut shifts, global, made, Wait::Done)?;
    Ok(shifts.take_drift(&places(global, made)))
}

/// The same by workers some of whom may still be at something else.
pub fn drift_by(
    shifts: &mut Shifts<'_>,
    global: &Global,
    made: &Made,
    wait: Wait,
) -> Result<(), Failure> {
    let places = places(global, made);
    if places.is_empty() {
        return Ok(());
    }
    let ledger = Arc::new(global.open_ledger_for_words()?);
    shifts.look(&desk(global, &ledger, made)?, &places, PATIENCE, wait)
}

/// Tells people how destinations stand.
pub fn report(outcome: &Outcome) {
    for id in &outcome.held_back {
        print::tell(&format!(
            "refused: post {id} names somebody who is on hold, and is told to nobody any more"
        ));
    }
    for told in &outcome.told {
        let left = match (told.waiting, told.refused) {
            (0, 0) => "up to date".to_owned(),
            (waiting, 0) => format!("{waiting} to be told"),
            (0, refused) => format!("{refused} refused"),
            (waiting, refused) => format!("{waiting} to be told, {refused} refused"),
        };
        let said = told.said.as_ref().map(|said| format!(": {said}")).unwrap_or_default();
        let said = match told.waits_for {
            Some("answer") if told.waiting > 0 => format!("{said}: no answer yet"),
            Some("another-evac") => format!("{said}: another evac tells it at this moment"),
            _ => said,
        };
        let next = told.next_at.map(|at| format!(" (again at {at})")).unwrap_or_default();
        print::tell(&format!("{} ({}): {left}{said}{next}", told.id, told.kind));
    }
    outcome.mailed.iter().for_each(mailing::report);
}

/// Tells people of drift.
pub fn report_drift(drift: &[Drift]) {
    const TOLD_MAX: usize = 10;
    for it in drift.iter().take(TOLD_MAX) {
        print::tell(&format!(
            "warning: {} shows `{}` for {}, and was told `{}`: somebody changed it there",
            it.destination, it.shows, it.component, it.told
        ));
    }
    if drift.len() > TOLD_MAX {
        print::tell(&format!("warning: {} more differ", drift.len() - TOLD_MAX));
    }
}
