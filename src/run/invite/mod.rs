//! Hosts that call: a run listens while somebody is invited, and takes them as they come.
//!
//! An invited host is not dialled. Until its agent is here it is waited for, as a host that does
//! not answer is, and the run goes on as long; when its time is over it is dialled like any other.
//! The agent stays on the line, or calls again, until nothing of its host is left to be done; then
//! it is told to go, and the invitation is over. A run that ends before leaves it be: the next one
//! listens where this one did.
//!
//! **Promises.**
//! - That a code was used is durable before whoever proved it is let in.
//! - A line that was lost is not waited for: when its agent calls again, it takes its place.
//! - What strangers say is told, a few lines a minute, and their words are not in it.

pub mod book;
mod gate;
mod line;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::model::{Clock, Event, HostId, Steer};
use crate::run::control::Said;
use crate::run::hands::{Hands, Word};
use crate::ssh::invite::{Binary, Front, HostKey, Visit};

use book::{Book, Invitation};
pub use line::Guest;
use line::Working;

/// Between two looks at whose time is over.
const LOOK: Duration = Duration::from_secs(1);

/// Who is invited, who is here, and where we listen.
pub struct Lobby {
    state: PathBuf,
    hands: Arc<Hands>,
    clock: Arc<dyn Clock>,
    by: String,
    book: Mutex<Book>,
    /// The file cannot be read: nothing is written over it.
    unreadable: Option<String>,
    here: Mutex<BTreeMap<HostId, Visit>>,
    /// Rung whenever an agent calls.
    calls: Notify,
    working: Mutex<Working>,
    listeners: Mutex<BTreeMap<SocketAddr, JoinHandle<()>>>,
    front: Mutex<Option<Arc<Front>>>,
    told: Mutex<gate::Told>,
}

impl Lobby {
    /// For the run that holds `state`.
    pub(super) fn new(
        state: PathBuf,
        hands: Arc<Hands>,
        clock: Arc<dyn Clock>,
        by: String,
    ) -> Arc<Self> {
        let (book, unreadable) = match Book::read(&state) {
            Ok(book) => (book, None),
            Err(error) => (Book::default(), Some(crate::run::explain(&error))),
        };
        Arc::new(Self {
            state,
            hands,
            clock,
            by,
            book: Mutex::new(book),
            unreadable,
            here: Mutex::default(),
            calls: Notify::new(),
            working: Mutex::default(),
            listeners: Mutex::default(),
            front: Mutex::default(),
            told: Mutex::default(),
        })
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("no holder of this lock panics")
    }

    fn here(&self) -> MutexGuard<'_, BTreeMap<HostId, Visit>> {
        self.here.lock().expect("no holder of this lock panics")
    }

    /// Tells and writes down; nobody waits for it.
    fn note(&self, what: String, text: String) {
        drop(self.hands.record(Event::Noted { what, text, by: self.by.clone() }));
    }

    fn note_of(&self, host: &HostId, text: String) {
        self.note(format!("host/{host}"), text);
    }

    /// What is waited for, if `host` is to call.
    pub(super) fn expects(&self, host: &HostId) -> Option<String> {
        self.book().of(host, self.clock.now()).map(Invitation::text)
    }

    /// Those who were invited before this run began are waited for from its first moment on.
    pub(super) async fn begin(self: &Arc<Self>) {
        if let Some(why) = &self.unreadable {
            self.note("evac".into(), format!("nobody is let in who was invited: {why}"));
        }
        let open = self.book().invitations.clone();
        let now = self.clock.now();
        for invitation in open.iter().filter(|it| it.is_open(now)) {
            if self.hands.schedule().needs(&invitation.host) {
                self.wait_for(&invitation.host);
                self.note_of(&invitation.host, invitation.text());
            }
            if let Err(why) = self.listen(invitation.landing).await {
                self.note("evac".into(), why);
            }
        }
    }

    /// It is away until its agent is here.
    pub(super) fn wait_for(&self, host: &HostId) {
        self.hands.schedule().send_away(host);
        if self.is_here(host) {
            self.comes(host);
        }
    }

    /// Is its agent on the line by an invitation that stands, and not at work yet?
    pub(super) fn is_here(&self, host: &HostId) -> bool {
        self.expects(host).is_some() && self.here().get(host).is_some_and(|visit| !visit.is_gone())
    }

    /// Until its agent is on the line.
    pub(super) async fn called(&self, host: &HostId) {
        loop {
            let call = self.calls.notified();
            if self.is_here(host) {
                return;
            }
            call.await;
        }
    }

    /// It may be worked on.
    fn comes(&self, host: &HostId) {
        self.hands.schedule().back(std::slice::from_ref(host));
        self.hands.spread();
    }

    /// Those whose time is over are dialled again, as others are; for as long as the run goes on.
    /// A port that another process had is tried again.
    pub(super) async fn watch(self: &Arc<Self>) -> Infallible {
        loop {
            tokio::time::sleep(LOOK).await;
            let landings: BTreeSet<_> =
                self.book().invitations.iter().map(|it| it.landing).collect();
            for at in landings {
                // It was told when it was tried first.
                let _ = self.listen(at).await;
            }
            let over = self.book().expire(self.clock.now());
            if over.is_empty() {
                continue;
            }
            if let Err(why) = self.save() {
                self.note("evac".into(), why);
            }
            for Invitation { host, .. } in over {
                self.note_of(&host, "the invitation ran out of time: nobody came".into());
                self.comes(&host);
            }
        }
    }

    fn save(&self) -> Result<(), String> {
        if let Some(why) = &self.unreadable {
            return Err(why.clone());
        }
        let book = self.book();
        book.write(&self.state).map_err(|error| crate::run::explain(&error))
    }

    /// Listens where the line says; a second time it does already.
    async fn listen(self: &Arc<Self>, at: SocketAddr) -> Result<(), String> {
        let is_there = || {
            let listeners = self.listeners.lock().expect("no holder of this lock panics");
            listeners.contains_key(&at)
        };
        if is_there() {
            return Ok(());
        }
        let failed = |error: std::io::Error| format!("cannot listen at {at}: {error}");
        let listener = bind(at).await.map_err(failed)?;
        let front = self.front()?;
        let task = tokio::spawn(front.listen(listener));
        let mut listeners = self.listeners.lock().expect("no holder of this lock panics");
        if let Some(former) = listeners.insert(at, task) {
            former.abort();
        }
        Ok(())
    }

    fn front(self: &Arc<Self>) -> Result<Arc<Front>, String> {
        let mut front = self.front.lock().expect("no holder of this lock panics");
        if let Some(front) = &*front {
            return Ok(front.clone());
        }
        let key = HostKey::open(&self.state.join("keys"));
        let key = key.map_err(|error| crate::run::explain(&error))?;
        let binary = Binary::itself().map_err(|error| format!("cannot read itself: {error}"))?;
        let made = Arc::new(Front::new(self.clone(), &key, binary, self.clock.clone()));
        Ok(front.insert(made).clone())
    }

    /// Somebody is invited while the run goes on. What failed of that host is tried again.
    pub(super) async fn invite(self: &Arc<Self>, invitation: Invitation, by: String) -> Said {
        let host = invitation.host.clone();
        if self.hands.host(&host).is_none() {
            let why = format!("it does not know host/{host}; `evac reload` has it read again");
            return Said::Refused { why };
        }
        if let Err(why) = self.listen(invitation.landing).await {
            return Said::Refused { why };
        }
        let (until, former) = (invitation.until, self.book().clone());
        self.book().put(invitation);
        if let Err(why) = self.save() {
            *self.book() = former;
            return Said::Refused { why };
        }
        // Whoever was here came for the former one.
        self.here().remove(&host);
        self.wait_for(&host);
        let failed = self.hands.schedule().unfinished_of(&host);
        if !failed.is_empty() {
            let (steer, what) = (Steer::Retry, format!("host/{host}"));
            let word = Word { steer, what, workloads: failed, text: String::new(), by: by.clone() };
            self.hands.clone().steer(word).await;
            self.wait_for(&host);
        }
        let text = format!("invited: somebody may type the line until {until}");
        self.hands.note(format!("host/{host}"), text, by).await
    }

    /// It is taken back: whoever came goes.
    pub(super) async fn revoke(&self, host: HostId, by: String) -> Said {
        if self.book().remove(&host).is_none() {
            return Said::Refused { why: format!("host/{host} is not invited") };
        }
        if let Err(why) = self.save() {
            return Said::Refused { why };
        }
        self.send_off(&host).await;
        self.comes(&host);
        self.hands.note(format!("host/{host}"), "the invitation is taken back".into(), by).await
    }

    /// Nothing is left to be done for it.
    fn done(&self, host: &HostId) {
        let removed = self.book().remove(host);
        if removed.is_some() {
            if let Err(why) = self.save() {
                self.note("evac".into(), why);
            }
            self.note_of(host, "all is taken that it was invited for; its agent goes".into());
        }
    }

    /// Nobody is let in any more. Who is here calls the next run.
    pub(super) fn close(&self) {
        let mut listeners = self.listeners.lock().expect("no holder of this lock panics");
        for (_, task) in std::mem::take(&mut *listeners) {
            task.abort();
        }
        self.here().clear();
        *self.front.lock().expect("no holder of this lock panics") = None;
    }
}

/// At exactly that address, or behind one that is translated on all of this machine's.
async fn bind(at: SocketAddr) -> std::io::Result<TcpListener> {
    match TcpListener::bind(at).await {
        Err(error) if error.kind() == std::io::ErrorKind::AddrNotAvailable => {
            let all: IpAddr = match at {
                SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            };
            TcpListener::bind((all, at.port())).await
        }
        bound => bound,
    }
}
