//! A machine's own table of file systems, as fstab(5) has it.
//!
//! **Invariant.** What makes no sense is passed over, as `mount -a` does. Only what belongs on a
//! disk of the machine is a [`Line`]: swap, the kernel's file systems and those in memory or on the
//! network are none.

use crate::capture::mounts::{Class, class, unescape};
use crate::model::text::printable;
use crate::model::{DevicePath, FileSystemName, TreePath};

/// Longest table that is read.
pub const TABLE_BYTES_MAX: u64 = 1 << 20;
/// Most lines of it.
const LINES_MAX: usize = 512;

/// Something that is mounted when the machine starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What.
    pub what: What,
    /// As it is written, printable.
    pub shown: String,
    /// Where.
    pub point: TreePath,
    /// Not when the machine starts, but when somebody asks.
    pub is_manual: bool,
    /// `subvol=` or `subvolid=` as it is written.
    pub subvolume: Option<String>,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A file system by its own name.
    FileSystem(FileSystemName),
    /// A partition by the number in its disk's table.
    Partition(String),
    /// A directory once more.
    Directory(TreePath),
    /// Something that evac does not know to find.
    Unknown,
}

/// All lines, those of outer directories first.
pub fn parse(text: &[u8]) -> Vec<Line> {
    let lines = text.split(|byte| *byte == b'\n').filter_map(line);
    let mut lines: Vec<_> = lines.take(LINES_MAX).collect();
    lines.sort_by_key(|line| line.point.components().count());
    lines
}

fn line(text: &[u8]) -> Option<Line> {
    let mut fields = text.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
    let what = fields.next().filter(|field| !field.starts_with(b"#"))?;
    let (what, point) = (unescape(what), unescape(fields.next()?));
    let kind = String::from_utf8_lossy(fields.next().unwrap_or(b"auto")).into_owned();
    let options = String::from_utf8_lossy(fields.next().unwrap_or_default()).into_owned();
    let mut options = options.split(',');
    let is_bind = options.clone().any(|option| matches!(option, "bind" | "rbind"));
    let is_elsewhere = matches!(class(&kind), Class::Memory | Class::Kernel | Class::Network);
    if !is_bind && (is_elsewhere || matches!(&*kind, "swap" | "none" | "ignore" | "overlay")) {
        return None;
    }
    let point = TreePath::new(point).ok()?;
    let shown = printable(&what);
    let what = if is_bind {
        TreePath::new(what).map_or(What::Unknown, What::Directory)
    } else {
        named(&shown)
    };
    let is_manual = options.clone().any(|option| option == "noauto");
    let subvolume = options.find(|option| option.starts_with("subvol")).map(str::to_owned);
    Some(Line { what, shown, point, is_manual, subvolume })
}

/// `UUID=…`, `LABEL=…`, `PARTUUID=…`, `/dev/…`, and links of udev that say the same.
fn named(text: &str) -> What {
    let text = text.replace('"', "");
    let udev = ["uuid", "label", "partuuid"].into_iter().find_map(|kind| {
        let name = text.strip_prefix(&format!("/dev/disk/by-{kind}/"))?;
        Some(format!("{}={name}", kind.to_uppercase()))
    });
    let text = udev.unwrap_or(text);
    if let Some(number) = text.strip_prefix("PARTUUID=") {
        return What::Partition(number.to_ascii_lowercase());
    }
    if text.starts_with("/dev/") && text.parse::<DevicePath>().is_err() {
        return What::Unknown;
    }
    text.parse().map_or(What::Unknown, What::FileSystem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_on_disks_is_read_and_outer_directories_come_first() {
        let text = b"# comment\nUUID=AB-1 /srv/a\\040b ext4 noauto 0 2\n\
            /dev/mapper/vg-root / ext4 errors=remount-ro 0 1\nUUID=7 none swap sw 0 0\n\
            tmpfs /tmp tmpfs size=1g 0 0\nnas:/x /mnt nfs defaults 0 0\n/dev/sda5 swap swap\n\
            LABEL=\"home\" /home btrfs subvol=@home,compress=zstd 0 0\n/home/x /y none bind 0 0\n\
            /dev/disk/by-partuuid/AF /boot auto\nproc /proc proc\nbroken\n/dev/../x /z ext4\n";
        let lines = parse(text);
        let seen: Vec<_> = lines.iter().map(|line| (line.point.to_string(), &line.what)).collect();
        let of = |text: &str| What::FileSystem(text.parse().unwrap());
        let expected = [
            ("/", of("/dev/mapper/vg-root")),
            ("/home", of("LABEL=home")),
            ("/y", What::Directory("/home/x".parse().unwrap())),
            ("/boot", What::Partition("af".into())),
            ("/z", What::Unknown),
            ("/srv/a b", of("UUID=ab-1")),
        ];
        assert_eq!(seen.len(), expected.len(), "{seen:?}");
        for ((point, what), (at, named)) in seen.iter().zip(&expected) {
            assert_eq!((&**point, *what), (*at, named));
        }
        assert_eq!(lines[1].subvolume.as_deref(), Some("subvol=@home"));
        assert!(lines[5].is_manual && !lines[0].is_manual);
    }
}
