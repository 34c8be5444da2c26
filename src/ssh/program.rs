//! A program of the operator's that is asked something: no shell, no input, bounded output.
//!
//! **Promise.** It and everything it started in its process group is ended when its time is over,
//! or nobody waits for it any more.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::model::text::{bounded, printable};

/// What is read of its complaints.
const COMPLAINT_BYTES_MAX: u64 = 4096;

/// Ends the group of a program that is not waited for any more.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may end at this very moment.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Runs `argv` in `folder`; what it printed, at most `limit` bytes of it, or why there is nothing.
pub(super) async fn output(
    argv: &[String],
    folder: &Path,
    within: Duration,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, String> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err("no program is named".to_owned());
    };
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).process_group(0).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("it cannot be started: {error}"))?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let mut group = Group(group);
    let Ok((said, complaint, ended)) = timeout(within, ended(&mut child, limit)).await else {
        return Err(format!("it took longer than {} s and was ended", within.as_secs()));
    };
    group.0 = None;
    match ended {
        Ok(status) if !status.success() => Err(failed(status, &complaint)),
        Ok(_) if said.len() > limit => Err(format!("it said more than {limit} bytes")),
        Ok(_) => Ok(said),
        Err(error) => Err(error.to_string()),
    }
}

async fn ended(
    child: &mut Child,
    limit: usize,
) -> (Zeroizing<Vec<u8>>, Zeroizing<Vec<u8>>, std::io::Result<ExitStatus>) {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let complaint = COMPLAINT_BYTES_MAX as usize;
    let (said, complaint) = tokio::join!(read(stdout, limit + 1), read(stderr, complaint));
    (said, complaint, child.wait().await)
}

/// Up to `limit` bytes; then it is shut, and whoever goes on writing ends by that.
async fn read(from: Option<impl AsyncRead + Unpin>, limit: usize) -> Zeroizing<Vec<u8>> {
    // All of it at once: a vector that grows leaves copies behind.
    let mut kept = Zeroizing::new(Vec::with_capacity(limit + 64));
    if let Some(from) = from {
        // What was read before a failure is judged by the exit code.
        let _ = from.take(limit as u64).read_to_end(&mut kept).await;
    }
    kept
}

fn failed(status: ExitStatus, complaint: &[u8]) -> String {
    let line = complaint.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty());
    let line = bounded(printable(line.unwrap_or_default().trim_ascii()).as_str(), 200);
    let separator = if line.is_empty() { "" } else { ": " };
    format!("it ended with {status}{separator}{line}")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run(script: &str, within_ms: u64) -> Result<String, String> {
        let argv = ["sh", "-c", script].map(str::to_owned);
        let within = Duration::from_millis(within_ms);
        let said = output(&argv, Path::new("/"), within, 64).await?;
        Ok(String::from_utf8(said.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn its_words_are_taken_and_its_failures_told() {
        assert_eq!(run("pwd; cat", 9_000).await.unwrap(), "/\n");
        let check = async |script: &str, within_ms: u64, why: &str| {
            let error = run(script, within_ms).await.unwrap_err();
            assert!(error.contains(why), "{script}: {error}");
        };
        check("echo secret; echo 'no such entry' >&2; exit 3", 9_000, "exit status: 3: no such")
            .await;
        check("exec yes", 9_000, "signal: 13").await;
        check("head -c 65 /dev/zero", 9_000, "more than 64 bytes").await;
        check("sleep 60 & wait", 50, "longer than 0 s").await;
        let nobody = output(&["/nowhere/x".to_owned()], Path::new("/"), Duration::MAX, 9).await;
        assert!(nobody.unwrap_err().contains("cannot be started"));
        assert!(output(&[], Path::new("/"), Duration::MAX, 9).await.is_err());
    }
}
