//! Kill anything at any moment (promise 2): the same command finishes, hardly anything is sent or
//! opened twice, and nothing of evac's is left on the sources.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use evac::run::stop::ONE_PRESS;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::site::fleet::{Fleet, Running, Source, noise, received};
use crate::site::tree::differences;

const MIB: u64 = 1 << 20;
/// What one workload has: many small files, then some large ones.
const SMALL_FILES: u64 = 400;
const SMALL_BYTES: usize = 10_000;
const LARGE_FILES: u64 = 5;
const LARGE_BYTES: usize = 4 << 20;
const FILES: u64 = SMALL_FILES + LARGE_FILES;
const WHOLE_BYTES: u64 = SMALL_FILES * SMALL_BYTES as u64 + LARGE_FILES * LARGE_BYTES as u64;
/// Contract: what a kill may cost for each active host.
const LOSS_BYTES: u64 = 3 * MIB;

fn fleet(hosts: &'static [&'static str]) -> Fleet {
    let source = |host: &&'static str| Source { host, id: host, class: "web" };
    let fleet = Fleet::new(hosts.iter().map(source).collect());
    for (number, host) in hosts.iter().enumerate() {
        let (tree, salt) = (fleet.tree(host), number as u64 * 10_000);
        for file in 0..SMALL_FILES {
            let folder = tree.join(format!("{:02}", file % 20));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(format!("{file:03}")), noise(salt + file, SMALL_BYTES)).unwrap();
        }
        for file in 0..LARGE_FILES {
            let content = noise(salt + SMALL_FILES + file, LARGE_BYTES);
            fs::write(tree.join(format!("large-{file}")), content).unwrap();
        }
    }
    fleet
}

fn sum(runs: &[Vec<Value>], key: &str) -> u64 {
    let committed = runs.iter().flatten().filter(|event| event["event"] == "segment_committed");
    committed.filter_map(|event| event["tally"][key].as_u64()).sum()
}

/// Runs on to the end; checks what all `runs` and this last one sent and opened together, that the
/// data is right, and that nothing is left.
#[track_caller]
fn check_finishes(fleet: &Fleet, hosts: &[&str], mut runs: Vec<Vec<Value>>, kills: u64) {
    let (code, events) = Running::start(fleet).end();
    let log = fs::read_to_string(fleet.site.path("stderr")).unwrap();
    assert_eq!(code, Some(0), "{:?}\n{log}", events.last());
    runs.push(events);
    check_costs(fleet, hosts, &runs, kills);
    check_done(fleet, hosts);
}

#[track_caller]
fn check_costs(fleet: &Fleet, hosts: &[&str], runs: &[Vec<Value>], kills: u64) {
    let count = hosts.len() as u64;
    let sent: u64 = runs.iter().map(|events| received(events)).sum();
    let most = count * WHOLE_BYTES * 102 / 100 + kills * count * LOSS_BYTES;
    assert!(sent <= most, "{sent} of {most} bytes were sent");
    // Files under a receipt; of each kill, one may have been opened and lie in two segments.
    let opened = sum(runs, "opened_files");
    assert!(opened <= count * (FILES + kills), "{opened} files were opened");
    println!(
        "{}: sent {sent} of at most {most}, opened {opened} files",
        fleet.site.path("").display()
    );
}

#[track_caller]
fn check_done(fleet: &Fleet, hosts: &[&str]) {
    let again = fleet.evac(&["--json", "run"]).exits(0).json().pop().unwrap();
    let counts = ["sent_bytes", "opened_files", "agent_bytes"].map(|key| &again[key]);
    assert_eq!(counts, [0, 0, 0], "finished work is never done twice: {again}");
    assert_eq!(again["captured"], hosts.len());
    fleet.evac(&["verify", "--deep"]).exits(0);
    let place = tempfile::tempdir().unwrap();
    fleet.restore(place.path(), &[]).exits(0);
    for host in hosts {
        assert_eq!(differences(&fleet.tree(host), &fleet.restored(place.path(), host)), "");
    }
    assert_eq!(agent_folders(fleet), Vec::<PathBuf>::new(), "something is left on the source");
}

/// Folders of this site's agents, wherever an agent may lie.
pub fn agent_folders(fleet: &Fleet) -> Vec<PathBuf> {
    let site = fs::read(fleet.site.path("state/store/site")).unwrap();
    let id: [u8; 8] = site[site.len() - 8..].try_into().unwrap();
    let id = format!("{:016x}", u64::from_be_bytes(id));
    let places = ["/dev/shm", "/run", "/run/user/0", "/tmp", "/var/tmp", "/root", "/home"];
    let entries = places.iter().filter_map(|place| fs::read_dir(place).ok()).flatten().flatten();
    let is_ours = |path: &PathBuf| path.to_string_lossy().contains(&id);
    entries.map(|entry| entry.path()).filter(is_ours).collect()
}

#[test]
fn a_killed_run_is_finished_by_the_same_command() {
    let hosts = &["one", "two"];
    let fleet = fleet(hosts);
    let mut runs = Vec::new();
    for part in 1..=2 {
        let mut running = Running::start(&fleet);
        running.until_received(2 * WHOLE_BYTES * part / 5);
        assert!(!agent_folders(&fleet).is_empty(), "an agent lies somewhere");
        runs.push(running.kill());
    }
    check_finishes(&fleet, hosts, runs, 2);
}

#[test]
fn a_killed_agent_is_followed_by_another_in_the_same_run() {
    let hosts = &["one"];
    let fleet = fleet(hosts);
    let mut running = Running::start(&fleet);
    running.until_received(WHOLE_BYTES / 2);
    kill_process(agent_of(&fleet), Signal::KILL).unwrap();
    let (code, events) = running.end();
    assert_eq!(code, Some(0), "{:?}", events.last());
    check_costs(&fleet, hosts, &[events], 1);
    check_done(&fleet, hosts);
}

#[test]
fn a_cut_connection_is_dialled_again_in_the_same_run() {
    let hosts = &["one"];
    let fleet = fleet(hosts);
    let mut running = Running::start(&fleet);
    running.until_received(WHOLE_BYTES / 2);
    assert!(fleet.sshd.cut() > 0);
    let (code, events) = running.end();
    assert_eq!(code, Some(0), "{:?}", events.last());
    check_costs(&fleet, hosts, &[events], 1);
    check_done(&fleet, hosts);
}

/// The process of the agent that works for this site.
pub fn agent_of(fleet: &Fleet) -> Pid {
    let folders = agent_folders(fleet);
    let is_agent = |pid: i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        let executable = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        line.contains("--generation") && folders.iter().any(|folder| executable.starts_with(folder))
    };
    let numbers = fs::read_dir("/proc").unwrap().flatten();
    let mut pids = numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Pid::from_raw(pids.find(|pid| is_agent(*pid)).expect("an agent is at work")).unwrap()
}

#[test]
fn the_first_interrupt_drains_and_the_same_command_goes_on() {
    let hosts = &["one"];
    let fleet = fleet(hosts);
    let mut running = Running::start(&fleet);
    running.until_received(1);
    // As through `timeout` or a service manager: the same wish twice, a moment apart.
    running.signal(Signal::INT);
    running.signal(Signal::TERM);
    let (code, events) = running.end();
    assert_eq!(code, Some(3), "{:?}", events.last());
    assert!(events.iter().any(|event| event["event"] == "draining"));
    assert!(received(&events) < WHOLE_BYTES, "a drain takes nothing new");
    assert_eq!(agent_folders(&fleet), Vec::<PathBuf>::new(), "a drain leaves nothing behind");
    check_finishes(&fleet, hosts, vec![events], 0);
}

#[test]
fn the_second_interrupt_ends_at_once_and_a_second_run_is_refused() {
    let hosts = &["one"];
    let fleet = fleet(hosts);
    let mut running = Running::start(&fleet);
    running.until_received(WHOLE_BYTES / 4);
    let refused = fleet.evac(&["run"]).exits(4);
    let pid = running.child.id().to_string();
    assert!(refused.stderr().contains(&pid), "{pid} is not named: {}", refused.stderr());
    running.signal(Signal::HUP);
    running.until_received(WHOLE_BYTES / 2);
    // An agent that sleeps keeps the drain from being over before the second interrupt.
    let agent = agent_of(&fleet);
    kill_process(agent, Signal::STOP).unwrap();
    running.signal(Signal::INT);
    running.until(|event| event["event"] == "draining");
    sleep(ONE_PRESS + Duration::from_millis(50));
    running.signal(Signal::INT);
    kill_process(agent, Signal::CONT).unwrap();
    let (code, events) = running.end();
    assert_eq!(code, Some(130), "{:?}", events.last());
    check_finishes(&fleet, hosts, vec![events], 1);
}

/// `evac --json run | head -1`, and a terminal that went away.
#[test]
fn nobody_listening_ends_nothing() {
    let hosts = &["one"];
    let fleet = fleet(hosts);
    let mut command = fleet.site.command(&["--json", "run"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.contains("run_started"), "{first}");
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{said}");
    check_done(&fleet, hosts);
}
