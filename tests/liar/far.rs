//! The liar's line to the landing site.

use std::io::{Read, StdinLock, StdoutLock, Write};

use evac::wire::{AgentFacts, Decoder, ToAgent, ToLanding, encode};

/// Which of an agent's messages an offer is.
const OFFER: u32 = 2;

/// Standard input and output.
pub struct Far {
    input: StdinLock<'static>,
    output: StdoutLock<'static>,
    decoder: Decoder<ToAgent>,
}

impl Far {
    pub fn new() -> Self {
        let (input, output) = (std::io::stdin().lock(), std::io::stdout().lock());
        Self { input, output, decoder: Decoder::default() }
    }

    /// Says bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> Option<()> {
        self.output.write_all(bytes).and_then(|()| self.output.flush()).ok()
    }

    /// Says a message.
    pub fn say(&mut self, message: &ToLanding) -> Option<()> {
        self.raw(&encode(message))
    }

    /// Says a message of any kind, length and body.
    pub fn say_raw(&mut self, kind: u8, length: usize, body: &[u8]) -> Option<()> {
        let length = u32::try_from(length).expect("lengths are four bytes").to_le_bytes();
        self.raw(&[&[kind][..], &length, body].concat())
    }

    /// Says a message as it would be said, but with what `patch` makes of it.
    pub fn say_patched(&mut self, message: &ToLanding, patch: impl Fn(&mut [u8])) -> Option<()> {
        // So short a text is not changed by being compressed.
        let mut bytes = encode(message);
        patch(&mut bytes);
        self.raw(&bytes)
    }

    /// Says an offer whose columns of text are of stated length.
    pub fn say_list(&mut self, stated: u32, squeezed: &[u8]) -> Option<()> {
        let squeezed = serde_bytes::Bytes::new(squeezed);
        let offer = (OFFER, 0_u64, (stated, squeezed), (stated, squeezed));
        let body = postcard::to_stdvec(&offer).expect("tuples can be written");
        self.say_raw(3, body.len(), &body)
    }

    /// Says who it is.
    pub fn greet(&mut self, version: u16) -> Option<()> {
        self.say(&ToLanding::Hello(AgentFacts {
            version,
            uid: 0,
            cores: 1,
            hostname: "liar".to_owned(),
            boot_id: String::new(),
            clock_s: 0,
            left_behind: None,
        }))
    }

    /// The next message; `None` when the landing site hung up.
    pub fn hear(&mut self) -> Option<ToAgent> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            if let Some(message) = self.decoder.next_message().expect("the landing site is honest")
            {
                return Some(message);
            }
            let count = self.input.read(&mut buffer).ok().filter(|count| *count > 0)?;
            self.decoder.push(&buffer[..count]);
        }
    }

    /// Hears until something is what is looked for.
    pub fn hear_until<T>(&mut self, wanted: impl Fn(ToAgent) -> Option<T>) -> Option<T> {
        loop {
            if let Some(found) = wanted(self.hear()?) {
                return Some(found);
            }
        }
    }

    /// Waits for the goodbye.
    pub fn wait(&mut self) -> Option<()> {
        self.hear_until(|message| matches!(message, ToAgent::Bye).then_some(()))
    }

    /// Says that it lives, and nothing else, for ever.
    pub fn beat(&mut self) -> Option<()> {
        loop {
            self.say(&ToLanding::Heartbeat)?;
            std::thread::sleep(crate::BEAT);
        }
    }

    /// Ends at once.
    #[expect(clippy::unused_self, reason = "it reads like the other things a liar does")]
    pub fn end(&mut self) -> Option<()> {
        None
    }
}
