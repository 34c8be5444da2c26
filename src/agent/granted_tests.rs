//! A hostile landing site asks an agent for more than its machine's owner granted.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use super::tests::key;
use super::{AgentError, Granted, Home, serve};
use crate::chunk::Cutting;
use crate::model::{Bytes, ChunkId, Generation, RunNumber, TreePath};
use crate::wire::lane::LaneToken;
use crate::wire::{CaptureOrder, Decoder, Grant, Levels, ToAgent, ToLanding, VERSION, encode};

fn path(text: &str) -> TreePath {
    text.parse().unwrap()
}

fn capture(paths: &[&str]) -> ToAgent {
    ToAgent::Capture(Box::new(CaptureOrder {
        paths: paths.iter().map(|text| path(text)).collect(),
        exclude: Vec::new(),
        cutting: Cutting::TREE,
        key: key(),
        levels: Levels { floor: 1, ceiling: 1 },
        run: RunNumber(0),
        cursor: None,
        disk: None,
        skip: Vec::new(),
        is_gentle: false,
        patience: std::time::Duration::from_secs(60),
    }))
}

/// Everything that an agent said to these orders, and how its session ended.
fn asked(granted: &str, grant: Grant, orders: &[ToAgent]) -> (Vec<ToLanding>, String) {
    let (mut landing, agent) = UnixStream::pair().unwrap();
    let output = agent.try_clone().unwrap();
    let granted = Some(Granted::new(vec![path(granted)]));
    let home = Home { granted, ..Home::default() };
    let served = std::thread::spawn(move || serve(agent, output, home, &|| {}));
    let hello = ToAgent::Hello { version: VERSION, generation: Generation(1), grant };
    for message in std::iter::once(&hello).chain(orders) {
        // One that refused is gone.
        let _ = landing.write_all(&encode(message));
    }
    let mut said = Vec::new();
    let _ = landing.read_to_end(&mut said);
    let mut decoder = Decoder::<ToLanding>::default();
    decoder.push(&said[crate::wire::MAGIC.len()..]);
    let mut messages = Vec::new();
    while let Some(message) = decoder.next_message().unwrap() {
        messages.push(message);
    }
    let ended = served.join().unwrap();
    assert!(matches!(ended, Err(AgentError::NotGranted(_))), "{ended:?}");
    (messages, ended.unwrap_err().to_string())
}

#[test]
fn what_was_not_granted_is_refused_and_ends_the_session() {
    let tree = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/etc", tree.path().join("out")).unwrap();
    let root = tree.path().to_str().unwrap();
    let out = format!("{root}/out/shadow");
    let survey = crate::wire::SurveyOrder {
        workloads: Vec::new(),
        accepted: Vec::new(),
        least: Bytes(0),
        entries_max: 1,
        seconds_max: 1,
    };
    let id = ChunkId([1; 32]);
    let reread = |at: &str| ToAgent::Reread { ticket: 1, path: path(at), offset: 0, length: 1, id };
    let read = [
        vec![capture(&["/etc/shadow"])],
        vec![capture(&[root, "/etc/shadow"])],
        // By a link that lies in what was granted.
        vec![capture(&[&out])],
        vec![capture(&[root]), reread("/etc/shadow")],
        vec![ToAgent::Survey(Box::new(survey))],
        vec![ToAgent::Lanes { token: LaneToken([1; 16]) }],
    ];
    for orders in read {
        let (said, why) = asked(root, Grant::Read, &orders);
        assert!(why.starts_with("refused: this session was not granted"), "{why}");
        let is_content = |message: &ToLanding| matches!(message, ToLanding::Frame(_));
        assert!(!said.iter().any(is_content), "{said:?}");
        let is_refusal = |message: &ToLanding| matches!(message, ToLanding::Failed { .. });
        assert!(said.iter().any(is_refusal), "{said:?}");
    }
    let (said, why) = asked(root, Grant::Write, &[]);
    assert!(why.ends_with("writing"), "{why} {said:?}");
}
