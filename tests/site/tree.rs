//! A small tree with one of everything an unprivileged user can make, and rsync as the judge of
//! whether two trees are equal.

use std::ffi::OsStr;
use std::fs::{self, File, FileTimes};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use rustix::fs::{CWD, FileType, Mode, XattrFlags, mknodat, setxattr};

use super::{Outcome, folder};

/// 2030-03-04 with nanoseconds that a comparison by whole seconds would lose.
const MODIFIED: Duration = Duration::new(1_898_812_800, 123_456_789);

/// Plants the tree at `root`: files small and large, a hole, links of both kinds, names of odd
/// bytes, modes, times, an extended attribute, a fifo, a socket, an empty folder.
pub fn plant(root: &Path) {
    let etc = root.join("etc");
    write(&folder(&etc).join("hostname"), b"vps-014\n");
    write(&etc.join("empty"), b"");
    write(&etc.join(OsStr::from_bytes(b"bytes \xff\n*")), b"a name that is no text\n");
    fs::set_permissions(etc.join("hostname"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink("../nowhere", etc.join("dangling")).unwrap();
    let www = root.join("var/www");
    write(&folder(&www).join("large.bin"), &noise(3 << 20));
    fs::hard_link(www.join("large.bin"), www.join("again.bin")).unwrap();
    sparse(&www.join("sparse.img"));
    mknodat(CWD, www.join("fifo"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    drop(UnixListener::bind(www.join("socket")).unwrap());
    if let Err(error) = setxattr(etc.join("empty"), "user.evac", b"kept", XattrFlags::empty()) {
        eprintln!("left out: no extended attributes on {}: {error}", root.display());
    }
    folder(&root.join("srv/empty"));
    for path in [etc.join("hostname"), www.join("large.bin"), root.join("srv/empty")] {
        let file = File::open(path).unwrap();
        file.set_times(FileTimes::new().set_modified(UNIX_EPOCH + MODIFIED)).unwrap();
    }
}

/// What rsync would have to do to make `target` equal to `source`, by content and all metadata;
/// empty when nothing.
pub fn differences(source: &Path, target: &Path) -> String {
    let mut rsync = Command::new("rsync");
    rsync.args(["-aHAXnci", "--delete"]);
    rsync.arg(source.join("")).arg(target.join(""));
    Outcome::of(&mut rsync).exits(0).stdout()
}

fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
}

/// Bytes that do not compress, the same at every call.
fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}

fn sparse(path: &Path) {
    let mut file = File::create(path).unwrap();
    file.write_all(b"front").unwrap();
    file.seek(SeekFrom::Start(8 << 20)).unwrap();
    file.write_all(b"back").unwrap();
}

#[test]
fn a_faithful_copy_has_no_differences_and_every_change_is_one() {
    let place = tempfile::tempdir().unwrap();
    let (source, target) = (place.path().join("source"), place.path().join("target"));
    plant(folder(&source));
    Outcome::of(Command::new("cp").arg("-a").arg(&source).arg(&target)).exits(0);
    assert_eq!(differences(&source, &target), "");

    // Same length, same time: only the content tells.
    let large = target.join("var/www/large.bin");
    let modified = fs::metadata(&large).unwrap().modified().unwrap();
    let mut file = File::options().write(true).open(&large).unwrap();
    file.write_all(b"flipped").unwrap();
    file.set_times(FileTimes::new().set_modified(modified)).unwrap();
    fs::remove_file(target.join("etc/dangling")).unwrap();
    fs::write(target.join("etc/more"), "x").unwrap();
    let differences = differences(&source, &target);
    for change in [">fc........ var/www/again.bin", "dangling", "deleting   etc/more"] {
        assert!(differences.contains(change), "{change} not in\n{differences}");
    }
}
