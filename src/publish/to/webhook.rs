//! A post to any HTTP server, with a body of the operator's own shape.
//!
//! `Idempotency-Key` is the same for the same post however often it is tried. With a secret,
//! `Evac-Signature: t=SECONDS,v1=HEX` is the HMAC-SHA256 of `SECONDS.BODY`.

use serde_json::{Value, json};

use super::{Auth, Call, Destination, Does, Job, Request, Words};

/// Where it goes.
pub struct Webhook {
    pub url: String,
    /// JSON with `{title}` and the like in its texts.
    pub body: Option<String>,
    pub is_signed: bool,
    pub calls_a_minute: usize,
}

impl Destination for Webhook {
    fn does(&self) -> Does {
        Does { posts: true, calls_a_minute: self.calls_a_minute, ..Does::NOTHING }
    }

    fn call(&self, job: &Job<'_>) -> Result<Call, String> {
        let post = job.post().ok_or("a webhook takes posts only")?;
        let body = match &self.body {
            None => json!({
                "schema": 1,
                "id": post.id,
                "site": job.name,
                "kind": post.kind,
                "at": post.at,
                "title": post.title,
                "body": post.body,
                "next_by": post.next_by,
            }),
            Some(template) => {
                let shape = serde_json::from_str(template).map_err(|error| error.to_string())?;
                filled(shape, post, job.name)
            }
        };
        Ok(Call::Http(Request {
            method: "POST",
            url: self.url.clone(),
            headers: vec![("Idempotency-Key", job.key.clone())],
            body: Some(body.to_string()),
            auth: if self.is_signed { Auth::Hmac } else { Auth::None },
        }))
    }
}

/// Fills in texts after the shape was read, so that no text can break out of it.
fn filled(shape: Value, post: &Words, site: &str) -> Value {
    match shape {
        Value::String(text) => Value::String(fill(&text, post, site)),
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| filled(item, post, site)).collect())
        }
        Value::Object(fields) => Value::Object(
            fields.into_iter().map(|(key, value)| (key, filled(value, post, site))).collect(),
        ),
        other => other,
    }
}

/// One pass: what is filled in is not looked at again.
fn fill(text: &str, post: &Words, site: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let known = after.split_once('}').and_then(|(name, after)| {
            let value = match name {
                "title" => post.title.clone(),
                "body" => post.body.clone(),
                "kind" => post.kind.clone(),
                "id" => post.id.clone(),
                "site" => site.to_owned(),
                "at" => post.at.to_string(),
                "next" => post.next_by.map(|at| at.to_string()).unwrap_or_default(),
                _ => return None,
            };
            Some((value, after))
        });
        if let Some((value, after)) = known {
            out.push_str(&value);
            rest = after;
        } else {
            out.push('{');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}
