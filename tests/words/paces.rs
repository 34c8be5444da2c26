//! Whoever hangs keeps nobody else waiting, and is told nothing twice.

use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use evac::ledger::outbox::{RowKind, Wanted};

use super::wait_for;
use super::world::{self, World};
use crate::fakes::statuspage::Statuspage;
use crate::fakes::{Fake, Fault, Hook};
use crate::site::Outcome;

/// Takes every connection and never says a word; counts them.
struct Mute {
    port: u16,
    calls: Arc<AtomicUsize>,
}

impl Mute {
    fn start(word: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::AcqRel);
                // What is trickled keeps every single read from its time-out.
                std::thread::spawn(move || {
                    for byte in word.iter().cycle() {
                        let _ = stream.write_all(&[*byte]);
                        std::thread::sleep(Duration::from_millis(500));
                    }
                    let _ = std::io::copy(&mut stream, &mut std::io::sink());
                });
            }
        });
        Self { port, calls }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Acquire)
    }
}

fn webhook(id: &str, url: &str) -> String {
    world::hook(url, "").replace("id = \"hook\"", &format!("id = \"{id}\""))
}

struct Telling(Child);

impl Telling {
    fn of(world: &World) -> Self {
        let arguments = ["--json", "publish", "--watch", "--beat-ms", "200"];
        let mut command = world.site.bare_command(&arguments);
        Self(command.stdout(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_destination_that_hangs_delays_no_beat_of_another() {
    let (stuck, well) = (Mute::start(b""), Fake::start(Hook::default()));
    let stuck_at = format!("http://127.0.0.1:{}", stuck.port);
    let settings = webhook("a-stuck", &stuck_at) + &webhook("well", &well.url);
    let world = World::new(3, &settings);
    world.evac(&["publish", "--dry-run"]).exits(0);
    let _telling = Telling::of(&world);
    wait_for(|| stuck.calls() == 1 && !well.look().service.seen.is_empty());
    // Four changes, each in a beat of its own, reach the one that is well while the first call to
    // the other has no answer.
    for number in 0..4 {
        let before = well.look().service.seen.len();
        match number {
            0..3 => world.online([number]),
            _ => world.fails(0),
        }
        wait_for(|| well.look().service.seen.len() > before);
    }
    assert_eq!(stuck.calls(), 1, "it was waited for");
}

#[test]
fn what_hangs_is_left_and_looked_up_by_the_next_command() {
    let well = Fake::start(Hook::default());
    let page = Fake::start(Statuspage::with([]));
    let (http, ssh) = (Mute::start(b"HTTP/1.1 200 X\r\nX: "), Mute::start(b""));
    let keys = "page = \"b\"\nuser = \"u\"\nsecret = { file = \"keys/hook\" }\n";
    let settings = world::statuspage(&page.url, "")
        + &webhook("well", &well.url)
        + &format!(
            "[[publish.to]]\nid = \"bucket\"\nkind = \"s3\"\nurl = \"http://127.0.0.1:{}\"\n{keys}\
             [[publish.to]]\nid = \"account\"\nkind = \"sftp\"\nuser = \"u\"\npath = \"x\"\n\
             secret = {{ file = \"keys/hook\" }}\n\
             url = \"sftp://127.0.0.1:{}\"\n\
             [[publish.to]]\nid = \"branch\"\nkind = \"git\"\npath = \"copy\"\n",
            http.port, ssh.port
        );
    let world = World::new(0, &settings);
    let copy = world.site.path("copy");
    let copy = copy.to_str().unwrap();
    let git = |words: &[&str]| Outcome::of(Command::new("git").args(words)).exits(0);
    git(&["init", "--quiet", "--initial-branch=main", copy]);
    git(&["-C", copy, "config", "protocol.ext.allow", "always"]);
    git(&["-C", copy, "remote", "add", "origin", "ext::sh -c sleep% 30"]);
    // Both the look-up and the post go through; the post's answer never comes.
    page.fails(&[Fault::None, Fault::Hang]);
    let first = &world.evac(&["--json", "publish", "say", "first"]).exits(3).json()[0];
    let told = |id: &str| {
        let all = first["destinations"].as_array().unwrap();
        all.iter().find(|it| it["id"] == id).unwrap().clone()
    };
    assert_eq!((&told("well")["waiting"], &told("well")["sent"]), (&0.into(), &1.into()));
    for id in ["page", "bucket", "account", "branch"] {
        assert_eq!((&told(id)["waiting"], &told(id)["waits_for"]), (&1.into(), &"answer".into()));
    }
    assert!(http.calls() == 1 && ssh.calls() == 1);
    assert_eq!((page.look().service.updates().len(), well.look().service.seen.len()), (1, 1));
    // It stands there, and is not said again.
    let mut rest = world.site.bare_command(&["publish"]).spawn().unwrap();
    wait_for(|| page.look().asked.len() >= 3);
    rest.kill().unwrap();
    rest.wait().unwrap();
    let page = page.look();
    assert_eq!(page.asked.iter().filter(|asked| asked.method == "POST").count(), 1);
    assert_eq!((page.service.updates().len(), page.service.incidents.len()), (1, 1));
}

#[test]
fn a_page_that_somebody_made_anew_meanwhile_is_put_by_who_has_it() {
    let to = "[[publish.to]]\nid = \"web\"\nkind = \"folder\"\npath = \"out\"\n";
    let world = World::new(1, to);
    let ledger = world.ledger();
    world.site.write("state/publish.turns/web", "");
    let turn = std::fs::File::open(world.site.path("state/publish.turns/web")).unwrap();
    turn.lock().unwrap();
    let mut publish = world.site.bare_command(&["publish"]).spawn().unwrap();
    wait_for(|| !ledger.outbox_of("web").unwrap().is_empty());
    // Another process has a newer page, and wants that shown.
    let newer = Wanted {
        destination: "web".into(),
        subject: "page".into(),
        kind: RowKind::Page,
        content: "{\"is\":\"page\",\"hash\":\"newer\"}".into(),
        again: false,
    };
    ledger.want(&[newer]).unwrap();
    turn.unlock().unwrap();
    assert_eq!(publish.wait().unwrap().code(), Some(3));
    assert!(!world.site.path("out").exists(), "an old page would pass for the new one");
    world.evac(&["publish"]).exits(0);
    assert!(world.site.path("out/index.html").is_file());
}
