//! Calls from invited hosts, over loopback.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::ssh::invite::call::{CallError, Caller, Word};
use crate::ssh::invite::front::{Gate, Wanted};
use crate::ssh::invite::guesses::Wrong;
use crate::ssh::invite::{Binary, Code, Front, HostKey, Sum, Visit};

/// One invitation.
struct One {
    sum: Sum,
    key: Mutex<Option<String>>,
    visits: mpsc::UnboundedSender<Visit>,
    wrong: Mutex<u32>,
}

impl Gate for One {
    fn script(&self, _: &Wanted) -> Option<Vec<u8>> {
        None
    }

    fn is_open(&self, id: &str) -> bool {
        id == self.sum.id()
    }

    fn knows(&self, _: &str, key: &str) -> bool {
        self.key.lock().unwrap().as_deref() == Some(key)
    }

    fn take_up(&self, _: &str, code: &Sum, key: &str) -> bool {
        let mut known = self.key.lock().unwrap();
        let is_first = known.is_none() && *code == self.sum;
        if is_first {
            *known = Some(key.to_owned());
        }
        is_first
    }

    fn arrived(&self, _: &str, visit: Visit) {
        let _ = self.visits.send(visit);
    }

    fn wrong(&self, _: SocketAddr, _: Wrong) {
        *self.wrong.lock().unwrap() += 1;
    }
}

struct Landing {
    address: String,
    key: String,
    gate: Arc<One>,
    visits: mpsc::UnboundedReceiver<Visit>,
}

async fn landing(code: &Code) -> Landing {
    let (sender, visits) = mpsc::unbounded_channel();
    let (key, wrong) = (Mutex::default(), Mutex::default());
    let gate = Arc::new(One { sum: code.sum(), key, visits: sender, wrong });
    let host_key = HostKey::fresh().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let clock = Arc::new(crate::model::SystemClock::default());
    let binary = Binary::new(bytes::Bytes::from_static(b"agent"));
    let front = Arc::new(Front::new(gate.clone(), &host_key, binary, clock));
    tokio::spawn(front.listen(listener));
    Landing { address, key: host_key.fingerprint(), gate, visits }
}

impl Landing {
    fn caller(&self, code: &Code) -> Caller {
        Caller::new(self.address.clone(), code.clone(), self.key.clone()).unwrap()
    }
}

#[tokio::test]
async fn the_first_agent_that_proves_the_code_is_the_host_and_calls_again() {
    let code = Code::random().unwrap();
    let mut landing = landing(&code).await;
    let agent = landing.caller(&code);
    let mut called = agent.call().await.unwrap();
    let visit = landing.visits.recv().await.unwrap();
    let (_, writer, held) = visit.split();
    writer.write(bytes::Bytes::from_static(b"go\n")).await.unwrap();
    assert_eq!(called.word().await, Some(Word::Go));
    // The same code from another agent: it is used.
    let second = landing.caller(&code).call().await;
    assert!(matches!(second, Err(CallError::Over { .. })), "{:?}", second.err());
    assert_eq!(*landing.gate.wrong.lock().unwrap(), 1);
    // Cut off, the first comes again by its key.
    drop(held);
    assert_eq!(called.word().await, None);
    let mut called = agent.call().await.unwrap();
    let (_, writer, _held) = landing.visits.recv().await.unwrap().split();
    writer.write(bytes::Bytes::from_static(b"over\n")).await.unwrap();
    assert_eq!(called.word().await, Some(Word::Over));
}

#[tokio::test]
async fn whoever_relays_or_answers_in_the_landing_sites_place_is_told_nothing() {
    let code = Code::random().unwrap();
    let mut landing = landing(&code).await;
    landing.key = HostKey::fresh().unwrap().fingerprint();
    let called = landing.caller(&code).call().await;
    assert!(matches!(called, Err(CallError::Stranger { .. })), "{:?}", called.err());
    assert!(landing.gate.key.lock().unwrap().is_none(), "no code was told");
}

#[tokio::test]
async fn the_code_of_another_invitation_is_not_let_in() {
    let code = Code::random().unwrap();
    let landing = landing(&code).await;
    let called = landing.caller(&Code::random().unwrap()).call().await;
    assert!(matches!(called, Err(CallError::Over { .. })), "{:?}", called.err());
    assert!(landing.gate.key.lock().unwrap().is_none());
}
