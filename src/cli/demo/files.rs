//! Real files for made-up customers: a system that all hosts have in common, and each customer's
//! database dump, mail, pictures, and one of everything that copies get wrong.
//!
//! **Promise.** What is made depends on names alone, so that two demonstrations can be compared.
//! What this user or file system may not make is left out and listed in [`Made::left_out`].

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File, FileTimes, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _, lchown, symlink};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use rustix::fs::{CWD, FileType, Mode, XattrFlags, makedev, mknodat, setxattr};

use super::fleet::{HOSTS, PAGE, PHOTOGRAPHER, SYSTEM, home};
use crate::model::Bytes;

/// Programs of the system that all hosts have; each about [`PROGRAM_BYTES`].
const PROGRAMS: u32 = 240;
const PROGRAM_BYTES: usize = 64 * 1024;
/// Of each customer, and of the one with the most.
const PICTURES: u32 = 12;
const PICTURES_MAX: u32 = 80;
const PICTURE_BYTES: usize = 220_000;
const MAILS: u32 = 60;
const ROWS: u32 = 9_000;
/// Owners of the first customer's files and the following, where we may give files away.
const FIRST_UID: u32 = 20_001;
const GID: u32 = 33;
/// 2029-12-24 08:15, with nanoseconds that a copy by whole seconds would lose.
const MODIFIED: Duration = Duration::new(1_892_880_900, 123_456_789);

/// What was made.
#[derive(Debug, Default)]
pub struct Made {
    /// Regular files.
    pub files: u64,
    /// Their content, holes aside.
    pub bytes: Bytes,
    /// What could not be made here.
    pub left_out: BTreeSet<&'static str>,
}

/// Fills `sources`, which exists and is empty: a folder a host.
pub fn make(sources: &Path) -> io::Result<Made> {
    let mut made = Made::default();
    let mut uid = FIRST_UID;
    for host in &HOSTS {
        let root = sources.join(host.id);
        made.system(&root, host.id)?;
        for tenant in host.tenants {
            made.database(&root.join("var/backups").join(tenant), tenant)?;
            let home = root.join(home(tenant));
            made.mail(&home.join("Maildir"), tenant)?;
            made.pictures(&home.join("www/pictures"), tenant)?;
            made.page(&home, tenant)?;
            made.oddities(&home.join("private"), tenant)?;
            made.give_away(&home, uid)?;
            uid += 1;
        }
    }
    Ok(made)
}

impl Made {
    fn write(&mut self, path: &Path, content: &[u8]) -> io::Result<()> {
        fs::write(path, content)?;
        self.files += 1;
        self.bytes += Bytes(content.len() as u64);
        Ok(())
    }

    /// What only some users or file systems allow.
    fn attempt(&mut self, what: &'static str, done: rustix::io::Result<()>) {
        if done.is_err() {
            self.left_out.insert(what);
        }
    }

    /// The same on every host but for its name.
    fn system(&mut self, root: &Path, host: &str) -> io::Result<()> {
        let [etc, usr] = SYSTEM.map(|name| root.join(name));
        fs::create_dir_all(etc.join("ssl/private"))?;
        self.write(&etc.join("hostname"), format!("{host}\n").as_bytes())?;
        self.write(&etc.join("ssl/private/host.key"), &noise(&format!("key {host}"), 3_272))?;
        fs::set_permissions(etc.join("ssl/private"), Permissions::from_mode(0o700))?;
        for number in 0..60 {
            let text = format!("# service {number}\nenabled = true\n").repeat(40);
            self.write(&etc.join(format!("service-{number}.conf")), text.as_bytes())?;
        }
        symlink("../usr/bin", etc.join("alternatives"))?;
        fs::create_dir_all(usr.join("bin"))?;
        fs::create_dir_all(usr.join("share/doc"))?;
        for number in 0..PROGRAMS {
            let path = usr.join(format!("bin/program-{number:03}"));
            self.write(&path, &program(number))?;
            fs::set_permissions(&path, Permissions::from_mode(0o755))?;
            let text = format!("Program {number} does what it says.\n").repeat(30);
            self.write(&usr.join(format!("share/doc/{number:03}.txt")), text.as_bytes())?;
        }
        let su = usr.join("bin/program-000");
        fs::set_permissions(&su, Permissions::from_mode(0o4755))?;
        fs::hard_link(&su, usr.join("bin/program-also"))?;
        let done = setxattr(
            usr.join("bin/program-001"),
            "security.capability",
            &CAPABILITY,
            XattrFlags::empty(),
        );
        self.attempt("file capabilities", done);
        set_modified(&usr.join("bin"))
    }

    fn database(&mut self, folder: &Path, customer: &str) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let mut dump =
            format!("-- {customer}\nCREATE TABLE orders (id INT, name TEXT, cents INT);\n");
        let random = noise(&format!("orders {customer}"), ROWS as usize * 8);
        for (id, eight) in random.chunks(8).enumerate() {
            let number = eight.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
            let (name, cents) = (number >> 32, number % 100_000);
            let _ =
                writeln!(dump, "INSERT INTO orders VALUES ({id}, 'order {name:08x}', {cents});");
        }
        self.write(&folder.join("orders.sql"), dump.as_bytes())?;
        fs::set_permissions(folder.join("orders.sql"), Permissions::from_mode(0o600))
    }

    fn mail(&mut self, folder: &Path, customer: &str) -> io::Result<()> {
        for part in ["cur", "new", "tmp"] {
            fs::create_dir_all(folder.join(part))?;
        }
        for number in 0..MAILS {
            let attachment = noise(&format!("mail {customer} {number}"), 2_000);
            let mut mail = format!("From: someone@example.net\nSubject: message {number}\n\n");
            for byte in attachment {
                let _ = write!(mail, "{byte:02x}");
            }
            let (part, flags) = if number % 5 == 0 { ("new", "") } else { ("cur", ":2,S") };
            let name = format!("{}.M{number}P7.{customer}{flags}", MODIFIED.as_secs());
            self.write(&folder.join(part).join(name), mail.as_bytes())?;
        }
        Ok(())
    }

    /// What visitors see.
    fn page(&mut self, home: &Path, customer: &str) -> io::Result<()> {
        let text = format!("<!doctype html>\n<h1>Welcome to {customer}</h1>\n");
        self.write(&home.join(PAGE), text.as_bytes())
    }

    /// As good as random, as pictures are to everybody who would compress them.
    fn pictures(&mut self, folder: &Path, customer: &str) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let count = if customer == PHOTOGRAPHER { PICTURES_MAX } else { PICTURES };
        for number in 0..count {
            let picture = noise(&format!("picture {customer} {number}"), PICTURE_BYTES);
            let path = folder.join(format!("IMG_{number:04}.jpg"));
            self.write(&path, &picture)?;
            set_modified(&path)?;
        }
        fs::hard_link(folder.join("IMG_0003.jpg"), folder.join("best of.jpg"))
    }

    /// One of everything that copies get wrong.
    fn oddities(&mut self, folder: &Path, customer: &str) -> io::Result<()> {
        fs::create_dir_all(folder.join("empty"))?;
        let names: [&[u8]; 6] =
            [b"caf\xe9", b"line\nfeed", b" ", b"-rf", b"$(reboot)", &[b'n'; 255]];
        for name in names {
            self.write(&folder.join(OsStr::from_bytes(name)), customer.as_bytes())?;
        }
        symlink("/nowhere/at all", folder.join("dangling"))?;
        symlink("loop", folder.join("loop"))?;
        let disk = folder.join("disk.img");
        self.write(&disk, b"front")?;
        let file = File::options().write(true).open(&disk)?;
        file.set_len(8 << 20)?;
        file.write_all_at(b"back", 5 << 20)?;
        let mode = Mode::from_raw_mode(0o640);
        mknodat(CWD, folder.join("fifo"), FileType::Fifo, mode, 0)?;
        // A path of a socket has at most 107 bytes; ours may be longer, so it is made by mknod.
        mknodat(CWD, folder.join("socket"), FileType::Socket, mode, 0)?;
        let device =
            mknodat(CWD, folder.join("null"), FileType::CharacterDevice, mode, makedev(1, 3));
        self.attempt("device nodes", device);
        let note = setxattr(&disk, "user.note", b"of the\0customer", XattrFlags::empty());
        self.attempt("extended attributes", note);
        let access = setxattr(folder, "system.posix_acl_access", &ACL, XattrFlags::empty());
        self.attempt("POSIX ACLs", access);
        set_modified(&folder.join("empty"))?;
        fs::set_permissions(folder.join("empty"), Permissions::from_mode(0o1711))
    }

    /// Everything beneath `path` becomes a user's of its own.
    fn give_away(&mut self, path: &Path, uid: u32) -> io::Result<()> {
        if !rustix::process::geteuid().is_root() {
            self.left_out.insert("other owners");
            return Ok(());
        }
        if fs::symlink_metadata(path)?.is_dir() {
            for entry in fs::read_dir(path)? {
                self.give_away(&entry?.path(), uid)?;
            }
        }
        lchown(path, Some(uid), Some(GID))
    }
}

/// `cap_net_raw=ep`, as the kernel keeps it: revision 2, little endian.
const CAPABILITY: [u8; 20] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// `u::rwx,u:20099:r-x,g::r-x,m::r-x,o::---`, as the kernel keeps it: version 2, then tag,
/// permissions and id of each entry, little endian.
const ACL: [u8; 44] = [
    2, 0, 0, 0, //
    1, 0, 7, 0, 0xff, 0xff, 0xff, 0xff, //
    2, 0, 5, 0, 0x83, 0x4e, 0, 0, //
    4, 0, 5, 0, 0xff, 0xff, 0xff, 0xff, //
    16, 0, 5, 0, 0xff, 0xff, 0xff, 0xff, //
    32, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
];

/// Bytes that look random and depend on `seed` alone.
fn noise(seed: &str, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(seed.as_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// Half of it compresses away, as with programs.
fn program(number: u32) -> Vec<u8> {
    let mut bytes = noise(&format!("program {number}"), PROGRAM_BYTES);
    for block in bytes.chunks_mut(256) {
        let (_, pattern) = block.split_at_mut(128);
        pattern.fill(0x90);
    }
    bytes
}

fn set_modified(path: &Path) -> io::Result<()> {
    let times = FileTimes::new().set_modified(UNIX_EPOCH + MODIFIED);
    File::open(path)?.set_times(times)
}
