//! The page in a bucket of an S3-compatible store: what changed is put, entry pages last, and what
//! evac put there and no longer renders is deleted.
//!
//! On a slow line it takes several calls: the list says what is there already.
//!
//! **Promises.** [`manifest`] keeps what is ours: nothing else is replaced or deleted. Every
//! request is signed by AWS Signature Version 4. A list that the store answers with is bounded, and
//! so is the time that all of it takes.

use std::collections::BTreeSet;
use std::time::Duration;

use super::carry::{Carrier, hidden};
use super::manifest::{self, Manifest, in_order};
use super::{Reply, Secret, refusal, sign};
use crate::inventory::settings_publish as settings;
use crate::publish::Rendered;
use crate::publish::folder::listed;
use crate::publish::outbox::Answer;
use crate::publish::own::{FOLDER, is_secret};
use crate::publish::pulse::Pulse;

/// After so long what is left waits for the next call.
const WITHIN: Duration = Duration::from_secs(15);
/// More pages of keys nobody has: a million keys.
const LISTS_MAX: usize = 1_000;

/// A bucket, and who puts there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Of the bucket.
    pub url: String,
    pub region: String,
    /// Access key.
    pub user: String,
    /// Whose page it is.
    pub site: String,
}

/// Puts `page` there.
pub(super) fn put(
    carrier: &Carrier,
    to: &settings::Destination,
    place: &Place,
    (page, pulse): (&Rendered, &Pulse),
) -> Result<Reply, Answer> {
    let bucket = Bucket::new(carrier, to, place, pulse)?;
    let began = carrier.clock.elapsed();
    let old = bucket.manifest()?;
    if old.as_ref().is_some_and(|old| old.site != place.site) {
        return Err(not_ours());
    }
    let (old, new) = (old.unwrap_or_default(), Manifest::of(&place.site, page));
    let changed: Vec<&str> =
        in_order(page).into_iter().filter(|path| !old.has(path, &page.files[*path])).collect();
    let gone = old.gone(&new);
    if changed.is_empty() && gone.is_empty() && old == new {
        return Ok(Reply::marked(new.digest()));
    }
    for path in changed.iter().filter(|path| !old.names(path) && !is_secret(path)) {
        if bucket.get(path)?.is_some() {
            return Err(foreign(path));
        }
    }
    bucket.put(manifest::NAME, old.on_the_way_to(&new, &changed).text().as_bytes())?;
    for (at, path) in changed.iter().enumerate() {
        if at > 0 && carrier.clock.elapsed().saturating_sub(began) > WITHIN {
            let left = old.on_the_way_to(&new, &changed[at..]);
            bucket.put(manifest::NAME, left.text().as_bytes())?;
            let left = changed.len() - at;
            let said = format!("it takes long: {left} files are left, and follow");
            return Err(Answer::NotSent { said });
        }
        bucket.put(path, &page.files[*path])?;
    }
    bucket.delete(&gone)?;
    bucket.put(manifest::NAME, new.text().as_bytes())?;
    Ok(Reply::marked(new.digest()))
}

/// The first public object that is not as it was put there, if there is one.
pub(super) fn differing(
    carrier: &Carrier,
    to: &settings::Destination,
    place: &Place,
    (mark, pulse): (&str, &Pulse),
) -> Result<Option<String>, Answer> {
    let bucket = Bucket::new(carrier, to, place, pulse)?;
    let began = carrier.clock.elapsed();
    let Some(list) = bucket.manifest()?.filter(|list| list.digest() == mark) else {
        return Ok(Some(manifest::NAME.to_owned()));
    };
    for path in list.public() {
        if carrier.clock.elapsed().saturating_sub(began) > WITHIN {
            // As far as it was read nothing differs.
            return Ok(None);
        }
        let content = bucket.get(path)?;
        if content.is_none_or(|content| !list.has(path, &content)) {
            return Ok(Some(path.to_owned()));
        }
    }
    Ok(None)
}

struct Bucket<'a> {
    carrier: &'a Carrier,
    place: &'a Place,
    secret: Option<Secret>,
    host: &'a str,
    name: &'a str,
    pulse: &'a Pulse,
}

impl<'a> Bucket<'a> {
    fn new(
        carrier: &'a Carrier,
        to: &settings::Destination,
        place: &'a Place,
        pulse: &'a Pulse,
    ) -> Result<Self, Answer> {
        let secret = carrier.secret(to)?;
        let rest = place.url.split_once("://").map_or(place.url.as_str(), |(_, rest)| rest);
        let (host, name) = rest.split_once('/').unwrap_or((rest, ""));
        Ok(Self { carrier, place, secret, host, name, pulse })
    }

    fn manifest(&self) -> Result<Option<Manifest>, Answer> {
        let found = self.get(manifest::NAME)?;
        found.map(|bytes| Manifest::read(&bytes).map_err(|_| not_ours())).transpose()
    }

    /// `None`: there is no such object.
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Answer> {
        let reply = self.ask("GET", key, "", None)?;
        if reply.status == 404 {
            return Ok(None);
        }
        done(&reply).map(|()| Some(reply.body))
    }

    fn put(&self, key: &str, content: &[u8]) -> Result<(), Answer> {
        done(&self.ask("PUT", key, "", Some(content))?)
    }

    /// Deletes what the list names, secret keys found by their hash.
    fn delete(&self, gone: &BTreeSet<String>) -> Result<(), Answer> {
        let mut keys: Vec<String> =
            gone.iter().filter(|path| !path.starts_with('#')).cloned().collect();
        if keys.len() < gone.len() {
            keys.extend(self.own_pages()?.into_iter().filter(|key| gone.contains(&listed(key))));
        }
        keys.iter().try_for_each(|key| {
            let reply = self.ask("DELETE", key, "", None)?;
            if reply.status == 404 { Ok(()) } else { done(&reply) }
        })
    }

    /// Keys of customers' own pages, whoever put them there.
    fn own_pages(&self) -> Result<Vec<String>, Answer> {
        let (mut keys, mut from) = (Vec::new(), String::new());
        for _ in 0..LISTS_MAX {
            let token = match from.as_str() {
                "" => String::new(),
                token => format!("continuation-token={}&", encoded(token)),
            };
            let query = format!("{token}list-type=2&prefix={}", encoded(FOLDER));
            let reply = self.ask("GET", "", &query, None)?;
            done(&reply)?;
            let text = String::from_utf8_lossy(&reply.body);
            keys.extend(elements(&text, "Key").map(str::to_owned));
            match elements(&text, "NextContinuationToken").next() {
                Some(next) if elements(&text, "IsTruncated").next() == Some("true") => {
                    from = next.replace("&amp;", "&");
                }
                _ => break,
            }
        }
        Ok(keys)
    }

    fn ask(
        &self,
        method: &str,
        key: &str,
        query: &str,
        body: Option<&[u8]>,
    ) -> Result<Reply, Answer> {
        let token = self.secret.as_ref().map_or("", Secret::reveal);
        let body_sha256 = sign::sha256(body.unwrap_or_default());
        let kind = content_type(key);
        let described = [("cache-control", "max-age=30"), ("content-type", kind)];
        let signed = sign::Signed {
            method,
            host: self.host,
            path: &format!("/{}/{key}", self.name),
            query,
            body_sha256: &body_sha256,
            region: &self.place.region,
            access_key: &self.place.user,
            secret_key: token,
            headers: if body.is_some() { &described } else { &[] },
        };
        let (date, authorization) = sign::aws(&signed, self.carrier.clock.now());
        let mut headers = vec![
            ("Authorization", authorization),
            ("x-amz-date", date),
            ("x-amz-content-sha256", body_sha256.clone()),
        ];
        if body.is_some() {
            headers.push(("Cache-Control", "max-age=30".to_owned()));
            headers.push(("Content-Type", kind.to_owned()));
        }
        let asked = if query.is_empty() { String::new() } else { format!("?{query}") };
        let url = format!("{}/{key}{asked}", self.place.url);
        let reply = self.carrier.send(method, &url, &headers, body);
        self.pulse.beats();
        reply.map_err(|answer| hidden(answer, self.secret.as_ref()))
    }
}

fn done(reply: &Reply) -> Result<(), Answer> {
    refusal(reply).map_or(Ok(()), Err)
}

fn foreign(path: &str) -> Answer {
    let said = format!(
        "`{path}` is in the bucket, and evac did not put it there; empty it, or name another"
    );
    Answer::Refused { said }
}

fn not_ours() -> Answer {
    let said = format!(
        "`{}` in the bucket is no list of this site's; empty the bucket, or name another",
        manifest::NAME
    );
    Answer::Refused { said }
}

/// The texts of elements that hold nothing but text.
fn elements<'t>(text: &'t str, name: &str) -> impl Iterator<Item = &'t str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut rest = text;
    std::iter::from_fn(move || {
        let (_, after) = rest.split_once(&open)?;
        let (inner, after) = after.split_once(&close)?;
        rest = after;
        Some(inner)
    })
}

/// Percent-encoded as signatures want it.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("json") => "application/json",
        Some("atom") => "application/atom+xml",
        Some("rss") => "application/rss+xml",
        Some("svg") => "image/svg+xml",
        Some("ics") => "text/calendar; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("txt") => "text/plain; charset=utf-8",
        _ if path.ends_with(manifest::NAME) => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
