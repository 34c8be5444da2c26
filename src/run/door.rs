//! The access windows of a run: when work has to stop, and, where the run waits for hosts, when it
//! goes on by itself.
//!
//! **Promises.**
//! - At a hard end work stops as if somebody had paused all of it: what is committed stays, agents
//!   are sent home. It goes on shortly before the next window opens, by a plan made anew.
//! - A run ends for its windows only when none is left, neither told nor written in `evac.toml` by
//!   then.
//! - The clock of the wall is looked at every second: it may be set, and machines sleep.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::inventory::{Inventory, Window, tell_end};
use crate::model::{self, Clock, Event, Timestamp, Windows, WorkloadId};
use crate::plan::Plan;
use crate::run::{Options, Shared, Site};

/// Between two looks at the clock.
const LOOK: Duration = Duration::from_secs(1);
/// Agents have so long to go home at the end of a window.
const LEAVING: Duration = Duration::from_secs(20);

/// Makes the order of work anew, of what is left by then.
pub trait Planner: Debug + Send + Sync {
    /// The plan for `windows`; for people, why there is none.
    fn plan(
        &self,
        inventory: &Inventory,
        windows: &[Window],
        now: Timestamp,
    ) -> Result<Plan, String>;
}

/// What the time means for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// A hard end has passed.
    Ends(Timestamp),
    /// Work goes on in this window.
    Begins(model::Window),
    /// There is no window to wait for any more.
    NoneLeft,
}

#[derive(Debug, Clone)]
struct State {
    written: Vec<Window>,
    told: Option<(Timestamp, bool)>,
    /// When work has to stop.
    ends: Option<Timestamp>,
    /// Between two windows.
    is_shut: bool,
}

impl State {
    fn known(&self) -> Vec<Window> {
        let mut known = self.written.clone();
        if let Some((closes, hard)) = self.told {
            tell_end(&mut known, closes, hard);
        }
        known
    }

    fn windows(&self) -> Windows {
        Windows::new(self.known().iter().map(Window::span))
    }

    fn turn(&self, now: Timestamp) -> Option<Turn> {
        if !self.is_shut {
            return self.ends.filter(|ends| *ends <= now).map(Turn::Ends);
        }
        let windows = self.windows();
        match windows.begun_again(now) {
            Some(window) => Some(Turn::Begins(window)),
            None if windows.at(now).is_none() => Some(Turn::NoneLeft),
            None => None,
        }
    }
}

/// The windows as they are known, and whether work may go on.
#[derive(Debug)]
pub(super) struct Door {
    state: watch::Sender<State>,
}

impl Door {
    /// Of a run over `site` that begins now.
    pub(super) fn new(
        written: &[Window],
        told: Option<(Timestamp, bool)>,
        waits: bool,
        now: Timestamp,
    ) -> Self {
        let mut state = State { written: written.to_vec(), told, ends: None, is_shut: false };
        let windows = state.windows();
        // Whoever begins it all the same, and does not let it wait, wants it to begin.
        state.is_shut = waits && windows.between(now).is_some();
        state.ends = windows.hard_end(now);
        Self { state: watch::Sender::new(state) }
    }

    /// Somebody was told when the window closes.
    pub(super) fn told(&self, closes: Timestamp, hard: bool, now: Timestamp) {
        self.state.send_modify(|state| {
            state.told = Some((closes, hard));
            let is_now = hard && closes <= now;
            state.ends = if is_now { Some(closes) } else { state.windows().hard_end(now) };
        });
    }

    /// `evac.toml` was read again.
    pub(super) fn written(&self, windows: &[Window], now: Timestamp) {
        self.state.send_modify(|state| {
            state.written = windows.to_vec();
            state.ends = state.windows().hard_end(now);
        });
    }

    /// All that are known.
    fn known(&self) -> Vec<Window> {
        self.state.borrow().known()
    }

    fn windows(&self) -> Windows {
        self.state.borrow().windows()
    }

    /// The window that work could go on in.
    fn next(&self, now: Timestamp) -> Option<model::Window> {
        self.windows().at(now)
    }

    pub(super) fn is_shut(&self) -> bool {
        self.state.borrow().is_shut
    }

    fn shut(&self) {
        self.state.send_modify(|state| state.is_shut = true);
    }

    /// Work goes on, in the window that is known now; somebody may have been told another end since
    /// one was seen to begin, or that it is over.
    fn open(&self, now: Timestamp) -> Option<model::Window> {
        let mut opened = None;
        self.state.send_modify(|state| {
            opened = state.windows().begun_again(now);
            if let Some(window) = &opened {
                state.is_shut = false;
                state.ends = window.closes.filter(|_| window.hard);
            }
        });
        opened
    }

    /// Waits until the time means something.
    async fn turn(&self, clock: &dyn Clock) -> Turn {
        let mut changes = self.state.subscribe();
        loop {
            let state = changes.borrow_and_update().clone();
            if let Some(turn) = state.turn(clock.now()) {
                return turn;
            }
            let pause = match state.ends {
                _ if state.is_shut => LOOK,
                Some(ends) => ends.since(clock.now()).min(LOOK),
                // The sender lives as long as `self`.
                None => {
                    let _ = changes.changed().await;
                    continue;
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = changes.changed() => {}
            }
        }
    }
}

/// Keeps a run to its windows. Ends when it has to, with the reason.
pub(super) async fn keep(shared: &Shared, site: &Site, options: &Options) -> String {
    let (door, clock) = (&shared.hands.door, &*site.clock);
    if door.is_shut() {
        let now = clock.now();
        wait(shared, door.windows().between(now).unwrap_or(now), door.next(now)).await;
    }
    loop {
        match door.turn(clock).await {
            Turn::Ends(_) if !options.waits => return "the window closes: the run ends".to_owned(),
            Turn::Ends(closed) => {
                if door.next(clock.now()).is_none() {
                    read_again(site, door).await;
                }
                match door.next(clock.now()) {
                    None => return none_left(),
                    next => wait(shared, closed, next).await,
                }
            }
            Turn::Begins(_) => begin(shared, site, options).await,
            Turn::NoneLeft => return none_left(),
        }
    }
}

fn none_left() -> String {
    "the window is over, and no further one is listed: the run ends. `evac window closes TIME` or \
     a [[window]] in evac.toml gives the next run another"
        .to_owned()
}

/// Nothing is begun until the next window; nobody of ours stays over there.
async fn wait(shared: &Shared, closed: Timestamp, next: Option<model::Window>) {
    shared.hands.door.shut();
    shared.hands.schedule().shut();
    shared.emit(Event::WindowOver { closed, opens: next.and_then(|window| window.opens) });
    shared.hands.spread();
    let all_left = shared.hands.until(|schedule| schedule.at_work() == 0);
    // Who hangs must not keep the others from the next window.
    let _ = tokio::time::timeout(LEAVING, all_left).await;
    shared.reach.close().await;
}

/// Somebody may have written a further window, and told nobody.
async fn read_again(site: &Site, door: &Door) {
    let folder = site.folder.clone();
    let read = tokio::task::spawn_blocking(move || crate::inventory::read(&folder)).await;
    let whole = |reading: &crate::inventory::Reading| {
        !reading.problems.iter().any(|problem| problem.is_error() && problem.entry.is_none())
    };
    if let Ok(reading) = read
        && whole(&reading)
    {
        door.written(&reading.settings.windows, site.clock.now());
    }
}

/// A window begins: what is left is planned anew, and hosts are knocked at.
async fn begin(shared: &Shared, site: &Site, options: &Options) {
    let plan = plan(shared, site, options.planner.clone()).await;
    let order: Option<Vec<(WorkloadId, u32)>> = plan.as_ref().map(|plan| {
        plan.workloads.iter().map(|planned| (planned.id.clone(), planned.level)).collect()
    });
    let late = plan.map_or(0, |plan| plan.workloads.iter().filter(|it| !it.fits).count() as u64);
    let Some(window) = shared.hands.door.open(site.clock.now()) else { return };
    shared.hands.schedule().begin_again(order.as_deref());
    let away = shared.hands.schedule().away();
    // Who called meanwhile is here already.
    for host in &away {
        shared.lobby.wait_for(host);
    }
    let model::Window { opens, closes, hard } = window;
    shared.emit(Event::WindowBegins { opens, closes, hard, late });
    shared.hands.spread();
}

/// The order for what is left; without a plan, the old one.
async fn plan(shared: &Shared, site: &Site, planner: Option<Arc<dyn Planner>>) -> Option<Plan> {
    let planner = planner?;
    let (inventory, windows) = (shared.hands.inventory(), shared.hands.door.known());
    let now = site.clock.now();
    let plan = move || planner.plan(&inventory, &windows, now);
    let why = match tokio::task::spawn_blocking(plan).await {
        Ok(Ok(plan)) => return Some(plan),
        Ok(Err(why)) => why,
        Err(error) => error.to_string(),
    };
    let text = format!("the next window goes by the former plan, for there is no new one: {why}");
    shared.emit(Event::Noted { what: "evac".into(), text, by: site.by.clone() });
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::Origin;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_900_000_000 + hour * 3_600)
    }

    fn hard(opens: i64, closes: i64) -> Window {
        let origin = Origin { file: "evac.toml".into(), line: 1 };
        Window { opens: Some(at(opens)), closes: Some(at(closes)), hard: true, origin }
    }

    fn turn(door: &Door, hour: i64) -> Option<Turn> {
        door.state.borrow().turn(at(hour))
    }

    #[test]
    fn work_stops_at_a_hard_end_and_goes_on_in_the_next_window() {
        let door = Door::new(&[hard(24, 30), hard(0, 3)], None, true, at(1));
        assert_eq!((turn(&door, 2), turn(&door, 3)), (None, Some(Turn::Ends(at(3)))));
        door.shut();
        assert_eq!((turn(&door, 3), turn(&door, 23)), (None, None));
        let next = hard(24, 30).span();
        assert_eq!(turn(&door, 24), Some(Turn::Begins(next)));
        assert_eq!(door.open(at(24)), Some(next));
        assert_eq!((turn(&door, 29), turn(&door, 31)), (None, Some(Turn::Ends(at(30)))));
        door.shut();
        assert_eq!(turn(&door, 31), Some(Turn::NoneLeft));
    }

    #[test]
    fn what_is_told_while_it_waits_counts_at_once() {
        let door = Door::new(&[hard(0, 3), hard(24, 30)], None, true, at(1));
        door.shut();
        door.told(at(8), true, at(4));
        let extended = hard(0, 8).span();
        assert_eq!(turn(&door, 4), Some(Turn::Begins(extended)), "the provider gave some more");
        assert_eq!(door.open(at(4)), Some(extended));
        door.told(at(5), true, at(5));
        assert_eq!(turn(&door, 5), Some(Turn::Ends(at(5))), "and took it back");
        door.shut();
        door.told(at(28), true, at(6));
        assert_eq!(door.next(at(6)), Some(hard(24, 28).span()));
        door.written(&[], at(6));
        assert!(door.next(at(6)).is_some(), "what was told stays");
    }

    #[test]
    fn what_is_told_while_the_next_window_is_planned_counts() {
        let begun = || {
            let door = Door::new(&[hard(0, 3), hard(24, 30), hard(48, 50)], None, true, at(1));
            door.shut();
            assert_eq!(turn(&door, 24), Some(Turn::Begins(hard(24, 30).span())));
            door
        };
        let door = begun();
        door.told(at(26), true, at(24));
        assert_eq!(door.open(at(24)), Some(hard(24, 26).span()));
        assert_eq!(turn(&door, 26), Some(Turn::Ends(at(26))), "not at the end that was written");
        let door = begun();
        door.told(at(25), true, at(25));
        assert_eq!((door.open(at(25)), door.is_shut()), (None, true), "it is over already");
        assert_eq!(turn(&door, 48), Some(Turn::Begins(hard(48, 50).span())));
    }

    #[test]
    fn a_clock_that_was_wrong_costs_nothing() {
        let door = Door::new(&[hard(0, 3), hard(24, 30)], None, true, at(1));
        door.shut();
        assert_eq!(turn(&door, 2), Some(Turn::Begins(hard(0, 3).span())));
    }

    #[test]
    fn whoever_begins_after_the_end_and_does_not_wait_begins() {
        let windows = [hard(0, 3), hard(24, 30)];
        assert!(!Door::new(&windows, None, false, at(4)).is_shut());
        assert!(Door::new(&windows, None, true, at(4)).is_shut());
        assert!(!Door::new(&windows, None, true, at(-1)).is_shut(), "access may open early");
        let over = Door::new(&windows[..1], None, true, at(4));
        assert!(!over.is_shut() && turn(&over, 9).is_none(), "hosts answer all the same");
    }
}
