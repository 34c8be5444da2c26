//! The headers of one member: ustar where it can say it, PAX records for the rest.
//!
//! | what | where |
//! |---|---|
//! | name, link target | ustar, else `path`, `linkpath`; any bytes, as GNU tar writes them |
//! | numbers too large, times with a fraction or before 1970 | `uid`, `gid`, `size`, `mtime` |
//! | extended attributes | `SCHILY.xattr.NAME`, the raw value |
//! | ACLs | as attributes, and as text in `SCHILY.acl.access` and `SCHILY.acl.default` |
//! | holes | `GNU.sparse.*`, version 1.0 |
//!
//! The `tar` crate takes names of attributes as text only, no times before 1970, and sparse files
//! only from an open file and in another form: what is left of it to use would be the checksum.

use super::acl;
use crate::capture::metadata::is_acl_of_xfs;
use crate::capture::{Entry, Kind, Xattr};

/// Everything in an archive is a multiple of this.
pub(super) const BLOCK_BYTES: usize = 512;

/// What kind of member, as ustar has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    File = b'0' as isize,
    HardLink = b'1' as isize,
    Symlink = b'2' as isize,
    CharacterDevice = b'3' as isize,
    BlockDevice = b'4' as isize,
    Directory = b'5' as isize,
    Fifo = b'6' as isize,
    Extended = b'x' as isize,
}

/// One member.
#[derive(Debug)]
pub(super) struct Member<'a> {
    pub name: Vec<u8>,
    pub kind: Type,
    pub entry: &'a Entry,
    /// Where a link leads.
    pub target: Vec<u8>,
    /// Bytes that follow in the archive.
    pub stored_bytes: u64,
    /// Of a sparse file its size; its map is the beginning of what follows.
    pub sparse_bytes: Option<u64>,
    pub user: &'a [u8],
    pub group: &'a [u8],
}

impl Member<'_> {
    /// All headers, PAX ones first.
    pub fn encode(&self) -> Vec<u8> {
        let mut records = Vec::new();
        let mut block = [0; BLOCK_BYTES];
        self.names(&mut block, &mut records);
        let metadata = &self.entry.metadata;
        octal(&mut block[100..108], u64::from(metadata.mode));
        let mut number = |range: std::ops::Range<usize>, key: &str, value: u64| {
            if !octal(&mut block[range], value) {
                record(&mut records, key.as_bytes(), value.to_string().as_bytes());
            }
        };
        number(108..116, "uid", metadata.uid.into());
        number(116..124, "gid", metadata.gid.into());
        number(124..136, "size", self.stored_bytes);
        if let Kind::CharacterDevice { major, minor } | Kind::BlockDevice { major, minor } =
            self.entry.kind
        {
            number(329..337, "SCHILY.devmajor", major.into());
            number(337..345, "SCHILY.devminor", minor.into());
        }
        let time = metadata.mtime;
        let whole = u64::try_from(time.seconds).ok().filter(|_| time.nanoseconds == 0);
        if !whole.is_some_and(|seconds| octal(&mut block[136..148], seconds)) {
            octal(&mut block[136..148], time.seconds.max(0) as u64);
            record(&mut records, b"mtime", seconds_text(time.seconds, time.nanoseconds).as_bytes());
        }
        if self.kind != Type::HardLink {
            attributes(self.entry, &mut records);
        }
        finish(&mut block, self.kind);
        let mut bytes = if records.is_empty() { Vec::new() } else { extended(&records) };
        bytes.extend_from_slice(&block);
        bytes
    }

    fn names(&self, block: &mut [u8; BLOCK_BYTES], records: &mut Vec<u8>) {
        if let Some(size) = self.sparse_bytes {
            record(records, b"GNU.sparse.major", b"1");
            record(records, b"GNU.sparse.minor", b"0");
            record(records, b"GNU.sparse.name", &self.name);
            record(records, b"GNU.sparse.realsize", size.to_string().as_bytes());
            // What tools that know no sparse files make of it.
            let last = self.name.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            let shown = [b"GNUSparseFile.0/", &last[..last.len().min(80)]].concat();
            block[..shown.len()].copy_from_slice(&shown);
        } else if !split_name(block, &self.name) {
            let shown = &self.name[..self.name.len().min(100)];
            block[..shown.len()].copy_from_slice(shown);
            record(records, b"path", &self.name);
        }
        let shown = &self.target[..self.target.len().min(100)];
        block[157..157 + shown.len()].copy_from_slice(shown);
        if self.target.len() > 100 {
            record(records, b"linkpath", &self.target);
        }
        for (at, key, name) in [(265, "uname", self.user), (297, "gname", self.group)] {
            let shown = &name[..name.len().min(31)];
            block[at..at + shown.len()].copy_from_slice(shown);
            if name.len() > 31 {
                record(records, key.as_bytes(), name);
            }
        }
    }
}

/// Puts `name` into name and prefix, if it fits.
fn split_name(block: &mut [u8; BLOCK_BYTES], name: &[u8]) -> bool {
    if name.len() <= 100 {
        block[..name.len()].copy_from_slice(name);
        return true;
    }
    // The rest must not be empty: a folder's own slash is no place to cut.
    let slash = (0..name.len() - 1).find(|at| name[*at] == b'/' && name.len() - at - 1 <= 100);
    let Some(slash) = slash.filter(|at| (1..=155).contains(at)) else { return false };
    block[345..345 + slash].copy_from_slice(&name[..slash]);
    let rest = &name[slash + 1..];
    block[..rest.len()].copy_from_slice(rest);
    true
}

/// Octal digits and a NUL; `false` (and zero) where they do not suffice.
fn octal(field: &mut [u8], value: u64) -> bool {
    let digits = field.len() - 1;
    let fits = value.checked_shr(3 * digits as u32).unwrap_or(0) == 0;
    let text = format!("{:0digits$o}", if fits { value } else { 0 });
    field[..digits].copy_from_slice(text.as_bytes());
    fits
}

/// `-0.999999999` is one nanosecond after the second before 1970.
fn seconds_text(seconds: i64, nanoseconds: u32) -> String {
    if seconds >= 0 || nanoseconds == 0 {
        return format!("{seconds}.{nanoseconds:09}");
    }
    format!("-{}.{:09}", (seconds + 1).unsigned_abs(), 1_000_000_000 - nanoseconds)
}

/// `LENGTH KEY=VALUE\n`; the length counts itself.
fn record(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(format!("{length} ").as_bytes());
    for part in [key, b"=", value, b"\n"] {
        records.extend_from_slice(part);
    }
}

fn attributes(entry: &Entry, records: &mut Vec<u8>) {
    let no_acl_of_xfs = |xattr: &&Xattr| !is_acl_of_xfs(&xattr.name);
    for xattr in entry.metadata.xattrs.iter().filter(no_acl_of_xfs) {
        // A key ends at the first `=`.
        if !xattr.name.contains(&b'=') {
            record(records, &[b"SCHILY.xattr.", &xattr.name[..]].concat(), &xattr.value);
        }
        let key: &[u8] = match &xattr.name[..] {
            acl::ACCESS => b"SCHILY.acl.access",
            acl::DEFAULT => b"SCHILY.acl.default",
            _ => continue,
        };
        if let Some(text) = acl::text(&xattr.value) {
            record(records, key, text.as_bytes());
        }
    }
}

/// PAX records as a member of their own.
fn extended(records: &[u8]) -> Vec<u8> {
    let mut block = [0; BLOCK_BYTES];
    let name = b"./PaxHeaders/evac";
    block[..name.len()].copy_from_slice(name);
    octal(&mut block[100..108], 0o644);
    for range in [108..116, 116..124, 136..148] {
        octal(&mut block[range], 0);
    }
    octal(&mut block[124..136], records.len() as u64);
    finish(&mut block, Type::Extended);
    let mut bytes = block.to_vec();
    bytes.extend_from_slice(records);
    bytes.resize(bytes.len().next_multiple_of(BLOCK_BYTES), 0);
    bytes
}

/// Type, magic and checksum.
fn finish(block: &mut [u8; BLOCK_BYTES], kind: Type) {
    block[156] = kind as u8;
    block[257..265].copy_from_slice(b"ustar\x0000");
    block[148..156].fill(b' ');
    let sum: u64 = block.iter().copied().map(u64::from).sum();
    octal(&mut block[148..155], sum);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_count_their_own_length() {
        for length in [0, 1, 5, 88, 89, 90, 91, 985, 986, 987, 9_980] {
            let mut records = Vec::new();
            record(&mut records, b"path", &vec![b'x'; length]);
            let space = records.iter().position(|byte| *byte == b' ').unwrap();
            let stated: usize = std::str::from_utf8(&records[..space]).unwrap().parse().unwrap();
            assert_eq!(stated, records.len());
        }
    }

    #[test]
    fn times_are_decimal_numbers_on_both_sides_of_1970() {
        for (seconds, nanoseconds, text) in [
            (0, 0, "0.000000000"),
            (1, 5, "1.000000005"),
            (-1, 0, "-1.000000000"),
            (-1, 1, "-0.999999999"),
            (-2, 999_999_999, "-1.000000001"),
        ] {
            assert_eq!(seconds_text(seconds, nanoseconds), text);
        }
    }

    #[test]
    fn long_names_are_cut_at_a_slash_or_not_at_all() {
        let mut block = [0; BLOCK_BYTES];
        let name = [&[b'a'; 120][..], b"/", &[b'b'; 100]].concat();
        assert!(split_name(&mut block, &name));
        assert_eq!((block[344], block[345], block[465], block[0]), (0, b'a', 0, b'b'));
        assert!(!split_name(&mut block, &[b'a'; 101]));
        assert!(!split_name(&mut block, &[&[b'a'; 101][..], b"/"].concat()));
        assert!(!split_name(&mut block, &[&[b'a'; 156][..], b"/b"].concat()));
    }
}
