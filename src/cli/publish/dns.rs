//! Asks the resolver of this machine what customers' names point at now.
//!
//! A resolver that does not answer costs whoever asks again and again its time once: a name that
//! was slow is asked for beside everything else from then on, and nobody waits for it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::model::Clock;
use crate::publish::own::Answers;

/// Asked at once.
const THREADS: usize = 32;
/// All together may take so long; what was not answered then counts as not asked. A page that is
/// late is worse than one that does not know this.
const TOGETHER: Duration = Duration::from_secs(5);
/// An answer of before stands in for so long for one that is still to come.
const KEEPS: Duration = Duration::from_secs(60);

/// How a name is looked up; `None`: nobody knows.
type LookUp = fn(&str) -> Option<Vec<IpAddr>>;

/// Asks, and remembers who was slow.
pub struct Resolver {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Arc<dyn Clock>,
    look_up: LookUp,
    state: Mutex<State>,
    answered: Condvar,
}

#[derive(Default)]
struct State {
    /// To be asked for.
    queue: BTreeSet<String>,
    /// Asked for, or to be.
    open: BTreeSet<String>,
    /// Were not answered in time when they were asked for last.
    slow: BTreeSet<String>,
    /// What was answered, and when.
    known: BTreeMap<String, (Duration, Option<Vec<IpAddr>>)>,
    threads: usize,
}

/// What `names` point at.
pub fn ask(names: BTreeSet<String>, clock: &Arc<dyn Clock>) -> Answers {
    Resolver::new(clock).ask(names)
}

impl Resolver {
    /// The one of this machine.
    pub fn new(clock: &Arc<dyn Clock>) -> Self {
        Self::with(clock, resolve)
    }

    fn with(clock: &Arc<dyn Clock>, look_up: LookUp) -> Self {
        let (clock, state, answered) = (Arc::clone(clock), Mutex::default(), Condvar::new());
        Self { shared: Arc::new(Shared { clock, look_up, state, answered }) }
    }

    /// What `names` point at.
    pub fn ask(&self, names: BTreeSet<String>) -> Answers {
        let shared = &self.shared;
        let mut state = shared.state();
        let fresh: Vec<String> = names.difference(&state.open).cloned().collect();
        state.queue.extend(fresh.iter().cloned());
        state.open.extend(fresh.iter().cloned());
        // Threads that still wait for a resolver end with the process.
        while state.threads < THREADS.min(state.open.len()) {
            state.threads += 1;
            let shared = Arc::clone(shared);
            thread::spawn(move || shared.work());
        }
        let awaited: Vec<_> = fresh.into_iter().filter(|it| !state.slow.contains(it)).collect();
        let began = shared.clock.elapsed();
        loop {
            let left = TOGETHER.saturating_sub(shared.clock.elapsed().saturating_sub(began));
            if left.is_zero() || !awaited.iter().any(|name| state.open.contains(name)) {
                break;
            }
            let waited = shared.answered.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let late: Vec<_> = names.intersection(&state.open).cloned().collect();
        state.slow.extend(late);
        let now = shared.clock.elapsed();
        let answer = |name: String| {
            let known = state.known.get(&name).filter(|(at, _)| now.saturating_sub(*at) <= KEEPS);
            let addresses = known.and_then(|(_, addresses)| addresses.clone());
            (name, addresses)
        };
        names.into_iter().map(answer).collect()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        loop {
            let mut state = self.state();
            let Some(name) = state.queue.pop_first() else {
                state.threads -= 1;
                return;
            };
            drop(state);
            let began = self.clock.elapsed();
            let addresses = (self.look_up)(&name);
            let now = self.clock.elapsed();
            let mut state = self.state();
            if now.saturating_sub(began) < TOGETHER {
                state.slow.remove(&name);
            }
            state.open.remove(&name);
            state.known.insert(name, (now, addresses));
            drop(state);
            self.answered.notify_all();
        }
    }
}

/// The name from the root: no search list of this machine may be put behind it.
fn resolve(name: &str) -> Option<Vec<IpAddr>> {
    let rooted = format!("{}.", name.trim_end_matches('.'));
    let found = (rooted.as_str(), 443).to_socket_addrs().ok()?;
    Some(found.map(|address| address.ip()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SystemClock;

    /// `never.…` is never answered.
    fn look_up(name: &str) -> Option<Vec<IpAddr>> {
        while name.starts_with("never") {
            thread::park();
        }
        (name == "a.example").then(|| vec![IpAddr::from([192, 0, 2, 1])])
    }

    #[test]
    fn a_name_that_is_never_answered_is_waited_for_once_and_others_are_known_at_once() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let resolver = Resolver::with(&clock, look_up);
        let names = BTreeSet::from(["a.example", "never.example"].map(str::to_owned));
        resolver.shared.state().slow.insert("never.example".to_owned());
        for _ in 0..50 {
            let answers = resolver.ask(names.clone());
            assert!(answers["a.example"].is_some() && answers["never.example"].is_none());
        }
        // Had each of them waited for it, four minutes would have gone by.
        assert!(clock.elapsed() < Duration::from_secs(60));
        assert_eq!(resolver.shared.state().open.len(), 1, "it is asked for once");
    }
}
