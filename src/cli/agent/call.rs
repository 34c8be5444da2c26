//! The agent that calls the landing site, since nobody can log in to its host.
//!
//! **Promises.**
//! - It says how it goes until it was let in; then it holds neither terminal nor pipe.
//! - It goes, and takes its folder with it: when its work is done, when its invitation is taken
//!   back, and when it has not heard the landing site for as long as it was told to stay.
//! - Cut off, it calls again by itself, ever more slowly, up to every [`PAUSE_MAX`].

use std::io::BufRead as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::close_stdio;
use crate::agent::{AgentError, Ending, Granted, Home, Lair, serve};
use crate::cli::args::AgentArgs;
use crate::cli::{Exit, print};
use crate::model::{Clock, Generation, SystemClock, TreePath};
use crate::ssh::invite::Code;
use crate::ssh::invite::call::{CallError, Called, Caller, Word, ended};

/// Between two calls.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// A connection that lasted as long was a good one.
const LASTED: Duration = Duration::from_secs(20);
/// Somebody looks on, and nobody answers: no longer than this.
const FIRST: Duration = Duration::from_secs(60);

/// Why it does not even begin.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error("no code on standard input")]
    Code,
    #[error("it is granted nothing")]
    Nothing,
    #[error(transparent)]
    Lair(#[from] crate::agent::LairError),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the runtime does not start")]
    Runtime(#[from] std::io::Error),
}

/// An agent on its own.
struct Errand {
    caller: Caller,
    granted: Vec<TreePath>,
    lair: Lair,
    stay: Duration,
    clock: SystemClock,
    runtime: Runtime,
}

/// Calls `landing` until there is nothing more to do for it.
pub fn run(args: &AgentArgs, landing: &str) -> Exit {
    // Away from the terminal that it was started from. The first of a group cannot, and stays.
    let _ = rustix::process::setsid();
    let outcome = start(args, landing).map(Errand::work);
    outcome.unwrap_or_else(|error| {
        say(&crate::run::explain(&error));
        Exit::Failed
    })
}

fn start(args: &AgentArgs, landing: &str) -> Result<Errand, StartError> {
    let mut line = Vec::new();
    let read = std::io::stdin().lock().read_until(b'\n', &mut line);
    let code = read.ok().and_then(|_| Code::read(line.trim_ascii())).ok_or(StartError::Code)?;
    let mut granted = Vec::new();
    for path in &args.granted {
        use std::os::unix::ffi::OsStrExt as _;
        granted.push(TreePath::new(path.as_os_str().as_bytes()).map_err(|_| StartError::Nothing)?);
    }
    if granted.is_empty() {
        return Err(StartError::Nothing);
    }
    Ok(Errand {
        caller: Caller::new(landing.to_owned(), code, args.landing_key.clone())?,
        granted,
        lair: Lair::enter(&args.folder, Generation(args.generation))?,
        stay: Duration::from_secs(args.stay_s),
        clock: SystemClock::default(),
        runtime: tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?,
    })
}

/// To whoever started it.
fn say(text: &str) {
    print::tell(text);
}

impl Errand {
    fn work(self) -> Exit {
        let (mut heard, mut pause, mut is_in) = (self.clock.elapsed(), PAUSE_MIN, false);
        let code = loop {
            let began = self.clock.elapsed();
            match self.runtime.block_on(self.caller.call()) {
                Ok(called) => {
                    if !std::mem::replace(&mut is_in, true) {
                        say("connected; this window can be closed");
                        let _ = close_stdio();
                    }
                    if let Some(code) = self.attend(called) {
                        break code;
                    }
                    heard = self.clock.elapsed();
                }
                // Later on somebody in between may be to blame, who goes again.
                Err(CallError::Unreachable { .. } | CallError::Broken { .. }) => {}
                Err(CallError::Stranger { .. }) if is_in => {}
                Err(error) => {
                    say(&crate::run::explain(&error));
                    break Exit::Failed;
                }
            }
            let (now, stay) = (self.clock.elapsed(), if is_in { self.stay } else { FIRST });
            if now.saturating_sub(heard) >= stay {
                say("the landing site does not answer; nothing was left here");
                break Exit::Failed;
            }
            pause = if now.saturating_sub(began) >= LASTED { PAUSE_MIN } else { pause };
            std::thread::sleep(pause.min(stay));
            pause = (pause * 2).min(PAUSE_MAX);
        };
        match self.lair.leave() {
            Ok(()) => code,
            Err(error) => {
                say(&format!("its folder stays: {error}"));
                Exit::Failed
            }
        }
    }

    /// Waits, works, and says how to go, if it is to go.
    fn attend(&self, mut called: Called) -> Option<Exit> {
        match self.runtime.block_on(called.word()) {
            None => None,
            Some(Word::Over) => Some(Exit::Done),
            Some(Word::Go) => match self.session(called) {
                Ok(Ending::Bye) => Some(Exit::Done),
                Ok(Ending::Disconnected) => None,
                Err(_) => Some(Exit::Failed),
            },
        }
    }

    fn session(&self, called: Called) -> Result<Ending, AgentError> {
        let (near, far) = UnixStream::pair()?;
        let carried = self.runtime.spawn(called.carry(far));
        let home = Home {
            hideout: None,
            folder: None,
            left_behind: self.lair.left_behind(),
            skip: self.lair.inode().into_iter().collect(),
            granted: Some(Granted::new(self.granted.clone())),
        };
        let served = serve(near.try_clone()?, near, home, &|| {});
        // What was said last is carried before this process ends.
        self.runtime.block_on(ended(carried));
        served
    }
}
