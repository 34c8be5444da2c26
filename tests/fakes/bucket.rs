//! A strict fake of an S3-compatible store with one bucket, `status`: it computes each signature by
//! itself from what came over the wire, and lists three keys at a time.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Answered, Asked, Service, answer};

const SECRET: &str = "key";
const KEYS_A_LIST: usize = 3;

/// The bucket; who may enter has the key `AKIA` and the secret `key`.
#[derive(Default)]
pub struct Bucket {
    /// Content type and content by key.
    pub objects: BTreeMap<String, (String, String)>,
    /// Requests that changed something.
    pub changes: Vec<String>,
}

impl Service for Bucket {
    fn serve(&mut self, asked: &Asked) -> Answered {
        if let Err(why) = check(asked) {
            return answer(403, json!(format!("<Error><Code>{why}</Code></Error>")));
        }
        let Some(key) = asked.path.strip_prefix("/status/") else {
            return answer(404, json!("<Error><Code>NoSuchBucket</Code></Error>"));
        };
        match asked.method.as_str() {
            "GET" if key.is_empty() => self.list(&asked.query),
            "GET" => match self.objects.get(key) {
                Some((_, content)) => answer(200, json!(content)),
                None => answer(404, json!("<Error><Code>NoSuchKey</Code></Error>")),
            },
            "PUT" => {
                let object = (asked.header("content-type").to_owned(), asked.body.clone());
                self.objects.insert(key.to_owned(), object);
                self.changes.push(format!("PUT {key}"));
                answer(200, json!(""))
            }
            "DELETE" => {
                self.objects.remove(key);
                self.changes.push(format!("DELETE {key}"));
                answer(204, json!(""))
            }
            _ => answer(405, Value::Null),
        }
    }
}

impl Bucket {
    fn list(&self, query: &str) -> Answered {
        let value = |name: &str| {
            let pair = query.split('&').find_map(|it| it.strip_prefix(name)?.strip_prefix('='));
            pair.unwrap_or_default().replace("%2F", "/").replace("%2B", "+").replace("%3D", "=")
        };
        if value("list-type") != "2" {
            return answer(400, json!("<Error><Code>InvalidArgument</Code></Error>"));
        }
        let (prefix, token) = (value("prefix"), value("continuation-token"));
        let after = token.strip_prefix("+/=").unwrap_or_default();
        let mut keys =
            self.objects.keys().filter(|it| it.starts_with(&prefix) && it.as_str() > after);
        let some: Vec<_> = keys.by_ref().take(KEYS_A_LIST).collect();
        let mut text = String::from("<?xml version=\"1.0\"?><ListBucketResult>");
        if keys.next().is_some() {
            let next = some.last().map_or("", |key| key.as_str());
            text.push_str("<IsTruncated>true</IsTruncated>");
            text.push_str(&format!("<NextContinuationToken>+/={next}</NextContinuationToken>"));
        }
        for key in some {
            text.push_str(&format!("<Contents><Key>{key}</Key><Size>1</Size></Contents>"));
        }
        answer(200, json!(text + "</ListBucketResult>"))
    }
}

/// As in "Authenticating Requests (AWS Signature Version 4)".
fn check(asked: &Asked) -> Result<(), &'static str> {
    let authorization = asked.header("authorization");
    let rest = authorization.strip_prefix("AWS4-HMAC-SHA256 ").ok_or("AccessDenied")?;
    let field = |name: &str| {
        let found = rest.split(", ").find_map(|it| it.strip_prefix(name)?.strip_prefix('='));
        found.ok_or("AuthorizationHeaderMalformed")
    };
    let scope = field("Credential")?.strip_prefix("AKIA/").ok_or("InvalidAccessKeyId")?;
    let [day, region, "s3", "aws4_request"] = scope.split('/').collect::<Vec<_>>()[..] else {
        return Err("AuthorizationHeaderMalformed");
    };
    let date = asked.header("x-amz-date");
    if !date.starts_with(day) || region != "eu-1" {
        return Err("AuthorizationHeaderMalformed");
    }
    if asked.header("x-amz-content-sha256") != hex(&Sha256::digest(asked.body.as_bytes())) {
        return Err("XAmzContentSHA256Mismatch");
    }
    let names = field("SignedHeaders")?;
    let signed: Vec<&str> = names.split(';').collect();
    let must = |name: &str| name == "host" || name == "content-type" || name.starts_with("x-amz-");
    if asked.headers.iter().any(|(name, _)| must(name) && !signed.contains(&name.as_str())) {
        return Err("AccessDenied");
    }
    let line = |name: &&str| format!("{name}:{}\n", asked.header(name));
    let lines: String = signed.iter().map(line).collect();
    let mut query: Vec<&str> = asked.query.split('&').collect();
    query.sort_unstable();
    let request = [
        asked.method.as_str(),
        &asked.path,
        &query.join("&"),
        &lines,
        names,
        asked.header("x-amz-content-sha256"),
    ];
    let hashed = hex(&Sha256::digest(request.join("\n").as_bytes()));
    let to_sign = ["AWS4-HMAC-SHA256", date, scope, &hashed].join("\n");
    let steps = [day, region, "s3", "aws4_request", &to_sign];
    let first = format!("AWS4{SECRET}").into_bytes();
    let mac = steps.iter().fold(first, |key, step| {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("keys have any length");
        mac.update(step.as_bytes());
        mac.finalize().into_bytes().to_vec()
    });
    if field("Signature")? == hex(&mac) { Ok(()) } else { Err("SignatureDoesNotMatch") }
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}
