//! One line of a `known_hosts` file: its fields, its patterns, the names it matches.
//!
//! ```text
//! [@cert-authority|@revoked] PATTERN[,PATTERN…] KEYTYPE BASE64 [comment]
//! ```
//!
//! Fields are separated by blanks or tabs. A hashed name stands alone: `|1|salt|hash`, both base64,
//! the hash being HMAC-SHA1 of the name with the salt as key (OpenSSH, `hostfile.c`).

use std::path::PathBuf;

use hmac::{Hmac, KeyInit, Mac};
use russh::keys::ssh_encoding::base64::{Base64, Encoding};
use sha1::Sha1;

use super::Place;

/// What a line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    /// It pins a key.
    None,
    /// It pins an authority that signs host certificates.
    Authority,
    /// Its key must never be accepted.
    Revoked,
}

/// Which hosts a line speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Patterns {
    /// Comma-separated patterns.
    Plain(String),
    /// One hashed name.
    Hashed {
        /// The key of the hash.
        salt: Vec<u8>,
        /// What the name hashes to.
        hash: Vec<u8>,
    },
}

/// A line that pins or revokes.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) place: Place,
    pub(super) marker: Marker,
    pub(super) patterns: Patterns,
    /// Key type as written, and as the key itself says.
    pub(super) algorithm: String,
    /// The public key as it crosses the wire.
    pub(super) blob: Vec<u8>,
}

/// A line that cannot be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadLine {
    /// It begins with `@revoked`.
    pub(super) revokes: bool,
    pub(super) why: &'static str,
}

/// Reads one line; `None` for blanks and comments. The place is left empty.
pub(super) fn parse(text: &str) -> Result<Option<Line>, BadLine> {
    let mut fields = text.split_ascii_whitespace().peekable();
    let Some(first) = fields.peek() else { return Ok(None) };
    if first.starts_with('#') {
        return Ok(None);
    }
    let marker = match *first {
        "@cert-authority" => Marker::Authority,
        "@revoked" => Marker::Revoked,
        word if word.starts_with('@') => {
            return Err(BadLine { revokes: false, why: "the marker is unknown" });
        }
        _ => Marker::None,
    };
    if marker != Marker::None {
        fields.next();
    }
    let bad = |why| BadLine { revokes: marker == Marker::Revoked, why };
    let patterns = fields.next().ok_or(bad("the host is missing"))?;
    let patterns = parse_patterns(patterns).map_err(bad)?;
    let algorithm = fields.next().ok_or(bad("the key type is missing"))?;
    let blob = fields.next().ok_or(bad("the key is missing"))?;
    let blob = Base64::decode_vec(blob).map_err(|_| bad("the key is not base64"))?;
    if key_type(&blob) != Some(algorithm.as_bytes()) {
        return Err(bad("the key is cut short, or not of the type the line says"));
    }
    let place = Place { file: PathBuf::new(), line: 0 };
    Ok(Some(Line { place, marker, patterns, algorithm: algorithm.to_owned(), blob }))
}

/// The key type that a key itself begins with; `None` unless the key is whole. Every kind of public
/// key is a list of at least two strings, each led by its length (RFC 4253, section 6.6).
fn key_type(blob: &[u8]) -> Option<&[u8]> {
    let mut fields = Vec::new();
    let mut rest = blob;
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (field, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        fields.push(field);
        rest = after;
    }
    if fields.len() < 2 { None } else { fields.first().copied() }
}

fn parse_patterns(field: &str) -> Result<Patterns, &'static str> {
    let Some(hashed) = field.strip_prefix("|1|") else {
        if field.starts_with('|') {
            return Err("the name is hashed in an unknown way");
        }
        return Ok(Patterns::Plain(field.to_lowercase()));
    };
    let (salt, hash) = hashed.split_once('|').ok_or("the hashed name is cut short")?;
    let decode = |text| Base64::decode_vec(text).map_err(|_| "the hashed name is not base64");
    let (salt, hash) = (decode(salt)?, decode(hash)?);
    if hash.len() != 20 {
        return Err("the hashed name is not 20 bytes long");
    }
    Ok(Patterns::Hashed { salt, hash })
}

impl Patterns {
    /// Is `name` meant? One negated pattern that matches rules the whole line out.
    pub(super) fn matches(&self, name: &str) -> bool {
        match self {
            Self::Hashed { salt, hash } => {
                let Ok(mut mac) = <Hmac<Sha1> as KeyInit>::new_from_slice(salt) else {
                    return false;
                };
                mac.update(name.as_bytes());
                mac.verify_slice(hash).is_ok()
            }
            Self::Plain(list) => {
                let mut matched = false;
                for pattern in list.split(',') {
                    match pattern.strip_prefix('!') {
                        Some(not) if wildcard(not, name) => return false,
                        Some(_) => {}
                        None => matched |= wildcard(pattern, name),
                    }
                }
                matched
            }
        }
    }
}

/// Does `text` match `pattern`, where `*` is any run of characters and `?` any single one?
///
/// Remembers the last star only, so that no pattern costs more than the product of the lengths.
pub(super) fn wildcard(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, t));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((after, from)) => {
                    star = Some((after, from + 1));
                    (p, t) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}
