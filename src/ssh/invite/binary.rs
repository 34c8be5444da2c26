//! The agent as it is fetched: as it is, and compressed for hosts that have zstd.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

/// As for hosts that are logged in to.
const LEVEL: i32 = 3;

/// The agent, hashed once.
#[derive(Debug, Clone)]
pub struct Binary {
    plain: Bytes,
    compressed: Arc<LazyLock<Bytes, Box<dyn FnOnce() -> Bytes + Send>>>,
    sha256: String,
}

impl Binary {
    /// The program as it will stand over there.
    pub fn new(plain: Bytes) -> Self {
        let sha256 = hex_sha256(&plain);
        let whole = plain.clone();
        // Compression into memory does not fail; if it did, the script would take it as it is.
        let compress = move || zstd::bulk::compress(&whole, LEVEL).unwrap_or_default().into();
        Self { plain, compressed: Arc::new(LazyLock::new(Box::new(compress))), sha256 }
    }

    /// The program that runs now.
    pub fn itself() -> std::io::Result<Self> {
        std::fs::read("/proc/self/exe").map(|bytes| Self::new(bytes.into()))
    }

    /// Its SHA-256, in hexadecimal digits: what hosts have a tool for.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    pub(super) fn plain(&self) -> Bytes {
        self.plain.clone()
    }

    pub(super) async fn compressed(&self) -> Bytes {
        let compressed = Arc::clone(&self.compressed);
        let made = tokio::task::spawn_blocking(move || LazyLock::force(&compressed).clone());
        made.await.unwrap_or_default()
    }
}

/// SHA-256 in hexadecimal digits.
pub(super) fn hex_sha256(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
