//! Asks where a domain's mail goes (RFC 1035): the resolver of this machine knows, but the standard
//! library asks it for addresses alone. Question and answer are pure here.
//!
//! An answer may be anybody's: every step is bounded, and what is odd counts as no answer.

use std::collections::BTreeSet;

const HEADER_BYTES: usize = 12;
const MX: u16 = 15;
const INTERNET: u16 = 1;
/// Records looked at in one answer.
const RECORDS_MAX: usize = 40;
/// Labels and jumps of one name.
const STEPS_MAX: usize = 128;
const NAME_BYTES_MAX: usize = 253;

/// The question for the mail servers of `domain`; `None`: it is no name.
pub fn question(id: u16, domain: &str) -> Option<Vec<u8>> {
    let domain = domain.trim_end_matches('.');
    if domain.is_empty() || domain.len() > NAME_BYTES_MAX {
        return None;
    }
    let mut bytes = Vec::with_capacity(HEADER_BYTES + domain.len() + 6);
    bytes.extend(id.to_be_bytes());
    // Recursion desired, one question.
    bytes.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in domain.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..64).contains(length))?;
        bytes.push(length);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend(MX.to_be_bytes());
    bytes.extend(INTERNET.to_be_bytes());
    Some(bytes)
}

/// The mail servers that an answer names; none at all where there is none; `None`: no answer.
pub fn servers(id: u16, answer: &[u8]) -> Option<BTreeSet<String>> {
    let word = |at: usize| Some(u16::from_be_bytes([*answer.get(at)?, *answer.get(at + 1)?]));
    let flags = word(2)?;
    let (is_answer, is_cut, code) = (flags & 0x8000 != 0, flags & 0x0200 != 0, flags & 0x000f);
    // No such name is an answer too.
    if word(0)? != id || !is_answer || is_cut || !matches!(code, 0 | 3) {
        return None;
    }
    let mut at = HEADER_BYTES;
    for _ in 0..word(4)?.min(4) {
        at = name(answer, at)?.1 + 4;
    }
    let mut servers = BTreeSet::new();
    for _ in 0..usize::from(word(6)?).min(RECORDS_MAX) {
        let (_, fields) = name(answer, at)?;
        let (kind, length) = (word(fields)?, usize::from(word(fields + 8)?));
        let data = fields + 10;
        if kind == MX && length > 2 {
            let (server, _) = name(answer, data + 2)?;
            // `.` says that there is no mail at all.
            servers.extend((!server.is_empty()).then_some(server));
        }
        at = data + length;
    }
    Some(servers)
}

/// A name in lower case, and where it ends.
fn name(bytes: &[u8], start: usize) -> Option<(String, usize)> {
    let (mut at, mut end, mut name) = (start, None, String::new());
    for _ in 0..STEPS_MAX {
        let length = usize::from(*bytes.get(at)?);
        if length & 0xc0 == 0xc0 {
            end = end.or(Some(at + 2));
            at = (length & 0x3f) << 8 | usize::from(*bytes.get(at + 1)?);
            continue;
        }
        if length == 0 {
            return Some((name, end.unwrap_or(at + 1)));
        }
        let label = bytes.get(at + 1..at + 1 + length).filter(|_| length < 64)?;
        if !label.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte)) {
            return None;
        }
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(&String::from_utf8_lossy(label).to_ascii_lowercase());
        if name.len() > NAME_BYTES_MAX {
            return None;
        }
        at += 1 + length;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two servers, the second by a pointer into the question.
    fn answer() -> Vec<u8> {
        let mut bytes = question(7, "acme.example").unwrap();
        bytes[2..4].copy_from_slice(&[0x81, 0x80]);
        bytes[7] = 2;
        for server in [&b"\x02mx\x03net\x00"[..], &b"\x04Mail\xc0\x0c"[..]] {
            bytes.extend(b"\xc0\x0c\x00\x0f\x00\x01\x00\x00\x00\x3c");
            bytes.extend((server.len() as u16 + 2).to_be_bytes());
            bytes.extend([0, 10]);
            bytes.extend(server);
        }
        bytes
    }

    #[test]
    fn servers_are_read_out_of_an_answer() {
        let found = servers(7, &answer()).unwrap();
        assert_eq!(Vec::from_iter(found), ["mail.acme.example", "mx.net"]);
        assert_eq!(servers(8, &answer()), None, "somebody else's answer");
        assert!(question(1, &"a.".repeat(200)).is_none() && question(1, "a..b").is_none());
    }

    #[test]
    fn no_answer_can_lead_astray() {
        let whole = answer();
        for length in 0..whole.len() {
            let _ = servers(7, &whole[..length]);
        }
        for at in 0..whole.len() {
            for byte in [0, 0x3f, 0xc0, 0xff] {
                let mut bent = whole.clone();
                bent[at] = byte;
                let _ = servers(7, &bent);
            }
        }
        let mut circle = whole;
        let end = circle.len();
        circle[end - 2..].copy_from_slice(&[0xc0, (end - 2) as u8]);
        assert_eq!(servers(7, &circle), None);
    }
}
