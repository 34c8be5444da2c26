//! A host that lost its line is dialled again before the engine and the shelf are done with what
//! the former session had sent: neither session may spoil the other.

use std::sync::mpsc::Receiver;

use super::*;
use crate::model::{Domain, Tally};
use crate::run::coordinator::{ClosedSegment, Input, SessionId, SourceDoubts};
use crate::run::shelf::{Counting, OpenedPass, PassRequest};

/// A shelf at work that commits nothing by itself.
struct Desk {
    orders: std::sync::mpsc::Sender<ToShelf>,
    told: Receiver<ToEngine>,
    ledger: Arc<Ledger>,
    workload: crate::inventory::Workload,
}

impl Desk {
    fn new(landing: &Landing) -> Self {
        let (store, writer) = landing.open().unwrap();
        let ledger = Arc::new(landing.ledger());
        let ((to_engine, told), (orders, queue)) = (channel(), channel());
        let channels = (to_engine, orders.clone());
        let clock = Arc::new(SystemClock::default());
        let age = Duration::from_secs(3_600);
        let by = "test".to_owned();
        let shelf = Shelf::new(store, writer, ledger.clone(), clock, channels, by, age);
        std::thread::spawn(move || shelf.work(&queue));
        let workload = landing.inventory.workload(&workload("alpha")).unwrap().clone();
        Self { orders, told, ledger, workload }
    }

    fn open(&self, session: u64) -> OpenedPass {
        let (answer, opened) = tokio::sync::oneshot::channel();
        let (session, workload) = (SessionId(session), self.workload.clone());
        let domain = Domain([0; 8]);
        let request = PassRequest { session, workload, domain, accept_losses: false };
        self.orders.send(ToShelf::Open(Box::new(request), answer)).unwrap();
        opened.blocking_recv().unwrap().unwrap()
    }

    fn commit(&self, session: u64, number: u64) {
        let segment = ClosedSegment {
            workload: self.workload.id.clone(),
            pass: PassNumber(1),
            run: RunNumber(0),
            number,
            records: Vec::new(),
            cursor: None,
            tally: Tally::default(),
            read_from_s: None,
            owners: None,
        };
        self.orders.send(ToShelf::Commit(SessionId(session), Box::new(segment))).unwrap();
    }

    /// Ends the shelf; the sessions whose segments it says are durable. Fails on any complaint.
    fn end(self) -> Vec<u64> {
        let (answer, flushed) = tokio::sync::oneshot::channel();
        self.orders.send(ToShelf::Flush(answer)).unwrap();
        flushed.blocking_recv().unwrap();
        let committed = self.told.try_iter().filter_map(|message| match message {
            ToEngine::Input(Input::Committed(session)) => Some(session.0),
            ToEngine::Lied(_, why) | ToEngine::LandingFailed(_, why) => panic!("{why}"),
            _ => None,
        });
        committed.collect()
    }
}

#[test]
fn what_a_former_session_left_counts_and_what_comes_later_does_not() {
    let sources = Sources::new();
    let landing = Landing::new(&sources);
    let desk = Desk::new(&landing);
    assert_eq!(desk.open(1).segment, 0);
    desk.commit(1, 0);
    let resumed = desk.open(2);
    assert_eq!((resumed.segment, resumed.is_resumed), (1, true));
    desk.commit(1, 1);
    desk.commit(2, 1);
    assert_eq!(desk.end(), [1, 2]);
}

#[test]
fn a_count_that_is_done_too_late_seals_nothing_under_the_next_session() {
    let sources = Sources::new();
    let landing = Landing::new(&sources);
    let desk = Desk::new(&landing);
    desk.open(1);
    desk.commit(1, 0);
    desk.open(2);
    let pass = PassName { workload: desk.workload.id.clone(), pass: PassNumber(1) };
    let counted = Counting::new(Vec::new(), RunNumber(1)).end();
    let counted = ToShelf::Counted(SessionId(1), pass, SourceDoubts::default(), counted);
    desk.orders.send(counted).unwrap();
    desk.commit(2, 1);
    let ledger = desk.ledger.clone();
    assert_eq!(desk.end(), [1, 2]);
    assert_eq!(ledger.passes(&workload("alpha")).unwrap()[0].sealed_at, None);
}
