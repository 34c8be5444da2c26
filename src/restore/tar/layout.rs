//! What a file will be, before its content comes: tar wants size and holes first.
//!
//! A pass is read twice, side by side: this reading runs ahead to the end of each file.
//!
//! **Invariant.** Memory is bounded: a file has at most [`EXTENTS_MAX`] stretches; what would be
//! more is joined, with zeros between.

use crate::capture::{Entry, Record};
use crate::model::TreePath;
use crate::store::{Merged, Step};

/// GNU tar reads the content of each stretch in whole blocks of this.
const ALIGN_BYTES: u64 = 512;
/// Stretches of one file.
const EXTENTS_MAX: usize = 1 << 18;

/// An entry and what follows it.
#[derive(Debug)]
pub(super) struct Group {
    pub entry: Entry,
    /// The first name of the same file.
    pub link: Option<TreePath>,
    /// How often it was begun before it counted.
    pub begun_before: u32,
    pub layout: Layout,
    /// Its content is not whole, and why.
    pub fault: Option<String>,
}

/// Size of a file, and where it has content.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    pub size: u64,
    /// Begin and end; rising, apart, in whole blocks but for the end of the file.
    pub extents: Vec<(u64, u64)>,
}

impl Layout {
    fn add(&mut self, offset: u64, length: u32) {
        let end = offset.saturating_add(length.into());
        self.size = self.size.max(end);
        let (begin, end) = (offset - offset % ALIGN_BYTES, end.next_multiple_of(ALIGN_BYTES));
        let is_full = self.extents.len() >= EXTENTS_MAX;
        match self.extents.last_mut() {
            Some(last) if begin <= last.1 || is_full => last.1 = last.1.max(end),
            _ => self.extents.push((begin, end)),
        }
    }

    fn close(&mut self, size: Option<u64>) {
        self.size = size.unwrap_or(self.size);
        self.extents.retain(|(begin, _)| *begin < self.size);
        if let Some(last) = self.extents.last_mut() {
            last.1 = last.1.min(self.size);
        }
    }

    /// Bytes of all stretches.
    pub fn content_bytes(&self) -> u64 {
        self.extents.iter().map(|(begin, end)| end - begin).sum()
    }

    pub fn is_sparse(&self) -> bool {
        self.content_bytes() < self.size
    }

    /// The map of a sparse file: how many stretches, then each one's offset and length, a line
    /// each, in whole blocks.
    pub fn map(&self) -> Vec<u8> {
        let mut all: Vec<_> =
            self.extents.iter().map(|(begin, end)| (*begin, end - begin)).collect();
        if self.extents.last().is_none_or(|(_, end)| *end < self.size) {
            all.push((self.size, 0));
        }
        let mut text = format!("{}\n", all.len());
        for (offset, length) in all {
            text.push_str(&format!("{offset}\n{length}\n"));
        }
        let mut bytes = text.into_bytes();
        bytes.resize(bytes.len().next_multiple_of(ALIGN_BYTES as usize), 0);
        bytes
    }
}

/// A pass, an entry at a time, each with its layout.
pub(super) struct Groups {
    steps: Merged,
    begun: Option<Group>,
    begun_before: u32,
    size: Option<u64>,
    /// What is missing of the manifest itself.
    pub damaged: Vec<String>,
}

impl Groups {
    pub fn new(steps: Merged) -> Self {
        Self { steps, begun: None, begun_before: 0, size: None, damaged: Vec::new() }
    }

    fn begin(&mut self, entry: Entry, link: Option<TreePath>) -> Option<Group> {
        let begun_before = std::mem::take(&mut self.begun_before);
        let (layout, fault) = (Layout::default(), None);
        let group = Group { entry, link, begun_before, layout, fault };
        self.begun.replace(group)
    }

    fn finish(&mut self, group: Option<Group>) -> Option<Group> {
        let mut group = group?;
        group.layout.close(self.size.take());
        Some(group)
    }

    fn note(&mut self, fault: &str) {
        if let Some(begun) = &mut self.begun {
            begun.fault.get_or_insert_with(|| fault.to_owned());
        }
    }
}

impl Iterator for Groups {
    type Item = Group;

    fn next(&mut self) -> Option<Group> {
        loop {
            let done = match self.steps.next() {
                None => {
                    let last = self.begun.take();
                    return self.finish(last);
                }
                Some(Step::Record(Record::Node(entry))) => self.begin(entry, None),
                Some(Step::Record(Record::HardLink { entry, of })) => self.begin(entry, Some(of)),
                Some(Step::Record(Record::Data { offset, length, .. })) => {
                    if let Some(begun) = &mut self.begun {
                        begun.layout.add(offset, length);
                    }
                    None
                }
                Some(Step::Record(Record::Lost { offset, length })) => {
                    self.note(&format!("{length} bytes at {offset} were lost: zeros stand there"));
                    None
                }
                Some(Step::Record(Record::End { size, .. })) => {
                    self.size = Some(size);
                    None
                }
                Some(Step::Unfinished(_)) => {
                    self.note("its capture was not finished");
                    None
                }
                Some(Step::Superseded(_)) => {
                    self.begun_before = self.begun.take().map_or(0, |group| group.begun_before) + 1;
                    self.size = None;
                    None
                }
                Some(Step::Damaged(fault)) => {
                    self.damaged.push(format!("{}: {}", fault.file, fault.why));
                    None
                }
                Some(Step::Record(Record::Gone { .. } | Record::LeftOut { .. })) => None,
            };
            if done.is_some() {
                return self.finish(done);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_whole_blocks_and_the_map_reaches_the_end() {
        let mut layout = Layout::default();
        layout.add(100, 50);
        layout.add(600, 10);
        layout.add(5_000, 100);
        layout.close(Some(9_000));
        assert_eq!(layout.extents, [(0, 1_024), (4_608, 5_120)]);
        assert!(layout.is_sparse());
        assert!(layout.map().starts_with(b"3\n0\n1024\n4608\n512\n9000\n0\n\0"));
        assert_eq!(layout.map().len(), 512);
    }

    #[test]
    fn a_file_without_holes_is_not_sparse_and_a_cut_one_ends_where_it_was_cut() {
        let mut layout = Layout::default();
        layout.add(0, 700);
        layout.close(Some(700));
        assert_eq!((layout.is_sparse(), layout.content_bytes()), (false, 700));
        layout.add(700, 10_000);
        layout.close(Some(800));
        assert_eq!((layout.is_sparse(), layout.content_bytes()), (false, 800));
        layout.close(Some(0));
        assert_eq!((layout.is_sparse(), layout.extents.len()), (false, 0));
    }
}
