//! Who answers what is asked of a run.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use tokio::sync::oneshot;

use crate::model::text::bounded;
use crate::model::{Clock, Rate};
use crate::run::capacities::Capacities;
use crate::run::control::{Ask, Request, Said, WORKLOADS_MAX};
use crate::run::engine::ToEngine;
use crate::run::hands::{Hands, Word};
use crate::run::invite::Lobby;
use crate::run::landing::Landing;
use crate::run::pulse::Limited;

/// Longest text that is kept.
const TEXT_CHARS_MAX: usize = 500;
/// Longest name of an operator that is kept.
const BY_CHARS_MAX: usize = 80;

/// What is steered.
#[derive(Clone)]
pub(in crate::run) struct Steering {
    pub(in crate::run) hands: Arc<Hands>,
    pub(in crate::run) capacities: Arc<Capacities>,
    pub(in crate::run) engine: Sender<ToEngine>,
    pub(in crate::run) clock: Arc<dyn Clock>,
    pub(in crate::run) landing: Option<Landing>,
    pub(in crate::run) lobby: Arc<Lobby>,
}

impl Steering {
    pub(super) async fn answer(&self, request: Request) -> Said {
        let by = bounded(&request.by, BY_CHARS_MAX);
        match request.ask {
            Ask::Limit { id, rate } => self.limit(&id, rate, by).await,
            Ask::Steer { workloads, .. } if workloads.len() > WORKLOADS_MAX => {
                Said::Refused { why: "too many workloads at once".to_owned() }
            }
            Ask::Steer { steer, what, workloads, text } => {
                let (what, text) = (bounded(&what, TEXT_CHARS_MAX), bounded(&text, TEXT_CHARS_MAX));
                self.hands.clone().steer(Word { steer, what, workloads, text, by }).await
            }
            Ask::Note { what, text } => {
                let (what, text) = (bounded(&what, TEXT_CHARS_MAX), bounded(&text, TEXT_CHARS_MAX));
                self.hands.note(what, text, by).await
            }
            Ask::Invite { invitation } => self.lobby.invite(*invitation, by).await,
            Ask::Revoke { host } => self.lobby.revoke(host, by).await,
            Ask::Reload => self.hands.clone().reload(self.clock.now(), by).await,
            Ask::Window { closes, hard } => {
                self.hands.window((closes, hard), (by, self.clock.now())).await
            }
            Ask::StoreAdd { path, reserve, same_device } => match self.landing.clone() {
                Some(landing) => {
                    let who = (by, self.clock.now());
                    landing.add(&self.hands, (path, reserve, same_device), who).await
                }
                None => Said::Refused { why: "its store has one disk only".to_owned() },
            },
        }
    }

    async fn limit(&self, id: &str, rate: Option<Rate>, by: String) -> Said {
        let capacity = match self.capacities.find(id) {
            Ok(capacity) => capacity,
            Err(error) => return Said::Refused { why: error.to_string() },
        };
        let id = self.capacities.name(capacity).to_owned();
        let (answer, was) = oneshot::channel();
        let limited = Limited { capacity, rate, what: id.clone(), by, answer };
        // An engine that ended answers nothing.
        let _ = self.engine.send(ToEngine::Limit(limited));
        match was.await {
            Ok(was) => Said::Limit { id, was, now: rate },
            Err(_) => Said::Refused { why: "the run is at its end".to_owned() },
        }
    }
}
