//! A Maildir while its mails move: none is lost, whatever is killed meanwhile.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::site::fleet::{Fleet, Running, Source, files_beneath, noise};
use crate::site::folder;

const MAILS: u64 = 1_500;
/// The lab moves at full tilt.
const PAUSE: Duration = Duration::from_millis(3);
const MAIL_BYTES: usize = 2_000;

/// A mail reader and a mail server at work: mails become old, get flags, and new ones arrive.
struct Mover {
    ends: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Mover {
    fn start(maildir: PathBuf, seed: u64) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let is_over = ends.clone();
        let thread = thread::spawn(move || {
            let mut moves = 0;
            while !is_over.load(Ordering::Relaxed) {
                moves += move_some(&maildir, seed + moves);
                thread::sleep(PAUSE);
            }
            moves
        });
        Self { ends, thread }
    }

    /// Stops it; how many mails it moved.
    fn stop(self) -> u64 {
        self.ends.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Moves some mails by their numbers, wherever they are, and delivers one now and then.
fn move_some(maildir: &Path, step: u64) -> u64 {
    let names = |place: &str| {
        let entries = fs::read_dir(maildir.join(place)).unwrap().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let mut moved = 0;
    for mail in names("new").into_iter().take(40) {
        let name = mail.file_name().unwrap().to_str().unwrap();
        fs::rename(&mail, maildir.join(format!("cur/{name}:2,S"))).unwrap();
        moved += 1;
    }
    for mail in names("cur").into_iter().skip(step as usize % 97).step_by(61).take(20) {
        let name = mail.file_name().unwrap().to_str().unwrap();
        let (id, flags) = name.split_once(":2,").unwrap();
        let flags = if flags == "S" { "RS" } else { "S" };
        // Some programs put mails back: "mark as new".
        let place =
            if moved % 3 == 0 { format!("new/{id}") } else { format!("cur/{id}:2,{flags}") };
        fs::rename(&mail, maildir.join(place)).unwrap();
        moved += 1;
    }
    if step.is_multiple_of(5) {
        deliver(maildir, 1_000_000 + step);
    }
    moved.max(1)
}

fn deliver(maildir: &Path, number: u64) {
    let name = format!("{number}.M1P1.host");
    fs::write(maildir.join("tmp").join(&name), noise(number, MAIL_BYTES)).unwrap();
    fs::rename(maildir.join("tmp").join(&name), maildir.join("new").join(&name)).unwrap();
}

/// The number of a mail, wherever it lies, and whatever flags it has.
fn number(mail: &Path) -> u64 {
    mail.file_name().unwrap().to_str().unwrap().split('.').next().unwrap().parse().unwrap()
}

/// `EVAC_MAILDIR_SEED` lets a lab try others.
fn seed() -> u64 {
    std::env::var("EVAC_MAILDIR_SEED").map_or(7, |seed| seed.parse().unwrap())
}

#[test]
fn no_mail_is_lost_that_moves_while_it_is_copied_and_evac_is_killed() {
    let seed = seed();
    let fleet = Fleet::new(vec![Source { host: "one", id: "mail", class: "mail" }]);
    let maildir = fleet.tree("mail");
    for place in ["cur", "new", "tmp"] {
        folder(&maildir.join(place));
    }
    for mail in 0..MAILS {
        deliver(&maildir, mail);
    }
    let mover = Mover::start(maildir, seed);
    let mut running = Running::start(&fleet);
    running.until_received(MAILS * MAIL_BYTES as u64 * (1 + seed % 8) / 10);
    running.kill();
    let (code, events) = Running::start(&fleet).end();
    let moves = mover.stop();
    assert_eq!(code, Some(0), "{:?}", events.last());
    let place = tempfile::tempdir().unwrap();
    // Mails that came and went in between are told; none of those that were there is.
    let restored = fleet.restore(place.path(), &[]);
    let mut copies: BTreeMap<u64, u32> = BTreeMap::new();
    let copy = fleet.restored(place.path(), "mail");
    // What was still being delivered is no mail yet.
    let is_mail = |path: &PathBuf| !path.starts_with(copy.join("tmp"));
    for mail in files_beneath(&copy).into_iter().filter(is_mail) {
        let number = number(&mail);
        assert!(fs::read(&mail).unwrap() == noise(number, MAIL_BYTES), "{}", mail.display());
        *copies.entry(number).or_default() += 1;
    }
    let lost: Vec<u64> = (0..MAILS).filter(|mail| !copies.contains_key(mail)).collect();
    let twice = copies.values().filter(|count| **count > 1).count();
    println!("seed {seed}: {moves} moves, {} mails, {twice} twice", copies.len());
    assert_eq!(lost, Vec::<u64>::new(), "seed {seed}: {moves} moves; {restored:?}");
    assert!(moves > MAILS, "the mover moved: {moves}");
}
