//! One command: a real process behind a channel.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use russh::server::{Handle, Msg};
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;

use super::Host;

const PIECE_BYTES: usize = 32 * 1024;
/// What a shell answers when it finds no command.
const NOT_STARTED: u32 = 127;

/// Counts a command while it runs.
struct Counted(watch::Sender<usize>);

impl Counted {
    fn new(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// Runs `command` until it ends, or until its channel or connection goes.
pub(super) async fn run(
    host: Arc<Host>,
    handle: Handle,
    channel: Channel<Msg>,
    command: Vec<u8>,
    gone: watch::Receiver<()>,
) {
    let _counted = Counted::new(&host.faults.commands);
    let id = channel.id();
    let (from_client, to_client) = channel.split();
    let noise = host.faults.noise.lock().expect("no holder of this lock panics").clone();
    let (status, signal) = match start(&host, &command) {
        Ok(child) => {
            let Some(status) = attend(child, from_client, &to_client, noise.into(), gone).await
            else {
                return;
            };
            (status.code().map(i32::cast_unsigned), status.signal().map(signal_name))
        }
        Err(error) => {
            let said = Bytes::from(format!("cannot start /bin/sh: {error}\n"));
            let _ = to_client.extended_data_bytes(1, said).await;
            (Some(NOT_STARTED), None)
        }
    };
    // A client that is gone needs no answer; that is all that can fail here.
    if let Some(status) = status {
        let _ = to_client.exit_status(status).await;
    } else if let Some(signal) = signal {
        let _ = handle.exit_signal_request(id, signal, false, String::new(), String::new()).await;
    }
    let _ = to_client.eof().await;
    let _ = to_client.close().await;
}

fn start(host: &Host, command: &[u8]) -> std::io::Result<Child> {
    Command::new("/bin/sh")
        .arg("-c")
        .arg(OsStr::from_bytes(command))
        .envs(host.options.environment.iter().map(|(key, value)| (key, value)))
        .current_dir(&host.options.folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
}

/// Carries bytes until the process has ended; `None` when the client went first.
async fn attend(
    mut child: Child,
    from_client: ChannelReadHalf,
    to_client: &ChannelWriteHalf<Msg>,
    noise: Bytes,
    mut gone: watch::Receiver<()>,
) -> Option<ExitStatus> {
    let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let stdin = child.stdin.take().expect("standard input was piped");
    let stdout = child.stdout.take().expect("standard output was piped");
    let stderr = child.stderr.take().expect("standard error was piped");
    let ended = async {
        let _ = to_client.data_bytes(noise).await;
        tokio::join!(carry(stdout, to_client, None), carry(stderr, to_client, Some(1)));
        child.wait().await.ok()
    };
    let status = tokio::select! {
        status = ended => status,
        () = feed(from_client, stdin) => None,
        // A process that takes no input must not hide the end of its connection.
        _ = gone.changed() => None,
    };
    if status.is_none() {
        if let Some(group) = group {
            // It may have ended by itself meanwhile.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = child.wait().await;
    }
    status
}

/// Hands the client's bytes to the process; returns when channel or connection are gone.
async fn feed(mut from_client: ChannelReadHalf, stdin: ChildStdin) {
    let mut stdin = Some(stdin);
    while let Some(message) = from_client.wait().await {
        match message {
            ChannelMsg::Data { data } => {
                if let Some(pipe) = &mut stdin
                    && pipe.write_all(&data).await.is_err()
                {
                    stdin = None;
                }
            }
            ChannelMsg::Eof => stdin = None,
            ChannelMsg::Close => return,
            _ => {}
        }
    }
}

async fn carry(
    mut from: impl AsyncRead + Unpin,
    to_client: &ChannelWriteHalf<Msg>,
    extended: Option<u32>,
) {
    loop {
        let mut piece = BytesMut::with_capacity(PIECE_BYTES);
        let Ok(1..) = from.read_buf(&mut piece).await else { return };
        let sent = match extended {
            None => to_client.data_bytes(piece.freeze()).await,
            Some(code) => to_client.extended_data_bytes(code, piece.freeze()).await,
        };
        if sent.is_err() {
            return;
        }
    }
}

fn signal_name(number: i32) -> Sig {
    match number {
        1 => Sig::HUP,
        2 => Sig::INT,
        6 => Sig::ABRT,
        9 => Sig::KILL,
        11 => Sig::SEGV,
        13 => Sig::PIPE,
        15 => Sig::TERM,
        other => Sig::Custom(other.to_string()),
    }
}
