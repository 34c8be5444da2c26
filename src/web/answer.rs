//! What goes out: a page, or the way to another, with all that keeps a browser from harm.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use base64::Engine as _;
use sha2::{Digest as _, Sha256};

/// What a handler answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) html: String,
    /// Where to go instead.
    pub(super) to: Option<String>,
    pub(super) cookie: Option<String>,
    /// Asked for again by itself after so many seconds.
    pub(super) again_s: Option<u32>,
}

impl Answer {
    /// A page.
    pub(super) fn page(status: StatusCode, html: String) -> Self {
        Self { status, html, to: None, cookie: None, again_s: None }
    }

    /// Go there, and GET it.
    pub(super) fn see(to: String) -> Self {
        Self { to: Some(to), ..Self::page(StatusCode::SEE_OTHER, String::new()) }
    }

    /// As it goes out; `policy` says what the page may use.
    pub(super) fn response(self, policy: &HeaderValue) -> Response<Body> {
        let mut response = Response::new(Body::from(self.html));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let mut put = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        put(header::CONTENT_TYPE, "text/html; charset=utf-8");
        for (name, value) in ALWAYS {
            put(name, value);
        }
        if let Some(to) = &self.to {
            put(header::LOCATION, to);
        }
        if let Some(cookie) = &self.cookie {
            put(header::SET_COOKIE, cookie);
        }
        if let Some(seconds) = self.again_s {
            put(header::REFRESH, &seconds.to_string());
        }
        headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
        response
    }
}

const ALWAYS: [(HeaderName, &str); 8] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
    (HeaderName::from_static("x-robots-tag"), "noindex, nofollow, noarchive"),
];

/// What a page with this style may use: that style, forms to us, and nothing else.
pub(super) fn policy(style: &str) -> HeaderValue {
    let hash = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(style));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}
