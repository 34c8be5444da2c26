//! sudo that works only on a terminal (`requiretty`).
//!
//! A terminal is no way for bytes: it answers some of them. So sudo gets one, and the command that
//! it starts gets named pipes for input, output and errors, to which a second command of the same
//! user's, without a terminal, is the other end. What comes of that is like any other command.
//!
//! ```text
//! channel with a terminal:  sh ── sudo ── sh ── the command, as root
//!                                                in │ out │ err │ code      (pipes, for us only)
//! channel without one:                           cat   cat   cat            as the user
//! ```
//!
//! **Promise.** The pipes and their folder are gone when the command has ended, or its terminal.

use std::time::Duration;

use tokio::time::timeout;

use super::deploy::quoted;
use super::{Connection, Exec, SshError};
use crate::model::text::bounded;

/// For sudo to start its shell.
const WITHIN: Duration = Duration::from_secs(30);
/// Noise before the shell's word; and what sudo says instead.
const NOISE_BYTES_MAX: usize = 16 * 1024;

/// Makes the pipes, tells where they are, and becomes the command. `$1`: what tells it apart.
/// Opened both ways before it goes, a pipe lets go of whoever still waits for its other end.
const ON_TERMINAL: &str = "umask 077; w=$1; shift; d=; \
    for f in /dev/shm \"$XDG_RUNTIME_DIR\" /var/tmp \"$HOME\" /tmp; do \
      [ -n \"$f\" ] || continue; d=$f/.evac-pipes-$w; mkdir \"$d\" 2>/dev/null && break; d=; \
    done; \
    [ -n \"$d\" ] || { echo no folder for pipes; exit 1; }; \
    clean() { for p in in out err code; do : <>\"$d/$p\"; rm -f \"$d/$p\"; done; rmdir \"$d\"; }; \
    trap 'clean; exit 1' HUP INT TERM; \
    mkfifo \"$d/in\" \"$d/out\" \"$d/err\" \"$d/code\" && \
    sudo -n -- sh -c 'd=$1; shift; echo \"evac-pipes $d evac-ready\"; \
      \"$@\" <\"$d/in\" >\"$d/out\" 2>\"$d/err\"; echo $? >\"$d/code\"' evac \"$d\" \"$@\"; \
    c=$?; clean; exit $c";

/// The other end of the pipes in `$1`. What a shell puts in the background has no input of its own.
const BESIDE_IT: &str = "d=$1; exec 3<&0; cat <&3 >\"$d/in\" & i=$!; cat <\"$d/err\" >&2 & e=$!; \
    cat <\"$d/out\"; read -r c <\"$d/code\"; wait $e; kill $i 2>/dev/null; exit \"${c:-1}\"";

impl Connection {
    /// Starts `command`, a list of words for a shell, as root by a sudo that wants a terminal.
    pub(super) async fn exec_on_terminal(
        &self,
        command: &str,
        word: &str,
    ) -> Result<Exec, SshError> {
        let script = format!("sh -c {} evac {word} {command}", quoted(ON_TERMINAL));
        let mut terminal = self.exec_with_terminal(&script).await?;
        let folder = match timeout(WITHIN, terminal.folder_of_pipes()).await {
            Ok(Ok(Ok(folder))) => folder,
            Ok(Ok(Err(said))) => return Err(self.no_root(&said)),
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(self.no_root("it must have a tty, and does not answer on one")),
        };
        let beside = format!("sh -c {} evac {}", quoted(BESIDE_IT), quoted(&folder));
        Ok(self.exec(&beside).await?.kept_with(terminal))
    }
}

impl Exec {
    /// Where the pipes are, or what was said instead.
    async fn folder_of_pipes(&mut self) -> Result<Result<String, String>, SshError> {
        let mut said = Vec::new();
        while let Some(bytes) = self.read().await? {
            said.extend_from_slice(&bytes);
            let text = String::from_utf8_lossy(&said);
            let found = text
                .split_once("evac-pipes ")
                .and_then(|(_, rest)| Some(rest.split_once(" evac-ready")?.0.to_owned()));
            if let Some(folder) = found {
                return Ok(Ok(folder));
            }
            if said.len() > NOISE_BYTES_MAX {
                break;
            }
        }
        let text = crate::model::text::printable(&said);
        Ok(Err(bounded(&format!("it must have a tty; on one it says: {text}"), 300)))
    }
}
