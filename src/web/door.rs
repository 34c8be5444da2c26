//! Who asks: by which name of this machine, with which cookie.
//!
//! **Invariant.** A page elsewhere that gives its own name our address (DNS rebinding) reaches
//! nothing: a request must name this machine by an address, by `localhost`, or by the name in the
//! link that people were given.

use std::net::IpAddr;

use axum::http::{HeaderMap, Uri, header, uri::Authority};

use crate::web::people::Session;

/// How long a browser keeps a session that it does not use: a shift.
const SHIFT_S: u32 = 12 * 3_600;
/// More than any browser sends.
const COOKIE_BYTES_MAX: usize = 4_096;

/// Where pages are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// The name people reach it by, if it has one.
    name: Option<String>,
    /// Does somebody in front of it speak TLS?
    secure: bool,
}

/// What is no address of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no address such as https://desk.example.net")]
pub struct NoAddress;

impl Door {
    /// Reached at `url`, as browsers write it; without one, at addresses and as `localhost`.
    pub fn new(url: Option<&str>) -> Result<Self, NoAddress> {
        let Some(url) = url else { return Ok(Self { name: None, secure: false }) };
        let uri: Uri = url.parse().map_err(|_| NoAddress)?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(NoAddress),
        };
        let is_root = matches!(uri.path(), "" | "/") && uri.query().is_none();
        let name = uri.host().filter(|name| is_root && !name.is_empty()).ok_or(NoAddress)?;
        Ok(Self { name: Some(name.to_ascii_lowercase()), secure })
    }

    /// Does the request name this machine?
    pub(super) fn is_ours(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
        let host = host.to_str().ok().and_then(|text| text.parse::<Authority>().ok());
        let is_ours = |authority: &Authority| self.is_our_name(authority.host());
        host.is_some_and(|host| is_ours(&host)) && uri.authority().is_none_or(is_ours)
    }

    fn is_our_name(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        let is_address = address.parse::<IpAddr>().is_ok();
        is_address || host == "localhost" || self.name.as_ref() == Some(&host)
    }

    /// The name of the cookie: browsers take one of this name from no neighbour.
    fn cookie(&self) -> &'static str {
        if self.secure { "__Host-evac" } else { "evac" }
    }

    /// The session that a browser kept; of nobody where there is none.
    pub(super) fn session(&self, headers: &HeaderMap) -> Session {
        let texts = headers.get_all(header::COOKIE).iter().filter_map(|it| it.to_str().ok());
        let mut pairs = texts
            .filter(|text| text.len() <= COOKIE_BYTES_MAX)
            .flat_map(|text| text.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        let found = pairs.find(|(name, _)| *name == self.cookie());
        Session::of_cookie(found.map_or("", |(_, value)| value))
    }

    /// Has a browser keep `session`; without one, forget what it keeps.
    pub(super) fn keep(&self, session: Option<&Session>) -> String {
        let (value, age) = session.map_or((String::new(), 0), |it| (it.cookie(), SHIFT_S));
        let secure = if self.secure { "; Secure" } else { "" };
        let name = self.cookie();
        format!("{name}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_ours(door: &Door, uri: &str, hosts: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, host.parse().unwrap());
        }
        door.is_ours(&uri.parse().unwrap(), &headers)
    }

    #[test]
    fn only_requests_that_name_this_machine_are_heard() {
        let plain = Door::new(None).unwrap();
        for host in ["127.0.0.1:8088", "localhost:9000", "[::1]:8088", "LOCALHOST", "10.0.0.9"] {
            assert!(is_ours(&plain, "/", &[host]), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8088", ""] {
            assert!(!is_ours(&plain, "/", &[host]), "{host}");
        }
        assert!(!is_ours(&plain, "/", &[]) && !is_ours(&plain, "/", &["localhost", "localhost"]));
        assert!(!is_ours(&plain, "http://evil.example/", &["localhost"]));
        let named = Door::new(Some("https://Desk.example.net/")).unwrap();
        assert!(is_ours(&named, "/", &["desk.example.net"]));
        assert!(!is_ours(&named, "/", &["example.net"]));
        for bad in ["desk.example.net", "ftp://x", "https://", "https://x/y", "https://x/?y", ""] {
            assert_eq!(Door::new(Some(bad)), Err(NoAddress), "{bad}");
        }
    }

    #[test]
    fn a_cookie_is_for_us_alone_and_ends() {
        let session = Session::of_link("secret");
        let kept = Door::new(None).unwrap().keep(Some(&session));
        assert!(kept.starts_with("evac=") && kept.ends_with("; HttpOnly; SameSite=Strict"));
        let door = Door::new(Some("https://desk.example.net")).unwrap();
        let kept = door.keep(Some(&session));
        assert!(kept.starts_with("__Host-evac=") && kept.ends_with("; Secure"), "{kept}");
        assert!(door.keep(None).contains("__Host-evac=; Path=/; Max-Age=0"));
        let mut headers = HeaderMap::new();
        assert_eq!(door.session(&headers), Session::of_cookie(""));
        let sent = format!("a=b; __Host-evac={}; evac=x", session.cookie());
        headers.insert(header::COOKIE, sent.parse().unwrap());
        assert_eq!(door.session(&headers), session);
    }
}
