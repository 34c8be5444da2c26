//! Before the first byte: does anything stand where something is to be written?
//!
//! Only then is it known, and kept, that whatever is found there later was written by evac.

use tokio::sync::mpsc::{Receiver, channel};

use crate::capture::{Entry, Kind, Record};
use crate::restore::{Selection, entries};
use crate::run::line::Line;
use crate::run::restore::{failed, got_nowhere, lie};
use crate::run::talk::TalkError;
use crate::store::{Merged, Pass};
use crate::wire::{ToAgent, ToLanding};

/// Most entries looked at together.
const ENTRIES_MAX: usize = 4_096;
/// Most bytes of their names.
const NAMES_BYTES_MAX: usize = 1 << 20;
/// Lists under way.
const AHEAD: u64 = 2;

/// Waits until the target is ready; is nothing there yet?
pub(super) async fn ready(line: &mut Line) -> Result<bool, TalkError> {
    match answer(line).await? {
        ToLanding::PlaceReady { is_free } => Ok(is_free),
        _ => Err(lie("the target said something before it was ready")),
    }
}

/// Has the target look at everything that is to be written there.
pub(super) async fn ahead(
    pass: &Pass,
    selection: &Selection,
    line: &mut Line,
) -> Result<(), TalkError> {
    let mut lists = lists(pass.merged(), selection.clone());
    let (mut sent, mut looked) = (0, 0);
    loop {
        let list = lists.recv().await;
        let is_over = list.is_none();
        if let Some(records) = list {
            line.talk.send(&ToAgent::Look { number: sent, records });
            sent += 1;
        }
        while looked < sent && (is_over || sent - looked >= AHEAD) {
            match answer(line).await? {
                ToLanding::Looked { number } if number == looked => looked += 1,
                _ => return Err(lie("the target looked at what was not sent")),
            }
        }
        if is_over {
            return Ok(());
        }
    }
}

async fn answer(line: &mut Line) -> Result<ToLanding, TalkError> {
    let patience = line.talk.patience().progress;
    match tokio::time::timeout(patience, line.talk.next()).await {
        Err(_) => Err(got_nowhere(patience)),
        Ok(message) => match message? {
            ToLanding::Failed { reason, detail } => Err(failed(reason, &detail)),
            message => Ok(message),
        },
    }
}

/// Reads entries on a thread of its own.
fn lists(steps: Merged, selection: Selection) -> Receiver<Vec<Record>> {
    let (sender, receiver) = channel(1);
    tokio::task::spawn_blocking(move || {
        let (mut list, mut bytes) = (Vec::new(), 0);
        for mut entry in entries(steps, &selection) {
            // Whoever looks goes by kind, owner, mode and time.
            entry.metadata.xattrs.clear();
            bytes += names_bytes(&entry);
            list.push(Record::Node(entry));
            if list.len() >= ENTRIES_MAX || bytes >= NAMES_BYTES_MAX {
                bytes = 0;
                if sender.blocking_send(std::mem::take(&mut list)).is_err() {
                    return;
                }
            }
        }
        // Whoever does not listen any more has failed already.
        let _ = sender.blocking_send(list);
    });
    receiver
}

fn names_bytes(entry: &Entry) -> usize {
    let target = match &entry.kind {
        Kind::Symlink { target } => target.len(),
        _ => 0,
    };
    entry.path.as_bytes().len() + target
}
