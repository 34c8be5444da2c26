//! Who may look: personal links, kept as hashes in `state/keys/people` (0600), revocable.
//!
//! **Invariants.** A link has 128 bits from the operating system and is shown once. What a browser
//! keeps is made of it one way, and what evac keeps of that another way: neither the file nor a
//! cookie gives a link away. A link that is revoked is refused from the next request on.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;
use crate::model::text::bounded;
use crate::publish::kept::Kept;
use crate::publish::token::Token;
use crate::web::WebError;

/// Its name in the folder of keys.
const FILE: &str = "people";
const SCHEMA: u32 = 1;
const NAME_CHARS_MAX: usize = 40;
const OF_SESSION: &str = "evac 2026 web session of a link";
const OF_KNOWN: &str = "evac 2026 web known session";
const OF_FORM: &str = "evac 2026 web form of a session";

/// What somebody may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The look-up.
    Support,
    /// The look-up and the live view.
    Operator,
}

/// Somebody who has a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// What he may see.
    pub role: Role,
    /// Since when.
    pub since: Timestamp,
    /// Who gave it to him.
    pub by: String,
    /// Of his session.
    hash: String,
}

/// Everybody who has a link, by name.
pub type People = BTreeMap<String, Known>;

/// Somebody who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// As `evac serve token` was told.
    pub name: String,
    /// What he may see.
    pub role: Role,
    /// What his forms carry.
    pub form: String,
}

/// What a browser keeps instead of a link.
#[derive(Clone, PartialEq, Eq)]
pub struct Session([u8; 32]);

/// Says nothing: it is as good as the link.
impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Session(…)")
    }
}

impl Session {
    /// Of the link that ends with `text`; whatever it is, it takes as long.
    pub fn of_link(text: &str) -> Self {
        Self(blake3::derive_key(OF_SESSION, text.as_bytes()))
    }

    /// As a cookie carries it; whatever that is, it becomes a session, of nobody perhaps.
    pub fn of_cookie(text: &str) -> Self {
        Self(blake3::Hash::from_hex(text).map_or([0; 32], |hash| *hash.as_bytes()))
    }

    /// For a cookie.
    pub fn cookie(&self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }

    fn known(&self) -> blake3::Hash {
        blake3::Hash::from_bytes(blake3::derive_key(OF_KNOWN, &self.0))
    }

    fn form(&self) -> String {
        blake3::Hash::from_bytes(blake3::derive_key(OF_FORM, &self.0)).to_hex().to_string()
    }
}

/// The file of people.
#[derive(Debug, Clone)]
pub struct PeopleFile {
    kept: Kept,
}

impl PeopleFile {
    /// In the folder of keys.
    pub fn of(keys: &Path) -> Self {
        Self { kept: Kept::new(keys, FILE) }
    }

    /// Everybody who has a link.
    pub fn read(&self) -> Result<People, WebError> {
        Ok(self.kept.read(SCHEMA)?)
    }

    /// Gives `name` a link, which nobody can show again.
    pub fn issue(
        &self,
        name: &str,
        role: Role,
        by: &str,
        now: Timestamp,
    ) -> Result<Token, WebError> {
        let is_name = !name.trim().is_empty() && bounded(name, NAME_CHARS_MAX) == name;
        if !is_name {
            return Err(WebError::Name { name: bounded(name, NAME_CHARS_MAX) });
        }
        let token = Token::draw().map_err(|source| {
            let path = Path::new("the system's random numbers").to_owned();
            WebError::Io { action: "draw a link from", path, source }
        })?;
        let hash = Session::of_link(token.secret()).known().to_hex().to_string();
        let known = Known { role, since: now, by: by.to_owned(), hash };
        let mut was_known = false;
        self.kept.change(SCHEMA, |people: &mut People| {
            was_known = people.contains_key(name);
            if !was_known {
                people.insert(name.to_owned(), known);
            }
            Ok(())
        })?;
        if was_known { Err(WebError::Known { name: name.to_owned() }) } else { Ok(token) }
    }

    /// Takes the link of `name` away, for good.
    pub fn revoke(&self, name: &str) -> Result<(), WebError> {
        let mut removed = None;
        self.kept.change(SCHEMA, |people: &mut People| {
            removed = people.remove(name);
            Ok(())
        })?;
        let unknown = || WebError::Unknown { name: bounded(name, NAME_CHARS_MAX) };
        removed.map(drop).ok_or_else(unknown)
    }
}

/// Whose session it is. Everybody is compared, each in constant time.
pub fn whose(people: &People, session: &Session) -> Option<Person> {
    let known = session.known();
    let mut found = None;
    for (name, person) in people {
        // A hash that cannot be read is nobody's; comparison of hashes takes constant time.
        let hash =
            blake3::Hash::from_hex(&person.hash).unwrap_or(blake3::Hash::from_bytes([0; 32]));
        if hash == known {
            let name = name.clone();
            found = Some(Person { name, role: person.role, form: session.form() });
        }
    }
    found
}

/// Are two secrets the same? Takes constant time.
pub fn is_same(one: &str, other: &str) -> bool {
    blake3::hash(one.as_bytes()) == blake3::hash(other.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_link_opens_until_it_is_revoked_and_only_its_hash_is_kept() {
        let top = tempfile::tempdir().unwrap();
        let keys = top.path().join("keys");
        let file = PeopleFile::of(&keys);
        let now = "2030-03-04T02:50:00Z".parse().unwrap();
        let jo = file.issue("Jo", Role::Support, "kim", now).unwrap();
        let kim = file.issue("Kim de Vries", Role::Operator, "kim", now).unwrap();
        let who = |link: &str| whose(&file.read().unwrap(), &Session::of_link(link));
        assert_eq!(who(jo.secret()).unwrap().name, "Jo");
        assert_eq!(who(kim.secret()).unwrap().role, Role::Operator);
        assert_eq!(who("no link"), None);
        let session = Session::of_link(jo.secret());
        assert_eq!(Session::of_cookie(&session.cookie()), session);
        assert_eq!(whose(&file.read().unwrap(), &Session::of_cookie("%%%")), None);

        let kept = fs::read_to_string(keys.join(FILE)).unwrap();
        let mode = fs::metadata(keys.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for secret in [jo.secret(), &session.cookie()] {
            assert!(!kept.contains(secret), "{kept}");
        }
        // What is kept is no session either.
        let hash = file.read().unwrap()["Jo"].hash.clone();
        assert_eq!(whose(&file.read().unwrap(), &Session::of_cookie(&hash)), None);

        let again = file.issue("Jo", Role::Operator, "kim", now);
        assert!(matches!(again, Err(WebError::Known { .. })), "{again:?}");
        file.revoke("Jo").unwrap();
        assert_eq!(who(jo.secret()), None);
        assert!(matches!(file.revoke("Jo"), Err(WebError::Unknown { .. })));
        for bad in ["", " ", "a\nb", &"x".repeat(41)] {
            assert!(file.issue(bad, Role::Support, "kim", now).is_err(), "{bad:?}");
        }
    }
}
