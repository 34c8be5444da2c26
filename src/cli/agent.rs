//! The hidden command that runs on the far side.
//!
//! **Gently** (`impact = "gentle"`): the lowest priority, and half of the processors it could have.
//!
//! **Promises.** It ends within a minute after the landing site was last heard, and takes its
//! folder with it; after a goodbye at once. While it waits for a landing site that may come back it
//! holds neither standard input nor output, so that sshd can close the connection.

mod call;

use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::agent::{Ending, Hideout, Home, Lair, lane, serve};
use crate::cli::args::AgentArgs;
use crate::cli::{Exit, print};
use crate::model::{Clock, Generation, SystemClock};
use crate::wire::{SILENCE_S, ToLanding, encode};

/// How often the watchdog looks.
const LOOK: Duration = Duration::from_secs(5);
/// As far behind others as it goes.
const LOWEST_PRIORITY: i32 = 19;
/// What a pipe should hold, so that sshd reads in large pieces.
const PIPE_BYTES: usize = 1 << 20;

/// Serves one landing site, or joins a further connection to the agent that does.
pub fn run(args: &AgentArgs) -> Exit {
    if args.lane {
        return lane(args);
    }
    if let Some(landing) = &args.call {
        return call::run(args, landing);
    }
    if args.gentle {
        step_back();
    }
    let lair = match Lair::enter(&args.folder, Generation(args.generation)) {
        Ok(lair) => lair,
        Err(error) => {
            print::tell(&format!("evac agent: {}", crate::run::explain(&error)));
            return Exit::Failed;
        }
    };
    // Before the first thread: each keeps the mount namespace that it began in.
    let hideout = args.disks.then(|| Arc::new(Hideout::enter(&args.folder)));
    let home = Home {
        folder: Some(args.folder.clone()),
        left_behind: lair.left_behind(),
        skip: lair.inode().into_iter().collect(),
        hideout: hideout.clone(),
        granted: None,
    };
    let watch = Arc::new(Watch::new(lair, hideout));
    watch.clone().start();
    let stdout = std::io::stdout();
    // A smaller pipe is slower, nothing worse.
    let _ = rustix::pipe::fcntl_setpipe_size(&stdout, PIPE_BYTES);
    let heard = || watch.heard();
    match serve(std::io::stdin().lock(), Raw(stdout), home, &heard) {
        Ok(Ending::Bye) => {
            let left = watch.leave();
            // A read that hangs in the kernel keeps the process, and the shell that waits for it
            // keeps the streams: whoever said goodbye must not have to wait for that.
            let _ = Raw(std::io::stdout()).write_all(&encode(&ToLanding::Gone));
            let _ = close_stdio();
            left
        }
        Ok(Ending::Disconnected) => {
            let _ = close_stdio();
            watch.wait_for_silence();
            watch.leave()
        }
        Err(error) => {
            print::tell(&format!("evac agent: {}", crate::run::explain(&error)));
            watch.leave();
            Exit::Failed
        }
    }
}

fn lane(args: &AgentArgs) -> Exit {
    match lane::join(&args.folder, std::io::stdin(), std::io::stdout()) {
        Ok(()) => Exit::Done,
        Err(error) => {
            print::tell(&format!("evac agent: {}", crate::run::explain(&error)));
            Exit::Failed
        }
    }
}

/// Leaves more of this machine to others, for this thread and all that it starts. What the system
/// forbids is left undone: a gentle agent is a wish, not a condition.
fn step_back() {
    let _ = rustix::process::nice(LOWEST_PRIORITY);
    if let Ok(all) = sched_getaffinity(None) {
        let _ = sched_setaffinity(None, &half_of(&all));
    }
}

/// Half of the processors, at least one. The last ones: the first often serve interrupts too.
fn half_of(all: &CpuSet) -> CpuSet {
    let mut half = CpuSet::new();
    let present = (0..CpuSet::MAX_CPU).rev().filter(|number| all.is_set(*number));
    for number in present.take((all.count() as usize / 2).max(1)) {
        half.set(number);
    }
    half
}

/// Standard output without the line buffer that would look for line ends in binary data.
struct Raw(std::io::Stdout);

impl Write for Raw {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(rustix::io::write(&self.0, bytes)?)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Lets sshd see the end of both streams.
fn close_stdio() -> std::io::Result<()> {
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nothing)?;
    rustix::stdio::dup2_stdout(&nothing)?;
    rustix::stdio::dup2_stderr(&nothing)?;
    Ok(())
}

/// Knows when the landing site was last heard, and owns the folder.
struct Watch {
    clock: SystemClock,
    heard_ms: AtomicU64,
    lair: Mutex<Option<Lair>>,
    hideout: Option<Arc<Hideout>>,
}

impl Watch {
    fn new(lair: Lair, hideout: Option<Arc<Hideout>>) -> Self {
        Self {
            clock: SystemClock::default(),
            heard_ms: AtomicU64::new(0),
            lair: Mutex::new(Some(lair)),
            hideout,
        }
    }

    fn heard(&self) {
        let now = self.clock.elapsed().as_millis() as u64;
        self.heard_ms.store(now, Ordering::Relaxed);
    }

    fn silence(&self) -> Duration {
        let heard = Duration::from_millis(self.heard_ms.load(Ordering::Relaxed));
        self.clock.elapsed().saturating_sub(heard)
    }

    /// Ends the process when nothing was heard for too long, whatever its threads are doing: a
    /// read that hangs in the kernel must not keep the folder there.
    fn start(self: Arc<Self>) {
        std::thread::spawn(move || {
            self.wait_for_silence();
            let code = self.leave();
            std::process::exit(code.and(Exit::Failed) as i32);
        });
    }

    fn wait_for_silence(&self) {
        while self.silence() < Duration::from_secs(SILENCE_S) {
            std::thread::sleep(LOOK);
        }
    }

    fn leave(&self) -> Exit {
        let lair = self.lair.lock().expect("no holder of this lock panics").take();
        if let Some(hideout) = self.hideout.as_ref().filter(|_| lair.is_some()) {
            hideout.leave();
        }
        match lair.map(Lair::leave) {
            Some(Err(error)) => {
                print::tell(&format!("evac agent: cannot remove its folder: {error}"));
                Exit::Failed
            }
            _ => Exit::Done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_processors_is_at_least_one() {
        let set = |numbers: &[usize]| {
            let mut set = CpuSet::new();
            for number in numbers {
                set.set(*number);
            }
            set
        };
        assert!(half_of(&set(&[0, 1, 2, 3])) == set(&[2, 3]));
        assert!(half_of(&set(&[1, 4, 9])) == set(&[9]));
        assert!(half_of(&set(&[5])) == set(&[5]));
    }
}
