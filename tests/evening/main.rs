//! An evening of 500 customers coming online while the one who tells the world is killed thirty
//! times and its calls break: `scripts/lab-words` runs it. Prints figures, and fails on any broken
//! promise.
//!
//! Time is counted in beats of the one who tells, not in seconds of this machine, which may be busy
//! with other things: a beat that ends is one, and so is a kill. Each stands for two seconds, the
//! longest that a beat takes where nothing is slow: one of telling and one of waiting. Customers
//! come online by beats too. Calls a minute are counted in real seconds: a busy machine has no
//! fewer of them.

#[path = "../fakes/mod.rs"]
#[expect(dead_code, reason = "the tests use the rest of it")]
mod fakes;
mod site;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fakes::bucket::Bucket;
use fakes::cachet::Cachet;
use fakes::statuspage::Statuspage;
use fakes::vigil::Vigil;
use fakes::{Asked, Fake, Fault, Hook, Inner};
use site::{CUSTOMERS, Places, Site};

/// How often the one who tells is killed.
const KILLS: u32 = 30;
/// Customers who come online in a beat.
const STEP: usize = 4;
const BEAT_SECONDS: u64 = 2;
const VISIBLE_WITHIN_SECONDS: u64 = 60;
const CALLS_A_MINUTE: usize = 60;
/// No beat takes longer, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(120);
/// An operator says something when an update is due within this.
const DUE_SOON: Duration = Duration::from_secs(90);

struct World {
    page: Fake<Statuspage>,
    cachet: Fake<Cachet>,
    vigil: Fake<Vigil>,
    hook: Fake<Hook>,
    bucket: Fake<Bucket>,
    site: Site,
    /// Beats that ended, and kills.
    beats: Arc<AtomicU64>,
    is_over: AtomicBool,
}

/// The longest that a change was not shown.
#[derive(Default)]
struct Slowest {
    beats: u64,
    time: Duration,
}

fn main() {
    let evac = std::env::args().nth(1).expect("the path of an evac binary");
    let components = (0..CUSTOMERS).map(|number| format!("comp{number:03}"));
    let page = Fake::start(Statuspage::with(components));
    let nodes = vec!["web/all".to_owned()];
    let (replicas, announcements) = (BTreeMap::new(), Vec::new());
    let vigil = Fake::start(Vigil { nodes, replicas, announcements });
    let (cachet, hook) = (Fake::start(Cachet::with([1])), Fake::start(Hook::default()));
    let bucket = Fake::start(Bucket::default());
    let places = Places {
        page: &page.url,
        cachet: &cachet.url,
        vigil: &vigil.url,
        hook: &hook.url,
        bucket: &bucket.url,
    };
    let site = Site::new(&evac, &places);
    let (beats, is_over) = (Arc::default(), AtomicBool::new(false));
    let world = World { page, cachet, vigil, hook, bucket, site, beats, is_over };
    let slowest = std::thread::scope(|scope| {
        let killer = scope.spawn(|| tell_and_kill(&world));
        let slowest = switch_on(&world);
        world.is_over.store(true, Ordering::Relaxed);
        killer.join().expect("the killer lives");
        slowest
    });
    settle(&world);
    report(&world, &slowest);
}

impl World {
    fn now(&self) -> u64 {
        self.beats.load(Ordering::Acquire)
    }

    /// Breaks the next call to each place.
    fn breaks(&self, fault: Fault) {
        // One at a time: a queue of them would fail every try of the same call.
        self.page.fails_once(fault);
        self.cachet.fails_once(fault);
        self.hook.fails_once(fault);
        self.vigil.fails_once(fault);
        self.bucket.fails_once(fault);
    }
}

/// Customers come online one by one.
fn switch_on(world: &World) -> Slowest {
    let mut unseen: BTreeMap<String, (u64, Instant)> = BTreeMap::new();
    let mut slowest = Slowest::default();
    let faults = [Fault::DropAfter, Fault::Status(502), Fault::DropBefore, Fault::Busy(2)];
    for number in 0..CUSTOMERS {
        world.site.online(number);
        unseen.insert(format!("comp{number:03}"), (world.now(), Instant::now()));
        match number {
            100 | 300 => world.site.say(&format!("Update at {number}.")),
            200 => world.site.fails(0),
            260 => world.site.passes(0),
            _ => {}
        }
        if number % 20 == 7 {
            world.breaks(faults[number / 20 % faults.len()]);
        }
        if number % STEP == STEP - 1 {
            await_beat(world, &mut unseen, &mut slowest);
        }
    }
    while !unseen.is_empty() {
        await_beat(world, &mut unseen, &mut slowest);
        let oldest = unseen.values().map(|(since, _)| world.now() - since).max().unwrap_or(0);
        assert!(oldest * BEAT_SECONDS < 4 * VISIBLE_WITHIN_SECONDS, "never shown: {unseen:?}");
    }
    slowest
}

/// Waits for the next beat; whoever has to says something meanwhile.
fn await_beat(world: &World, unseen: &mut BTreeMap<String, (u64, Instant)>, slowest: &mut Slowest) {
    let (beat, began) = (world.now(), Instant::now());
    if world.site.is_due_within(DUE_SOON) {
        world.site.say("We are still at it.");
    }
    while world.now() == beat {
        seen(&world.page.look(), world.now(), unseen, slowest);
        assert!(began.elapsed() < PATIENCE, "nobody tells any more");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Takes out of `unseen` what is shown as online.
fn seen(
    page: &Inner<Statuspage>,
    now: u64,
    unseen: &mut BTreeMap<String, (u64, Instant)>,
    slowest: &mut Slowest,
) {
    unseen.retain(|id, (beat, since)| {
        let is_shown = page.service.components[id] == "operational";
        if is_shown {
            slowest.beats = slowest.beats.max(now - *beat);
            slowest.time = slowest.time.max(since.elapsed());
        }
        !is_shown
    });
}

/// Keeps one process telling, and kills it again and again, each time after some beats and in the
/// middle of a call.
fn tell_and_kill(world: &World) {
    let mut kills = 0;
    while !world.is_over.load(Ordering::Relaxed) || kills < KILLS {
        let mut telling = watch(world);
        let beats = if kills < KILLS { 1 + u64::from(kills) % 5 } else { u64::MAX };
        let began = world.now();
        let lives = || world.now() - began < beats;
        while lives() && !(kills == KILLS && world.is_over.load(Ordering::Relaxed)) {
            std::thread::sleep(Duration::from_millis(5));
        }
        in_a_call(world, kills);
        telling.kill().expect("it can be killed");
        telling.wait().expect("it was");
        world.beats.fetch_add(1, Ordering::AcqRel);
        kills += u32::from(kills < KILLS);
    }
}

/// Returns as a call arrives, or when nothing was to be told for two beats.
fn in_a_call(world: &World, kills: u32) {
    let arrived = || match kills % 3 {
        0 => world.page.look().asked.len(),
        1 => world.cachet.look().asked.len() + world.vigil.look().asked.len(),
        _ => world.bucket.look().asked.len() + world.hook.look().asked.len(),
    };
    let (before, beat) = (arrived(), world.now());
    while arrived() == before && world.now() < beat + 2 {
        std::thread::yield_now();
    }
}

/// Tells, and counts its beats.
fn watch(world: &World) -> Child {
    let mut command = world.site.command(&["--json", "publish", "--watch", "--beat-ms", "1000"]);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut telling = command.spawn().expect("evac can be started");
    let lines = BufReader::new(telling.stdout.take().expect("it is ours")).lines();
    let beats = Arc::clone(&world.beats);
    std::thread::spawn(move || {
        for _ in lines.map_while(Result::ok) {
            beats.fetch_add(1, Ordering::AcqRel);
        }
    });
    telling
}

/// Until nothing is left to be told.
fn settle(world: &World) {
    let tried = (0..20).any(|_| {
        let mut command = world.site.command(&["publish"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().expect("evac runs").success()
    });
    assert!(tried, "something is never told");
    // One more, so that all have the page of the same moment.
    world.site.say("It is done.");
}

/// The most calls in any 60 seconds.
fn busiest(asked: &[Asked]) -> usize {
    let in_window = |first: &Asked| {
        let end = first.at + Duration::from_secs(60);
        asked.iter().filter(|it| it.at >= first.at && it.at < end).count()
    };
    asked.iter().map(in_window).max().unwrap_or(0)
}

fn report(world: &World, slowest: &Slowest) {
    let posts = world.site.posts();
    let (page, vigil, hook) = (world.page.look(), world.vigil.look(), world.hook.look());
    let (cachet, bucket) = (world.cachet.look(), world.bucket.look());
    let mut updates = page.service.updates();
    let all = updates.len();
    updates.sort();
    updates.dedup();
    let calls = busiest(&page.asked);
    let offline = page.service.components.values().filter(|it| *it != "operational").count();
    let seconds = slowest.beats * BEAT_SECONDS;
    println!("{} posts, {KILLS} kills, {} calls to the page", posts.len(), page.asked.len());
    println!("at most {calls} calls in 60 s");
    println!(
        "a change was visible after {} beats at most: {seconds} s ({:.1?} of this machine)",
        slowest.beats, slowest.time
    );
    let incident = &cachet.service.incidents[0];
    println!(
        "updates: page {all}, cachet {}, vigil {}, webhook {} ({} calls); bucket {} objects",
        1 + incident.updates.len(),
        vigil.service.announcements.len(),
        hook.service.seen.len(),
        hook.asked.len(),
        bucket.service.objects.len(),
    );
    assert!(calls <= CALLS_A_MINUTE, "too many calls");
    assert!(seconds <= VISIBLE_WITHIN_SECONDS, "too slow");
    assert_eq!(updates.len(), all, "a post stands twice");
    assert_eq!(all, posts.len(), "the page lacks a post, or has one too many");
    assert_eq!((page.service.incidents.len(), cachet.service.incidents.len()), (1, 1));
    assert_eq!(1 + incident.updates.len(), posts.len(), "cachet lacks a post, or has it twice");
    assert_eq!(vigil.service.announcements.len(), posts.len());
    assert_eq!(hook.service.seen.len(), posts.len());
    assert_eq!(
        (offline, cachet.service.components[&1]),
        (0, 1),
        "components differ from the ledger"
    );
    assert_eq!(vigil.service.replicas["web/all/one"], "healthy");
    let objects = bucket.service.objects.iter().filter(|(key, _)| *key != ".evac-manifest");
    let objects: BTreeMap<_, _> =
        objects.map(|(key, (_, text))| (key.clone(), text.clone())).collect();
    assert!(objects == world.site.files("out"), "bucket and folder differ");
    assert!(objects == world.site.files("state/status"), "bucket and page differ");
    for two in posts.windows(2) {
        let promised = two[0].next_by.expect("each post promises the next");
        assert!(two[1].at <= promised, "a promised update was missed: {two:?}");
    }
    println!("all as promised");
}
