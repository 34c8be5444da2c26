//! The agent over there: placed, found again, started, removed.
//!
//! It lives in `FOLDER/.evac-SITE-HOST` (0700, owned by whoever runs it) as
//! `evac-agent-BLAKE3`, the first 32 digits of the hash of the binary. FOLDER is the first of
//! `/dev/shm`, `/run`, `$XDG_RUNTIME_DIR`, `/var/tmp`, home, `/tmp` where the probe could run a
//! file and that has room. `$XDG_RUNTIME_DIR` comes late since it vanishes with the last session of
//! its user, and a dropped connection would cost another upload.
//!
//! **Found again** means: a regular file of that name in a folder that is ours alone, of the right
//! size, and of the right SHA-1 by the host's own `sha1sum`. That guards against damage; against
//! other users of the host the folder's owner and mode do. A host without `sha1sum` gets the agent
//! again. It travels compressed where the host has zstd.
//!
//! **Promises.** An upload is written beside, counted, made executable and renamed: a torn one
//! never has the name. [`Placed::remove`] deletes only what evac put there, in every folder it
//! might be in.

use std::fmt::Write;
use std::sync::{Arc, LazyLock};

use bytes::Bytes as Buffer;
use sha1::{Digest, Sha1};

use super::probe::{Facts, Folder, Root, Runs};
use super::{Connection, Exec, Exit, Refusal, SshError};
use crate::model::text::bounded;
use crate::model::{Bytes, HostId, SiteId};

/// Noise of login scripts before the agent's first word.
pub const NOISE_BYTES_MAX: usize = 64 * 1024;
/// Room left beside the agent.
const SPARE_BYTES: u64 = 1 << 20;
/// Between two reports of progress.
const STEP_BYTES: usize = 1 << 20;
/// A tenth larger than at level 9, and a third of a second sooner for everybody.
const LEVEL: i32 = 3;
/// Becomes the command in its arguments, in the idle class of disk schedulers if it can.
const IDLE_DISKS: &str = "ionice -c 3 -p $$ >/dev/null 2>&1; exec \"$0\" \"$@\"";
/// A few words from a command.
const WORDS_BYTES_MAX: usize = 64 * 1024;

/// The agent to be placed, hashed once for all hosts.
#[derive(Debug, Clone)]
pub struct Agent {
    binary: Buffer,
    /// The same, compressed for hosts that have zstd. Made while the first hosts are dialled.
    compressed: Arc<LazyLock<Buffer, Box<dyn FnOnce() -> Buffer + Send>>>,
    name: String,
    sha1: String,
}

impl Agent {
    /// Takes the binary as it will stand over there.
    pub fn new(binary: Buffer) -> Self {
        let hash = blake3::hash(&binary).to_hex();
        let mut sha1 = String::new();
        for byte in Sha1::digest(&binary) {
            // Writing to a string does not fail.
            let _ = write!(sha1, "{byte:02x}");
        }
        let whole = binary.clone();
        // Compression into memory does not fail; if it did, the agent would travel as it is.
        let compress = move || zstd::bulk::compress(&whole, LEVEL).unwrap_or_default().into();
        let compressed = Arc::new(LazyLock::new(Box::new(compress) as Box<_>));
        let first = Arc::clone(&compressed);
        std::thread::spawn(move || {
            LazyLock::force(&first);
        });
        let name = format!("evac-agent-{}", &hash[..32]);
        Self { binary, compressed, name, sha1 }
    }

    /// What travels to hosts that have zstd; empty if there is none.
    async fn compressed(&self) -> Buffer {
        let compressed = Arc::clone(&self.compressed);
        let made = tokio::task::spawn_blocking(move || LazyLock::force(&compressed).clone());
        made.await.unwrap_or_default()
    }
}

/// An agent in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The agent's own folder.
    pub folder: String,
    /// The agent itself.
    pub path: String,
    /// Sent for it; nothing when it was found again.
    pub uploaded: Bytes,
    /// How its commands become root's.
    root: Root,
    /// Every folder it might be in.
    everywhere: Vec<String>,
}

/// `text` as one word of a shell.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A script as words of a shell's command.
fn shell(script: &str) -> String {
    format!("sh -c {}", quoted(script))
}

/// Puts the agent on a host, or finds it there. `progress` is told how much was sent so far.
pub async fn place(
    connection: &Connection,
    facts: &Facts,
    site: SiteId,
    host: &HostId,
    agent: &Agent,
    progress: &(dyn Fn(Bytes) + Send + Sync),
) -> Result<Placed, SshError> {
    let fail = |why: String| SshError::AgentPlace { host: connection.host().to_owned(), why };
    if facts.system != "Linux" || facts.machine != std::env::consts::ARCH {
        let ours = std::env::consts::ARCH;
        let why =
            format!("it is {} {}, this evac is for Linux {ours}", facts.system, facts.machine);
        return Err(fail(why));
    }
    if let Root::No(said) = &facts.root {
        return Err(connection.no_root(said));
    }
    let needed = agent.binary.len() as u64 + SPARE_BYTES;
    let own =
        |folder: &Folder| format!("{}/.evac-{site}-{host}", folder.path.trim_end_matches('/'));
    let mut placed = Placed {
        folder: String::new(),
        path: String::new(),
        uploaded: Bytes::ZERO,
        root: facts.root.clone(),
        everywhere: facts.folders.iter().map(own).collect(),
    };
    let mut failures = Vec::new();
    let mut full = None;
    for folder in facts.folders.iter().filter(|folder| folder.runs == Runs::Yes) {
        placed.folder = own(folder);
        placed.path = format!("{}/{}", placed.folder, agent.name);
        // A folder that has the agent already needs no room.
        if placed.find(connection, agent).await? {
            return Ok(placed);
        }
        if folder.free.0 < needed {
            full = full.or(Some(folder.path.clone()));
            continue;
        }
        match placed.upload_somehow(connection, facts, agent, progress).await? {
            Upload::Done => return Ok(placed),
            Upload::Full => full = full.or(Some(folder.path.clone())),
            Upload::Failed(why) => failures.push(format!("{}: {why}", folder.path)),
        }
    }
    if let Some(folder) = full {
        return Err(SshError::SourceFull { host: connection.host().to_owned(), folder, needed });
    }
    let has = |runs| facts.folders.iter().any(|folder| folder.runs == runs);
    let none_runs = has(Runs::NoExec) && !has(Runs::Yes);
    for folder in facts.folders.iter().filter(|folder| folder.runs != Runs::Yes) {
        let why = if folder.runs == Runs::NoExec { "noexec" } else { "not writable" };
        failures.push(format!("{}: {why}", folder.path));
    }
    let tried = bounded(&failures.join("; "), 600);
    if none_runs {
        return Err(Refusal::NoExecFolder { host: connection.host().to_owned(), tried }.into());
    }
    Err(fail(tried))
}

enum Upload {
    Done,
    Full,
    Failed(String),
}

impl Placed {
    /// Runs a short script as root.
    async fn run(&self, connection: &Connection, script: &str) -> Result<super::Output, SshError> {
        let command = shell(script);
        connection.run_as(&self.root, &command, Buffer::new(), WORDS_BYTES_MAX).await
    }

    /// Is the agent here, whole? Makes the folder on the way and refuses one that is not ours.
    async fn find(&self, connection: &Connection, agent: &Agent) -> Result<bool, SshError> {
        let script = format!(
            "d={}; f={}; [ -f \"$f\" ] && [ ! -L \"$f\" ] && [ ! -L \"$d\" ] && [ -O \"$d\" ] && \
             [ \"$(wc -c <\"$f\")\" -eq {} ] && sha1sum <\"$f\" && chmod 0700 \"$d\" \"$f\"",
            quoted(&self.folder),
            quoted(&self.path),
            agent.binary.len(),
        );
        let output = self.run(connection, &script).await?;
        let said = String::from_utf8_lossy(&output.stdout);
        let same = said.split_whitespace().any(|word| word == agent.sha1);
        Ok(output.exit.is_success() && same)
    }

    /// Compressed where the host can take it so, else as it is.
    async fn upload_somehow(
        &mut self,
        connection: &Connection,
        facts: &Facts,
        agent: &Agent,
        progress: &(dyn Fn(Bytes) + Send + Sync),
    ) -> Result<Upload, SshError> {
        let whole = (agent.binary.clone(), agent.binary.len());
        if facts.tools.contains("zstd") {
            let compressed = (agent.compressed().await, agent.binary.len());
            if !compressed.0.is_empty() {
                let taken = self.upload(connection, compressed, "zstd -dcq", progress).await?;
                if !matches!(taken, Upload::Failed(_)) {
                    return Ok(taken);
                }
            }
        }
        self.upload(connection, whole, "cat", progress).await
    }

    /// Sends the agent through `taker`, which is `cat` or undoes the compression, after which it
    /// has so many bytes.
    async fn upload(
        &mut self,
        connection: &Connection,
        (whole, placed_bytes): (Buffer, usize),
        taker: &str,
        progress: &(dyn Fn(Bytes) + Send + Sync),
    ) -> Result<Upload, SshError> {
        // mkdir fails for a folder that is there; whose it is decides then.
        let script = format!(
            "umask 077; d={}; f={}; mkdir \"$d\" 2>/dev/null; \
             if [ -L \"$d\" ] || [ ! -d \"$d\" ] || [ ! -O \"$d\" ]; then \
               echo \"$d is not ours\" >&2; exit 3; fi; \
             chmod 0700 \"$d\" && {taker} >\"$f.part\" && [ \"$(wc -c <\"$f.part\")\" -eq {} ] && \
             chmod 0700 \"$f.part\" && mv -f \"$f.part\" \"$f\" && exit 0; \
             rm -f \"$f.part\"; rmdir \"$d\" 2>/dev/null; exit 4",
            quoted(&self.folder),
            quoted(&self.path),
            placed_bytes,
        );
        let exec = connection.exec_as(&self.root, &shell(&script)).await?;
        let (mut reader, writer) = exec.split();
        let send = async {
            let mut rest = whole.clone();
            while !rest.is_empty() {
                writer.write(rest.split_to(rest.len().min(STEP_BYTES))).await?;
                progress(Bytes((whole.len() - rest.len()) as u64));
            }
            writer.eof().await
        };
        // A shell that gives up half-way says why in how it ends, not in the write that failed.
        let (sent, ended) = tokio::select! {
            sent = send => (sent, reader.finish().await),
            ended = reader.finish() => (Ok(()), ended),
        };
        let exit = ended?;
        let said = bounded(reader.stderr().trim(), 300);
        match exit {
            Exit::Code(0) => {
                self.uploaded = Bytes(whole.len() as u64);
                sent.map(|()| Upload::Done)
            }
            _ if said.contains("No space left") || said.contains("quota") => Ok(Upload::Full),
            exit => Ok(Upload::Failed(format!("{exit}: {said}"))),
        }
    }

    /// Starts the agent; what it says after `magic` is what is read. Noise of login scripts before
    /// it is passed over.
    pub async fn start(
        &self,
        connection: &Connection,
        arguments: &[&str],
        magic: &[u8],
    ) -> Result<Exec, SshError> {
        self.start_by("", connection, arguments, magic).await
    }

    /// The same; where the host has `ionice`, disks serve the agent when nobody else needs them.
    pub async fn start_gently(
        &self,
        connection: &Connection,
        arguments: &[&str],
        magic: &[u8],
    ) -> Result<Exec, SshError> {
        let starter = format!("sh -c {} ", quoted(IDLE_DISKS));
        self.start_by(&starter, connection, arguments, magic).await
    }

    async fn start_by(
        &self,
        starter: &str,
        connection: &Connection,
        arguments: &[&str],
        magic: &[u8],
    ) -> Result<Exec, SshError> {
        let mut command = format!("{starter}{}", quoted(&self.path));
        for argument in arguments {
            command.push(' ');
            command.push_str(&quoted(argument));
        }
        let mut exec = connection.exec_as(&self.root, &command).await?;
        match exec.skip_noise(magic, NOISE_BYTES_MAX).await? {
            None => Ok(exec),
            Some((exit, said)) => Err(self.not_started(connection, &exit, &said)),
        }
    }

    fn not_started(&self, connection: &Connection, exit: &Exit, said: &str) -> SshError {
        let host = connection.host().to_owned();
        let said = bounded(said, 300);
        if self.root != Root::Already && said.contains("sudo:") {
            return connection.no_root(&said);
        }
        match exit {
            Exit::Code(126 | 127) => {
                SshError::AgentPlace { host, why: format!("{}: {said}", self.path) }
            }
            exit => SshError::Command { host, what: "the agent", exit: exit.clone(), said },
        }
    }

    /// Deletes agent and folder, here and wherever an earlier session may have put them. Files that
    /// evac does not know stay.
    pub async fn remove(&self, connection: &Connection) -> Result<(), SshError> {
        let folders: Vec<String> = self.everywhere.iter().map(|folder| quoted(folder)).collect();
        let script = format!(
            "for d in {}; do [ -d \"$d\" ] && [ ! -L \"$d\" ] && [ -O \"$d\" ] || continue; \
             rm -f \"$d\"/evac-agent-* \"$d\"/lock \"$d\"/lanes \"$d\"/read-only; \
             [ ! -d \"$d\"/disks ] || rmdir \"$d\"/disks; rmdir \"$d\" || failed=1; done; \
             [ -z \"$failed\" ]",
            folders.join(" "),
        );
        let output = self.run(connection, &script).await?;
        if output.exit.is_success() {
            return Ok(());
        }
        Err(SshError::Command {
            host: connection.host().to_owned(),
            what: "removing the agent",
            exit: output.exit,
            said: bounded(&output.stderr, 300),
        })
    }
}
