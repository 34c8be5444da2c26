//! Lies on the wire: each ends the host that tells it, with a reason, and changes nothing else.
//!
//! The liar is `tests/liar`, put on a host in the place of evac's own agent. Beside it an honest
//! host works with the real agent; it is captured whole every time.

mod endless;
mod ground;
mod random;
mod targets;

use std::time::Duration;

use evac::model::Reason;
use evac::run::Pace;
use evac::run::coordinator::Limits;
use evac::run::talk::Patience;

use ground::{Ground, failure, honest, liar};

/// Waits that are long for a test and short for people.
const PATIENCE: Patience = Patience {
    silence: Duration::from_secs(1),
    progress: Duration::from_secs(2),
    goodbye: Duration::from_millis(500),
};

fn pace(progress_patience: Duration) -> Pace {
    let limits = Limits {
        segment_age: Duration::from_millis(50),
        progress_patience,
        ..Pace::default().limits
    };
    Pace {
        limits,
        commit_age: Duration::from_millis(10),
        retry: Duration::from_millis(1),
        ..Pace::default()
    }
}

/// The liar tells `lie`: it ends for `reason` and a detail with `what`, the honest host does not.
#[track_caller]
fn check(lie: &str, reason: Reason, what: &str) {
    check_within(PATIENCE, lie, reason, what);
}

fn check_within(patience: Patience, lie: &str, reason: Reason, what: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(tell(patience, lie, reason, what));
}

async fn tell(patience: Patience, lie: &str, reason: Reason, what: &str) {
    let pace = pace(2 * patience.silence);
    let mut ground = Ground::new(Some(lie), &[]).await;
    let told = ground.run(&[liar(), honest()], patience, pace, |_, _| {}).await;
    let (told_reason, detail) = failure(&told, &liar()).expect("the liar was ended");
    assert_eq!(told_reason, reason, "{lie}: {detail}");
    assert!(detail.contains(what), "{lie}: {detail:?} does not say {what:?}");
    assert_eq!(failure(&told, &honest()), None, "{lie}");
    let report = told.end.report;
    assert_eq!((report.captured, report.failed + report.partial), (1, 1), "{lie}");
    assert!(!told.end.has_work_left && !told.end.was_stopped, "{lie}");
    ground.check_honest();
    ground.check_liar();
    ground.end().await;
}

/// One test for each lie, of its name.
macro_rules! lies {
    ($($name:ident: $lie:literal => $reason:ident, $what:literal;)*) => {
        $(#[test] fn $name() { check($lie, Reason::$reason, $what); })*
    };
}

lies! {
    wrong_hash: "content of another name" => Protocol, "is not what its name says";
    wrong_length: "a piece of another length" => Protocol, "was not asked of it";
    content_not_asked_for: "a piece nobody asked for" => Protocol, "was not asked of it";
    damaged_frame: "a damaged frame" => Protocol, "its checksum differs";
    frame_cut_short: "a frame cut short" => Protocol, "cut short";
    wrong_domain: "another domain" => Protocol, "belongs to domain";
    bomb_in_a_frame: "a bomb in a frame" => Protocol, "does not decompress to the stated length";
    bomb_in_a_list: "a bomb in a list" => Protocol, "kind 3 cannot be read";
    list_that_states_too_much: "a list that states too much" => Protocol, "kind 3 cannot be read";
    name_of_another_piece: "a name of another piece" => Protocol, "names that were not asked for";
    half_a_name: "a name that only begins as it should" => Protocol, "not what it offered";
    name_not_asked_for: "a name that nobody asked for" => Protocol, "names that were not asked for";
    message_too_long: "a message longer than its kind" => Protocol, "claims 1048576 bytes";
    unknown_kind: "an unknown kind" => Protocol, "unknown kind 99";
    noise_as_messages: "noise" => Protocol, "unknown kind 165";
    wrong_counts: "counts that do not agree" => Protocol, "counts do not agree";
    counts_that_overflow: "counts that overflow" => Protocol, "impossible counts";
    offer_out_of_turn: "an offer out of turn" => Protocol, "out of turn";
    offer_after_the_end: "an offer after the end" => Protocol, "after the end of a run";
    path_with_dots: "a path with .." => Protocol, "kind 3 cannot be read";
    path_with_nul: "a path with NUL" => Protocol, "kind 3 cannot be read";
    path_outside_the_roots: "an entry outside the roots" => Protocol, "outside what was asked for";
    path_through_a_symlink: "an entry below a symlink" => Protocol, "beneath something";
    path_below_a_file: "an entry below a file" => Protocol, "beneath something";
    entries_out_of_order: "entries out of order" => Protocol, "out of order";
    entry_twice: "an entry twice" => Protocol, "out of order";
    omission_out_of_order: "an omission out of order" => Protocol, "out of order";
    piece_outside_a_file: "a piece outside a file" => Protocol, "outside any file";
    piece_too_long: "a piece too long" => Protocol, "impossible length";
    file_without_an_end: "a file without an end" => Protocol, "counts do not agree";
    gone_from_a_first_walk: "something gone from a first walk" => Protocol, "was never there";
    too_many_records: "too many records" => Protocol, "too many records";
    roots_in_the_middle: "roots in the middle of a run" => Protocol, "roots in the middle";
    cursor_that_goes_back: "a cursor that goes back" => Protocol, "paths that go back";
    reread_never_asked_for: "a read nobody asked for" => Protocol, "answered what was not asked";
    base_outside_a_sweep: "a base outside a sweep" => Protocol, "outside a sweep";
    endless_base: "endless base" => Protocol, "more of the base";
    second_greeting: "a second greeting" => Protocol, "does not belong to a capture";
    word_of_targets: "a word of targets" => Protocol, "does not belong to a capture";
    landing_full: "a full landing disk" => Protocol, "your disk is full";
    landing_full_at_greeting: "a full landing disk at the greeting" => Protocol, "disk is full";
    wrong_version: "another version" => Protocol, "speaks version 2";
    wrong_magic: "another magic" => SourceError, "the agent";
    no_magic: "no magic" => Protocol, "65536";
    half_a_message: "half a message" => Lost, "ended";
}

#[test]
fn endless_questions() {
    // It stops listening; how it ends must not depend on when that shows.
    let patience = Patience { silence: Duration::from_secs(30), ..PATIENCE };
    check_within(patience, "endless questions", Reason::Protocol, "without taking the answers");
}

/// These take the time of several tries each, so they take it together.
#[test]
fn silence_of_every_kind() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let silent = |lie, what| tell(PATIENCE, lie, Reason::Timeout, what);
    runtime.block_on(async {
        tokio::join!(
            silent("silence", "was silent for 1 s"),
            silent("beats instead of a greeting", "was silent for 1 s"),
            silent("half a message and silence", "was silent for 1 s"),
            silent("beats and nothing else", "lives but got nowhere for 2 s"),
        );
    });
}
