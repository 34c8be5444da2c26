//! The socket against those who use it, and those who abuse it; the engine is a thread that says
//! what it was told.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener as Listener, UnixStream as Client};
use std::sync::mpsc::{Sender, channel};

use super::*;
use crate::inventory::{SourceFile, read_files};
use crate::model::Clock;
use crate::run::capacities::Capacities;
use crate::run::engine::ToEngine;
use crate::run::hands::Hands;
use crate::run::invite::Lobby;

/// What was told to keep to which rate.
type Told = Arc<std::sync::Mutex<Vec<(String, Option<Rate>)>>>;

/// A run that can be steered, and what its engine was told.
struct Steered {
    folder: tempfile::TempDir,
    state: PathBuf,
    runtime: tokio::runtime::Runtime,
    control: io::Result<Control>,
    told: Told,
}

fn steering(engine: Sender<ToEngine>) -> Steering {
    let settings = "[site]\nname = \"x\"\n[[uplink]]\nid = \"ams\"\n";
    let inventory = "[[customer]]\nid = \"c\"\n[[host]]\nid = \"a\"\naddress = \"192.0.2.1\"\n\
                     customer = \"c\"\n";
    let files = [SourceFile::new("inventory.toml", inventory)];
    let reading = read_files(&SourceFile::new("evac.toml", settings), &files);
    assert!(reading.is_ok(), "{:?}", reading.problems);
    let capacities = Arc::new(Capacities::of(&reading.settings, &reading.inventory));
    let inventory = Arc::new(reading.inventory);
    let ledger = Arc::new(crate::ledger::Ledger::in_memory().unwrap());
    let order = ["w1", "w2"].map(|work| ("a".parse().unwrap(), work.parse().unwrap()));
    let schedule = crate::run::schedule::Schedule::new(order, 1);
    let known = (PathBuf::new(), inventory);
    let door = crate::run::door::Door::new(&[], None, false, Timestamp::from_second(0));
    let hands = Arc::new(Hands::new(schedule, known, door, ledger, engine.clone()));
    let clock: Arc<dyn Clock> = Arc::new(crate::model::SystemClock::default());
    let lobby = Lobby::new(PathBuf::new(), hands.clone(), clock.clone(), "jo".into());
    Steering { hands, lobby, capacities, engine, clock, landing: None }
}

impl Steered {
    /// In a folder beneath a temporary one, which `prepare` may change before.
    fn new(beneath: &str, prepare: impl FnOnce(&Path)) -> Self {
        Self::with(beneath, prepare, (Duration::from_secs(2), Duration::ZERO))
    }

    /// So patient with whoever asks, and so slow to answer.
    fn with(
        beneath: &str,
        prepare: impl FnOnce(&Path),
        (patience, pause): (Duration, Duration),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join(beneath);
        std::fs::create_dir_all(&state).unwrap();
        prepare(&state);
        let (sender, orders) = channel();
        let told = Told::default();
        let tells = told.clone();
        std::thread::spawn(move || {
            while let Ok(order) = orders.recv() {
                std::thread::sleep(pause);
                match order {
                    ToEngine::Limit(limited) => {
                        tells.lock().unwrap().push((limited.what, limited.rate));
                        let _ = limited.answer.send(Some(Rate(7)));
                    }
                    ToEngine::Keep(event, answer) => {
                        let by = event.said_by().unwrap().to_owned();
                        tells.lock().unwrap().push((by, None));
                        let _ = answer.send(());
                    }
                    _ => {}
                }
            }
        });
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let control = {
            let _inside = runtime.enter();
            Control::listen_with(patience, &state, steering(sender))
        };
        Self { folder, state, runtime, control, told }
    }

    fn limit(&self, id: &str) -> Result<Said, ControlError> {
        let ask = Ask::Limit { id: id.to_owned(), rate: Some(Rate(5)) };
        super::ask(&self.state, &Request::new("jo", ask)).map(|answer| answer.said)
    }

    fn connect(&self) -> Client {
        Client::connect(self.state.join(SOCKET)).unwrap()
    }

    /// What is answered to these very bytes.
    fn answer(&self, bytes: &[u8]) -> String {
        let mut client = self.connect();
        // A run that has read enough may close before it has all.
        let _ = client.write_all(bytes);
        let mut answer = String::new();
        let _ = client.read_to_string(&mut answer);
        answer
    }
}

#[test]
fn a_limit_is_answered_with_what_was_and_is() {
    let steered = Steered::new("state", |_| {});
    let id = "uplink/ams".to_owned();
    let expected = Said::Limit { id: id.clone(), was: Some(Rate(7)), now: Some(Rate(5)) };
    assert_eq!(steered.limit("ams").unwrap(), expected);
    assert_eq!(*steered.told.lock().unwrap(), [(id, Some(Rate(5)))]);
    let refused = steered.limit("uplink/other").unwrap();
    assert!(matches!(refused, Said::Refused { why } if why.contains("uplink/other")));
    let mode = std::fs::metadata(steered.state.join(SOCKET)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // The documented form is what is understood.
    let written =
        "{\"schema\":1,\"by\":\"jo\",\"ask\":\"limit\",\"id\":\"host/a\",\"rate\":null}\n";
    let answer = "{\"schema\":1,\"answer\":\"limit\",\"id\":\"host/a\",\"was\":7,\"now\":null}\n";
    assert_eq!(steered.answer(written.as_bytes()), answer);
}

#[test]
fn what_takes_longer_than_anybody_may_ask_is_answered_all_the_same() {
    let times = (Duration::from_millis(50), Duration::from_millis(400));
    let steered = Steered::with("state", |_| {}, times);
    assert!(matches!(steered.limit("ams"), Ok(Said::Limit { .. })));
    assert_eq!(steered.told.lock().unwrap().len(), 1, "asked once, done once");
}

#[test]
fn words_are_answered_in_the_documented_form_and_kept_with_their_name() {
    let steered = Steered::new("state", |_| {});
    let asked = "{\"schema\":1,\"by\":\"jo\",\"ask\":\"steer\",\"steer\":\"pause\",\
                 \"what\":\"host/a\",\"workloads\":[\"w1\",\"new\"],\"text\":\"\"}\n";
    let answer = "{\"schema\":1,\"answer\":\"steered\",\"done\":[\"w1\"],\"already\":[],\
                  \"refused\":[{\"id\":\"new\",\"why\":\"this run does not know it; \
                  `evac reload` reads it\"}]}\n";
    assert_eq!(steered.answer(asked.as_bytes()), answer);
    assert!(steered.answer(asked.as_bytes()).contains("\"done\":[],\"already\":[{\"id\":\"w1\""));
    let note = "{\"schema\":1,\"by\":\"kim\",\"ask\":\"note\",\"what\":\"host/a\",\
                \"text\":\"x\"}\n";
    assert_eq!(steered.answer(note.as_bytes()), "{\"schema\":1,\"answer\":\"noted\"}\n");
    let window = "{\"schema\":1,\"by\":\"jo\",\"ask\":\"window\",\
                  \"closes\":\"2030-03-05T04:00:00Z\",\"hard\":true}\n";
    let answer = "{\"schema\":1,\"answer\":\"window\",\"was\":null,\
                  \"closes\":\"2030-03-05T04:00:00Z\",\"hard\":true}\n";
    assert_eq!(steered.answer(window.as_bytes()), answer);
    let told = steered.told.lock().unwrap().clone();
    let names: Vec<_> = told.iter().map(|(by, _)| by.as_str()).collect();
    assert_eq!(names, ["jo", "kim", "jo"], "what had no effect is not kept");
}

#[test]
fn nonsense_is_refused_and_harms_nobody() {
    let steered = Steered::new("state", |_| {});
    let newer = "{\"schema\":2,\"by\":\"jo\",\"ask\":\"limit\",\"id\":\"host/a\",\"rate\":1}\n";
    assert!(steered.answer(newer.as_bytes()).contains("another version of evac"));
    let endless = vec![b'['; 300_000];
    for nonsense in [&b"\n"[..], b"{}\n", b"\xff\xfe\x00\n", b"{\"schema\":1}\n", &endless] {
        let answer = steered.answer(nonsense);
        // Of what is too long the rest may still be under way when the connection is closed.
        let is_right = answer.is_empty() && nonsense.len() > 256 << 10;
        assert!(is_right || answer.contains("not understood"), "{answer:?}");
    }
    assert_eq!(*steered.told.lock().unwrap(), []);
    assert!(matches!(steered.limit("host/a"), Ok(Said::Limit { .. })));
}

#[test]
fn whoever_says_nothing_is_not_waited_for() {
    let steered = Steered::new("state", |_| {});
    let silent: Vec<Client> = (0..AT_ONCE).map(|_| steered.connect()).collect();
    let mut half = steered.connect();
    half.write_all(b"{\"schema\":1,").unwrap();
    // All of them are in front.
    assert!(matches!(steered.limit("host/a"), Ok(Said::Limit { .. })));
    drop((silent, half));
}

#[test]
fn a_folder_may_lie_deeper_than_an_address_is_long() {
    let steered = Steered::new(&"a-folder-with-a-long-name/".repeat(8), |_| {});
    assert!(steered.state.as_os_str().len() > 200);
    assert!(matches!(steered.limit("host/a"), Ok(Said::Limit { .. })));
}

#[test]
fn what_a_killed_run_left_is_replaced_and_nothing_else_is() {
    let steered = Steered::new("state", |state| {
        drop(Listener::bind(state.join(SOCKET)).unwrap());
    });
    assert!(matches!(steered.limit("host/a"), Ok(Said::Limit { .. })));
    let path = steered.state.join(SOCKET);
    drop(steered.control);
    assert!(!path.exists());
    let nobody =
        ask(&steered.state, &Request::new("jo", Ask::Limit { id: String::new(), rate: None }));
    assert!(matches!(nobody, Err(ControlError::Nobody { .. })), "{nobody:?}");
    drop((steered.runtime, steered.folder));

    let precious = Steered::new("state", |state| {
        std::fs::write(state.join(SOCKET), "precious").unwrap();
    });
    assert!(precious.control.is_err());
    assert_eq!(std::fs::read_to_string(precious.state.join(SOCKET)).unwrap(), "precious");
}
