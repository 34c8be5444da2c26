//! Several connections to a host, over OpenSSH: the data is right whichever of them it took and
//! whoever is killed, nothing secret shows in the list of processes, and nothing is left running.

use std::fs;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::site::fleet::{Fleet, Running, Source, noise, received};
use crate::site::tree::differences;

const HOST: &str = "one";
const FILES: u64 = 30;
const FILE_BYTES: usize = 4 << 20;
const WHOLE_BYTES: u64 = FILES * FILE_BYTES as u64;

fn fleet() -> Fleet {
    let fleet = Fleet::new(vec![Source { host: HOST, id: HOST, class: "bulk" }]);
    for file in 0..FILES {
        fs::write(fleet.tree(HOST).join(format!("{file:02}")), noise(file, FILE_BYTES)).unwrap();
    }
    // Long enough for lanes to come before it is over.
    let slow = format!("[[host]]\nid = \"{HOST}\"\nrate = \"20MB/s\"\n");
    fleet.site.write("inventory.d/slow.toml", &slow);
    fleet
}

/// A process of an agent of this site.
struct Process {
    pid: Pid,
    parent: Pid,
    line: String,
}

impl Process {
    fn is_lane(&self) -> bool {
        self.line.contains("--lane")
    }
}

/// Those whose binary is the agent that this site placed, deleted by now or not.
fn agents(fleet: &Fleet) -> Vec<Process> {
    let site = fs::read(fleet.site.path("state/store/site")).unwrap_or_default();
    let Some(id) = site.last_chunk::<8>() else { return Vec::new() };
    let folder = format!(".evac-{:016x}-", u64::from_be_bytes(*id));
    let read = |number: i32| {
        let at = PathBuf::from(format!("/proc/{number}"));
        let executable = fs::read_link(at.join("exe")).ok()?;
        let line = fs::read(at.join("cmdline")).ok()?;
        let stat = fs::read_to_string(at.join("stat")).ok()?;
        let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let is_ours = executable.to_string_lossy().contains(&folder);
        is_ours.then_some(Process {
            pid: Pid::from_raw(number)?,
            parent: Pid::from_raw(parent)?,
            line,
        })
    };
    let numbers = fs::read_dir("/proc").unwrap().flatten();
    numbers.filter_map(|entry| read(entry.file_name().to_str()?.parse().ok()?)).collect()
}

/// Waits for lanes to be there while the run goes on.
fn lanes(fleet: &Fleet, running: &mut Running, count: usize) -> Vec<Process> {
    loop {
        let lanes: Vec<Process> = agents(fleet).into_iter().filter(Process::is_lane).collect();
        if lanes.len() >= count {
            return lanes;
        }
        assert!(running.next().is_some(), "it ended before there were {count} lanes");
    }
}

/// The run ends well, whatever was killed meanwhile; what it took is right, nothing is left.
#[track_caller]
fn check_end(fleet: &Fleet, running: Running) -> Vec<Value> {
    let (code, events) = running.end();
    let log = fs::read_to_string(fleet.site.path("stderr")).unwrap();
    assert_eq!(code, Some(0), "{:?}\n{log}", events.last());
    let place = tempfile::tempdir().unwrap();
    fleet.restore(place.path(), &[]).exits(0);
    assert_eq!(differences(&fleet.tree(HOST), &fleet.restored(place.path(), HOST)), "");
    for _ in 0..600 {
        if agents(fleet).is_empty() {
            return events;
        }
        sleep(Duration::from_millis(100));
    }
    let left: Vec<String> = agents(fleet).into_iter().map(|process| process.line).collect();
    panic!("left on the source: {left:?}");
}

fn count(events: &[Value], name: &str) -> usize {
    events.iter().filter(|event| event["event"] == name).count()
}

#[test]
fn a_killed_lane_costs_nothing_and_a_cut_one_is_made_up_for() {
    let fleet = fleet();
    let mut running = Running::start_with(&fleet, &["--lanes", "4"]);
    let found = lanes(&fleet, &mut running, 4);
    for lane in &found {
        let words: Vec<&str> = lane.line.split_whitespace().skip(1).collect();
        let ["agent", "--lane", "--folder", _, "--generation", _] = words.as_slice() else {
            panic!("no place for a secret: {words:?}");
        };
    }
    // Its process; and the connection of another, which is the sshd above it.
    kill_process(found[0].pid, Signal::KILL).unwrap();
    kill_process(found[1].parent, Signal::KILL).unwrap();
    let events = check_end(&fleet, running);
    assert_eq!(count(&events, "host_failed"), 0, "the host goes on over what it has");
    let sent = received(&events);
    assert!(sent <= WHOLE_BYTES * 102 / 100, "{sent}: what had arrived is not sent again");
}

#[test]
fn when_the_agent_is_killed_its_lanes_go_too() {
    let fleet = fleet();
    let mut running = Running::start_with(&fleet, &["--lanes", "3"]);
    lanes(&fleet, &mut running, 3);
    let first = agents(&fleet).into_iter().find(|process| !process.is_lane());
    kill_process(first.expect("an agent is at work").pid, Signal::KILL).unwrap();
    let events = check_end(&fleet, running);
    assert!(count(&events, "host_failed") > 0, "{events:?}");
}

#[test]
fn when_the_landing_site_is_killed_nothing_stays_on_the_source() {
    let fleet = fleet();
    let mut running = Running::start_with(&fleet, &["--lanes", "3"]);
    lanes(&fleet, &mut running, 3);
    running.kill();
    // The agent waits a while for a landing site that may come back; lanes wait for nothing.
    for _ in 0..600 {
        if !agents(&fleet).iter().any(Process::is_lane) {
            break;
        }
        sleep(Duration::from_millis(100));
    }
    assert!(!agents(&fleet).iter().any(Process::is_lane), "a lane is left");
    check_end(&fleet, Running::start(&fleet));
}
