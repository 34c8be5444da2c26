//! Refused logins of the last minutes, kept from one command to the next: fail2ban does not care
//! which of them they came from.
//!
//! A file of lines `SECONDS SSHD`, one a failure; whoever cannot read or write it is only less
//! careful.

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

/// A longer file is begun anew.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Where they are written down.
#[derive(Debug)]
pub(super) struct Memory(pub(super) PathBuf);

impl Memory {
    /// Those younger than `within` at the second `now`, the oldest first: sshd and age.
    pub(super) fn read(&self, now: i64, within: Duration) -> Vec<(String, Duration)> {
        let mut text = String::new();
        let file = std::fs::File::open(&self.0);
        let read = file.and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text));
        if read.is_err() {
            return Vec::new();
        }
        let mut found: Vec<_> = text.lines().filter_map(|line| line.split_once(' ')).collect();
        found.sort_by_key(|(seconds, _)| seconds.parse::<i64>().unwrap_or(i64::MIN));
        let young = found.into_iter().filter_map(|(seconds, sshd)| {
            let age = u64::try_from(now.checked_sub(seconds.parse().ok()?)?).ok()?;
            let age = Duration::from_secs(age);
            (age < within).then(|| (sshd.to_owned(), age))
        });
        young.collect()
    }

    /// `count` more at `sshd`.
    pub(super) fn note(&self, sshd: &str, count: usize, now: i64) {
        let is_long = std::fs::metadata(&self.0).is_ok_and(|it| it.len() > FILE_BYTES_MAX / 2);
        let mut options = OpenOptions::new();
        options.create(true).mode(0o600);
        if is_long {
            options.write(true).truncate(true)
        } else {
            options.append(true)
        };
        let lines = format!("{now} {sshd}\n").repeat(count);
        let _ = options.open(&self.0).and_then(|mut file| file.write_all(lines.as_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_command_noted_the_next_one_knows_until_it_is_old() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory(folder.path().join("logins"));
        let within = Duration::from_secs(600);
        assert_eq!(memory.read(1_000, within), []);
        memory.note("a:22", 2, 1_000);
        memory.note("b:22 via a:22", 1, 1_100);
        let age = Duration::from_secs;
        let [a, b] = ["a:22", "b:22 via a:22"].map(str::to_owned);
        let all = [(a.clone(), age(200)), (a, age(200)), (b.clone(), age(100))];
        assert_eq!(memory.read(1_200, within), all);
        assert_eq!(memory.read(1_600, within), [(b, age(500))]);
        assert_eq!(memory.read(0, within), [], "a clock that was set back");
        std::fs::write(&memory.0, "x y\n\n9 \n1190 z\n").unwrap();
        assert_eq!(memory.read(1_200, within), [("z".to_owned(), age(10))]);
    }
}
