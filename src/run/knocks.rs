//! Whom to knock at, and when; and what the silence means. Pure.
//!
//! **Promises.**
//! - A shut port is knocked at every beat: no sshd hears of that. Whoever takes a connection and
//!   says nothing hears from us ever more rarely, up to every [`RARELY`].
//! - Where a knock was answered and the work failed again at once, the next knock comes later each
//!   time: fail2ban and sshd's penalties count what does not end in work.
//! - Hosts behind one entrance share a knock, and at most [`AT_ONCE`] are under way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ssh::knock::Heard;

/// Between two knocks at a port that is shut. A window that opens is seen within this.
pub const BEAT: Duration = Duration::from_secs(10);
/// Between two knocks where answers led to nothing.
pub const RARELY: Duration = Duration::from_secs(300);
/// Knocks under way.
pub const AT_ONCE: usize = 64;
/// Work that lasted as long after an answer was no failure of the way in.
const LASTED: Duration = Duration::from_secs(120);

/// Where one knocks: the address and port of a host, or of the outermost bastion before it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entrance {
    /// Name or address.
    pub address: String,
    /// Port of its sshd.
    pub port: u16,
}

/// One entrance.
#[derive(Debug, Clone, Copy)]
struct Door {
    next: Duration,
    pause: Duration,
    is_under_way: bool,
    heard: Option<Heard>,
    answered: Option<Duration>,
}

/// Everybody who is knocked at.
#[derive(Debug)]
pub struct Knocks {
    beat: Duration,
    doors: BTreeMap<Entrance, Door>,
}

impl Knocks {
    /// Nobody yet; [`BEAT`] is what a run takes.
    pub fn new(beat: Duration) -> Self {
        Self { beat, doors: BTreeMap::new() }
    }

    /// Whom to knock at now, of those that somebody waits for.
    pub fn due(&mut self, now: Duration, awaited: &BTreeSet<Entrance>) -> Vec<Entrance> {
        for entrance in awaited {
            self.await_again(entrance, now);
        }
        let mut free = AT_ONCE.saturating_sub(self.under_way());
        let mut due = Vec::new();
        for (entrance, door) in &mut self.doors {
            let is_due = !door.is_under_way && door.next <= now && awaited.contains(entrance);
            if free > 0 && is_due {
                door.is_under_way = true;
                due.push(entrance.clone());
                free -= 1;
            }
        }
        due
    }

    fn under_way(&self) -> usize {
        self.doors.values().filter(|door| door.is_under_way).count()
    }

    /// An entrance that had answered is waited for once more: what came of it was soon over, or
    /// lasted.
    fn await_again(&mut self, entrance: &Entrance, now: Duration) {
        let new =
            Door { next: now, pause: self.beat, is_under_way: false, heard: None, answered: None };
        let door = self.doors.entry(entrance.clone()).or_insert(new);
        if let Some(answered) = door.answered.take() {
            let has_lasted = now.saturating_sub(answered) >= LASTED;
            door.pause = if has_lasted { self.beat } else { (door.pause * 2).min(RARELY) };
            door.next = now + door.pause;
            door.heard = None;
        }
    }

    /// What came of a knock.
    pub fn heard(&mut self, entrance: &Entrance, heard: Heard, now: Duration) {
        let Some(door) = self.doors.get_mut(entrance) else { return };
        door.is_under_way = false;
        door.heard = Some(heard);
        match heard {
            Heard::Greeting => door.answered = Some(now),
            Heard::NoGreeting => door.pause = (door.pause * 2).min(RARELY),
            Heard::Refused | Heard::Nothing | Heard::NoWay => door.pause = self.beat,
        }
        door.next = now + door.pause;
    }

    /// What was heard last at the entrances that are still waited for.
    pub fn tally(&self, awaited: &BTreeSet<Entrance>) -> Tally {
        let heard = |kind| {
            let doors = self.doors.iter().filter(|(entrance, _)| awaited.contains(entrance));
            doors.filter(|(_, door)| door.heard == Some(kind)).count()
        };
        Tally {
            no_greeting: heard(Heard::NoGreeting),
            refused: heard(Heard::Refused),
            nothing: heard(Heard::Nothing),
            no_way: heard(Heard::NoWay),
        }
    }
}

/// Entrances by what was heard there last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// See [`Heard`].
    pub no_greeting: usize,
    /// See [`Heard`].
    pub refused: usize,
    /// See [`Heard`].
    pub nothing: usize,
    /// See [`Heard`].
    pub no_way: usize,
}

/// What the silence means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// These hosts only: others of the site are at work.
    Theirs,
    /// Machines answer, their sshds do not: they start up, or something in front refuses.
    Refusing,
    /// A line of our own is down.
    OurLine,
    /// Our own line works, nothing answers over there.
    ProviderShut,
    /// Nothing answers over there; whether our own line works nobody asked.
    Dark,
}

impl Silence {
    /// What `tally` means while so many other hosts are at work; `outside`: does a machine that is
    /// not at the provider answer? `None` while nothing is silent.
    pub fn of(tally: Tally, at_work: usize, outside: Option<bool>) -> Option<Self> {
        let Tally { no_greeting, refused, nothing, no_way } = tally;
        let silent = nothing + no_way;
        if silent + refused + no_greeting == 0 {
            return None;
        }
        Some(match outside {
            _ if at_work > 0 => Self::Theirs,
            _ if refused + no_greeting > silent => Self::Refusing,
            Some(true) => Self::ProviderShut,
            Some(false) => Self::OurLine,
            None if nothing == 0 => Self::OurLine,
            None => Self::Dark,
        })
    }

    /// For people, about so many hosts.
    pub fn text(self, hosts: usize) -> String {
        let these = if hosts == 1 { "1 host".to_owned() } else { format!("{hosts} hosts") };
        match self {
            Self::Theirs => format!(
                "waiting for {these}: others answer, so these are switched off, starting up, or \
                 shut out alone"
            ),
            Self::Refusing => format!(
                "waiting for {these}: machines answer and refuse, so they start up, or a firewall \
                 is in front"
            ),
            Self::OurLine => {
                format!("waiting for {these}: our own line is down, not the provider's")
            }
            Self::ProviderShut => format!(
                "waiting for {these}: none answers while our own line works: access is shut"
            ),
            Self::Dark => format!(
                "waiting for {these}: none answers: access is shut, or our own line is down; \
                 [wait] outside = [\"HOST:PORT\"] in evac.toml would tell which"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn entrance(address: &str) -> Entrance {
        Entrance { address: address.into(), port: 22 }
    }

    /// Waits for one entrance for an hour, a look a second; the seconds at which it was knocked at.
    fn hour(knocks: &mut Knocks, from: u64, heard: impl Fn(u64) -> Heard) -> Vec<u64> {
        let awaited = BTreeSet::from([entrance("a")]);
        let mut at = Vec::new();
        for second in from..from + 3_600 {
            for door in knocks.due(s(second), &awaited) {
                at.push(second);
                knocks.heard(&door, heard(second), s(second));
            }
        }
        at
    }

    #[test]
    fn a_shut_port_is_knocked_at_every_beat_and_one_that_says_nothing_rarely() {
        for heard in [Heard::Nothing, Heard::Refused, Heard::NoWay] {
            assert_eq!(hour(&mut Knocks::new(BEAT), 0, |_| heard).len(), 360);
        }
        let at = hour(&mut Knocks::new(BEAT), 0, |_| Heard::NoGreeting);
        assert_eq!(at[..5], [0, 20, 60, 140, 300]);
        // Five in ten minutes is what fail2ban bans for.
        let in_ten_minutes =
            |from: u64| at.iter().filter(|t| (from..from + 600).contains(t)).count();
        assert!(at.iter().all(|from| in_ten_minutes(*from) <= 5), "{at:?}");
    }

    #[test]
    fn an_answer_that_leads_nowhere_makes_the_next_knock_later() {
        let at = hour(&mut Knocks::new(BEAT), 0, |_| Heard::Greeting);
        assert!(at.len() <= 16, "{at:?}");
        assert!(at.windows(2).all(|pair| pair[1] - pair[0] <= 301), "{at:?}");
    }

    #[test]
    fn after_work_that_lasted_knocks_come_as_often_as_before() {
        let mut knocks = Knocks::new(BEAT);
        hour(&mut knocks, 0, |_| Heard::Greeting);
        let doors = knocks.due(s(5_000), &BTreeSet::from([entrance("a")]));
        knocks.heard(&doors[0], Heard::Greeting, s(5_000));
        let at = hour(&mut knocks, 10_000, |_| Heard::Nothing);
        assert_eq!((at[0], at[1]), (10_010, 10_020));
    }

    #[test]
    fn few_knocks_are_under_way_and_each_entrance_once() {
        let mut knocks = Knocks::new(BEAT);
        let awaited: BTreeSet<_> = (0..500).map(|n| entrance(&format!("h{n:03}"))).collect();
        let first = knocks.due(s(0), &awaited);
        assert_eq!(first.len(), AT_ONCE);
        assert!(knocks.due(s(0), &awaited).is_empty());
        knocks.heard(&first[0], Heard::Nothing, s(1));
        let next = knocks.due(s(1), &awaited);
        assert_eq!(next.len(), 1);
        assert!(!first.contains(&next[0]));
    }

    #[test]
    fn the_three_silences_are_told_apart() {
        let nothing = Tally { nothing: 9, ..Tally::default() };
        let no_way = Tally { no_way: 9, ..Tally::default() };
        let refused = Tally { refused: 8, nothing: 1, ..Tally::default() };
        let cases = [
            (Tally::default(), 0, Some(true), None),
            (nothing, 3, None, Some(Silence::Theirs)),
            (nothing, 0, Some(true), Some(Silence::ProviderShut)),
            (nothing, 0, Some(false), Some(Silence::OurLine)),
            (nothing, 0, None, Some(Silence::Dark)),
            (no_way, 0, None, Some(Silence::OurLine)),
            (no_way, 0, Some(true), Some(Silence::ProviderShut)),
            (refused, 0, Some(true), Some(Silence::Refusing)),
            (refused, 0, Some(false), Some(Silence::Refusing)),
        ];
        for (tally, at_work, outside, silence) in cases {
            assert_eq!(Silence::of(tally, at_work, outside), silence, "{tally:?} {outside:?}");
        }
    }
}
