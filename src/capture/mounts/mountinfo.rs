//! What is mounted, as `/proc/self/mountinfo` has it (proc(5)), seen from one folder.
//!
//! **Invariant.** Bounded, and never wrong for want of reading: a line that makes no sense is
//! passed over, and a place without a line is judged by its device instead.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::Mount;
use crate::model::TreePath;
use crate::model::text::{bounded, printable};

/// Largest `mountinfo` that is read: container hosts have some thousand lines.
const MOUNTINFO_BYTES_MAX: u64 = 32 << 20;

/// What is mounted beneath `folder`, in the order it was mounted; of mounts upon each other the
/// topmost. Empty without `/proc`.
pub fn read(folder: &Path) -> Vec<Mount> {
    let mut text = Vec::new();
    let file = File::open("/proc/self/mountinfo");
    if file.and_then(|f| f.take(MOUNTINFO_BYTES_MAX).read_to_end(&mut text)).is_err() {
        return Vec::new();
    }
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let folder = TreePath::new(folder.into_os_string().into_encoded_bytes());
    parse(&text, &folder.unwrap_or_else(|_| TreePath::root()))
}

pub(super) fn parse(text: &[u8], folder: &TreePath) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = Vec::new();
    let mut place = HashMap::new();
    for mount in text.split(|b| *b == b'\n').filter_map(parse_line) {
        if let Some(index) = place.get(&mount.point) {
            mounts[*index] = mount;
        } else {
            place.insert(mount.point.clone(), mounts.len());
            mounts.push(mount);
        }
    }
    let holder = mounts.iter().filter(|mount| folder.is_within(&mount.point));
    let holder = holder.max_by_key(|mount| mount.point.as_bytes().len()).cloned();
    let within = mounts.into_iter().filter(|m| m.point != *folder && m.point.is_within(folder));
    let within = within.filter_map(|m| Some(Mount { point: beneath(&m.point, folder)?, ..m }));
    holder.and_then(|mount| shown_at(mount, folder)).into_iter().chain(within).collect()
}

/// The mount that holds `folder`, as it is seen from there.
fn shown_at(mount: Mount, folder: &TreePath) -> Option<Mount> {
    let inner = beneath(folder, &mount.point)?;
    let outer = mount.fs_root.strip_suffix(b"/").unwrap_or(&mount.fs_root);
    let fs_root = if inner.is_root() { mount.fs_root } else { [outer, inner.as_bytes()].concat() };
    Some(Mount { point: TreePath::root(), fs_root, ..mount })
}

/// `path` as it is called when `folder` is `/`.
fn beneath(path: &TreePath, folder: &TreePath) -> Option<TreePath> {
    if folder.is_root() {
        return Some(path.clone());
    }
    match path.as_bytes().strip_prefix(folder.as_bytes())? {
        b"" => Some(TreePath::root()),
        rest => TreePath::new(rest).ok(),
    }
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw`, fields optional before `-`.
fn parse_line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|b| *b == b' ');
    let device = std::str::from_utf8(fields.nth(2)?).ok()?;
    let (major, minor) = device.split_once(':')?;
    let fs_root = unescape(fields.next()?);
    let point = TreePath::new(unescape(fields.next()?)).ok()?;
    let mut rest = fields.skip_while(|field| *field != b"-").skip(1);
    let fs_type = printable(rest.next()?);
    let source = bounded(&printable(&unescape(rest.next().unwrap_or_default())), 80);
    Some(Mount {
        point,
        fs_root,
        device: (major.parse().ok()?, minor.parse().ok()?),
        fs_type,
        source,
    })
}

/// Blank, tab, line feed and backslash come as three octal digits; so they do in fstab(5).
pub fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((byte, tail)) = rest.split_first() {
        let digits = tail.get(..3).filter(|d| d.iter().all(|b| (b'0'..=b'7').contains(b)));
        match digits {
            Some(digits) if *byte == b'\\' => {
                out.push(digits.iter().fold(0_u8, |sum, b| sum.wrapping_mul(8) + (b - b'0')));
                rest = &tail[3..];
            }
            _ => {
                out.push(*byte);
                rest = tail;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::Class;
    use super::*;

    fn path(text: &str) -> TreePath {
        text.parse().unwrap()
    }

    #[test]
    fn lines_are_read_as_proc_5_has_them() {
        let text = b"1 0 98:0 /a /mnt\\0402 rw,noatime master:1 shared:2 - ext4 /dev/sda1 rw\n\
            2 1 0:40 / /mnt\\0402/nfs rw - nfs4 host:/x rw\nrubbish\n\
            3 1 0:41 / /mnt\\0402/nfs rw - tmpfs none rw\n4 1 0:42 / /else rw - ext4 none rw";
        let mounts = parse(text, &path("/mnt 2"));
        let seen: Vec<_> = mounts.iter().map(|m| (m.point.to_string(), m.class())).collect();
        assert_eq!(seen, [("/".into(), Class::Local), ("/nfs".into(), Class::Memory)]);
        assert_eq!(mounts[0].fs_root, b"/a");
        assert_eq!(mounts[0].device, (98, 0));
    }
}
