//! Identifiers. Every id is its own type; no bare string or number crosses a module.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid id: {why}")]
pub struct InvalidId {
    /// The offending text, bounded.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// The rule for names that people write: `[a-z0-9][a-z0-9._-]{0,62}`.
fn check_name(text: &str) -> Result<(), InvalidId> {
    let refuse = |why| Err(InvalidId { text: crate::model::text::bounded(text, 80), why });
    let bytes = text.as_bytes();
    match bytes.first() {
        None => return refuse("it is empty"),
        Some(b'a'..=b'z' | b'0'..=b'9') => {}
        Some(_) => return refuse("it must begin with a-z or 0-9"),
    }
    if bytes.len() > 63 {
        return refuse("it is longer than 63 characters");
    }
    let allowed = |b: &u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    if !bytes.iter().all(allowed) {
        return refuse("only a-z, 0-9, dot, underscore and hyphen are allowed");
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks `text` against the rule for ids.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                check_name(&text)?;
                Ok(Self(text))
            }
            /// The id as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }
        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// Who owns data.
    CustomerId
);
name!(
    /// A source machine reachable by SSH.
    HostId
);
name!(
    /// The unit of evacuation.
    WorkloadId
);
name!(
    /// How customers may be counted in public.
    GroupId
);
name!(
    /// A machine, or a pool of them, on the own racks.
    TargetId
);
name!(
    /// A shared choke point with a rate: uplink, hypervisor, disk, bastion.
    ResourceId
);
name!(
    /// A tier of customers, with a weight in the settings.
    TierName
);

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;
            /// The raw bytes.
            pub fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
            /// Lower-case hexadecimal.
            pub fn to_hex(&self) -> String {
                use fmt::Write as _;
                let mut text = String::with_capacity($len * 2);
                for byte in self.0 {
                    let _ = write!(text, "{byte:02x}");
                }
                text
            }
            /// Reads exactly what [`Self::to_hex`] writes.
            pub fn from_hex(text: &str) -> Option<Self> {
                let bytes = text.as_bytes();
                if bytes.len() != $len * 2 {
                    return None;
                }
                let digit = |b: u8| match b {
                    b'0'..=b'9' => Some(b - b'0'),
                    b'a'..=b'f' => Some(b - b'a' + 10),
                    _ => None,
                };
                let mut id = [0_u8; $len];
                for (slot, pair) in id.iter_mut().zip(bytes.chunks_exact(2)) {
                    *slot = digit(pair[0])? << 4 | digit(pair[1])?;
                }
                Some(Self(id))
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.to_hex())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

hex_id!(
    /// Name of a piece of content: BLAKE3 keyed with the key of its dedup domain.
    ChunkId, 32
);
hex_id!(
    /// Six bytes of a [`ChunkId`]: tells which of the chunks somebody has is meant, and is no name.
    ShortId, 6
);

impl ChunkId {
    /// The bytes by which the store's index is sorted: its shard, then the highest of the hash.
    pub fn short(&self) -> ShortId {
        let mut short = [self.0[0]; ShortId::LEN];
        short[1..].copy_from_slice(&self.0[11..16]);
        ShortId(short)
    }
}

hex_id!(
    /// A file of frames in the store; random, so that several writers never meet.
    PackId, 16
);
hex_id!(
    /// Who may share chunks with whom; the first bytes of the hash of the domain's name.
    Domain, 8
);
hex_id!(
    /// One evac site (one folder of settings and state); random, made by `init`.
    SiteId, 8
);

/// Session counter of one agent on one host: a newer one ends the older.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Generation(pub u64);

/// Number of a pass over a workload, from 1.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct PassNumber(pub u32);

impl fmt::Display for PassNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Number of a sorted run inside a pass: 0 is the walk, later ones are closing sweeps.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct RunNumber(pub u32);

impl fmt::Display for RunNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rule() {
        for good in ["a", "vps-014", "0x.y_z", &"a".repeat(63)] {
            assert!(HostId::new(good).is_ok(), "{good}");
        }
        for bad in ["", "A", "-a", ".a", "a b", "é", "a/b", &"a".repeat(64)] {
            assert!(HostId::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn hex_ids_read_what_they_write() {
        let id = PackId([0xab; 16]);
        assert_eq!(PackId::from_hex(&id.to_hex()), Some(id));
        assert_eq!(PackId::from_hex("zz"), None);
        assert_eq!(PackId::from_hex(&"AB".repeat(16)), None);
    }
}
