//! Does a host certificate hold? Rules of OpenSSH's PROTOCOL.certkeys and `sshkey_cert_check_host`.

use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Algorithm, Certificate};

use super::line::wildcard;

/// Checks everything but whether the authority is trusted: signature, kind, time, name, options.
pub(super) fn check(shown: &Certificate, host: &str, now: u64) -> Result<(), &'static str> {
    if shown.cert_type() != CertType::Host {
        return Err("it is not a host certificate");
    }
    if matches!(
        shown.signature().algorithm(),
        Algorithm::Rsa { hash: None } | Algorithm::Dsa | Algorithm::Other(_)
    ) {
        return Err("it is signed with an algorithm that is no longer safe");
    }
    if shown.verify_signature().is_err() {
        return Err("its signature is wrong");
    }
    if now < shown.valid_after() {
        return Err("it is not valid yet");
    }
    if now >= shown.valid_before() {
        return Err("it has expired");
    }
    // A list without names means any name.
    let names = shown.valid_principals();
    if !names.is_empty() && !names.iter().any(|name| wildcard(&name.to_lowercase(), host)) {
        return Err("it is made out for another name");
    }
    // No critical option is defined for hosts: one that is there must not be ignored.
    if shown.critical_options().iter().next().is_some() {
        return Err("it carries a critical option that nobody knows");
    }
    Ok(())
}
