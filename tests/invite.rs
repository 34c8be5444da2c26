//! Hosts that nobody can log in to: a line is typed there, and their agents call.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::site::Outcome;
use crate::site::fleet::{Fleet, Running, Source, noise};
use crate::site::tree::{differences, plant};

/// What the script needs besides something to fetch with.
const TOOLS: [&str; 11] =
    ["sh", "uname", "id", "mkdir", "chmod", "rm", "rmdir", "mv", "sha256sum", "cat", "sleep"];

/// Hosts with a tree of 3 MB each, whose sshd is shut for good.
fn shut_fleet(hosts: &[&'static str]) -> Fleet {
    let source = |host: &&'static str| Source { host, id: host, class: "web" };
    let mut fleet = Fleet::new(hosts.iter().map(source).collect());
    for (number, host) in hosts.iter().enumerate() {
        fs::write(fleet.tree(host).join("content"), noise(number as u64, 3_000_000)).unwrap();
    }
    fleet.sshd.shut();
    fleet
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn invite(fleet: &Fleet, host: &str, port: u16, more: &[&str]) -> Value {
    let listen = format!("127.0.0.1:{port}");
    let arguments = [&["--json", "invite", host, "--listen", &listen], more].concat();
    fleet.evac(&arguments).exits(0).json().remove(0)
}

/// A PATH with these tools and no others.
fn only(tools: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for tool in TOOLS.iter().chain(tools) {
        let found = ["/usr/bin", "/bin", "/usr/local/bin"].map(|at| Path::new(at).join(tool));
        let found = found.into_iter().find(|path| path.exists()).unwrap_or_else(|| {
            panic!("{tool} is missing: run scripts/packages tests");
        });
        symlink(found, folder.path().join(tool)).unwrap();
    }
    folder
}

/// Types a line into a shell of that machine.
fn type_into(shell: &str, line: &str, path: &Path) -> Child {
    let mut command = Command::new(shell);
    command.args(["-c", line]).env("PATH", path).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[track_caller]
fn is_let_in(typed: Child) {
    let output = typed.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("evac: connected"), "{said}");
}

fn text<'a>(document: &'a Value, key: &str) -> &'a str {
    document[key].as_str().unwrap()
}

fn noted(words: &str) -> impl Fn(&Value) -> bool + '_ {
    move |event| event["event"] == "noted" && text(event, "text").contains(words)
}

/// Where agents of these invitations may be.
fn folders(fleet: &Fleet) -> Vec<PathBuf> {
    let book: Value =
        serde_json::from_slice(&fs::read(fleet.site.path("state/invitations.json")).unwrap())
            .unwrap();
    let home = std::env::var("HOME").unwrap_or_default();
    let names = book["invitations"].as_array().unwrap().iter().map(|it| text(it, "folder"));
    let places = ["/dev/shm", "/run", "/var/tmp", "/tmp", &home];
    names.flat_map(|name| places.map(|place| Path::new(place).join(name))).collect()
}

#[track_caller]
fn soon_gone(folders: &[PathBuf]) {
    let began = Instant::now();
    while let Some(left) = folders.iter().find(|folder| folder.exists()) {
        assert!(began.elapsed() < Duration::from_secs(60), "{} is still there", left.display());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn whatever_the_host_has_to_fetch_with_its_files_arrive_and_nothing_stays() {
    let hosts = ["curl", "wget", "bash", "paste"];
    let fleet = shut_fleet(&hosts);
    plant(&fleet.tree("paste").join("more"));
    let port = free_port();
    let lines = hosts.map(|host| invite(&fleet, host, port, &[]));
    let folders = folders(&fleet);
    assert_eq!(lines[0]["running"], false);
    let status = fleet.evac(&["next"]).exits(0).stdout();
    assert!(status.contains("waiting for somebody to type the line on curl"), "{status}");

    let mut running = Running::start(&fleet);
    for _ in hosts {
        running.until(noted("waiting for somebody to type"));
    }
    let wget = text(&lines[1], "line").replacen("curl", "wget -qO-", 1);
    let paths = [&["curl", "zstd"][..], &["wget"], &["bash"], &["curl"]].map(only);
    let typed = [
        type_into("sh", text(&lines[0], "line"), paths[0].path()),
        type_into("sh", &wget, paths[1].path()),
        type_into("bash", text(&lines[2], "bash"), paths[2].path()),
        type_into("sh", text(&lines[3], "pasted"), paths[3].path()),
    ];
    typed.into_iter().for_each(is_let_in);
    let (code, events) = running.end();
    assert_eq!(code, Some(0), "{:?}", events.last());
    assert_eq!(events.last().unwrap()["captured"], json!(4));
    soon_gone(&folders);
    let place = tempfile::tempdir().unwrap();
    fleet.restore(place.path(), &[]).exits(0);
    for host in hosts {
        assert_eq!(differences(&fleet.tree(host), &fleet.restored(place.path(), host)), "");
    }
}

/// What curl is answered, from an address of its own.
fn get(address: &str, port: u16, path: &str) -> (bool, String) {
    let url = format!("http://127.0.0.1:{port}/{path}");
    let output = Command::new("curl")
        .args(["-s", "--noproxy", "*", "--interface", address, &url])
        .output()
        .unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The code in a line.
fn code(line: &Value) -> &str {
    text(line, "line").rsplit('/').next().unwrap().strip_suffix("|sh").unwrap()
}

#[test]
fn a_line_works_once_and_in_its_time_and_who_guesses_gets_silence() {
    let fleet = shut_fleet(&["one", "two"]);
    fleet.site.write("inventory.d/slow.toml", "[[host]]\nid = \"one\"\nrate = \"1MB/s\"\n");
    let port = free_port();
    let line = invite(&fleet, "one", port, &[]);
    let late = invite(&fleet, "two", port, &["--for", "1s"]);
    let folders = folders(&fleet);
    let mut running = Running::start(&fleet);
    running.until(noted("ran out of time"));
    fleet.evac(&["skip", "workload/two"]).exits(0);
    is_let_in(type_into("sh", text(&line, "line"), only(&["curl"]).path()));
    running.until(|event| event["event"] == "host_ready");

    let unknown = |said: (bool, String)| assert!(said.1.contains("not known here"), "{said:?}");
    let guesser = "127.0.0.7";
    unknown(get(guesser, port, code(&late)));
    unknown(get(guesser, port, code(&line)));
    unknown(get(guesser, port, "aaaa-bbbb-cccc-dddd"));
    unknown(get(guesser, port, "../state/ledger.db"));
    unknown(get(guesser, port, "aaaabbbbccccdddd/agent"));
    assert_eq!(get(guesser, port, code(&line)), (false, String::new()));
    running.until(noted("127.0.0.7 keeps asking"));
    // A scanner that speaks something else hears nothing, neither before nor after.
    let mut scanner = TcpStream::connect(("127.0.0.1", port)).unwrap();
    scanner.write_all(b"SSH-2.0-scanner\r\n").unwrap();
    let mut heard = Vec::new();
    let _ = scanner.read_to_end(&mut heard);
    assert_eq!(heard, b"");

    // Killed in the middle: the agent calls the next run by itself, and goes on.
    running.until_received(800_000);
    let before = running.kill();
    let held = String::from_utf8_lossy(&everything(&fleet.site.path("state"))).into_owned();
    let said = format!("{before:?}{held}");
    for secret in [code(&line), code(&late), &code(&line).replace('-', "")] {
        assert!(!said.contains(secret));
    }
    let (exit, events) = Running::start(&fleet).end();
    assert_eq!(exit, Some(0), "{events:?}");
    let report = events.last().unwrap();
    assert_eq!((&report["captured"], &report["skipped"]), (&json!(1), &json!(1)), "{report}");
    assert!(report["sent_bytes"].as_u64().unwrap() < 2_900_000, "{report}");
    soon_gone(&folders);
}

#[test]
fn who_is_dialled_in_vain_and_calls_meanwhile_is_taken_at_once() {
    let fleet = shut_fleet(&["lost"]);
    let port = free_port();
    let mut running = Running::start(&fleet);
    running.until(|event| event["event"] == "host_failed");
    let line = invite(&fleet, "lost", port, &[]);
    is_let_in(type_into("sh", text(&line, "line"), only(&["curl"]).path()));
    let (exit, events) = running.end();
    assert_eq!(exit, Some(0), "{events:?}");
    // Where nobody calls the dial goes on for a minute, and every try of it fails.
    let called = events.iter().position(noted("its agent called")).unwrap();
    let failed = |event: &Value| event["event"] == "host_failed";
    assert_eq!(events[called..].iter().filter(|event| failed(event)).count(), 0, "{events:?}");
    assert_eq!(events.last().unwrap()["captured"], json!(1));
}

/// All files of the state that are no packs, together.
fn everything(state: &Path) -> Vec<u8> {
    let files = crate::site::fleet::files_beneath(state);
    let kept = files.into_iter().filter(|path| !path.to_string_lossy().contains("/store/"));
    kept.flat_map(|path| fs::read(path).unwrap_or_default()).collect()
}

#[test]
fn an_agent_goes_when_it_is_sent_away_and_when_it_hears_nothing() {
    let fleet = shut_fleet(&["sent", "left"]);
    let none =
        "[[host]]\nid = \"sent\"\nrate = \"0B/s\"\n[[host]]\nid = \"left\"\nrate = \"0B/s\"\n";
    fleet.site.write("inventory.d/none.toml", none);
    let port = free_port();
    let refused = fleet.evac(&["invite", "nobody"]).exits(2).stderr();
    assert!(refused.contains("no host nobody"), "{refused}");
    let plain = "[[host]]\nid = \"plain\"\naddress = \"192.0.2.1\"\ncustomer = \"acme\"\n";
    fleet.site.write("inventory.d/plain.toml", plain);
    let refused = fleet.evac(&["invite", "plain"]).exits(2).stderr();
    assert!(refused.contains("nobody wrote down"), "{refused}");
    fs::remove_file(fleet.site.path("inventory.d/plain.toml")).unwrap();
    let mut running = Running::start_with(&fleet, &["--wait"]);
    running.until(|event| event["event"] == "run_started");
    // Invited while the run goes on; the one with access shut for good is waited for all the same.
    let sent = invite(&fleet, "sent", port, &[]);
    let left = invite(&fleet, "left", port, &["--stay", "1s"]);
    assert_eq!(left["running"], true);
    let (of_left, of_sent) = {
        let mut all = folders(&fleet);
        let rest = all.split_off(5);
        (all, rest)
    };
    let path = only(&["curl"]);
    let typed = [&sent, &left].map(|line| type_into("sh", text(line, "line"), path.path()));
    typed.into_iter().for_each(is_let_in);
    for _ in 0..2 {
        running.until(|event| event["event"] == "capture_started");
    }
    assert!(of_left.iter().any(|it| it.exists()) && of_sent.iter().any(|it| it.exists()));
    fleet.evac(&["invite", "sent", "--revoke"]).exits(0);
    soon_gone(&of_sent);
    assert!(of_left.iter().any(|it| it.exists()));
    running.kill();
    soon_gone(&of_left);
    Outcome::of(&mut fleet.site.command(&["invite", "sent", "--revoke"])).exits(4);
}
