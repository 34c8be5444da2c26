//! What a further host costs that holds what others hold: what it says of its files, briefly, and
//! none of their content. Counted on the wire between OpenSSH and evac, both ways being TCP. Where
//! customers have root, what one of them alone has is nobody else's.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::site::fleet::{Fleet, Source, noise, received};

const HOSTS: [&str; 2] = ["one", "two"];
const FILES: u64 = 400;
const FILE_BYTES: usize = 40_000;
/// What an offered file costs at most whose content is known: six bytes of its name, a few that
/// tell its times, and a share of the message around it.
const KNOWN_FILE_BYTES: u64 = 24;
const CONTENT_BYTES: u64 = FILES * FILE_BYTES as u64;

/// A way to a server that counts what comes back over it.
struct Meter {
    port: u16,
    bytes: Arc<AtomicU64>,
}

impl Meter {
    /// Goes on for as long as the test does.
    fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let meter = Self { port: listener.local_addr().unwrap().port(), bytes: Arc::default() };
        let bytes = meter.bytes.clone();
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let far = TcpStream::connect(("127.0.0.1", server)).unwrap();
                let (back, forth) = (far.try_clone().unwrap(), near.try_clone().unwrap());
                let bytes = bytes.clone();
                std::thread::spawn(move || {
                    carry(back, near, |count| {
                        bytes.fetch_add(count, Ordering::Relaxed);
                    });
                });
                std::thread::spawn(move || carry(forth, far, |_| {}));
            }
        });
        meter
    }

    /// What came since the last time.
    fn take(&self) -> u64 {
        self.bytes.swap(0, Ordering::Relaxed)
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, count: impl Fn(u64)) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        count(length as u64);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = (to.shutdown(Shutdown::Write), from.shutdown(Shutdown::Read));
}

fn name(number: u64) -> String {
    format!("folder-{:02}/name-{number:04}.dat", number / 20)
}

/// Hosts that hold the same, each behind a meter.
fn fleet() -> (Fleet, Vec<Meter>) {
    let fleet = Fleet::new(HOSTS.map(|id| Source { host: id, id, class: "web" }).into());
    let meters: Vec<Meter> = HOSTS.iter().map(|_| Meter::before(fleet.sshd.port())).collect();
    let server = fs::read_to_string(fleet.sshd.known_hosts()).unwrap();
    let (_, key) = server.trim().split_once(' ').unwrap();
    let (mut known, mut ports) = (server.clone(), String::new());
    for (id, Meter { port, .. }) in HOSTS.iter().zip(&meters) {
        known += &format!("[127.0.0.1]:{port} {key}\n");
        ports += &format!("[[host]]\nid = \"{id}\"\nport = {port}\n");
    }
    fs::write(fleet.sshd.known_hosts(), known).unwrap();
    fleet.site.write("inventory.d/ports.toml", &ports);
    for id in HOSTS {
        for number in 0..FILES {
            let path = fleet.tree(id).join(name(number));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, noise(number, FILE_BYTES)).unwrap();
        }
    }
    // What changes less than two seconds before it is read is read again.
    std::thread::sleep(Duration::from_millis(2_100));
    (fleet, meters)
}

#[test]
fn a_host_that_holds_what_others_hold_sends_little_more_than_its_names() {
    let (fleet, meters) = fleet();
    let run = |arguments: &[&str]| {
        let events = fleet.evac(&[&["--json", "run"], arguments].concat()).exits(0).json();
        let content = received(&events);
        let wire: u64 = meters.iter().map(Meter::take).sum();
        (content, (wire - content) / HOSTS.len() as u64)
    };
    let (content, beside) = run(&[]);
    assert!(content < CONTENT_BYTES + CONTENT_BYTES / 100, "each piece once, not {content} bytes");
    // With seven such hosts more it would be at most 1.02 × the bytes of one.
    assert!(7 * beside * 100 <= 2 * (content + beside), "{beside} bytes a host beside {content}");

    // Nothing changed: what is left is the price of a connection and of an agent that comes.
    let (content, connected) = run(&["--again"]);
    assert_eq!(content, 0);

    // All looks changed: it is read and offered again, and nothing of it is sent.
    for id in HOSTS {
        for number in 0..FILES {
            let file = fs::File::options().write(true).open(fleet.tree(id).join(name(number)));
            file.unwrap().set_modified(SystemTime::now()).unwrap();
        }
    }
    let (content, beside) = run(&["--again"]);
    assert_eq!(content, 0);
    let known = beside.saturating_sub(connected);
    assert!(known <= FILES * KNOWN_FILE_BYTES, "{known} bytes a host for {FILES} known files");
}

#[test]
fn where_customers_have_root_what_one_alone_has_is_there_for_no_other() {
    let ids = ["one", "two", "three", "four"];
    let fleet = Fleet::new(ids.map(|id| Source { host: id, id, class: "web" }).into());
    let of = |id: &&str| {
        format!(
            "[[customer]]\nid = \"c-{id}\"\nname = \"{id}\"\n\
             [[host]]\nid = \"{id}\"\ncustomer = \"c-{id}\"\nuntrusted = true\n"
        )
    };
    fleet.site.write("inventory.d/root.toml", &ids[..3].iter().map(of).collect::<String>());
    for id in ids {
        fs::write(fleet.tree(id).join("system"), noise(1, 900_000)).unwrap();
    }
    // What only the first has; the second has it in its hands another day, or claims to.
    fs::write(fleet.tree("one").join("secret"), noise(2, 700_000)).unwrap();
    fleet
        .evac(&["--as", "jo", "skip", "host/two", "host/three", "host/four", "--reason", "x"])
        .exits(0);
    let sent = |id: &str| {
        if id != "one" {
            fleet.evac(&["--as", "jo", "retry", &format!("host/{id}")]).exits(0);
        }
        received(&fleet.evac(&["--json", "run"]).exits(0).json())
    };
    assert!(sent("one") > 1_600_000);
    fs::write(fleet.tree("two").join("guess"), noise(2, 700_000)).unwrap();
    assert!(sent("two") > 1_600_000, "as if it were the first to have them");
    fs::write(fleet.tree("three").join("guess"), noise(2, 700_000)).unwrap();
    assert!(sent("three") < 50_000, "two others have sent both, seen by a run of its own");
    fs::write(fleet.tree("four").join("own"), noise(3, 700_000)).unwrap();
    let house = sent("four");
    assert!((700_000..750_000).contains(&house), "{house}: the house believes what is there");
    for id in ids {
        fleet.evac(&["verify", "--deep", &format!("host/{id}")]).exits(0);
    }
}
