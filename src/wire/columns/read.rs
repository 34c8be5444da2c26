//! Columns to records, strict and bounded.

use crate::capture::entry::{Content, Entry, FileTime, Kind, Metadata, Record, XATTRS_MAX, Xattr};
use crate::model::{ChunkId, TreePath};
use crate::wire::columns::{
    Before, COLUMNS, Column, MALFORMED, PLAIN_BYTES_MAX, tag, take, take_number, with_difference,
};

/// Reads record after record.
pub(super) struct Reader<'a> {
    columns: [&'a [u8]; COLUMNS],
    before: Before,
    /// What records take beyond what their columns do.
    built_bytes: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(columns: &[&'a [u8]; COLUMNS]) -> Self {
        Self { columns: *columns, before: Before::default(), built_bytes: 0 }
    }

    /// Is no column longer than its records?
    pub(super) fn is_used_up(&self) -> bool {
        self.columns.iter().all(|column| column.is_empty())
    }

    /// Few bytes can state a long path again and again, many attributes, or many records.
    fn build(&mut self, bytes: usize) -> Result<(), &'static str> {
        self.built_bytes += bytes;
        if self.built_bytes > PLAIN_BYTES_MAX { Err("lists too long") } else { Ok(()) }
    }

    fn number(&mut self, column: Column) -> Result<u64, &'static str> {
        take_number(&mut self.columns[column as usize])
    }

    fn small_number(&mut self, column: Column) -> Result<u32, &'static str> {
        u32::try_from(self.number(column)?).map_err(|_| MALFORMED)
    }

    fn told(&mut self, column: Column, before: u64) -> Result<u64, &'static str> {
        Ok(with_difference(before, self.number(column)?))
    }

    fn told_small(&mut self, column: Column, before: u32) -> Result<u32, &'static str> {
        u32::try_from(self.told(column, before.into())?).map_err(|_| MALFORMED)
    }

    fn text(&mut self) -> Result<&'a [u8], &'static str> {
        let length = self.number(Column::Lengths)?;
        take(&mut self.columns[Column::Text as usize], length)
    }

    fn path(&mut self) -> Result<TreePath, &'static str> {
        let climbs = self.number(Column::Climbs)?;
        let names = &mut self.columns[Column::Names as usize];
        let end = names.iter().position(|byte| *byte == 0).ok_or(MALFORMED)?;
        let (rest, names_left) = (&names[..end], &names[end + 1..]);
        *names = names_left;
        let mut path = std::mem::take(&mut self.before.path);
        if path == b"/" {
            path.clear();
        }
        for _ in 0..climbs {
            let cut = path.iter().rposition(|byte| *byte == b'/').ok_or(MALFORMED)?;
            path.truncate(cut);
        }
        if !rest.is_empty() || path.is_empty() {
            path.push(b'/');
            path.extend_from_slice(rest);
        }
        self.build(path.len())?;
        let checked = TreePath::new(&path).map_err(|_| "an impossible path")?;
        self.before.path = path;
        Ok(checked)
    }

    /// The next record; `None` behind the last.
    pub(super) fn record(&mut self) -> Result<Option<Record>, &'static str> {
        let Some((tag, rest)) = self.columns[Column::Tags as usize].split_first() else {
            return Ok(None);
        };
        self.columns[Column::Tags as usize] = rest;
        self.build(size_of::<Record>())?;
        Ok(Some(match *tag {
            kind @ tag::NODE..tag::HARD_LINK => Record::Node(self.entry(kind)?),
            kind @ tag::HARD_LINK..tag::LAST_PIECE => {
                let entry = self.entry(kind - tag::HARD_LINK)?;
                let of = TreePath::new(self.text()?).map_err(|_| "an impossible path")?;
                Record::HardLink { entry, of }
            }
            tag @ (tag::LAST_PIECE | tag::PIECE) => {
                let (offset, length) = self.piece(tag == tag::LAST_PIECE)?;
                Record::Data { offset, length, id: ChunkId([0; ChunkId::LEN]) }
            }
            tag::LOST => {
                let (offset, length) = self.piece(false)?;
                Record::Lost { offset, length }
            }
            tag::STEADY => self.end(Content::Steady)?,
            tag::CHANGED => self.end(Content::Changed)?,
            tag::CUT => self.end(Content::Cut)?,
            tag::GONE => Record::Gone { path: self.path()? },
            tag::LEFT_OUT => {
                let path = self.path()?;
                let why = std::str::from_utf8(self.text()?).map_err(|_| MALFORMED)?;
                Record::LeftOut { path, why: why.to_owned() }
            }
            _ => return Err(MALFORMED),
        }))
    }

    fn piece(&mut self, is_last: bool) -> Result<(u64, u32), &'static str> {
        let offset = self.told(Column::Offsets, self.before.end)?;
        let length = if is_last {
            u32::try_from(self.before.size.wrapping_sub(offset)).map_err(|_| MALFORMED)?
        } else {
            self.small_number(Column::Pieces)?
        };
        self.before.end = offset.wrapping_add(u64::from(length));
        Ok((offset, length))
    }

    fn end(&mut self, content: Content) -> Result<Record, &'static str> {
        let size = self.told(Column::Ends, self.before.size)?;
        Ok(Record::End { size, content })
    }

    fn entry(&mut self, kind: u8) -> Result<Entry, &'static str> {
        let path = self.path()?;
        let kind = match kind {
            0 => {
                let size = self.number(Column::Sizes)?;
                (self.before.size, self.before.end) = (size, 0);
                Kind::File { size }
            }
            1 => Kind::Directory,
            2 => Kind::Symlink { target: self.text()?.to_vec() },
            3 => Kind::Fifo,
            4 => Kind::Socket,
            5 | 6 => {
                let major = self.small_number(Column::Devices)?;
                let minor = self.small_number(Column::Devices)?;
                if kind == 5 {
                    Kind::CharacterDevice { major, minor }
                } else {
                    Kind::BlockDevice { major, minor }
                }
            }
            _ => return Err(MALFORMED),
        };
        Ok(Entry { path, kind, metadata: self.metadata()? })
    }

    fn metadata(&mut self) -> Result<Metadata, &'static str> {
        let before = std::mem::take(&mut self.before.metadata);
        let seconds = |told: u64| told as i64;
        let mut now = Metadata {
            mode: self.told_small(Column::Modes, before.mode)?,
            uid: self.told_small(Column::Users, before.uid)?,
            gid: self.told_small(Column::Groups, before.gid)?,
            mtime: FileTime {
                seconds: seconds(self.told(Column::ModifiedSeconds, before.mtime.seconds as u64)?),
                nanoseconds: self.told_small(Column::ModifiedNanoseconds, 0)?,
            },
            ctime: FileTime {
                seconds: seconds(self.told(Column::ChangedSeconds, before.ctime.seconds as u64)?),
                nanoseconds: self
                    .told_small(Column::ChangedNanoseconds, before.ctime.nanoseconds)?,
            },
            ino: self.told(Column::Inodes, before.ino)?,
            dev: self.told(Column::FileSystems, before.dev)?,
            nlink: self.told(Column::Links, before.nlink)?,
            flags: self.told_small(Column::Flags, before.flags)?,
            xattrs: Vec::new(),
        };
        self.before.metadata = now.clone();
        let attributes = self.number(Column::Attributes)?;
        if attributes > XATTRS_MAX as u64 {
            return Err("too many extended attributes");
        }
        for _ in 0..attributes {
            self.build(size_of::<Xattr>())?;
            let name = self.text()?.to_vec();
            now.xattrs.push(Xattr { name, value: self.text()?.to_vec() });
        }
        Ok(now)
    }
}
