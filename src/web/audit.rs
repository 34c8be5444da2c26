//! `state/lookups.log`: who looked up whom, when, and what he typed; a line of JSON each.
//!
//! **Promises.** A line is durable when [`LookUps::append`] returns, and only then the answer goes
//! out. Nothing is taken out or changed. It stands apart from the ledger: it has what callers said,
//! it is needed before the first run and after a lost ledger, and it is erased for other reasons.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use serde::Serialize;

use crate::model::{CustomerId, Timestamp};
use crate::web::WebError;

/// Its name in the state folder.
pub const LOOKUPS_FILE: &str = "lookups.log";

/// One look-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LookUp<'a> {
    /// When.
    pub at: Timestamp,
    /// Who looked.
    pub by: &'a str,
    /// From where.
    pub from: IpAddr,
    /// What he typed, bounded and printable.
    pub typed: &'a str,
    /// Which customers were shown.
    pub shown: Vec<&'a CustomerId>,
    /// How the caller proved who he is, if he is told more than anybody.
    pub verified: Option<&'static str>,
}

/// The log of look-ups.
#[derive(Debug, Clone)]
pub struct LookUps {
    path: PathBuf,
}

impl LookUps {
    /// In the folder `state`.
    pub fn of(state: &Path) -> Self {
        Self { path: state.join(LOOKUPS_FILE) }
    }

    /// Writes a line, durably.
    pub fn append(&self, look_up: &LookUp<'_>) -> Result<(), WebError> {
        let write = || {
            let mut options = OpenOptions::new();
            let mut file =
                options.read(true).append(true).create(true).mode(0o600).open(&self.path)?;
            rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
            // A line without an end was cut off by a full disk or a crash.
            let mut line = if is_torn(&file)? { String::from("\n") } else { String::new() };
            line.push_str(&serde_json::to_string(look_up)?);
            line.push('\n');
            file.write_all(line.as_bytes())?;
            file.sync_all()?;
            // The name must be as durable as what it names.
            self.path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
        };
        write().map_err(|source| WebError::Io {
            action: "write down a look-up in",
            path: self.path.clone(),
            source,
        })
    }
}

fn is_torn(file: &File) -> std::io::Result<bool> {
    let Some(last) = file.metadata()?.len().checked_sub(1) else { return Ok(false) };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    Ok(byte != *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_up_is_a_line_and_a_torn_one_does_not_take_the_next_with_it() {
        let top = tempfile::tempdir().unwrap();
        let log = LookUps::of(top.path());
        let acme: CustomerId = "acme".parse().unwrap();
        let look_up = LookUp {
            at: "2030-03-04T02:50:00Z".parse().unwrap(),
            by: "Jo",
            from: "127.0.0.1".parse().unwrap(),
            typed: "acme.example",
            shown: vec![&acme],
            verified: Some("callback"),
        };
        log.append(&look_up).unwrap();
        let expected = "{\"at\":\"2030-03-04T02:50:00Z\",\"by\":\"Jo\",\"from\":\"127.0.0.1\",\
                        \"typed\":\"acme.example\",\"shown\":[\"acme\"],\
                        \"verified\":\"callback\"}\n";
        let read = || std::fs::read_to_string(top.path().join(LOOKUPS_FILE)).unwrap();
        assert_eq!(read(), expected);
        std::fs::write(top.path().join(LOOKUPS_FILE), "{\"at\":").unwrap();
        log.append(&look_up).unwrap();
        assert_eq!(read(), format!("{{\"at\":\n{expected}"));
    }
}
