//! Hashes samples of files again, for a comparison with what was taken of them.
//!
//! **Invariants.** On a thread of its own: a disk that hangs hangs this thread alone. Files are
//! read like those of a capture, quietly and without moving their access times where that may be.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::Errno;

use crate::agent::outbox::Outbox;
use crate::capture::content::{OpenError, open_for_reading};
use crate::capture::{Beneath, Content};
use crate::chunk::DomainKey;
use crate::wire::ToLanding;
use crate::wire::compare::{CompareFile, CompareOrder, Verdict};

/// A comparison under way. Dropping it ends it.
pub struct CompareJob {
    stopped: Arc<AtomicBool>,
}

impl CompareJob {
    /// Starts to read beneath `root`, which stands for `/`.
    pub fn start(order: CompareOrder, root: PathBuf, outbox: &Outbox) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let (outbox, ends) = (outbox.clone(), stopped.clone());
        std::thread::spawn(move || {
            let tree = Beneath::open(&root);
            let verdict = |file: &CompareFile| match &tree {
                Ok(tree) => compare(tree, file, &order.key),
                Err(_) => Verdict::Unreadable,
            };
            let mut verdicts = Vec::with_capacity(order.files.len());
            for file in &order.files {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                verdicts.push(verdict(file));
            }
            // A session that is gone needs no answer.
            let _ = outbox.send(&ToLanding::Compared(verdicts));
        });
        Self { stopped }
    }
}

impl Drop for CompareJob {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

fn compare(tree: &Beneath, file: &CompareFile, key: &DomainKey) -> Verdict {
    let entry = match crate::capture::look_at(tree, &file.path) {
        Ok(entry) if entry.fingerprint() == file.fingerprint => entry,
        Ok(_) => return Verdict::Changed,
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Verdict::Gone,
        Err(_) => return Verdict::Unreadable,
    };
    let mut reading = match open_for_reading(tree, &entry) {
        Ok(reading) => reading,
        Err(OpenError::Vanished { .. }) => return Verdict::Gone,
        Err(OpenError::Replaced { .. }) => return Verdict::Changed,
        Err(OpenError::Unreadable { .. }) => return Verdict::Unreadable,
    };
    let mut wrong = None;
    for (offset, length, id) in &file.pieces {
        let mut bytes = vec![0; *length as usize];
        let got = reading.read_at(&mut bytes, *offset);
        if got < bytes.len() || key.name(&bytes) != *id {
            wrong = Some(*offset);
            break;
        }
    }
    let finished = reading.finish();
    match (finished.content, wrong) {
        (Content::Cut, _) => Verdict::Unreadable,
        // Whoever writes to it now does not say what was there then.
        (Content::Changed, Some(_)) if !is_still(tree, file) => Verdict::Changed,
        (_, Some(offset)) => Verdict::Wrong(offset),
        (_, None) => Verdict::Same,
    }
}

fn is_still(tree: &Beneath, file: &CompareFile) -> bool {
    let looked = crate::capture::look_at(tree, &file.path).map_err(Errno::kind);
    match looked {
        Ok(entry) => entry.fingerprint() == file.fingerprint,
        Err(kind) => kind != ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::capture::Fingerprint;
    use crate::model::{ChunkId, TreePath};

    #[test]
    fn what_changed_is_told_apart_from_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), b"content").unwrap();
        let tree = Beneath::open(folder.path()).unwrap();
        let path: TreePath = "/file".parse().unwrap();
        let fingerprint = crate::capture::look_at(&tree, &path).unwrap().fingerprint();
        let key = DomainKey::new(crate::model::Domain([1; 8]), [2; 32]);
        let right = (0, 7, key.name(b"content"));
        let verdict = |path: &TreePath, fingerprint, piece| {
            let file = CompareFile { path: path.clone(), fingerprint, pieces: vec![piece] };
            compare(&tree, &file, &key)
        };
        assert_eq!(verdict(&path, fingerprint, right), Verdict::Same);
        assert_eq!(verdict(&path, fingerprint, (0, 7, ChunkId([3; 32]))), Verdict::Wrong(0));
        assert_eq!(verdict(&path, fingerprint, (3, 7, right.2)), Verdict::Wrong(3));
        assert_eq!(verdict(&path, Fingerprint(1), right), Verdict::Changed);
        assert_eq!(verdict(&"/other".parse().unwrap(), fingerprint, right), Verdict::Gone);
        fs::write(folder.path().join("file"), b"CONTENT").unwrap();
        assert_eq!(verdict(&path, fingerprint, right), Verdict::Changed);
    }
}
