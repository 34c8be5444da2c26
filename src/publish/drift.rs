//! Whether destinations still show what they were told: somebody may have changed it there. It is
//! said, and left.
//!
//! Components are asked for their state; pages, files and branches are read back and compared with
//! what was put there. Chats, webhooks and push monitors cannot be asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::ledger::LedgerError;
use crate::ledger::outbox::{OutboxRow, RowState};
use crate::publish::desk::{Desk, Earlier, Place, content, key};
use crate::publish::outbox;
use crate::publish::pulse::Pulse;
use crate::publish::to::{Call, Content, Job, refusal};

/// More pages of components no destination has.
const PAGES_MAX: u32 = 20;

/// Something that shows something else than it was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drift {
    pub destination: String,
    /// Its id over there, or `page`.
    pub component: String,
    pub told: String,
    pub shows: String,
}

impl Desk {
    /// Where `place` shows something else than it was told last.
    pub fn drift(&self, place: &Place, pulse: &Arc<Pulse>) -> Result<Vec<Drift>, LedgerError> {
        let rows = self.rows(&place.written.id)?;
        let mut found = self.changed_states(place, &rows, pulse)?;
        found.extend(self.changed_page(place, &rows, pulse)?);
        Ok(found)
    }

    fn changed_states(
        &self,
        place: &Place,
        rows: &[OutboxRow],
        pulse: &Arc<Pulse>,
    ) -> Result<Vec<Drift>, LedgerError> {
        let (mut shown, mut page) = (BTreeMap::new(), 1);
        if place.written.components.is_empty() {
            return Ok(Vec::new());
        }
        while let Some(call) = place.works.ask_states(page).filter(|_| page <= PAGES_MAX) {
            if !self.may_ask(place)? {
                return Ok(Vec::new());
            }
            let reply = self.carrier.carry(&place.written, &call, &self.page, pulse);
            pulse.beats();
            let Some(reply) = reply.ok().filter(|reply| refusal(reply).is_none()) else {
                return Ok(Vec::new());
            };
            let (found, more) = place.works.states(&reply);
            shown.extend(found);
            if !more {
                break;
            }
            page += 1;
        }
        if shown.is_empty() {
            return Ok(Vec::new());
        }
        let differs = rows.iter().filter(|row| row.state == RowState::Sent).filter_map(|row| {
            let Content::State(state) = content(row.shown.as_deref()?)? else { return None };
            let told = place.works.word(state.standing);
            let shows = shown.get(&state.component).cloned().unwrap_or_else(|| "nothing".into());
            let (destination, component) = (place.written.id.clone(), state.component);
            (told != shows).then_some(Drift { destination, component, told, shows })
        });
        Ok(differs.collect())
    }

    /// Of what was put there as a whole, the newest.
    fn changed_page(
        &self,
        place: &Place,
        rows: &[OutboxRow],
        pulse: &Arc<Pulse>,
    ) -> Result<Option<Drift>, LedgerError> {
        let is_put = |row: &&OutboxRow| row.state == RowState::Sent && row.remote.is_some();
        let newest = rows.iter().filter(is_put).max_by_key(|row| row.sent_at);
        let Some((row, mark)) = newest.and_then(|row| Some((row, row.remote.clone()?))) else {
            return Ok(None);
        };
        let Some(said) = row.shown.as_deref().and_then(content) else { return Ok(None) };
        let (site, earlier) = (self.site.to_string(), Earlier::of(rows));
        let job = Job {
            key: key(self.site, std::slice::from_ref(row)),
            contents: &[said],
            thread: None,
            earlier: &earlier.words,
            site: &site,
            name: &self.name,
        };
        let call = match place.works.call(&job) {
            Ok(Call::Http(_)) | Err(_) => return Ok(None),
            Ok(call) => call,
        };
        if !self.may_ask(place)? {
            return Ok(None);
        }
        let differing = self.carrier.differing(&place.written, &call, &mark, pulse);
        // Who cannot be asked now has not drifted for all we know.
        Ok(differing.ok().flatten().map(|what| Drift {
            destination: place.written.id.clone(),
            component: "page".to_owned(),
            told: "what evac put there".to_owned(),
            shows: format!("something else ({what})"),
        }))
    }

    /// Is there room for a call? It counts then.
    fn may_ask(&self, place: &Place) -> Result<bool, LedgerError> {
        let id = &place.written.id;
        let recent = self.ledger.recent_calls()?.remove(id).unwrap_or_default();
        let a_minute = place.works.does().calls_a_minute;
        let is_free = outbox::free_at(&recent, a_minute, self.clock.now()).is_none();
        if is_free {
            self.ledger.call_begins(id, &[])?;
        }
        Ok(is_free)
    }
}
