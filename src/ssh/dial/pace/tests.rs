//! How often we knock, in made-up time.

use super::*;

const S: Duration = Duration::from_secs(1);

fn pace() -> Pace {
    let (gap, owed_max) = (Duration::ZERO, 1_000 * S);
    Pace::new(DialLimits { gap, owed_max, ..DialLimits::default() })
}

#[test]
fn at_most_four_at_one_sshd_and_sixty_four_in_all() {
    let mut pace = pace();
    assert_eq!(pace.ask("a", "root", S, 0.0), Turn::Go);
    pace.done("a", "root", Outcome::LoggedIn, S);
    for _ in 0..4 {
        assert_eq!(pace.ask("a", "root", S, 0.0), Turn::Go);
    }
    assert_eq!(pace.ask("a", "root", S, 0.0), Turn::Full);
    for host in 0..60 {
        assert_eq!(pace.ask(&format!("h{host}"), "root", S, 0.0), Turn::Go);
    }
    assert_eq!(pace.ask("z", "root", S, 0.0), Turn::Full);
    pace.done("a", "root", Outcome::LoggedIn, S);
    assert_eq!(pace.ask("z", "root", S, 0.0), Turn::Go);
}

#[test]
fn dials_to_one_sshd_are_apart() {
    let mut pace = Pace::new(DialLimits::default());
    assert_eq!(pace.ask("a", "root", S, 0.5), Turn::Go);
    pace.done("a", "root", Outcome::LoggedIn, S);
    assert_eq!(pace.ask("a", "root", S, 0.5), Turn::Wait(Duration::from_millis(150)));
    assert_eq!(pace.ask("b", "root", S, 0.5), Turn::Go);
    assert_eq!(pace.ask("a", "root", S + Duration::from_millis(150), 0.5), Turn::Go);
}

#[test]
fn two_refused_logins_open_the_breaker_until_somebody_acts() {
    let mut pace = pace();
    for _ in 0..2 {
        assert_eq!(pace.ask("a", "root", S, 0.0), Turn::Go);
        pace.done("a", "root", Outcome::LoginRefused, S);
    }
    let open = Turn::Open { refused: 2, by_password: false };
    assert_eq!(pace.ask("a", "root", 1_000_000 * S, 0.0), open);
    assert_eq!(pace.ask("a", "backup", S, 0.0), Turn::Go, "another user is another matter");
    pace.reset("a", "root");
    assert_eq!(pace.ask("a", "root", S, 0.0), Turn::Go);
}

#[test]
fn a_refused_password_is_not_given_twice() {
    let mut pace = pace();
    assert_eq!(pace.ask("a", "root", S, 0.0), Turn::Go);
    pace.done("a", "root", Outcome::PasswordRefused, S);
    let open = Turn::Open { refused: 1, by_password: true };
    assert_eq!(pace.ask("a", "root", 9_000 * S, 0.0), open);
    pace.reset("a", "root");
    assert_eq!(pace.ask("a", "root", 9_000 * S, 0.0), Turn::Go);
}

#[test]
fn a_fifth_failure_within_ten_minutes_is_avoided_whoever_fails() {
    let mut pace = pace();
    let logins = [("kim", Outcome::LoginRefused), ("jo", Outcome::PasswordRefused)];
    let logins = logins.into_iter().chain([("max", Outcome::LeftEarly)]).zip(1..);
    for ((user, outcome), at) in logins {
        assert_eq!(pace.ask("a", user, at * S, 0.0), Turn::Go);
        pace.done("a", user, outcome, at * S);
    }
    let spared = Turn::Spared { failed: 4, pause: 591 * S };
    assert_eq!(pace.ask("a", "root", 10 * S, 0.0), spared);
    pace.reset("a", "root");
    assert_eq!(pace.ask("a", "root", 10 * S, 0.0), spared, "nobody's word undoes a ban");
    assert_eq!(pace.ask("b", "root", 10 * S, 0.0), Turn::Go);
    assert_eq!(pace.ask("a", "root", 601 * S, 0.0), Turn::Go);
    pace.done("a", "root", Outcome::LoggedIn, 601 * S);
    pace.done("a", "max", Outcome::LeftEarly, 601 * S);
    assert_eq!(pace.ask("a", "max", 601 * S, 0.0), Turn::Spared { failed: 4, pause: S });
    assert_eq!(pace.ask("a", "root", 601 * S, 0.0), Turn::Go, "who was let in is not doubted");
    let mut next = Pace::new(DialLimits::default());
    for _ in 0..4 {
        next.remember("a", 100 * S, S);
    }
    assert_eq!(next.ask("a", "root", S, 0.0), Turn::Spared { failed: 4, pause: 500 * S });
}

#[test]
fn no_more_than_two_logins_fail_even_together() {
    let mut pace = pace();
    assert_eq!(pace.ask("a", "kim", S, 0.0), Turn::Go);
    assert_eq!(pace.ask("a", "root", S, 0.0), Turn::Full, "its key may be unknown");
    pace.done("a", "kim", Outcome::LoggedIn, S);
    assert_eq!(pace.ask("a", "root", S, 0.0), Turn::Go);
    assert_eq!(pace.ask("a", "root", S, 0.0), Turn::Go);
    assert_eq!(pace.ask("a", "root", S, 0.0), Turn::Full, "none was let in yet");
    pace.done("a", "root", Outcome::LoggedIn, S);
    assert_eq!(pace.ask("a", "root", S, 0.0), Turn::Go);
    pace.done("a", "root", Outcome::LoginRefused, S);
    assert_eq!(pace.ask("a", "root", S, 0.0), Turn::Full, "the key was taken away");
}

#[test]
fn a_refused_login_is_not_tried_twice_at_once() {
    let mut pace = pace();
    assert_eq!(pace.ask("a", "root", S, 0.0), Turn::Go);
    pace.done("a", "root", Outcome::LoginRefused, S);
    assert_eq!(pace.ask("a", "root", S, 0.0), Turn::Go);
    assert_eq!(pace.ask("a", "root", S, 0.0), Turn::Full);
}

#[test]
fn an_sshd_that_turns_us_away_is_left_alone_longer_each_time() {
    let mut pace = pace();
    let mut now = S;
    for hold in [20, 60, 600, 600] {
        assert_eq!(pace.ask("a", "root", now, 0.0), Turn::Go);
        pace.done("a", "root", Outcome::NotAllowed, now);
        pace.done("a", "root", Outcome::NotAllowed, now);
        assert_eq!(pace.ask("a", "root", now, 0.0), Turn::Wait(hold * S));
        assert_eq!(pace.pause("a", 1, now, 0.0), Some(hold * S));
        now += hold * S;
    }
    assert_eq!(pace.ask("a", "root", now, 0.0), Turn::Go);
    pace.done("a", "root", Outcome::LoggedIn, now);
    assert_eq!(pace.ask("a", "root", now, 0.0), Turn::Go);
    pace.done("a", "root", Outcome::NotAllowed, now);
    assert_eq!(pace.ask("a", "root", now, 0.0), Turn::Wait(20 * S), "a login makes good");
}

#[test]
fn one_cut_before_the_banner_may_be_chance() {
    let mut pace = pace();
    assert_eq!(pace.ask("a", "root", S, 0.0), Turn::Go);
    pace.done("a", "root", Outcome::CutBeforeBanner, S);
    assert_eq!(pace.ask("a", "root", S, 0.0), Turn::Go);
    pace.done("a", "root", Outcome::CutBeforeBanner, S);
    assert_eq!(pace.ask("a", "root", S, 0.0), Turn::Wait(20 * S));
}

#[test]
fn pauses_double_are_random_and_end() {
    let pace = pace();
    let longest = |tries| pace.pause("a", tries, S, 1.0).map(|pause| pause.as_secs());
    let all: Vec<_> = (1..=8).map(longest).collect();
    let expected = [Some(1), Some(2), Some(4), Some(8), Some(16), Some(32), Some(60), None];
    assert_eq!(all, expected);
    assert_eq!(pace.pause("a", 7, S, 0.0), Some(Duration::ZERO));
}

/// What OpenSSH from 9.8 on keeps of an address, with its usual figures in seconds.
#[derive(Default)]
struct Penalties {
    expiry: f64,
    is_active: bool,
}

impl Penalties {
    const MIN: f64 = 15.0;

    fn add(&mut self, penalty: f64, now: f64) {
        if self.expiry < now {
            (self.expiry, self.is_active) = (now, false);
        }
        self.expiry += penalty;
        self.is_active |= self.expiry - now > Self::MIN;
    }
}

/// Ten users whom one sshd refuses, who are tried again and again, while it is knocked at.
#[test]
fn sshd_never_shuts_us_out_by_itself() {
    let mut pace = Pace::new(DialLimits::default());
    let mut sshd = Penalties::default();
    let users: Vec<String> = (0..10).map(|user| format!("u{user}")).collect();
    let (mut under_way, mut refused) = (Vec::new(), 0);
    for tick in 0..24_000_u32 {
        let now = Duration::from_millis(100) * tick;
        let seconds = now.as_secs_f64();
        // A knock that is greeted, and what follows, as often as knocks come.
        if tick % 100 == 0 {
            sshd.add(1.0, seconds);
        }
        for user in &users {
            // Somebody says `evac retry` all the time.
            pace.reset("a:22", user);
            if pace.ask("a:22", user, now, 0.0) == Turn::Go {
                under_way.push((user, now + Duration::from_millis(400)));
            }
        }
        let (over, still): (Vec<_>, Vec<_>) = under_way.into_iter().partition(|it| it.1 <= now);
        under_way = still;
        for (user, _) in over {
            refused += 1;
            sshd.add(5.0, seconds);
            pace.done("a:22", user, Outcome::LoginRefused, now);
        }
        assert!(!sshd.is_active, "shut out after {seconds} s and {refused} refusals");
    }
    assert_eq!(refused, 4 * 4, "four in ten minutes");
}

#[test]
fn a_user_who_was_let_in_waits_for_nobody_who_is_not() {
    let mut pace = Pace::new(DialLimits::default());
    let at = Duration::from_secs;
    assert_eq!(pace.ask("a:22", "kim", at(0), 0.0), Turn::Go);
    pace.done("a:22", "kim", Outcome::LoggedIn, at(1));
    for second in 1..3 {
        assert_eq!(pace.ask("a:22", "jo", at(second), 0.0), Turn::Go);
        pace.done("a:22", "jo", Outcome::LoginRefused, at(second));
        pace.reset("a:22", "jo");
    }
    assert_eq!(pace.ask("a:22", "jo", at(3), 0.0), Turn::Wait(at(1)));
    assert_eq!(pace.ask("a:22", "kim", at(3), 0.0), Turn::Go);
}
