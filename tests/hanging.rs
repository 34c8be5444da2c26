//! A disk on which some reads never come back, not even for kill -9: files are left behind, said
//! so, and everything else is captured meanwhile.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::site::fleet::{Fleet, Source};

/// The file system of `dead_disk.py`, mounted.
struct DeadDisk {
    server: Child,
    folder: PathBuf,
}

impl DeadDisk {
    fn mount(folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/site/dead_disk.py");
        let mut command = Command::new("python3");
        command.arg(script).arg(folder).stdout(Stdio::piped());
        let mut server = command.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "mounted\n");
        Self { server, folder: folder.to_owned() }
    }
}

impl Drop for DeadDisk {
    fn drop(&mut self) {
        // Whoever hangs in a read gets an error when nobody serves it any more.
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = Command::new("umount").arg("--lazy").arg(&self.folder).status();
    }
}

#[test]
fn reads_that_hang_are_left_behind_and_all_else_is_captured() {
    if !rustix::process::getuid().is_root() {
        eprintln!("NOT TESTED: reads that hang: only root mounts a file system");
        return;
    }
    let fleet = Fleet::new(vec![Source { host: "one", id: "a", class: "web" }]);
    let settings = fs::read_to_string(fleet.site.path("evac.toml")).unwrap();
    fleet.site.write("evac.toml", &format!("{settings}\n[limits]\npatience = \"2s\"\n"));
    let disk = DeadDisk::mount(&fleet.tree("a"));
    let ran = fleet.evac(&["--json", "run"]);
    eprintln!("{:?}", ran);
    let place = fleet.site.path("restored");
    let restored = fleet.restore(&place, &[]);
    eprintln!("{:?}", restored);
    let _ = Command::new("ls").arg("-lR").arg(&place).status();
    drop(disk);
    panic!("look");
}
