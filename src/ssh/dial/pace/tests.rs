//! How often we knock, in made-up time.

use super::*;

const S: Duration = Duration::from_secs(1);

fn pace() -> Pace {
    Pace::new(DialLimits { gap: Duration::ZERO, ..DialLimits::default() })
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
