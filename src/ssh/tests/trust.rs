//! Whose host key is accepted, and bastions.

use std::sync::Arc;

use bytes::Bytes;

use super::{Sshd, dial, dialler, keygen, keyring, run_tool, skip_without_sshd};
use crate::model::Reason;
use crate::ssh::{Endpoint, Purpose, SshError, hosts};

#[tokio::test]
async fn an_unknown_key_is_refused_and_a_pinned_one_accepted() {
    if skip_without_sshd() {
        return;
    }
    let sshd = Sshd::start("");
    let endpoint = sshd.endpoint();
    let error = dial(&endpoint).await.unwrap_err();
    assert_eq!(error.reason(), Reason::HostKeyUnknown);
    let text = error.to_string();
    assert!(text.contains("SHA256:") && text.contains("known_hosts"), "{text}");
    assert_eq!(sshd.count_log("Accepted"), 0);
    let (name, key) = error.unknown_key().unwrap();

    let file = sshd.file("known_hosts");
    assert!(hosts::pin(&file, name, key).unwrap());
    assert!(!hosts::pin(&file, name, key).unwrap(), "once is enough");
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 1);
    dial(&endpoint).await.unwrap();
}

#[tokio::test]
async fn a_changed_or_revoked_key_is_refused_by_file_and_line() {
    if skip_without_sshd() {
        return;
    }
    let sshd = Sshd::start("");
    let endpoint = sshd.endpoint();
    let name = format!("[127.0.0.1]:{}", sshd.port);
    let other = std::fs::read_to_string(sshd.file("id.pub")).unwrap();
    sshd.trust(&format!("# pinned long ago\n{name} {other}"));
    let error = dial(&endpoint).await.unwrap_err();
    assert_eq!(error.reason(), Reason::HostKeyChanged);
    assert!(error.to_string().contains("known_hosts:2"), "{error}");

    let revoked = sshd.host_line("@revoked *");
    sshd.trust(&format!("{}{revoked}", sshd.host_line(&name)));
    let error = dial(&endpoint).await.unwrap_err();
    assert!(matches!(error, SshError::HostKeyRevoked { .. }), "{error:?}");
    assert!(error.to_string().contains("known_hosts:2"), "{error}");

    sshd.trust(&sshd.host_line("@revoked"));
    let error = dial(&endpoint).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Inventory, "an unreadable revocation: {error}");
}

#[tokio::test]
async fn a_pinned_rsa_key_is_asked_for_first() {
    if skip_without_sshd() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    keygen(folder.path(), "host", "ed25519", "");
    keygen(folder.path(), "id", "ed25519", "");
    let rsa = keygen(folder.path(), "host_rsa", "rsa", "");
    let sshd = Sshd::start_in(folder, &format!("HostKey {}", rsa.display()));
    let key = std::fs::read_to_string(sshd.file("host_rsa.pub")).unwrap();
    sshd.trust(&format!("[127.0.0.1]:{} {key}", sshd.port));
    dial(&sshd.endpoint()).await.unwrap();
}

#[tokio::test]
async fn the_inventory_may_name_the_key() {
    if skip_without_sshd() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    keygen(folder.path(), "host", "ed25519", "");
    keygen(folder.path(), "id", "ed25519", "");
    let rsa = keygen(folder.path(), "host_rsa", "rsa", "");
    let sshd = Sshd::start_in(folder, &format!("HostKey {}", rsa.display()));
    let listed = run_tool("ssh-keygen", &["-lf", sshd.file("host.pub").to_str().unwrap()]);
    let fingerprint = listed.split(' ').nth(1).unwrap().to_owned();
    let with = |key: &str| Endpoint { host_key: Some(key.to_owned()), ..sshd.endpoint() };
    dial(&with(&fingerprint)).await.unwrap();
    dial(&with(std::fs::read_to_string(sshd.file("host.pub")).unwrap().trim())).await.unwrap();
    let rsa = std::fs::read_to_string(sshd.file("host_rsa.pub")).unwrap();
    dial(&with(rsa.trim())).await.unwrap();
    let other = std::fs::read_to_string(sshd.file("id.pub")).unwrap();
    let error = dial(&with(other.trim())).await.unwrap_err();
    assert_eq!(error.reason(), Reason::HostKeyChanged, "{error}");
    let error = dial(&with("ssh-ed25519 nonsense")).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Inventory, "{error}");
}

/// An sshd whose key the authority `ca` signed, with further arguments for ssh-keygen.
fn certified_host(arguments: &[&str]) -> Sshd {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().to_owned();
    for name in ["host", "id", "ca"] {
        keygen(&at, name, "ed25519", "");
    }
    let file = |name: &str| at.join(name).to_str().unwrap().to_owned();
    let sign = ["-q", "-s", &file("ca"), "-I", "box", "-h"];
    run_tool("ssh-keygen", &[&sign[..], arguments, &[&file("host.pub")]].concat());
    let extra = format!("HostCertificate {}", file("host-cert.pub"));
    Sshd::start_in(folder, &extra)
}

#[tokio::test]
async fn an_authority_vouches_for_its_hosts() {
    if skip_without_sshd() {
        return;
    }
    let check = async |arguments: &[&str], alias: Option<&str>, expected: Result<(), &str>| {
        let sshd = certified_host(arguments);
        let authority = std::fs::read_to_string(sshd.file("ca.pub")).unwrap();
        sshd.trust(&format!("@cert-authority * {authority}"));
        let endpoint = Endpoint { host_key_alias: alias.map(str::to_owned), ..sshd.endpoint() };
        let dialled = dial(&endpoint).await.map(drop);
        match (dialled, expected) {
            (Ok(()), Ok(())) => {}
            (Err(SshError::HostCertificate { why, .. }), Err(text)) => assert_eq!(why, text),
            (dialled, expected) => panic!("{arguments:?}: {dialled:?}, expected {expected:?}"),
        }
    };
    check(&["-n", "127.0.0.1,box"], None, Ok(())).await;
    check(&["-n", "box.example"], Some("BOX.example"), Ok(())).await;
    check(&["-n", "elsewhere"], None, Err("it is made out for another name")).await;
    let past = ["-n", "127.0.0.1", "-V", "20200101:20200102"];
    check(&past, None, Err("it has expired")).await;
    let future = ["-n", "127.0.0.1", "-V", "20900101:20900102"];
    check(&future, None, Err("it is not valid yet")).await;
}

#[tokio::test]
async fn a_revoked_authority_vouches_for_nothing() {
    if skip_without_sshd() {
        return;
    }
    let sshd = certified_host(&["-n", "127.0.0.1"]);
    let authority = std::fs::read_to_string(sshd.file("ca.pub")).unwrap();
    sshd.trust(&format!("@cert-authority * {authority}@revoked * {authority}"));
    let error = dial(&sshd.endpoint()).await.unwrap_err();
    assert!(matches!(error, SshError::HostKeyRevoked { .. }), "{error:?}");
    // An authority nobody pinned makes the certificate count as the key inside it.
    sshd.trust("");
    let error = dial(&sshd.endpoint()).await.unwrap_err();
    assert_eq!(error.reason(), Reason::HostKeyUnknown, "{error}");
    dial(&sshd.known_endpoint()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_bastions_lead_to_a_host_by_one_login_each() {
    if skip_without_sshd() {
        return;
    }
    let (outer, inner, host) = (Sshd::start(""), Sshd::start(""), Sshd::start(""));
    let mut second = inner.known_endpoint();
    second.jump = Some(Box::new(outer.known_endpoint()));
    let mut endpoint = host.known_endpoint();
    endpoint.jump = Some(Box::new(second));
    let dialler = Arc::new(dialler(keyring()));
    let dials: Vec<_> = (0..9)
        .map(|_| {
            let (dialler, endpoint) = (Arc::clone(&dialler), endpoint.clone());
            tokio::spawn(async move { dialler.dial(&endpoint, Purpose::Bulk, &|_, _| {}).await })
        })
        .collect();
    let mut connections = Vec::new();
    for dial in dials {
        let connection = dial.await.unwrap().unwrap();
        let output = connection.run("head -c 1000000 /dev/zero", Bytes::new(), 1 << 20).await;
        assert_eq!(output.unwrap().stdout.len(), 1_000_000);
        connections.push(connection);
    }
    assert_eq!(outer.count_log("Accepted publickey"), 1);
    assert_eq!(inner.count_log("Accepted publickey"), 2, "one for each eight hosts");
    assert_eq!(host.count_log("Accepted publickey"), 9);
    dialler.close().await;
    outer.wait_for_log("Received disconnect", 1);
}

#[tokio::test]
async fn a_bastion_that_fails_is_named() {
    if skip_without_sshd() {
        return;
    }
    let (bastion, host) = (Sshd::start("AllowTcpForwarding no"), Sshd::start(""));
    let mut endpoint = host.known_endpoint();
    endpoint.jump = Some(Box::new(bastion.endpoint()));
    let error = dial(&endpoint).await.unwrap_err();
    assert!(matches!(error, SshError::Jump { .. }), "{error:?}");
    assert_eq!(error.reason(), Reason::HostKeyUnknown);
    let (name, _) = error.unknown_key().unwrap();
    assert_eq!(*name, bastion.endpoint().host_name());

    endpoint.jump = Some(Box::new(bastion.known_endpoint()));
    let error = dial(&endpoint).await.unwrap_err();
    assert!(matches!(error, SshError::Forward { forbidden: true, .. }), "{error:?}");
    assert!(!error.is_temporary());
}
