//! A strict fake mail relay (RFC 5321): commands in their order, lines that end in CR LF and are
//! short, one transaction at a time; it takes 7-bit text alone. What a mailbox is called decides
//! what becomes of mail to it; faults are armed one by one. It is a fake: `scripts/lab-mail` talks
//! to a real one.

use std::collections::VecDeque;
use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What goes wrong with one mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    None,
    /// The line breaks before anything is said.
    DropBefore,
    /// The mail is taken, and the line breaks without an answer.
    DropAfterData,
    /// The mail is taken, and the answer never comes, nor does the line break.
    HangAfterData,
    /// The service goes away in mid-transaction.
    Shutdown,
    /// The sender is refused.
    SenderRefused,
    /// The mail is refused, once it was read.
    DataRefused,
}

/// A mail that was taken.
#[derive(Debug, Clone)]
pub struct Taken {
    pub from: String,
    pub to: String,
    /// As it came, dots unstuffed.
    pub text: String,
}

impl Taken {
    /// A header's value, unfolded.
    pub fn header(&self, name: &str) -> String {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default();
        let head = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let start = format!("{}:", name.to_ascii_lowercase());
        let line = head.split("\r\n").find(|line| line.to_ascii_lowercase().starts_with(&start));
        line.map_or(String::new(), |line| line[start.len()..].trim().to_owned())
    }

    /// The text as people read it: quoted-printable undone, flowed lines joined.
    pub fn body(&self) -> String {
        let body = self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let body = match self.header("content-transfer-encoding").as_str() {
            "quoted-printable" => unquoted(body),
            _ => body.to_owned(),
        };
        body.replace(" \r\n", " ").replace("\r\n", "\n")
    }
}

fn unquoted(text: &str) -> String {
    let text = text.replace("=\r\n", "");
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, others)) = rest.split_first() {
        if *first == b'=' {
            let hex = std::str::from_utf8(&others[..2]).expect("two digits");
            bytes.push(u8::from_str_radix(hex, 16).expect("two digits"));
            rest = &others[2..];
        } else {
            bytes.push(*first);
            rest = others;
        }
    }
    String::from_utf8(bytes).expect("the charset is UTF-8")
}

#[derive(Default)]
pub struct Inner {
    pub taken: Vec<Taken>,
    /// What it would not forgive.
    pub faults: Vec<String>,
    /// Recipients asked for, taken or not.
    pub asked: Vec<String>,
    troubles: VecDeque<Trouble>,
}

/// A running fake. Its thread ends with the process.
pub struct Relay {
    pub port: u16,
    inner: Arc<Mutex<Inner>>,
}

impl Relay {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it has an address").port();
        let inner = Arc::new(Mutex::new(Inner::default()));
        let served = Arc::clone(&inner);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let inner = Arc::clone(&served);
                std::thread::spawn(move || Session { inner, stream }.serve());
            }
        });
        Self { port, inner }
    }

    pub fn look(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next mails fail like this.
    pub fn troubles(&self, troubles: &[Trouble]) {
        self.look().troubles.extend(troubles.iter().copied());
    }

    /// Mails taken since the last time.
    #[track_caller]
    pub fn taken(&self) -> Vec<Taken> {
        let mut inner = self.look();
        assert!(inner.faults.is_empty(), "{:?}", inner.faults);
        std::mem::take(&mut inner.taken)
    }
}

struct Session {
    inner: Arc<Mutex<Inner>>,
    stream: TcpStream,
}

impl Session {
    fn look(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&mut self, line: &str) {
        let _ = self.stream.write_all(format!("{line}\r\n").as_bytes());
    }

    fn read(&mut self, reader: &mut impl std::io::BufRead) -> Option<String> {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&line).into_owned();
        let is_strict = text.ends_with("\r\n") && text.len() <= 1_000 && text.is_ascii();
        if !is_strict || text.trim_end_matches("\r\n").contains(['\r', '\0']) {
            self.look().faults.push(format!("a line that is not allowed: {text:?}"));
        }
        Some(text.trim_end_matches("\r\n").to_owned())
    }

    fn serve(mut self) {
        let mut reader = BufReader::new(self.stream.try_clone().expect("a socket has a copy"));
        self.say("220 fake.example ESMTP strict fake");
        let (mut greeted, mut from, mut to) = (false, None::<String>, None::<String>);
        let mut trouble = Trouble::None;
        while let Some(line) = self.read(&mut reader) {
            let upper = line.to_ascii_uppercase();
            match upper.split(' ').next().unwrap_or_default() {
                "EHLO" if upper.len() > 5 => {
                    greeted = true;
                    self.say("250-fake.example");
                    self.say("250 PIPELINING");
                }
                "MAIL" if greeted && from.is_none() && upper.starts_with("MAIL FROM:<") => {
                    trouble = self.look().troubles.pop_front().unwrap_or(Trouble::None);
                    match trouble {
                        Trouble::DropBefore => return,
                        Trouble::SenderRefused => self.say("550 5.7.1 you do not write for that"),
                        _ => {
                            from = Some(line[11..].split('>').next().unwrap_or("").to_owned());
                            self.say("250 2.1.0 ok");
                        }
                    }
                }
                "RCPT" if from.is_some() && to.is_none() && upper.starts_with("RCPT TO:<") => {
                    if trouble == Trouble::Shutdown {
                        return self.say("421 4.3.2 going down");
                    }
                    to = self.recipient(line[9..].split('>').next().unwrap_or(""));
                }
                "DATA" if to.is_some() => {
                    let (from, to) = (from.take(), to.take());
                    if !self.mail(&mut reader, from, to, trouble) {
                        return;
                    }
                }
                "RSET" => {
                    (from, to) = (None, None);
                    self.say("250 2.0.0 ok");
                }
                "QUIT" => {
                    self.say("221 2.0.0 bye");
                    return;
                }
                _ => {
                    self.look().faults.push(format!("out of order: {line}"));
                    self.say("503 5.5.1 out of order");
                }
            }
        }
    }

    fn recipient(&mut self, address: &str) -> Option<String> {
        self.look().asked.push(address.to_owned());
        let answer = match address.split('@').next().unwrap_or_default() {
            "later" => "451 4.7.1 try again later",
            "gone" => "550 5.1.1 no such user here",
            _ => "250 2.1.5 ok",
        };
        self.say(answer);
        answer.starts_with("250").then(|| address.to_owned())
    }

    /// Takes a mail; `false`: the line breaks.
    fn mail(
        &mut self,
        reader: &mut impl std::io::BufRead,
        from: Option<String>,
        to: Option<String>,
        trouble: Trouble,
    ) -> bool {
        self.say("354 go on");
        let Some(text) = self.data(reader) else { return false };
        if trouble == Trouble::DataRefused {
            self.say("554 5.7.1 it looks like spam");
            return true;
        }
        let (from, to) = (from.unwrap_or_default(), to.unwrap_or_default());
        self.look().taken.push(Taken { from, to, text });
        match trouble {
            Trouble::DropAfterData => return false,
            Trouble::HangAfterData => loop {
                std::thread::park();
            },
            _ => self.say("250 2.0.0 ok: queued as FAKE1"),
        }
        true
    }

    fn data(&mut self, reader: &mut impl std::io::BufRead) -> Option<String> {
        let mut text = String::new();
        loop {
            let line = self.read(reader)?;
            if line == "." {
                return Some(text);
            }
            text.push_str(line.strip_prefix('.').unwrap_or(&line));
            text.push_str("\r\n");
        }
    }
}
