//! The web server on the new machine: serves each customer's page, by name, from where evac put it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::fleet;
use crate::cli::Failure;

/// A request has so many bytes and seconds.
const HEAD_BYTES_MAX: u64 = 16 << 10;
const PATIENCE: Duration = Duration::from_secs(5);

/// Names, and the files that answer for them.
pub struct Web {
    pages: Vec<(&'static str, PathBuf)>,
}

impl Web {
    /// Serves on a port of loopback until this process ends, and says which.
    pub fn start(sources: &Path, target: &Path) -> Result<u16, Failure> {
        let fail = |error: std::io::Error| {
            Failure::failed("cannot start a web server on loopback").because(&error)
        };
        let page = |(host, customer): (&fleet::Host, &fleet::Customer)| {
            let workload = format!("{}-{}-home", host.id, customer.id);
            let home = sources.join(host.id).join(fleet::home(customer.id));
            (customer.domain, fleet::restored(target, &workload, &home).join(fleet::PAGE))
        };
        let web = Self { pages: fleet::pages().map(page).collect() };
        let listener = TcpListener::bind("127.0.0.1:0").map_err(fail)?;
        let port = listener.local_addr().map_err(fail)?.port();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Whoever goes away early has seen enough.
                let _ = web.answer(stream);
            }
        });
        Ok(port)
    }

    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut host = String::new();
        for line in BufReader::new(stream.try_clone()?.take(HEAD_BYTES_MAX)).lines() {
            let line = line?.to_ascii_lowercase();
            if let Some(name) = line.strip_prefix("host:") {
                name.trim().split(':').next().unwrap_or_default().clone_into(&mut host);
            }
            if line.is_empty() {
                break;
            }
        }
        let page = self.pages.iter().find(|(domain, _)| *domain == host);
        let (status, body) = match page.and_then(|(_, file)| fs::read(file).ok()) {
            Some(body) => ("200 OK", body),
            None => ("404 Not Found", b"nothing here".to_vec()),
        };
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len())?;
        stream.write_all(b"Connection: close\r\n\r\n")?;
        stream.write_all(&body)
    }
}
