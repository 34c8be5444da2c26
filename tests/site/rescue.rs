//! A rescue system: a real sshd whose session has an overlay in memory for its `/`, and disks that
//! are loop devices. Only root can have one.
//!
//! The disks' images are made dirty as machines are whose power failed: a file system is copied
//! while it is mounted, or shut down.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::Outcome;
use super::sshd::Sshd;

/// Enters a mount namespace with a live system in it, and starts what follows there.
const ENTER: &str = r#"
set -eu
live=$1 seen=$2; shift 2
mount --make-rprivate /
mount -t tmpfs live "$live"
mkdir "$live/upper" "$live/work" "$live/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$live/upper,workdir=$live/work" "$live/root"
for at in /dev /proc /sys "$seen"; do mount --rbind "$at" "$live/root$at"; done
# Whoever logs in has no login scripts: a rescue system knows nothing of this machine's.
mount -t tmpfs home "$live/root/root"
echo rescue-system-of-the-tests > "$live/root/etc/machine-id"
exec chroot "$live/root" "$@"
"#;

/// A rescue system, and a folder for what belongs to it.
pub struct RescueSystem {
    pub sshd: Sshd,
    /// Where images are, and places to mount them.
    pub folder: TempDir,
    loops: Vec<PathBuf>,
}

impl RescueSystem {
    /// None where nobody may mount.
    pub fn start() -> Option<Self> {
        let may = Command::new("unshare").args(["-m", "losetup", "--find"]).output();
        if !may.is_ok_and(|output| output.status.success()) {
            eprintln!("left out: only root of a whole machine has loop devices and mounts");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("evac-rescue-").tempdir();
        let folder = folder.expect("the temporary folder is writable");
        let live = folder.path().join("live");
        fs::create_dir(&live).expect("the temporary folder is writable");
        let sshd = Sshd::start_through(|seen| {
            let (live, seen) = (live.display().to_string(), seen.display().to_string());
            let words = ["unshare", "-m", "sh", "-c", ENTER, "enter", &live, &seen];
            words.map(str::to_owned).to_vec()
        });
        Some(Self { sshd, folder, loops: Vec::new() })
    }

    /// The path of an image or of a place to mount one.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a shell script in the folder; `$1` and so on are `arguments`.
    #[track_caller]
    pub fn sh(&self, script: &str, arguments: &[&str]) -> String {
        let mut command = Command::new("sh");
        command.args(["-euc", script, "sh"]).args(arguments).current_dir(self.folder.path());
        Outcome::of(&mut command).exits(0).stdout().trim().to_owned()
    }

    /// A disk that holds this image.
    pub fn disk(&mut self, image: &str) -> PathBuf {
        let device = PathBuf::from(self.sh("losetup --find --show \"$1\"", &[image]));
        self.loops.push(device.clone());
        device
    }

    /// What every byte of the disks hashes to.
    pub fn hashes(&self) -> Vec<String> {
        let hash = |device: &PathBuf| {
            let mut hasher = blake3::Hasher::new();
            hasher.update_reader(fs::File::open(device).unwrap()).unwrap();
            hasher.finalize().to_string()
        };
        self.loops.iter().map(hash).collect()
    }

    /// Are all disks writable, and is nothing of them mounted in the rescue system?
    pub fn is_as_before(&self) -> bool {
        let mounts = Outcome::of(&mut self.sshd.ssh("cat /proc/mounts")).exits(0).stdout();
        self.loops.iter().all(|device| {
            let name = device.file_name().unwrap().to_str().unwrap();
            let read_only = fs::read_to_string(format!("/sys/class/block/{name}/ro")).unwrap();
            read_only.trim() == "0" && !mounts.contains(&device.display().to_string())
        })
    }
}

impl Drop for RescueSystem {
    fn drop(&mut self) {
        self.sshd.shut();
        for device in &self.loops {
            // One that is still in use is freed with its last user.
            let _ = Command::new("losetup").arg("--detach").arg(device).status();
        }
    }
}

/// As the inventory writes a list of disks.
pub fn list(disks: &[&Path]) -> String {
    let disks: Vec<String> = disks.iter().map(|disk| format!("{disk:?}")).collect();
    format!("[{}]", disks.join(", "))
}
