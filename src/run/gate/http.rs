//! Asks for a page: the connection goes where it is told to, the name stays the customer's.

use std::io::Read as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ureq::http::Uri;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error};

use super::{Said, net};
use crate::inventory::checks::{HttpAsk, place};
use crate::ledger::Outcome;
use crate::model::text::bounded;

/// So much of a page is read to find a marker in.
const BODY_BYTES_MAX: u64 = 1 << 20;
/// Headers beyond this are no page.
const HEAD_BYTES_MAX: usize = 64 << 10;
const USER_AGENT: &str = concat!("evac/", env!("CARGO_PKG_VERSION"));

/// The authorities that certificates are believed of: those of this machine (`SSL_CERT_FILE` and
/// `SSL_CERT_DIR` name others).
#[derive(Clone)]
pub struct Trust {
    roots: Arc<Vec<Certificate<'static>>>,
}

impl Trust {
    /// Reads them.
    pub fn of_this_machine() -> Self {
        let found = rustls_native_certs::load_native_certs().certs;
        let certificate = |der: &[u8]| Certificate::from_der(der).to_owned();
        Self { roots: Arc::new(found.iter().map(|der| certificate(der)).collect()) }
    }

    /// They.
    pub fn roots(&self) -> Arc<Vec<Certificate<'static>>> {
        Arc::clone(&self.roots)
    }

    /// Only this one, as DER.
    #[cfg(test)]
    pub fn only(der: &[u8]) -> Self {
        Self { roots: Arc::new(vec![Certificate::from_der(der).to_owned()]) }
    }
}

/// Dials where the check says, whatever the page is called.
#[derive(Debug)]
struct Fixed(SocketAddr);

impl Resolver for Fixed {
    fn resolve(
        &self,
        _uri: &Uri,
        _config: &ureq::config::Config,
        _timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let mut places = self.empty();
        places.push(self.0);
        Ok(places)
    }
}

/// Asks for the page at `at`.
pub fn ask(ask: &HttpAsk, at: IpAddr, within: Duration, trust: &Trust) -> Said {
    if ask.tls && trust.roots.is_empty() {
        let said = "this machine trusts no authority; install ca-certificates here";
        return (Outcome::Unknown, said.to_owned());
    }
    let scheme = if ask.tls { "https" } else { "http" };
    let default_port = if ask.tls { 443 } else { 80 };
    let host = match (ask.host.contains(':'), ask.port == default_port) {
        (false, true) => ask.host.clone(),
        (true, true) => format!("[{}]", ask.host),
        (_, false) => place(&ask.host, ask.port),
    };
    let agent = agent(SocketAddr::new(at, ask.port), within, trust);
    match agent.get(format!("{scheme}://{host}{}", ask.path)).call() {
        Ok(mut response) => {
            let status = response.status().as_u16();
            if status != ask.status {
                return (Outcome::Failed, format!("status {status}"));
            }
            match &ask.contains {
                None => (Outcome::Passed, format!("status {status}")),
                Some(marker) => find(marker, status, &mut response.body_mut().as_reader()),
            }
        }
        Err(error) => refusal(&error),
    }
}

fn agent(at: SocketAddr, within: Duration, trust: &Trust) -> Agent {
    Agent::with_parts(config(within, trust), DefaultConnector::default(), Fixed(at))
}

/// No redirect is followed, no proxy used, no certificate believed that is not valid.
pub(in crate::run) fn config(within: Duration, trust: &Trust) -> ureq::config::Config {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::clone(&trust.roots)))
        .unversioned_rustls_crypto_provider(provider)
        .build();
    Agent::config_builder()
        .timeout_global(Some(within))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .user_agent(USER_AGENT)
        .max_response_header_size(HEAD_BYTES_MAX)
        .max_idle_connections(0)
        .tls_config(tls)
        .build()
}

fn find(marker: &str, status: u16, body: &mut dyn std::io::Read) -> Said {
    let mut bytes = Vec::new();
    if let Err(error) = body.take(BODY_BYTES_MAX).read_to_end(&mut bytes) {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        return inner.map_or_else(|| net::of_io(&error), refusal);
    }
    let is_there = bytes.windows(marker.len()).any(|window| window == marker.as_bytes());
    let length = bytes.len();
    if is_there {
        return (Outcome::Passed, format!("status {status}, and the page says \"{marker}\""));
    }
    let said = format!("status {status}, but \"{marker}\" is not in the page ({length} bytes)");
    (Outcome::Failed, said)
}

pub(in crate::run) fn refusal(error: &Error) -> Said {
    match error {
        Error::Timeout(_) => (Outcome::TimedOut, "no page".to_owned()),
        Error::Io(error) => {
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            inner.map_or_else(|| net::of_io(error), tls_refusal)
        }
        Error::Rustls(error) => tls_refusal(error),
        other => (Outcome::Failed, bounded(&other.to_string(), 200)),
    }
}

fn tls_refusal(error: &rustls::Error) -> Said {
    (Outcome::Failed, format!("TLS: {error}"))
}
