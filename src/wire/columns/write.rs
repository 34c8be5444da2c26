//! Records to columns.

use crate::capture::entry::{Content, Entry, FileTime, Kind, Metadata, Record, Xattr};
use crate::model::TreePath;
use crate::wire::columns::{Before, COLUMNS, Column, difference, put_number, tag};

/// Writes record after record.
#[derive(Default)]
pub(super) struct Writer {
    columns: [Vec<u8>; COLUMNS],
    before: Before,
}

/// How many names of `bytes`, which are a path, `other` begins with, and how many bytes they take
/// with their slashes.
fn shared(bytes: &[u8], other: &[u8]) -> usize {
    let names = |path: &[u8]| if path == b"/" { 0 } else { path.len() };
    let (bytes, other) = (&bytes[..names(bytes)], &other[..names(other)]);
    let is_cut = |path: &[u8], at: usize| path.get(at).is_none_or(|byte| *byte == b'/');
    let same = bytes.iter().zip(other).take_while(|(one, other)| one == other).count();
    (0..=same).rev().find(|at| is_cut(bytes, *at) && is_cut(other, *at)).unwrap_or(0)
}

impl Writer {
    pub(super) fn columns_of(records: &[Record]) -> [Vec<u8>; COLUMNS] {
        let mut writer = Self::default();
        for record in records {
            writer.record(record);
        }
        writer.columns
    }

    fn column(&mut self, column: Column) -> &mut Vec<u8> {
        &mut self.columns[column as usize]
    }

    fn number(&mut self, column: Column, number: u64) {
        put_number(self.column(column), number);
    }

    fn text(&mut self, text: &[u8]) {
        self.number(Column::Lengths, text.len() as u64);
        self.column(Column::Text).extend_from_slice(text);
    }

    fn path(&mut self, path: &TreePath) {
        let path = path.as_bytes();
        let mut before = std::mem::take(&mut self.before.path);
        let kept = shared(&before, path);
        let climbs = before[kept..].split(|byte| *byte == b'/').count() - 1;
        let climbs = if before == b"/" { 0 } else { climbs };
        self.number(Column::Climbs, climbs as u64);
        let rest = &path[kept..];
        let names = self.column(Column::Names);
        names.extend_from_slice(rest.strip_prefix(b"/").unwrap_or(rest));
        names.push(0);
        before.clear();
        before.extend_from_slice(path);
        self.before.path = before;
    }

    fn record(&mut self, record: &Record) {
        match record {
            Record::Node(entry) => self.entry(tag::NODE, entry),
            Record::HardLink { entry, of } => {
                self.entry(tag::HARD_LINK, entry);
                self.text(of.as_bytes());
            }
            Record::Data { offset, length, .. } => {
                let end = offset.wrapping_add(u64::from(*length));
                let is_last = end == self.before.size;
                self.column(Column::Tags).push(if is_last { tag::LAST_PIECE } else { tag::PIECE });
                self.piece(*offset, (!is_last).then_some(*length));
                self.before.end = end;
            }
            Record::Lost { offset, length } => {
                self.column(Column::Tags).push(tag::LOST);
                self.piece(*offset, Some(*length));
                self.before.end = offset.wrapping_add(u64::from(*length));
            }
            Record::End { size, content } => {
                self.column(Column::Tags).push(match content {
                    Content::Steady => tag::STEADY,
                    Content::Changed => tag::CHANGED,
                    Content::Cut => tag::CUT,
                });
                let told = difference(*size, self.before.size);
                self.number(Column::Ends, told);
            }
            Record::Gone { path } => {
                self.column(Column::Tags).push(tag::GONE);
                self.path(path);
            }
            Record::LeftOut { path, why } => {
                self.column(Column::Tags).push(tag::LEFT_OUT);
                self.path(path);
                self.text(why.as_bytes());
            }
        }
    }

    fn piece(&mut self, offset: u64, length: Option<u32>) {
        let told = difference(offset, self.before.end);
        self.number(Column::Offsets, told);
        if let Some(length) = length {
            self.number(Column::Pieces, length.into());
        }
    }

    fn entry(&mut self, tag: u8, Entry { path, kind, metadata }: &Entry) {
        let mut put = |number: u8| self.columns[Column::Tags as usize].push(tag + number);
        match kind {
            Kind::File { .. } => put(0),
            Kind::Directory => put(1),
            Kind::Symlink { .. } => put(2),
            Kind::Fifo => put(3),
            Kind::Socket => put(4),
            Kind::CharacterDevice { .. } => put(5),
            Kind::BlockDevice { .. } => put(6),
        }
        self.path(path);
        match kind {
            Kind::File { size } => {
                self.number(Column::Sizes, *size);
                (self.before.size, self.before.end) = (*size, 0);
            }
            Kind::Symlink { target } => self.text(target),
            Kind::CharacterDevice { major, minor } | Kind::BlockDevice { major, minor } => {
                self.number(Column::Devices, (*major).into());
                self.number(Column::Devices, (*minor).into());
            }
            Kind::Directory | Kind::Fifo | Kind::Socket => {}
        }
        self.metadata(metadata);
    }

    fn metadata(&mut self, now: &Metadata) {
        let before = std::mem::take(&mut self.before.metadata);
        let mut tell = |column, now, before| {
            put_number(&mut self.columns[column as usize], difference(now, before));
        };
        tell(Column::Modes, now.mode.into(), before.mode.into());
        tell(Column::Users, now.uid.into(), before.uid.into());
        tell(Column::Groups, now.gid.into(), before.gid.into());
        let seconds = |time: FileTime| time.seconds as u64;
        tell(Column::ModifiedSeconds, seconds(now.mtime), seconds(before.mtime));
        // Those of packages are zero, all others any number.
        tell(Column::ModifiedNanoseconds, now.mtime.nanoseconds.into(), 0);
        tell(Column::ChangedSeconds, seconds(now.ctime), seconds(before.ctime));
        let nanoseconds = (now.ctime.nanoseconds.into(), before.ctime.nanoseconds.into());
        tell(Column::ChangedNanoseconds, nanoseconds.0, nanoseconds.1);
        tell(Column::Inodes, now.ino, before.ino);
        tell(Column::FileSystems, now.dev, before.dev);
        tell(Column::Links, now.nlink, before.nlink);
        tell(Column::Flags, now.flags.into(), before.flags.into());
        self.number(Column::Attributes, now.xattrs.len() as u64);
        for Xattr { name, value } in &now.xattrs {
            self.text(name);
            self.text(value);
        }
        self.before.metadata = Metadata { xattrs: Vec::new(), ..now.clone() };
    }
}
