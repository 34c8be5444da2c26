//! The addresses of customers' own pages: random, kept in a file of their own, revocable.
//!
//! **Invariants.** A token has 128 bits from the operating system; nothing of a customer is in it.
//! It stands in `state/keys/pages` (0600) and in the address of the page, in no ledger and no log.
//! That file is replaced as a whole; one that cannot be read is an error, never a new beginning:
//! links that were sent out must not die of it.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::{CustomerId, Timestamp};
use crate::publish::PublishError;
use crate::publish::kept::Kept;

/// Its name in the folder of keys.
const FILE: &str = "pages";
const SCHEMA: u32 = 1;
/// Letters and digits that nobody mistakes for others, also over the phone.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Five bits each.
const CHARS: usize = 26;

/// What only one customer knows.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Token(String);

impl Token {
    /// A new one.
    pub fn draw() -> io::Result<Self> {
        let mut bytes = [0_u8; 16];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        let bits = u128::from_le_bytes(bytes);
        let char_at = |index: usize| ALPHABET[(bits >> (5 * index) & 31) as usize];
        Ok(Self((0..CHARS).map(|index| char::from(char_at(index))).collect()))
    }

    /// As it stands in the address of the page.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

/// Says nothing: a token is a secret.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not 26 letters and digits of a token")]
pub struct NoToken;

impl FromStr for Token {
    type Err = NoToken;
    fn from_str(text: &str) -> Result<Self, NoToken> {
        let is_token = text.len() == CHARS && text.bytes().all(|byte| ALPHABET.contains(&byte));
        is_token.then(|| Self(text.to_owned())).ok_or(NoToken)
    }
}

impl TryFrom<String> for Token {
    type Error = NoToken;
    fn try_from(text: String) -> Result<Self, NoToken> {
        text.parse()
    }
}

impl From<Token> for String {
    fn from(token: Token) -> Self {
        token.0
    }
}

/// A page that there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    /// Its secret.
    pub token: Token,
    /// Since when.
    pub since: Timestamp,
    /// Who made it.
    pub by: String,
}

/// Everybody who has a page.
pub type Tokens = BTreeMap<CustomerId, Issued>;

/// The file of tokens.
#[derive(Debug, Clone)]
pub struct TokenFile {
    folder: PathBuf,
}

impl TokenFile {
    /// In the folder of keys.
    pub fn of(keys: &Path) -> Self {
        Self { folder: keys.to_owned() }
    }

    fn kept(&self) -> Kept {
        Kept::new(&self.folder, FILE)
    }

    /// Everybody who has a page; nobody before the file is there.
    pub fn read(&self) -> Result<Tokens, PublishError> {
        self.kept().read(SCHEMA)
    }

    /// Gives a page to each of `customers` that has none; returns everybody's.
    pub fn issue(
        &self,
        customers: &[CustomerId],
        by: &str,
        now: Timestamp,
    ) -> Result<Tokens, PublishError> {
        self.change(|tokens| {
            for customer in customers {
                if !tokens.contains_key(customer) {
                    let token = Token::draw()?;
                    let issued = Issued { token, since: now, by: by.to_owned() };
                    tokens.insert(customer.clone(), issued);
                }
            }
            Ok(())
        })
    }

    /// Takes the pages of `customers` away, for good; returns who is left.
    pub fn revoke(&self, customers: &[CustomerId]) -> Result<Tokens, PublishError> {
        self.change(|tokens| {
            tokens.retain(|customer, _| !customers.contains(customer));
            Ok(())
        })
    }

    fn change(
        &self,
        change: impl FnOnce(&mut Tokens) -> io::Result<()>,
    ) -> Result<Tokens, PublishError> {
        self.kept().change(SCHEMA, change)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_page_keeps_its_token_until_it_is_revoked() {
        let top = tempfile::tempdir().unwrap();
        let file = TokenFile::of(&top.path().join("keys"));
        let (acme, beta): (CustomerId, CustomerId) =
            ("acme".parse().unwrap(), "beta".parse().unwrap());
        let now = "2030-03-04T02:50:00Z".parse().unwrap();
        assert_eq!(file.read().unwrap(), Tokens::new());
        let first = file.issue(std::slice::from_ref(&acme), "jo", now).unwrap();
        let both = file.issue(&[acme.clone(), beta.clone()], "kim", now).unwrap();
        assert_eq!(both[&acme], first[&acme]);
        assert_ne!(both[&acme].token, both[&beta].token);
        assert_eq!(both[&beta].token.secret().parse(), Ok(both[&beta].token.clone()));
        assert_eq!(
            file.revoke(std::slice::from_ref(&acme)).unwrap().keys().collect::<Vec<_>>(),
            [&beta]
        );
        let again = file.issue(std::slice::from_ref(&acme), "jo", now).unwrap();
        assert_ne!(again[&acme].token, first[&acme].token);
        assert_eq!(file.read().unwrap(), again);
        let path = top.path().join("keys/pages");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!format!("{again:?}").contains(again[&acme].token.secret()));

        fs::write(&path, "half").unwrap();
        file.issue(&[acme], "jo", now).unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"half");
    }
}
