//! An evening of 500 customers coming online while the one who tells the world is killed thirty
//! times and its calls break: `scripts/lab-words` runs it. Prints figures, and fails on any broken
//! promise.

#[path = "../fakes/mod.rs"]
#[expect(dead_code, reason = "the tests use the rest of it")]
mod fakes;
mod site;

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fakes::statuspage::Statuspage;
use fakes::vigil::Vigil;
use fakes::{Asked, Fake, Fault, Hook, Inner};
use site::{CUSTOMERS, Site};

/// How often the one who tells is killed.
const KILLS: u32 = 30;
/// Between two customers.
const STEP: Duration = Duration::from_millis(280);
const VISIBLE_WITHIN: Duration = Duration::from_secs(60);
const CALLS_A_MINUTE: usize = 60;
/// After the last change everything stands everywhere within this.
const SETTLED_WITHIN: Duration = Duration::from_secs(120);

struct World {
    page: Fake<Statuspage>,
    vigil: Fake<Vigil>,
    hook: Fake<Hook>,
    site: Site,
    is_over: AtomicBool,
}

fn main() {
    let evac = std::env::args().nth(1).expect("the path of an evac binary");
    let components = (0..CUSTOMERS).map(|number| format!("comp{number:03}"));
    let page = Fake::start(Statuspage::with(components));
    let nodes = vec!["web/all".to_owned()];
    let (replicas, announcements) = (BTreeMap::new(), Vec::new());
    let vigil = Fake::start(Vigil { nodes, replicas, announcements });
    let hook = Fake::start(Hook::default());
    let site = Site::new(&evac, &page.url, &vigil.url, &hook.url);
    let world = World { page, vigil, hook, site, is_over: AtomicBool::new(false) };
    let slowest = std::thread::scope(|scope| {
        let killer = scope.spawn(|| tell_and_kill(&world));
        let slowest = switch_on(&world);
        world.is_over.store(true, Ordering::Relaxed);
        let kills = killer.join().expect("the killer lives");
        assert_eq!(kills, KILLS, "the evening was too short");
        slowest
    });
    settle(&world);
    report(&world, slowest);
}

/// Customers come online one by one; returns the longest that one of them was not shown.
fn switch_on(world: &World) -> Duration {
    let mut unseen: BTreeMap<String, Instant> = BTreeMap::new();
    let mut slowest = Duration::ZERO;
    let faults = [Fault::DropAfter, Fault::Status(502), Fault::DropBefore, Fault::Busy(2)];
    for number in 0..CUSTOMERS {
        world.site.online(number);
        unseen.insert(format!("comp{number:03}"), Instant::now());
        match number {
            100 | 300 => world.site.say(&format!("Update at {number}.")),
            200 => world.site.fails(0),
            260 => world.site.passes(0),
            _ => {}
        }
        if number % 20 == 7 {
            // One at a time: a queue of them would fail every try of the same call.
            let fault = faults[number / 20 % faults.len()];
            world.page.fails_once(fault);
            world.hook.fails_once(fault);
            world.vigil.fails_once(fault);
        }
        let began = Instant::now();
        while began.elapsed() < STEP {
            slowest = slowest.max(seen(&world.page.look(), &mut unseen));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let began = Instant::now();
    while !unseen.is_empty() && began.elapsed() < SETTLED_WITHIN {
        slowest = slowest.max(seen(&world.page.look(), &mut unseen));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(unseen.is_empty(), "never shown: {unseen:?}");
    slowest
}

/// Takes out of `unseen` what is shown as online; returns how long that took at most.
fn seen(page: &Inner<Statuspage>, unseen: &mut BTreeMap<String, Instant>) -> Duration {
    let mut slowest = Duration::ZERO;
    unseen.retain(|id, since| {
        let is_shown = page.service.components[id] == "operational";
        if is_shown {
            slowest = slowest.max(since.elapsed());
        }
        !is_shown
    });
    slowest
}

/// Keeps one process telling, and kills it again and again.
fn tell_and_kill(world: &World) -> u32 {
    let mut kills = 0;
    while !world.is_over.load(Ordering::Relaxed) || kills < KILLS {
        let mut telling = watch(world);
        let until = Duration::from_millis(1_500 + u64::from(kills) * 977 % 5_000);
        std::thread::sleep(until);
        telling.kill().expect("it can be killed");
        telling.wait().expect("it was");
        kills += u32::from(kills < KILLS);
    }
    kills
}

fn watch(world: &World) -> Child {
    let mut command: Command = world.site.command(&["publish", "--watch", "--beat-ms", "1000"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("evac can be started")
}

/// Until nothing is left to be told.
fn settle(world: &World) {
    let began = Instant::now();
    while !world.site.command(&["publish"]).status().expect("evac runs").success() {
        assert!(began.elapsed() < SETTLED_WITHIN, "something is never told");
    }
}

/// The most calls in any 60 seconds.
fn busiest(asked: &[Asked]) -> usize {
    let in_window = |first: &Asked| {
        let end = first.at + Duration::from_secs(60);
        asked.iter().filter(|it| it.at >= first.at && it.at < end).count()
    };
    asked.iter().map(in_window).max().unwrap_or(0)
}

fn report(world: &World, slowest: Duration) {
    let posts = world.site.posts();
    let (page, vigil, hook) = (world.page.look(), world.vigil.look(), world.hook.look());
    let mut updates = page.service.updates();
    let all = updates.len();
    updates.sort();
    updates.dedup();
    let calls = busiest(&page.asked);
    let offline = page.service.components.values().filter(|it| *it != "operational").count();
    println!("{} posts, {KILLS} kills, {} calls to the page", posts.len(), page.asked.len());
    println!("at most {calls} calls in 60 s; a change was visible after {slowest:.1?} at most");
    println!(
        "updates: page {all}, vigil {}, webhook {} ({} calls)",
        vigil.service.announcements.len(),
        hook.service.seen.len(),
        hook.asked.len()
    );
    assert!(calls <= CALLS_A_MINUTE, "too many calls");
    assert!(slowest <= VISIBLE_WITHIN, "too slow");
    assert_eq!(updates.len(), all, "a post stands twice");
    assert_eq!(all, posts.len(), "the page lacks a post, or has one too many");
    assert_eq!(page.service.incidents.len(), 1);
    assert_eq!(vigil.service.announcements.len(), posts.len());
    assert_eq!(hook.service.seen.len(), posts.len());
    assert_eq!(offline, 0, "components differ from the ledger");
    assert_eq!(vigil.service.replicas["web/all/one"], "healthy");
    for two in posts.windows(2) {
        let promised = two[0].next_by.expect("each post promises the next");
        assert!(two[1].at <= promised, "a promised update was missed: {two:?}");
    }
    println!("all as promised");
}
