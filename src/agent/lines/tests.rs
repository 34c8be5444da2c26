//! Which line is given what, and what becomes of it.

use super::*;

const MIB: usize = 1 << 20;
const NOW: Duration = Duration::from_secs(1);

fn frame(mark: u8) -> FrameBytes {
    Arc::new(vec![mark; MIB])
}

fn with_frames(count: u8) -> Lines {
    let mut lines = Lines::default();
    for mark in 0..count {
        lines.push_frame(frame(mark));
    }
    lines
}

fn mark(next: Option<Next>) -> Option<u8> {
    match next {
        Some(Next::Frame(bytes)) => Some(bytes[0]),
        Some(other) => panic!("{other:?}"),
        None => None,
    }
}

#[test]
fn without_lanes_the_first_line_takes_everything_messages_first() {
    let mut lines = with_frames(3);
    lines.push_message(vec![1]);
    assert_eq!(lines.next_of_first(), Some(Next::Message(vec![1])));
    for expected in 0..3 {
        assert_eq!(mark(lines.next_of_first()), Some(expected));
    }
    assert_eq!(lines.next_of_first(), None);
    lines.close();
    assert_eq!(lines.next_of_first(), Some(Next::End));
}

#[test]
fn a_line_is_given_more_when_what_it_had_has_arrived() {
    let mut lines = with_frames(6);
    lines.count(Duration::ZERO);
    assert!(lines.join(1));
    assert!(!lines.join(1) && !lines.join(0), "a number is used once");
    assert_eq!(mark(lines.next_of_lane(1)), Some(0));
    assert_eq!(mark(lines.next_of_lane(1)), None);
    assert_eq!(mark(lines.next_of_first()), Some(1));
    assert_eq!(mark(lines.next_of_first()), None, "it shares with the lane");
    lines.took(1, MIB as u64, NOW).unwrap();
    assert_eq!(mark(lines.next_of_lane(1)), Some(2));
    lines.took(0, MIB as u64, NOW).unwrap();
    assert_eq!(mark(lines.next_of_first()), Some(3));
    for lane in [9, 3] {
        assert!(lines.join(lane), "in any order");
    }
    lines.took(0, 2 * MIB as u64, NOW).unwrap();
    assert_eq!(mark(lines.next_of_first()), None, "three lanes do without it");
    assert_eq!(mark(lines.next_of_lane(3)), Some(4));
}

#[test]
fn a_fast_first_line_is_given_more_and_more() {
    let mut lines = Lines::default();
    lines.count(Duration::from_millis(100));
    let (mut taken, mut under_way) = (0, Vec::new());
    for round in 1..=8 {
        let now = MEASURE * round;
        for mark in 0..100 {
            lines.push_frame(frame(mark));
        }
        let given = std::iter::from_fn(|| mark(lines.next_of_first())).count() as u64;
        lines.frames.clear();
        taken += given * MIB as u64;
        lines.took(0, taken, now).unwrap();
        under_way.push(given);
    }
    assert_eq!(under_way[0], 1);
    assert!(under_way.is_sorted() && under_way[7] > 8, "{under_way:?}");
}

#[test]
fn what_a_lost_lane_had_goes_over_other_lines_first() {
    let mut lines = with_frames(4);
    assert!(lines.join(1));
    assert_eq!(mark(lines.next_of_lane(1)), Some(0));
    lines.took(1, MIB as u64, NOW).unwrap();
    assert_eq!(mark(lines.next_of_lane(1)), Some(1));
    lines.ended(1);
    lines.lost(1, MIB as u64).unwrap();
    for expected in 1..4 {
        assert_eq!(mark(lines.next_of_first()), Some(expected));
    }
    assert_eq!(lines.next_of_lane(1), Some(Next::End));
    lines.lost(1, 0).unwrap();
    assert_eq!(mark(lines.next_of_first()), None, "lost once, sent once");
}

#[test]
fn a_lane_that_was_lost_on_its_way_never_joins() {
    let mut lines = with_frames(1);
    lines.lost(1, 0).unwrap();
    assert!(!lines.join(1));
    assert!(lines.join(2));
    assert_eq!(mark(lines.next_of_lane(2)), Some(0));
}

#[test]
fn an_ended_lane_is_given_nothing_and_forgotten_when_all_has_arrived() {
    let mut lines = with_frames(2);
    assert!(lines.join(5));
    assert_eq!(mark(lines.next_of_lane(5)), Some(0));
    lines.end(5);
    assert_eq!(lines.next_of_lane(5), Some(Next::End));
    lines.ended(5);
    assert_eq!(lines.lanes.len(), 1, "the frame may still be lost");
    lines.took(5, MIB as u64, NOW).unwrap();
    assert!(lines.lanes.is_empty());
    assert_eq!(mark(lines.next_of_first()), Some(1));
}

#[test]
fn a_landing_site_cannot_have_taken_what_was_not_sent() {
    let mut lines = with_frames(2);
    assert!(lines.join(1));
    assert!(lines.took(0, 1, NOW).is_err());
    assert_eq!(mark(lines.next_of_lane(1)), Some(0));
    assert!(lines.took(1, MIB as u64 - 1, NOW).is_err(), "part of a frame");
    assert!(lines.lost(1, 7 * MIB as u64).is_err());
    assert!(lines.took(9, 1, NOW).is_ok(), "of a lane that is gone nothing is known");
}

#[test]
fn when_the_session_is_over_lanes_end_and_the_first_line_says_the_rest() {
    let mut lines = with_frames(2);
    for lane in 1..=4 {
        assert!(lines.join(lane));
    }
    lines.close();
    assert_eq!(lines.next_of_lane(1), Some(Next::End));
    assert_eq!(mark(lines.next_of_first()), Some(0));
    assert_eq!(mark(lines.next_of_first()), Some(1));
    assert_eq!(lines.next_of_first(), Some(Next::End));
    assert!(!lines.join(5));
}
