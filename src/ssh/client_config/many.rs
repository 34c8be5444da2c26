//! What many names mean, and the machines on the way to them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{ConfigQuestion, Configured, Hop, configured};

/// `ssh` processes at once.
const AT_ONCE: usize = 8;

/// What each means, or why it means nothing.
pub type Explained = BTreeMap<Hop, Result<Configured, String>>;

/// Asks about `names` by `file`, and about every machine on the way to one.
pub async fn explained(names: BTreeSet<Hop>, file: &Path) -> Explained {
    let (mut asked, mut next) = (Explained::new(), names);
    while !next.is_empty() {
        asked.extend(ask(next, file).await);
        let hops = asked.values().flatten().flat_map(|known| &known.jumps);
        next = hops.filter(|hop| !asked.contains_key(hop)).cloned().collect();
    }
    asked
}

async fn ask(names: BTreeSet<Hop>, file: &Path) -> Explained {
    let (mut asking, places) = (JoinSet::new(), Arc::new(Semaphore::new(AT_ONCE)));
    for hop in names {
        let (places, file) = (places.clone(), file.to_owned());
        asking.spawn(async move {
            let _place = places.acquire().await;
            let (name, user, port) = (hop.name.clone(), hop.user.clone(), hop.port);
            let question = ConfigQuestion { file: Some(file), name, user, port };
            let answer = configured(&question, Path::new("/")).await;
            (hop, answer)
        });
    }
    asking.join_all().await.into_iter().collect()
}
