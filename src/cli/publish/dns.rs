//! Asks the resolver of this machine what customers' names point at now.

use std::collections::BTreeSet;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::model::Clock;
use crate::publish::own::Answers;

/// Asked at once.
const THREADS: usize = 32;
/// All together may take so long; what was not answered then counts as not asked. A page that is
/// late is worse than one that does not know this.
const TOGETHER: Duration = Duration::from_secs(5);

/// What `names` point at.
pub fn ask(names: BTreeSet<String>, clock: &dyn Clock) -> Answers {
    let mut answers: Answers = names.iter().map(|name| (name.clone(), None)).collect();
    let threads = THREADS.min(names.len());
    let queue = Arc::new(Mutex::new(names));
    let (sender, receiver) = channel();
    for _ in 0..threads {
        let (queue, sender) = (Arc::clone(&queue), sender.clone());
        thread::spawn(move || work(&queue, &sender));
    }
    drop(sender);
    let end = clock.now().plus(TOGETHER);
    // Threads that still wait for a resolver end with the process.
    while let Ok((name, addresses)) = receiver.recv_timeout(end.since(clock.now())) {
        answers.insert(name, addresses);
    }
    answers
}

fn work(queue: &Mutex<BTreeSet<String>>, sender: &Sender<(String, Option<Vec<IpAddr>>)>) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_first();
        let Some(name) = next else { return };
        let addresses = resolve(&name);
        if sender.send((name, addresses)).is_err() {
            return;
        }
    }
}

/// The name from the root: no search list of this machine may be put behind it.
fn resolve(name: &str) -> Option<Vec<IpAddr>> {
    let rooted = format!("{}.", name.trim_end_matches('.'));
    let found = (rooted.as_str(), 443).to_socket_addrs().ok()?;
    Some(found.map(|address| address.ip()).collect())
}
