//! Bells: somebody is called, on every way, and the beat stops with whoever beats.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use evac::ledger::Ledger;
use evac::model::{Bell, Event};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::site::fleet::{Fleet, Running, Source};

const KEY: &str = "no key at all";

/// One request as it came.
#[derive(Debug, Clone)]
struct Asked {
    line: String,
    signature: Option<String>,
    body: Vec<u8>,
}

/// A web server that writes down what it is asked, and answers the first post with an error.
struct Server {
    address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        // It ends with the process of the tests.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = serve(stream, &seen);
            }
        });
        Self { address, asked }
    }

    fn asked(&self, what: &str) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|asked| asked.line.starts_with(what)).cloned().collect()
    }

    fn until_asked(&self, what: &str, times: usize) {
        let began = Instant::now();
        while self.asked(what).len() < times {
            assert!(began.elapsed() < Duration::from_secs(60), "{what}: {:?}", self.asked(""));
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<Asked>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim_end().is_empty() {
            break;
        }
        head.push(line.trim_end().to_owned());
    }
    let header = |name: &str| {
        let fields = head.iter().filter_map(|line| line.split_once(": "));
        fields.clone().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|it| it.1.to_owned())
    };
    let length = header("content-length").map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let (line, signature) = (head[0].clone(), header("x-evac-signature"));
    let is_post = line.starts_with("POST ");
    let mut seen = seen.lock().unwrap();
    let is_first = is_post && !seen.iter().any(|asked| asked.line.starts_with("POST "));
    seen.push(Asked { line, signature, body });
    let status = if is_first { "500 Not Now" } else { "204 Heard" };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

/// A site with one small workload whose bells ring at `server`, and at a program that keeps what it
/// is told.
fn fleet(server: &Server) -> Fleet {
    let fleet = Fleet::new(vec![Source { host: "one", id: "tree", class: "web" }]);
    fs::write(fleet.tree("tree").join("index"), "hello").unwrap();
    fleet.site.write("alert.key", &format!("{KEY}\n"));
    let script = "#!/bin/sh\n{ cat; echo; echo \"$EVAC_BELL|$2\"; } >> \"$1\"\n";
    fleet.site.write("page", script);
    for (name, mode) in [("alert.key", 0o600), ("page", 0o700)] {
        fs::set_permissions(fleet.site.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    let settings = fs::read_to_string(fleet.site.path("evac.toml")).unwrap();
    let [page, told] = ["page", "told"].map(|name| fleet.site.path(name).display().to_string());
    let at = &server.address;
    fleet.site.write(
        "evac.toml",
        &format!(
            "{settings}[alert]\ncommand = [\"{page}\", \"{told}\", \"{{text}}\"]\n\
             webhook = \"http://{at}/hook?token=s3cret\"\nsecret_file = \"alert.key\"\n\
             beat = \"http://{at}/beat\"\nbeat_every = \"1s\"\n"
        ),
    );
    fleet
}

fn is_signed(asked: &Asked) -> bool {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    mac.update(&asked.body);
    let mut text = "sha256=".to_owned();
    for byte in mac.finalize().into_bytes() {
        text.push_str(&format!("{byte:02x}"));
    }
    asked.signature == Some(text)
}

#[test]
fn the_end_of_a_run_rings_on_every_way_and_is_written_down() {
    let server = Server::start();
    let fleet = fleet(&server);
    let outcome = fleet.evac(&["--json", "run"]).exits(0);
    assert_eq!(outcome.json().last().unwrap()["event"], "report", "nothing follows the report");
    let posts = server.asked("POST /hook?token=s3cret ");
    assert_eq!(posts.len(), 2, "one that failed is tried again: {posts:?}");
    assert!(posts.iter().all(is_signed), "{posts:?}");
    let document: Value = serde_json::from_slice(&posts[1].body).unwrap();
    assert_eq!(document["bell"], "run-ended");
    let text = document["text"].as_str().unwrap();
    assert!(text.starts_with("the run ended: 1 captured, 0 failed"), "{text}");
    let told = fs::read_to_string(fleet.site.path("told")).unwrap();
    let told: Vec<&str> = told.lines().collect();
    assert_eq!(serde_json::from_str::<Value>(told[0]).unwrap(), document);
    assert_eq!(told[1], format!("run-ended|{text}"));
    assert!(!server.asked("GET /beat ").is_empty());
    let ledger = Ledger::open_read_only(&fleet.site.path("state/ledger.db")).unwrap();
    let events = ledger.events(0, 10_000).unwrap();
    let rang = events.iter().find(|stored| matches!(stored.event, Event::Rang { .. })).unwrap();
    let Event::Rang { bell, failed, .. } = &rang.event else { unreachable!() };
    assert_eq!((*bell, failed.len()), (Bell::RunEnded, 0));
}

#[test]
fn it_beats_while_it_waits_rings_when_access_opens_and_stops_when_killed() {
    let server = Server::start();
    let mut fleet = fleet(&server);
    fleet.site.write("inventory.d/slow.toml", "[[host]]\nid = \"one\"\nrate = \"0B/s\"\n");
    fleet.sshd.shut();
    let mut running = Running::start_with(&fleet, &["--wait", "--beat-ms", "200"]);
    server.until_asked("GET /beat ", 2);
    fleet.sshd.open();
    running.until(|event| event["event"] == "rang" && event["bell"] == "window-opened");
    let rang = running.seen.last().unwrap();
    assert_eq!(rang["failed"], json!([]));
    running.kill();
    let beats = server.asked("GET /beat ").len();
    thread::sleep(Duration::from_millis(2_500));
    let later = server.asked("GET /beat ").len();
    assert!(later <= beats + 1, "one may have been on its way: {beats}, {later}");
}

#[test]
fn the_bells_can_be_tried_and_their_mistakes_are_told() {
    let server = Server::start();
    let fleet = fleet(&server);
    let tried = fleet.evac(&["check", "--ring"]).exits(1).stdout();
    assert!(
        tried.contains("command: heard\nwebhook: not heard: status 500\nbeat: heard"),
        "{tried}"
    );
    let tried = fleet.evac(&["--json", "check", "--ring"]).exits(0).json().remove(0);
    let heard = |way| json!({ "way": way, "heard": true, "why": "heard" });
    assert_eq!(tried["rang"], json!(["command", "webhook", "beat"].map(heard)));
    fs::set_permissions(fleet.site.path("alert.key"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(fleet.site.path("page"), fs::Permissions::from_mode(0o600)).unwrap();
    let told = fleet.evac(&["check"]).exits(2).stdout();
    assert!(told.contains("alert.key can be read by others"), "{told}");
    assert!(told.contains("which is no program here"), "{told}");
    let settings = fs::read_to_string(fleet.site.path("evac.toml")).unwrap();
    fleet.site.write("evac.toml", &settings.replace("http://", "ftp://"));
    let told = fleet.evac(&["check"]).exits(2).stdout();
    assert!(told.contains("`webhook` is no link") && !told.contains("s3cret"), "{told}");
}
