//! Packets of the SSH File Transfer Protocol, version 3, as OpenSSH speaks it. Pure.
//!
//! **Promise.** What a hostile server writes is bounded before it is kept: a packet, a handle, a
//! name and the number of names each have a limit, and a length that does not fit ends it.

use std::fmt;

use crate::model::text::{bounded, printable};

/// Longest packet that is taken; OpenSSH sends none above 256 KiB.
pub(super) const PACKET_BYTES_MAX: usize = 256 << 10;
/// Every server takes so much in one write, and gives it in one read.
pub const PIECE_BYTES: usize = 32 << 10;
const HANDLE_BYTES_MAX: usize = 256;
const NAMES_MAX: usize = 4_096;
const NAME_BYTES_MAX: usize = 4_096;
const SAID_CHARS_MAX: usize = 120;
pub(super) const VERSION: u32 = 3;

/// `rename` that replaces, as a name in one step.
pub(super) const RENAME_OVER: &str = "posix-rename@openssh.com";
/// What was written is on the disk.
pub(super) const SYNC: &str = "fsync@openssh.com";

const READABLE: u32 = 1;
const WRITABLE_NEW: u32 = 2 | 8 | 16;
const HAS_SIZE: u32 = 1;
const HAS_OWNER: u32 = 2;
const HAS_MODE: u32 = 4;
const HAS_TIMES: u32 = 8;
const HAS_MORE: u32 = 1 << 31;

/// An open file or folder over there.
pub type Handle = Vec<u8>;

/// What a server is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// The attributes of a name, symlinks not followed.
    Look {
        path: String,
    },
    /// A file to read.
    Open {
        path: String,
    },
    /// A new and empty file, whatever was there.
    Create {
        path: String,
        mode: u32,
    },
    Read {
        handle: Handle,
        offset: u64,
    },
    Write {
        handle: Handle,
        offset: u64,
        bytes: Vec<u8>,
    },
    SetMode {
        handle: Handle,
        mode: u32,
    },
    Sync {
        handle: Handle,
    },
    Close {
        handle: Handle,
    },
    OpenFolder {
        path: String,
    },
    ReadFolder {
        handle: Handle,
    },
    MakeFolder {
        path: String,
        mode: u32,
    },
    RemoveFolder {
        path: String,
    },
    Remove {
        path: String,
    },
    /// Fails where `to` exists.
    Rename {
        from: String,
        to: String,
    },
    /// Replaces `to`.
    RenameOver {
        from: String,
        to: String,
    },
}

impl Request {
    /// The packet, its length in front.
    pub(super) fn packet(&self, id: u32) -> Vec<u8> {
        let mut out = Out::new(self.kind());
        out.number(id);
        match self {
            Self::Look { path } | Self::OpenFolder { path } => out.text(path),
            Self::RemoveFolder { path } | Self::Remove { path } => out.text(path),
            Self::Open { path } => out.text(path).number(READABLE).number(0),
            Self::Create { path, mode } => {
                out.text(path).number(WRITABLE_NEW).number(HAS_MODE).number(*mode)
            }
            Self::Read { handle, offset } => {
                out.bytes(handle).long(*offset).number(PIECE_BYTES as u32)
            }
            Self::Write { handle, offset, bytes } => out.bytes(handle).long(*offset).bytes(bytes),
            Self::SetMode { handle, mode } => out.bytes(handle).number(HAS_MODE).number(*mode),
            Self::Sync { handle } => out.text(SYNC).bytes(handle),
            Self::Close { handle } | Self::ReadFolder { handle } => out.bytes(handle),
            Self::MakeFolder { path, mode } => out.text(path).number(HAS_MODE).number(*mode),
            Self::Rename { from, to } => out.text(from).text(to),
            Self::RenameOver { from, to } => out.text(RENAME_OVER).text(from).text(to),
        };
        out.packet()
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Open { .. } | Self::Create { .. } => 3,
            Self::Close { .. } => 4,
            Self::Read { .. } => 5,
            Self::Write { .. } => 6,
            Self::Look { .. } => 7,
            Self::SetMode { .. } => 10,
            Self::OpenFolder { .. } => 11,
            Self::ReadFolder { .. } => 12,
            Self::Remove { .. } => 13,
            Self::MakeFolder { .. } => 14,
            Self::RemoveFolder { .. } => 15,
            Self::Rename { .. } => 18,
            Self::Sync { .. } | Self::RenameOver { .. } => 200,
        }
    }
}

/// The first packet.
pub(super) fn hello() -> Vec<u8> {
    let mut out = Out::new(1);
    out.number(VERSION);
    out.packet()
}

/// What a server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Status {
        code: Code,
        said: String,
    },
    Handle(Handle),
    Data(Vec<u8>),
    /// Names without `.` and `..`, as bytes.
    Names(Vec<Vec<u8>>),
    Attributes(Attributes),
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    Done,
    End,
    NoSuchFile,
    Denied,
    Unsupported,
    Other(u32),
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::End => f.write_str("nothing more"),
            Self::NoSuchFile => f.write_str("no such file or folder"),
            Self::Denied => f.write_str("permission denied"),
            Self::Unsupported => f.write_str("not supported"),
            Self::Other(code) => write!(f, "failure {code}"),
        }
    }
}

impl Code {
    fn of(number: u32) -> Self {
        match number {
            0 => Self::Done,
            1 => Self::End,
            2 => Self::NoSuchFile,
            3 => Self::Denied,
            8 => Self::Unsupported,
            other => Self::Other(other),
        }
    }
}

/// What is known of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attributes {
    pub size: Option<u64>,
    pub mode: Option<u32>,
}

impl Attributes {
    /// Is it a plain file, as far as the server says?
    pub fn is_file(&self) -> bool {
        self.mode.is_none_or(|mode| mode & 0o170_000 == 0o100_000)
    }
}

/// Version and extensions of a server's first packet; `None`: it is none.
pub(super) fn greeting(body: &[u8]) -> Option<(u32, Vec<String>)> {
    let mut read = In(body);
    if read.byte()? != 2 {
        return None;
    }
    let version = read.number()?;
    let mut extensions = Vec::new();
    while let Some(name) = read.bytes(NAME_BYTES_MAX) {
        read.bytes(NAME_BYTES_MAX)?;
        extensions.push(String::from_utf8_lossy(name).into_owned());
    }
    Some((version, extensions))
}

/// Id and content of an answer; `None`: it is none.
pub(super) fn reply(body: &[u8]) -> Option<(u32, Reply)> {
    let mut read = In(body);
    let (kind, id) = (read.byte()?, read.number()?);
    let reply = match kind {
        101 => {
            let code = Code::of(read.number()?);
            let said =
                bounded(&printable(read.bytes(NAME_BYTES_MAX).unwrap_or_default()), SAID_CHARS_MAX);
            Reply::Status { code, said }
        }
        102 => Reply::Handle(read.bytes(HANDLE_BYTES_MAX)?.to_vec()),
        103 => Reply::Data(read.bytes(PIECE_BYTES)?.to_vec()),
        104 => {
            let count = read.number()? as usize;
            let mut names = Vec::new();
            for _ in 0..count.min(NAMES_MAX + 1) {
                let name = read.bytes(NAME_BYTES_MAX)?;
                read.bytes(2 * NAME_BYTES_MAX)?;
                read.attributes()?;
                if name != b"." && name != b".." {
                    names.push(name.to_vec());
                }
            }
            (count <= NAMES_MAX).then_some(Reply::Names(names))?
        }
        105 => Reply::Attributes(read.attributes()?),
        _ => return None,
    };
    Some((id, reply))
}

struct Out(Vec<u8>);

impl Out {
    fn new(kind: u8) -> Self {
        Self(vec![0, 0, 0, 0, kind])
    }

    fn number(&mut self, number: u32) -> &mut Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    fn long(&mut self, number: u64) -> &mut Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.number(bytes.len() as u32);
        self.0.extend(bytes);
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    fn packet(mut self) -> Vec<u8> {
        let length = (self.0.len() - 4) as u32;
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0
    }
}

struct In<'a>(&'a [u8]);

impl<'a> In<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    fn number(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn long(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }

    fn bytes(&mut self, max: usize) -> Option<&'a [u8]> {
        let length = self.number()? as usize;
        if length > max { None } else { self.take(length) }
    }

    fn attributes(&mut self) -> Option<Attributes> {
        let flags = self.number()?;
        let size = if flags & HAS_SIZE == 0 { None } else { Some(self.long()?) };
        if flags & HAS_OWNER != 0 {
            self.take(8)?;
        }
        let mode = if flags & HAS_MODE == 0 { None } else { Some(self.number()?) };
        if flags & HAS_TIMES != 0 {
            self.take(8)?;
        }
        if flags & HAS_MORE != 0 {
            for _ in 0..self.number()?.min(64) {
                self.bytes(NAME_BYTES_MAX)?;
                self.bytes(NAME_BYTES_MAX)?;
            }
        }
        Some(Attributes { size, mode })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_those_of_the_draft() {
        let open = Request::Open { path: "a/b".into() }.packet(7);
        assert_eq!(open, b"\0\0\0\x14\x03\0\0\0\x07\0\0\0\x03a/b\0\0\0\x01\0\0\0\0");
        assert_eq!(hello(), b"\0\0\0\x05\x01\0\0\0\x03");
        let over = Request::RenameOver { from: "a".into(), to: "b".into() }.packet(1);
        assert!(over.ends_with(b"posix-rename@openssh.com\0\0\0\x01a\0\0\0\x01b"));
    }

    #[test]
    fn answers_are_read_and_hostile_ones_refused() {
        let status = b"\x65\0\0\0\x02\0\0\0\x03\0\0\0\x04no\x1b!\0\0\0\0";
        let Some((2, Reply::Status { code: Code::Denied, said })) = reply(status) else {
            panic!("{:?}", reply(status));
        };
        assert_eq!(said, "no\\u{1b}!");
        let attributes = b"\x69\0\0\0\x01\0\0\0\x05\0\0\0\0\0\0\0\x09\0\0\x81\xa4";
        let Some((1, Reply::Attributes(found))) = reply(attributes) else { panic!("no") };
        assert_eq!((found.size, found.is_file()), (Some(9), true));
        // Lengths that lie: handle, data, names, text, and a packet that ends early.
        for lie in [
            &b"\x66\0\0\0\x01\0\0\x10\0"[..],
            b"\x66\0\0\0\x01\xff\xff\xff\xff",
            b"\x67\0\0\0\x01\0\x10\0\0",
            b"\x68\0\0\0\x01\xff\xff\xff\xff",
            b"\x69\0\0\0\x01\0\0\0\x01\0",
            b"\x65\0\0",
            b"",
        ] {
            assert_eq!(reply(lie), None, "{lie:?}");
        }
        assert_eq!(greeting(b"Welcome to our server!"), None);
    }
}
