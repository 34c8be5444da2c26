//! Hosts that nobody can log in to: somebody types a line over there, and the agent calls here.
//!
//! ```text
//! over there                                    landing site, one port ([`front`])
//! curl ADDR:PORT/CODE|sh ──── HTTP ───────────> the bootstrap ([`script`]), for who knows CODE
//!   sh: fetch the agent, check it ── HTTP ────> the agent
//!   agent ([`call`]) ── "EVAC ID", then SSH ──> host key pinned, CODE proven, agent's key kept
//!   serve() <══════ one channel ══════════════> a run: the ordinary protocol
//! ```
//!
//! **The code** ([`Code`]) has 16 letters that look the same on every keyboard, 80 bits. Kept here
//! is only its hash ([`Sum`]); 80 other bits of that hash are the invitation's public id, under
//! which agent and script can be fetched without telling the code.
//!
//! **Two lines for one code.** To type: `curl ADDR:PORT/CODE|sh`. To paste: it fetches the script
//! by its id, compares it with the hash in the line, and hands it the code.
//!
//! **What protects what.**
//! - Scanners and guessers: nothing is served but to who names a code or an id that is open. A few
//!   wrong ones a minute for an address, then silence ([`Guesses`]). Hashes are compared, so how
//!   long that takes says nothing.
//! - The pasted line: against everybody on the way. The script is in its hash, the agent and the
//!   landing site's key are in the script, and the code crosses only inside SSH, to that key.
//!   Whoever relays is noticed by the key.
//! - The typed line: not against somebody on the way while it is typed. He reads the code, and can
//!   give another script to a shell that is root; `curl -k` over TLS would give no more than that
//!   against him. What is sent after it is protected by the same SSH.
//! - The code lets its owner be that host, once: he is told the workload's paths and what chunks
//!   are wanted, as every host is. It reads nothing at the landing site.
//! - One use: with the first proof of the code the agent's own key, made over there for this
//!   session, takes its place, and the code is no good any more. With that key the agent calls
//!   again after a cut; it is in no file.
//! - The agent holds itself to what the script names ([`crate::agent::Granted`]): a landing site
//!   that errs or lies reads nothing else and writes nothing.
//!
//! **Promises.** No code in a log, a file or an error. Nothing that a stranger sends is kept beyond
//! a line; nobody holds a place for longer than [`front`]'s patience.

mod binary;
pub mod call;
mod caller;
mod code;
pub mod front;
pub mod guesses;
mod key;
pub mod script;
pub mod visit;

pub use binary::Binary;
pub use code::{Code, Sum};
pub use front::{Front, Gate};
pub use guesses::Guesses;
pub use key::{HostKey, HostKeyError};
pub use visit::Visit;
