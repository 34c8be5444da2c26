//! Asks what the gate wants to know: pages, ports, SSH hosts, programs of one's own.
//!
//! **Promises.** Every question gets exactly one answer, in the time it has. What is answered is
//! bounded and made printable before anybody sees it. No redirect is followed, no proxy is used, no
//! certificate is believed that is not valid for the name. Equal questions are asked once a round.

pub(in crate::run) mod command;
pub(in crate::run) mod http;
mod net;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

use crate::gate::Question;
use crate::inventory::Ask;
use crate::ledger::{Answered, Outcome};
use crate::model::Clock;
use crate::model::text::bounded;

pub use http::Trust;

/// Questions asked at once.
const AT_ONCE: usize = 32;
/// Longest answer that is kept.
const SAID_CHARS_MAX: usize = 300;

/// An outcome and what was answered.
type Said = (Outcome, String);

/// Asks.
pub struct Asker {
    clock: Arc<dyn Clock>,
    runtime: Handle,
    trust: Trust,
}

impl Asker {
    /// With the clock and runtime of the caller, and the authorities that this machine trusts.
    pub fn new(clock: Arc<dyn Clock>, runtime: Handle) -> Self {
        Self { clock, runtime, trust: Trust::of_this_machine() }
    }

    /// Does `address` answer at all, within `within`?
    pub fn is_alive(&self, address: &str, port: u16, within: Duration) -> bool {
        net::resolve(address, within)
            .is_ok_and(|place| net::connect(place, port, within).0 == Outcome::Passed)
    }

    /// Asks all of them, many at once; answers in the same order.
    pub fn ask_all(&self, questions: &[Question]) -> Vec<Answered> {
        let mut distinct: Vec<&Question> = Vec::new();
        let index: Vec<usize> = questions
            .iter()
            .map(|question| {
                let known = distinct.iter().position(|known| *known == question);
                known.unwrap_or_else(|| {
                    distinct.push(question);
                    distinct.len() - 1
                })
            })
            .collect();
        let (next, answers) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
        std::thread::scope(|scope| {
            for _ in 0..distinct.len().min(AT_ONCE) {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let Some(question) = distinct.get(number) else { break };
                        let answer = self.ask(question);
                        let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
                        answers.insert(number, answer);
                    }
                });
            }
        });
        let answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
        index.iter().map(|number| answers[number].clone()).collect()
    }

    fn ask(&self, question: &Question) -> Answered {
        let at = self.clock.now();
        let began = self.clock.elapsed();
        let (outcome, said) = self.put(question);
        let took = self.clock.elapsed().saturating_sub(began);
        // What came too late is no answer, whatever it was.
        let outcome =
            if took > question.check.within + SLACK { Outcome::TimedOut } else { outcome };
        Answered {
            asked: question.asked.clone(),
            outcome,
            said: bounded(&said, SAID_CHARS_MAX),
            at,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        }
    }

    fn put(&self, question: &Question) -> Said {
        let within = question.check.within;
        let place = match place_of(question) {
            Ok(place) => place,
            Err(said) => return said,
        };
        match &question.check.ask {
            Ask::Http(ask) => http::ask(ask, place, within, &self.trust),
            Ask::Tcp { port, .. } => net::connect(place, *port, within),
            Ask::Ssh { port, host_key, .. } => {
                let asked = net::ssh(place, *port, host_key.as_deref(), within, &*self.clock);
                self.runtime.block_on(asked)
            }
            Ask::Command { argv, warning_passes } => {
                command::ask(argv, *warning_passes, within, &*self.clock)
            }
        }
    }
}

/// Where the connection goes; a name that leads to the old machine goes nowhere.
fn place_of(question: &Question) -> Result<IpAddr, Said> {
    let address = match (question.connect, question.check.address()) {
        (Some(connect), _) => return Ok(connect),
        (None, Some(address)) => address,
        // A command finds its own way.
        (None, None) => return Ok(IpAddr::from([0, 0, 0, 0])),
    };
    let place = net::resolve(address, question.check.within)?;
    if question.old.contains(&place) {
        let said = format!("{address} leads to {place}, where it was taken from");
        return Err((Outcome::Failed, said));
    }
    Ok(place)
}

/// A time-out fires a little after its time.
const SLACK: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
