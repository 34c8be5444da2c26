//! The landing site's end of an offer, pure: is this what an honest agent would say next?
//!
//! **Invariant.** What passes here is in the order of the tree, inside the roots that were asked
//! for, well formed as a stream of records, and never beneath something that is no directory. A
//! manifest takes whatever passes.

use crate::capture::{Cursor, Kind, Record};
use crate::model::{RunNumber, TreePath};
use crate::wire::WireError;

/// Watches the records of one run.
#[derive(Debug)]
pub struct RunChecker {
    roots: Vec<TreePath>,
    run: RunNumber,
    next_offer: u64,
    /// The latest entry.
    last: Option<TreePath>,
    /// The latest path of any record; what was left out has a place in the order too.
    furthest: Option<TreePath>,
    last_is_directory: bool,
    open_file: Option<u64>,
    records: u64,
}

impl RunChecker {
    /// For a run over `roots` that goes on at `cursor`.
    pub fn new(roots: Vec<TreePath>, run: RunNumber, cursor: Option<&Cursor>) -> Self {
        let open_file = cursor.and_then(|cursor| cursor.within.map(|(offset, _)| offset));
        let last = cursor.map(|cursor| cursor.path.clone());
        Self {
            roots: disjoint(roots),
            run,
            next_offer: 0,
            furthest: last.clone(),
            last,
            // What a finished entry was is not known; inside a file, it was a file.
            last_is_directory: open_file.is_none(),
            open_file,
            records: 0,
        }
    }

    /// The agent says where links above the roots lead; only before its first offer.
    pub fn resolved(&mut self, roots: Vec<TreePath>) -> Result<(), WireError> {
        if self.next_offer > 0 || roots.len() > 16 * crate::wire::order::PATHS_MAX {
            return Err(WireError::Unexpected("roots in the middle of a run"));
        }
        self.roots = disjoint(roots);
        Ok(())
    }

    /// Offers and records so far.
    pub fn counts(&self) -> (u64, u64) {
        (self.next_offer, self.records)
    }

    /// Is a file begun and not ended?
    pub fn is_inside_file(&self) -> bool {
        self.open_file.is_some()
    }

    /// Checks the next offer.
    pub fn offer(&mut self, number: u64, records: &[Record]) -> Result<(), WireError> {
        if number != self.next_offer {
            return Err(WireError::Unexpected("an offer out of turn"));
        }
        self.next_offer += 1;
        self.records += records.len() as u64;
        records.iter().try_for_each(|record| self.record(record))
    }

    fn record(&mut self, record: &Record) -> Result<(), WireError> {
        match record {
            Record::Node(entry) => {
                self.step_to(&entry.path)?;
                self.last_is_directory = matches!(entry.kind, Kind::Directory);
                self.open_file = matches!(entry.kind, Kind::File { .. }).then_some(0);
            }
            Record::HardLink { entry, of } => {
                self.step_to(&entry.path)?;
                self.is_ours(of)?;
                self.last_is_directory = false;
            }
            Record::Data { offset, length, .. } => {
                let Some(end) = self.open_file.filter(|end| offset >= end) else {
                    return Err(WireError::Unexpected("a piece outside any file, or out of order"));
                };
                debug_assert!(*offset >= end);
                self.open_file = Some(offset + u64::from(*length));
            }
            Record::End { size, .. } => match self.open_file.take() {
                Some(end) if *size >= end => {}
                _ => {
                    return Err(WireError::Unexpected(
                        "an end without a file, or before its pieces",
                    ));
                }
            },
            Record::Gone { path } => {
                if self.run == RunNumber(0) {
                    return Err(WireError::Unexpected("something gone that was never there"));
                }
                self.step_to(path)?;
                self.last_is_directory = true;
            }
            Record::LeftOut { path, .. } => {
                self.is_ours(path)?;
                if self.open_file.is_some() {
                    return Err(WireError::Unexpected("an omission inside an unfinished file"));
                }
                self.go_on_to(path)?;
            }
            Record::Lost { .. } => return Err(WireError::Unexpected("a lost piece from a source")),
        }
        Ok(())
    }

    /// A new path must come after the last one, and not beneath a file or a symlink.
    fn step_to(&mut self, path: &TreePath) -> Result<(), WireError> {
        self.is_ours(path)?;
        if self.open_file.is_some() && self.last.as_ref() != Some(path) {
            return Err(WireError::Unexpected("an entry inside an unfinished file"));
        }
        if let Some(last) = &self.last {
            let again = last == path && self.open_file.is_some();
            if path <= last && !again {
                return Err(WireError::Unexpected("entries out of order"));
            }
            if !self.last_is_directory && !again && path.is_within(last) {
                return Err(WireError::Unexpected(
                    "an entry beneath something that is no directory",
                ));
            }
        }
        self.go_on_to(path)?;
        self.last = Some(path.clone());
        Ok(())
    }

    /// No record's path goes back behind one before it.
    fn go_on_to(&mut self, path: &TreePath) -> Result<(), WireError> {
        if self.furthest.as_ref().is_some_and(|furthest| path < furthest) {
            return Err(WireError::Unexpected("entries out of order"));
        }
        self.furthest = Some(path.clone());
        Ok(())
    }

    /// Inside a root, or one of its ancestors. There may be many thousand roots, and this is asked
    /// for every record: in the order of the tree only the neighbours can be it.
    fn is_ours(&self, path: &TreePath) -> Result<(), WireError> {
        let next = self.roots.partition_point(|root| root <= path);
        let is_inside = next > 0 && path.is_within(&self.roots[next - 1]);
        if is_inside || self.roots.get(next).is_some_and(|root| root.is_within(path)) {
            Ok(())
        } else {
            Err(WireError::Unexpected("an entry outside what was asked for"))
        }
    }
}

/// In the order of the tree, without roots that lie in others.
fn disjoint(mut roots: Vec<TreePath>) -> Vec<TreePath> {
    roots.sort_unstable();
    roots.dedup_by(|root, before| root.is_within(before));
    roots
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Content, Entry, Fingerprint, Metadata};
    use crate::model::ChunkId;

    fn path(text: &str) -> TreePath {
        text.parse().unwrap()
    }

    fn node(text: &str, kind: Kind) -> Record {
        Record::Node(Entry { path: path(text), kind, metadata: Metadata::default() })
    }

    fn file(text: &str) -> Record {
        node(text, Kind::File { size: 9 })
    }

    fn data(offset: u64) -> Record {
        Record::Data { offset, length: 5, id: ChunkId([1; 32]) }
    }

    fn end(size: u64) -> Record {
        Record::End { size, content: Content::Steady }
    }

    fn verdict(records: &[Record]) -> Result<(), WireError> {
        let roots = vec![path("/a/b")];
        let mut checker = RunChecker::new(roots, RunNumber(0), None);
        checker.offer(0, records)
    }

    #[test]
    fn an_honest_walk_passes() {
        let link = Kind::Symlink { target: b"/etc".to_vec() };
        let records = [
            node("/", Kind::Directory),
            node("/a", Kind::Directory),
            node("/a/b", Kind::Directory),
            file("/a/b/f"),
            data(0),
            data(100),
            end(200),
            node("/a/b/l", link),
            node("/a/b/z", Kind::Directory),
        ];
        assert_eq!(verdict(&records), Ok(()));
    }

    #[test]
    fn lies_are_refused() {
        let link = || node("/a/b/l", Kind::Symlink { target: b"/etc".to_vec() });
        let gone = Record::Gone { path: path("/a/b/x") };
        let left_out = |text| Record::LeftOut { path: path(text), why: String::new() };
        let lies: [&[Record]; 14] = [
            &[left_out("/etc/shadow")],
            &[left_out("/a/b/z"), file("/a/b/f"), end(0)],
            &[file("/a/b/f"), left_out("/a/b/g")],
            &[file("/etc/passwd"), end(0)],
            &[node("/a/b/d", Kind::Directory), node("/a/b/c", Kind::Directory)],
            &[node("/a/b/d", Kind::Directory), node("/a/b/d", Kind::Directory)],
            &[link(), file("/a/b/l/passwd")],
            &[file("/a/b/f"), end(0), file("/a/b/f/g")],
            &[data(0)],
            &[file("/a/b/f"), data(10), data(0)],
            &[file("/a/b/f"), data(0), end(3)],
            &[file("/a/b/f"), file("/a/b/g")],
            &[gone],
            &[file("/a/b/f"), Record::Lost { offset: 0, length: 1 }],
        ];
        for (number, lie) in lies.iter().enumerate() {
            assert!(verdict(lie).is_err(), "lie {number}");
        }
    }

    #[test]
    fn offers_come_in_turn() {
        let mut checker = RunChecker::new(vec![TreePath::root()], RunNumber(0), None);
        assert!(checker.offer(1, &[]).is_err());
        let mut checker = RunChecker::new(vec![TreePath::root()], RunNumber(0), None);
        assert!(checker.offer(0, &[]).is_ok());
        assert!(checker.offer(0, &[]).is_err());
    }

    #[test]
    fn a_file_goes_on_after_a_resume_or_begins_again() {
        let cursor = Cursor { path: path("/a/f"), within: Some((5, Fingerprint(1))) };
        let resumed = || RunChecker::new(vec![path("/a")], RunNumber(0), Some(&cursor));
        assert_eq!(resumed().offer(0, &[data(5), end(10)]), Ok(()));
        assert_eq!(resumed().offer(0, &[file("/a/f"), data(0), end(10)]), Ok(()));
        assert!(resumed().offer(0, &[data(0), end(10)]).is_err());
        assert!(resumed().offer(0, &[file("/a/g"), end(0)]).is_err());
    }

    #[test]
    fn a_resumed_walk_does_not_go_back() {
        let cursor = Cursor { path: path("/a/f"), within: None };
        let resumed = || RunChecker::new(vec![path("/a")], RunNumber(0), Some(&cursor));
        assert_eq!(resumed().offer(0, &[file("/a/f/g"), end(0)]), Ok(()));
        assert_eq!(resumed().offer(0, &[file("/a/g"), end(0)]), Ok(()));
        assert!(resumed().offer(0, &[file("/a/f"), end(0)]).is_err());
        assert!(resumed().offer(0, &[file("/a/e"), end(0)]).is_err());
        assert!(resumed().offer(0, &[data(5), end(10)]).is_err());
    }

    #[test]
    fn roots_may_lie_in_each_other_and_in_any_order() {
        let roots = ["/z/y", "/a/b", "/a", "/a.b", "/z"].map(path).to_vec();
        let checker = RunChecker::new(roots, RunNumber(0), None);
        for inside in ["/", "/a", "/a/c", "/a/b/c", "/a.b/c", "/z", "/z/x", "/z/y/x"] {
            assert_eq!(checker.is_ours(&path(inside)), Ok(()), "{inside}");
        }
        for outside in ["/b", "/a-b", "/a.c", "/zz", "/0"] {
            assert!(checker.is_ours(&path(outside)).is_err(), "{outside}");
        }
    }
}
