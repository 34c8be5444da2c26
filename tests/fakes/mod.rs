//! Strict fakes of hosted services, in this process: they refuse what the real ones refuse, keep
//! what they accepted, and fail in chosen ways. They are fakes; nothing here shows that a real
//! service behaves like them beyond what its documentation says.

pub mod bucket;
pub mod cachet;
pub mod kuma;
pub mod relay;
pub mod statuspage;
pub mod vigil;

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

/// What a client sent.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub query: String,
    /// When it was read.
    pub at: Instant,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Asked {
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// What a service answers.
pub struct Answered {
    pub status: u16,
    pub retry_after: Option<u32>,
    /// A text is sent as it is.
    pub body: Value,
}

pub fn answer(status: u16, body: Value) -> Answered {
    Answered { status, retry_after: None, body }
}

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The connection ends before anything was done.
    DropBefore,
    /// It is done, and the answer never comes.
    DropAfter,
    /// It is done, and the answer never comes, nor does the connection end.
    Hang,
    /// Not done, answered with this.
    Status(u16),
    /// Not done: too many calls, come back after so many seconds.
    Busy(u32),
}

/// Refuses more than so many calls in any minute.
#[derive(Default)]
pub struct Minute(Vec<Instant>);

impl Minute {
    pub fn is_over(&mut self, calls_max: usize) -> bool {
        let now = Instant::now();
        self.0.retain(|at| now.duration_since(*at) < Duration::from_secs(60));
        self.0.push(now);
        self.0.len() > calls_max
    }
}

/// `NAME=NUMBER` of a query.
pub fn number(query: &str, name: &str, usual: usize) -> usize {
    let pair = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    pair.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// The service behind a fake.
pub trait Service: Send + 'static {
    fn serve(&mut self, asked: &Asked) -> Answered;
}

/// A running fake. Its thread ends with the process.
pub struct Fake<S> {
    pub url: String,
    inner: Arc<Mutex<Inner<S>>>,
}

pub struct Inner<S> {
    pub service: S,
    /// One for each call from now on.
    pub faults: VecDeque<Fault>,
    /// Every call that came.
    pub asked: Vec<Asked>,
}

impl<S: Service> Fake<S> {
    pub fn start(service: S) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("it has an address"));
        let inner = Inner { service, faults: VecDeque::new(), asked: Vec::new() };
        let inner = Arc::new(Mutex::new(inner));
        let served = Arc::clone(&inner);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let inner = Arc::clone(&served);
                std::thread::spawn(move || serve(&inner, stream));
            }
        });
        Self { url, inner }
    }

    pub fn look(&self) -> MutexGuard<'_, Inner<S>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next calls fail like this.
    pub fn fails(&self, faults: &[Fault]) {
        self.look().faults.extend(faults.iter().copied());
    }

    /// The next call fails like this, unless it fails already.
    pub fn fails_once(&self, fault: Fault) {
        let mut inner = self.look();
        if inner.faults.is_empty() {
            inner.faults.push_back(fault);
        }
    }

    /// So many calls came since the last time.
    pub fn taken(&self) -> Vec<Asked> {
        std::mem::take(&mut self.look().asked)
    }
}

fn serve<S: Service>(inner: &Mutex<Inner<S>>, stream: TcpStream) {
    let Some(asked) = read(&stream) else { return };
    let answered = {
        let mut inner = inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.asked.push(asked.clone());
        match inner.faults.pop_front() {
            Some(Fault::DropBefore) => return,
            Some(Fault::Status(status)) => Some(answer(status, Value::Null)),
            Some(Fault::Busy(seconds)) => {
                Some(Answered { retry_after: Some(seconds), ..answer(429, Value::Null) })
            }
            fault => {
                let answered = inner.service.serve(&asked);
                match fault {
                    Some(Fault::DropAfter) => return,
                    Some(Fault::Hang) => None,
                    _ => Some(answered),
                }
            }
        }
    };
    match answered {
        Some(answered) => write(stream, &answered),
        // Until the client goes away.
        None => drop((&stream).read(&mut [0])),
    }
}

fn write(mut stream: TcpStream, answered: &Answered) {
    let body = match &answered.body {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let retry = answered.retry_after.map(|seconds| format!("Retry-After: {seconds}\r\n"));
    let _ = write!(
        stream,
        "HTTP/1.1 {} X\r\n{}Content-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        answered.status,
        retry.unwrap_or_default(),
        body.len()
    );
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let (path, query) = (path.to_owned(), query.to_owned());
    let (at, body) = (Instant::now(), String::new());
    let mut asked = Asked { method, path, query, at, headers, body };
    let length: usize = asked.header("content-length").parse().unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    asked.body = String::from_utf8(body).ok()?;
    Some(asked)
}

/// Takes anything, and remembers it by its `Idempotency-Key`.
#[derive(Default)]
pub struct Hook {
    pub seen: Vec<(String, Asked)>,
}

impl Service for Hook {
    fn serve(&mut self, asked: &Asked) -> Answered {
        let key = asked.header("idempotency-key").to_owned();
        if !self.seen.iter().any(|(known, _)| *known == key) {
            self.seen.push((key, asked.clone()));
        }
        answer(200, Value::Null)
    }
}
