//! How often we knock: pure, times are passed in.
//!
//! sshd drops connections at random from the tenth unauthenticated one (MaxStartups 10:30:100),
//! and fail2ban shuts out after five failures, of whichever users. From OpenSSH 9.8 on sshd also
//! shuts out by itself (PerSourcePenalties): 5 s for each connection that ends without a login,
//! 1 s for one that tries none, and whoever owes more than 15 s is not let in until he owes
//! nothing. So: few at once, a little apart, never more than [`DialLimits::owed_max`] owed, long
//! silence when turned away, none at all after two refused logins or one refused password, and
//! never a fifth failure at one sshd within ten minutes.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// What sshd counts for a connection whose logins all failed.
const OWED_FOR_REFUSAL: Duration = Duration::from_secs(5);
/// What it counts for one that tries none.
const OWED_FOR_LEAVING: Duration = Duration::from_secs(1);

/// The figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialLimits {
    /// Connections to one sshd that are not logged in yet.
    pub per_sshd: usize,
    /// The same over all.
    pub total: usize,
    /// Pause between dials to one sshd; up to as much again is added at random.
    pub gap: Duration,
    /// First pause after a failure; it doubles with each, and the real one is random below it.
    pub backoff_base: Duration,
    /// Longest such pause.
    pub backoff_cap: Duration,
    /// Dials before giving up.
    pub tries: u32,
    /// Silence towards an sshd that turned us away once, twice, more often.
    pub holds: [Duration; 3],
    /// Refused logins of a user on a host before none is tried any more.
    pub refusals: u32,
    /// Failures at one sshd, of all users together and for whatever cause…
    pub failures: usize,
    /// … within this long, before it is left alone until the first of them is as old.
    pub failures_within: Duration,
    /// What an sshd may count against us at most: it shuts out beyond 15 s, and knocks come on top.
    pub owed_max: Duration,
}

impl Default for DialLimits {
    fn default() -> Self {
        Self {
            per_sshd: 4,
            total: 64,
            gap: Duration::from_millis(100),
            backoff_base: Duration::from_secs(1),
            backoff_cap: Duration::from_secs(60),
            tries: 8,
            holds: [Duration::from_secs(20), Duration::from_secs(60), Duration::from_secs(600)],
            refusals: 2,
            failures: 4,
            failures_within: Duration::from_secs(600),
            owed_max: Duration::from_secs(12),
        }
    }
}

/// May a dial begin?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Yes; it is counted until [`Pace::done`].
    Go,
    /// Ask again after this long.
    Wait(Duration),
    /// Ask again when another dial is done.
    Full,
    /// Not before [`Pace::reset`]: so many logins were refused.
    Open {
        /// How many.
        refused: u32,
        /// Was it a password?
        by_password: bool,
    },
    /// Not for this long: so many failed here that the next might get us banned.
    Spared {
        /// How many.
        failed: usize,
        /// Until the first of them is forgotten.
        pause: Duration,
    },
}

/// How a dial went, as far as the next one is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Logged in.
    LoggedIn,
    /// sshd answered and refused the login.
    LoginRefused,
    /// It refused a password, which is not given twice.
    PasswordRefused,
    /// We hung up before a login: over the host's key, or over what it asked.
    LeftEarly,
    /// "Not allowed at this time".
    NotAllowed,
    /// Cut before the banner: a ban, or chance.
    CutBeforeBanner,
    /// Anything else; says nothing about sshd's patience.
    Other,
}

#[derive(Debug, Default)]
struct Sshd {
    under_way: usize,
    next_at: Duration,
    held_until: Duration,
    cuts: u32,
    turned_away: usize,
    /// When each failure here is forgotten, the first to go first.
    forgotten_at: VecDeque<Duration>,
    /// Until when we owe it something.
    owed_until: Duration,
    /// Connections under way that may end without a login.
    doubtful: u32,
    /// Has anybody been greeted here, and gone as far as a login?
    greeted: bool,
}

/// A user at an sshd.
#[derive(Debug, Default)]
struct Login {
    under_way: u32,
    /// Of those, how many were not proven when they began.
    doubtful: u32,
    refused: u32,
    password_refused: bool,
    /// It was let in before, and not refused since.
    proven: bool,
}

/// The state of all our knocking.
#[derive(Debug)]
pub struct Pace {
    limits: DialLimits,
    sshds: HashMap<String, Sshd>,
    logins: HashMap<(String, String), Login>,
    under_way: usize,
}

impl Pace {
    /// Nothing was dialled yet.
    pub fn new(limits: DialLimits) -> Self {
        Self { limits, sshds: HashMap::new(), logins: HashMap::new(), under_way: 0 }
    }

    /// The figures.
    pub fn limits(&self) -> &DialLimits {
        &self.limits
    }

    /// May `user` be logged in at `sshd` now? `random` lies between 0 and 1.
    pub fn ask(&mut self, sshd: &str, user: &str, now: Duration, random: f64) -> Turn {
        let login = self.logins.entry((sshd.to_owned(), user.to_owned())).or_default();
        if login.refused >= self.limits.refusals || login.password_refused {
            let (refused, by_password) = (login.refused, login.password_refused);
            return Turn::Open { refused, by_password };
        }
        let state = self.sshds.entry(sshd.to_owned()).or_default();
        let not_before = state.next_at.max(state.held_until);
        if now < not_before {
            return Turn::Wait(not_before.saturating_sub(now));
        }
        state.forgotten_at.retain(|at| *at > now);
        if let Some(first) = state.forgotten_at.front()
            && state.forgotten_at.len() >= self.limits.failures
            && !login.proven
        {
            let pause = first.saturating_sub(now);
            return Turn::Spared { failed: state.forgotten_at.len(), pause };
        }
        // However many connections are wanted, no more logins may fail together than one by one.
        let doubtful = !login.proven && login.refused + login.under_way >= self.limits.refusals;
        // Where the host's key may turn out unknown, one finds out for all.
        if state.under_way >= if state.greeted { self.limits.per_sshd } else { 1 }
            || self.under_way >= self.limits.total
            || doubtful
        {
            return Turn::Full;
        }
        if !login.proven {
            let owed = state.owed_until.saturating_sub(now);
            let at_worst = owed + OWED_FOR_REFUSAL * (state.doubtful + 1);
            match at_worst.saturating_sub(self.limits.owed_max) {
                Duration::ZERO => {}
                _ if state.doubtful > 0 => return Turn::Full,
                over => return Turn::Wait(over),
            }
            state.doubtful += 1;
            login.doubtful += 1;
        }
        login.under_way += 1;
        state.under_way += 1;
        self.under_way += 1;
        state.next_at = now + self.limits.gap.mul_f64(1.0 + random.clamp(0.0, 1.0));
        Turn::Go
    }

    /// A login at `sshd` failed so long ago.
    pub fn remember(&mut self, sshd: &str, age: Duration, now: Duration) {
        let state = self.sshds.entry(sshd.to_owned()).or_default();
        state.forgotten_at.push_back((now + self.limits.failures_within).saturating_sub(age));
        if age < OWED_FOR_REFUSAL {
            state.owe(OWED_FOR_REFUSAL, now);
        }
    }

    /// A dial that was let go has ended. So many failures is that in the eyes of the far side.
    pub fn done(&mut self, sshd: &str, user: &str, outcome: Outcome, now: Duration) -> usize {
        let forgotten_at = now + self.limits.failures_within;
        let state = self.sshds.entry(sshd.to_owned()).or_default();
        state.under_way = state.under_way.saturating_sub(1);
        self.under_way = self.under_way.saturating_sub(1);
        let login = self.logins.entry((sshd.to_owned(), user.to_owned())).or_default();
        login.under_way = login.under_way.saturating_sub(1);
        if login.doubtful > 0 {
            login.doubtful -= 1;
            state.doubtful = state.doubtful.saturating_sub(1);
        }
        match outcome {
            Outcome::LoggedIn => {
                (state.cuts, state.turned_away) = (0, 0);
                (login.refused, login.password_refused, login.proven) = (0, false, true);
                state.greeted = true;
            }
            Outcome::LoginRefused | Outcome::PasswordRefused => {
                (state.cuts, state.turned_away) = (0, 0);
                (login.refused, login.proven) = (login.refused + 1, false);
                // fail2ban's aggressive filter counts both the refusal and the end that follows.
                let by_password = outcome == Outcome::PasswordRefused;
                login.password_refused |= by_password;
                state.greeted = true;
                state.owe(OWED_FOR_REFUSAL, now);
                let failures = 1 + usize::from(by_password);
                state.forgotten_at.extend([forgotten_at].repeat(failures));
                return failures;
            }
            // Only strict filters count it, and it is no word of the far side's: not kept.
            Outcome::LeftEarly => {
                state.owe(OWED_FOR_LEAVING, now);
                state.forgotten_at.push_back(forgotten_at);
            }
            Outcome::NotAllowed => state.hold(&self.limits, now),
            Outcome::CutBeforeBanner => {
                state.cuts += 1;
                if state.cuts >= 2 {
                    state.hold(&self.limits, now);
                }
            }
            Outcome::Other => {}
        }
        0
    }

    /// How long before try number `tries + 1`: a random part of a pause that doubles, or the rest
    /// of the silence this sshd is owed. `None`: no more tries.
    pub fn pause(&self, sshd: &str, tries: u32, now: Duration, random: f64) -> Option<Duration> {
        if tries >= self.limits.tries {
            return None;
        }
        let doubled = 2_u32.saturating_pow(tries.saturating_sub(1));
        let longest = self.limits.backoff_base.saturating_mul(doubled).min(self.limits.backoff_cap);
        let held = self.sshds.get(sshd).map_or(Duration::ZERO, |state| state.held_until);
        Some(longest.mul_f64(random.clamp(0.0, 1.0)).max(held.saturating_sub(now)))
    }

    /// Somebody acted: logins of `user` at `sshd` may be tried again.
    pub fn reset(&mut self, sshd: &str, user: &str) {
        if let Some(login) = self.logins.get_mut(&(sshd.to_owned(), user.to_owned())) {
            (login.refused, login.password_refused) = (0, false);
        }
        if let Some(state) = self.sshds.get_mut(sshd) {
            (state.cuts, state.turned_away, state.held_until) = (0, 0, Duration::ZERO);
        }
    }
}

impl Sshd {
    fn owe(&mut self, owed: Duration, now: Duration) {
        self.owed_until = self.owed_until.max(now) + owed;
    }

    fn hold(&mut self, limits: &DialLimits, now: Duration) {
        // Dials that were under way together are turned away together: that is one time.
        if now < self.held_until {
            return;
        }
        let step = self.turned_away.min(limits.holds.len() - 1);
        self.held_until = now + limits.holds[step];
        self.turned_away += 1;
    }
}

#[cfg(test)]
mod tests;
