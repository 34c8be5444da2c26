//! Signatures: HMAC-SHA256 of webhooks, and AWS Signature Version 4.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::model::Timestamp;

/// HMAC-SHA256.
pub fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// Of a body.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// `t=SECONDS,v1=HEX`
pub fn webhook(secret: &str, at: Timestamp, body: &str) -> String {
    let seconds = at.as_second();
    let mac = hmac(secret.as_bytes(), format!("{seconds}.{body}").as_bytes());
    format!("t={seconds},v1={}", hex(&mac))
}

/// What a request for an object is signed with.
pub struct Signed<'a> {
    pub method: &'a str,
    pub host: &'a str,
    /// From `/`, each part percent-encoded.
    pub path: &'a str,
    /// `NAME=VALUE`, percent-encoded and sorted, with `&` between.
    pub query: &'a str,
    pub body_sha256: &'a str,
    pub region: &'a str,
    pub access_key: &'a str,
    pub secret_key: &'a str,
    /// Header names in lower case and values, sorted; without `host` and `x-amz-*`.
    pub headers: &'a [(&'a str, &'a str)],
}

/// `x-amz-date` and `Authorization`.
pub fn aws(what: &Signed<'_>, at: Timestamp) -> (String, String) {
    let date = at.as_jiff().strftime("%Y%m%dT%H%M%SZ").to_string();
    let day = &date[..8];
    let mut headers: Vec<(&str, &str)> = what.headers.to_vec();
    headers.push(("host", what.host));
    headers.push(("x-amz-content-sha256", what.body_sha256));
    headers.push(("x-amz-date", &date));
    headers.sort_unstable();
    let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let lines: Vec<_> = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let lines = lines.concat();
    let canonical = format!(
        "{}\n{}\n{}\n{lines}\n{names}\n{}",
        what.method, what.path, what.query, what.body_sha256
    );
    let scope = format!("{day}/{}/s3/aws4_request", what.region);
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha256(canonical.as_bytes()));
    let mut key = hmac(format!("AWS4{}", what.secret_key).as_bytes(), day.as_bytes());
    for part in [what.region, "s3", "aws4_request"] {
        key = hmac(&key, part.as_bytes());
    }
    let signature = hex(&hmac(&key, to_sign.as_bytes()));
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
        what.access_key
    );
    (date, authorization)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_put_is_signed_as_in_the_examples_of_aws() {
        // "PUT Object" of the Signature Version 4 documentation of Amazon S3.
        let put = Signed {
            method: "PUT",
            query: "",
            host: "examplebucket.s3.amazonaws.com",
            path: "/test%24file.text",
            body_sha256: "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
            region: "us-east-1",
            access_key: "AKIAIOSFODNN7EXAMPLE",
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            headers: &[
                ("date", "Fri, 24 May 2013 00:00:00 GMT"),
                ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ],
        };
        let (_, authorization) = aws(&put, "2013-05-24T00:00:00Z".parse().unwrap());
        let expected = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd";
        assert!(authorization.ends_with(expected), "{authorization}");
    }

    #[test]
    fn a_list_is_signed_as_in_the_examples_of_aws() {
        // "GET Bucket (List Objects)" of the same.
        let list = Signed {
            method: "GET",
            host: "examplebucket.s3.amazonaws.com",
            path: "/",
            query: "max-keys=2&prefix=J",
            body_sha256: &sha256(b""),
            region: "us-east-1",
            access_key: "AKIAIOSFODNN7EXAMPLE",
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            headers: &[],
        };
        let (_, authorization) = aws(&list, "2013-05-24T00:00:00Z".parse().unwrap());
        let expected = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7";
        assert!(authorization.ends_with(expected), "{authorization}");
    }

    #[test]
    fn a_webhook_is_signed_with_its_time() {
        let at = Timestamp::from_second(1_900_000_000);
        let signed = webhook("key", at, "{}");
        assert!(signed.starts_with("t=1900000000,v1="), "{signed}");
        assert_ne!(signed, webhook("key2", at, "{}"));
        // RFC 4231, case 2.
        let mac = hex(&hmac(b"Jefe", b"what do ya want for nothing?"));
        assert_eq!(mac, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
