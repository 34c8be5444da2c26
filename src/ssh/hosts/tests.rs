//! known_hosts as OpenSSH writes and reads it, and as nobody should.

use std::path::Path;

use proptest::prelude::*;
use russh::keys::{Algorithm, HashAlg, PrivateKey, PublicKey};

use super::line::wildcard;
use super::*;

/// Made by `ssh-keygen`; below are its lines for two names, hashed by `ssh-keygen -H`.
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJvtaDwoDOCXJGhsw5TndBRfGu5RWaqTnJmTnhuZ+tdo";
const HASHED: &str = "|1|2eCIqGIFREM2PwGSjDDLIiV1fAk=|zsW82bhgBWcBIQONhnIoEgnRcSY=";
const HASHED_PORT: &str = "|1|s9jvBnjuSFKzE6AA7Aq+XMDJDAM=|R/zpOspZKZAvVrb1ky8C9WHjEvc=";

fn key() -> PublicKey {
    PublicKey::from_openssh(KEY).unwrap()
}

fn stranger() -> PublicKey {
    let mut random = russh::keys::key::safe_rng();
    PrivateKey::random(&mut random, Algorithm::Ed25519).unwrap().public_key().clone()
}

fn read(text: &str) -> Result<KnownHosts, KnownHostsError> {
    let mut known = KnownHosts::default();
    known.add(Path::new("kh"), text.as_bytes())?;
    Ok(known)
}

fn at(line: usize) -> Place {
    Place { file: "kh".into(), line }
}

/// What one line with the key says to a host that shows the key.
fn check(patterns: &str, address: &str, port: u16, known: bool) {
    let verdict = read(&format!("{patterns} {KEY} somebody@somewhere"))
        .unwrap()
        .check_key(&HostName::new(address, port), &key());
    let expected = if known { Verdict::Known } else { Verdict::Unknown };
    assert_eq!(verdict, expected, "{patterns} {address} {port}");
}

#[test]
fn names_match_as_openssh_matches_them() {
    check("host.example.com", "host.example.com", 22, true);
    check("host.example.com", "HOST.Example.com", 22, true);
    check("Host.example.com", "host.example.com", 22, true);
    check("host.example.com", "host.example.com", 2222, false);
    check("[host.example.com]:2222", "host.example.com", 2222, true);
    check("[host.example.com]:2222", "host.example.com", 22, false);
    check("other,host.example.com,third", "host.example.com", 22, true);
    check("*.example.com", "host.example.com", 22, true);
    check("*.example.com", "example.com", 22, false);
    check("host?.example.com", "host1.example.com", 22, true);
    check("[*.example.com]:22??", "host.example.com", 2222, true);
    check("*,!host.example.com", "host.example.com", 22, false);
    check("!host.example.com,*", "host.example.com", 22, false);
    check("!host.example.com,*", "more.example.com", 22, true);
    check("!host.example.com", "more.example.com", 22, false);
    check("2001:db8::1", "2001:DB8::1", 22, true);
    check(HASHED, "host.example.com", 22, true);
    check(HASHED, "host.example.com", 2222, false);
    check(HASHED_PORT, "host.example.com", 2222, true);
    check(HASHED, "other.example.com", 22, false);
}

#[test]
fn blanks_comments_tabs_and_nonsense_are_passed_over() {
    let text = format!(
        "# a comment\n\n   \n#h {KEY}\nh\nh ssh-ed25519\nh ssh-ed25519 !!!\nh ssh-rsa {}\n\
         h 1024 35 1234\n@unknown h {KEY}\n|2|a|b {KEY}\n|1|a {KEY}\n \th\t{}\t  comment\r\n",
        KEY.split(' ').nth(1).unwrap(),
        KEY.replace(' ', "\t"),
    );
    let known = read(&text).unwrap();
    assert_eq!(known.check_key(&HostName::new("h", 22), &key()), Verdict::Known);
    let verdict = known.check_key(&HostName::new("h", 22), &stranger());
    assert_eq!(verdict, Verdict::Changed(at(13)));
}

#[test]
fn a_line_torn_by_a_power_cut_pins_nothing() {
    for cut in 1..KEY.len() - 1 {
        let known = read(&format!("h {}", &KEY[..cut])).unwrap();
        let verdict = known.check_key(&HostName::new("h", 22), &key());
        assert_eq!(verdict, Verdict::Unknown, "cut at {cut}");
    }
}

#[test]
fn any_pinned_key_of_several_will_do_and_another_is_a_change() {
    let second = stranger();
    let text = format!("h {KEY}\n# more\nh {}\n", second.to_openssh().unwrap());
    let known = read(&text).unwrap();
    let name = HostName::new("h", 22);
    assert_eq!(known.check_key(&name, &key()), Verdict::Known);
    assert_eq!(known.check_key(&name, &second), Verdict::Known);
    assert_eq!(known.check_key(&name, &stranger()), Verdict::Changed(at(1)));
}

#[test]
fn a_key_of_another_type_is_a_change_too() {
    let mut random = russh::keys::key::safe_rng();
    let curve = Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 };
    let other = PrivateKey::random(&mut random, curve).unwrap().public_key().clone();
    let known = read(&format!("h {KEY}")).unwrap();
    let verdict = known.check_key(&HostName::new("h", 22), &other);
    assert_eq!(verdict, Verdict::Changed(at(1)));
}

#[test]
fn a_revoked_key_is_refused_wherever_the_line_stands() {
    for text in [format!("@revoked * {KEY}\nh {KEY}"), format!("h {KEY}\n@revoked h {KEY}")] {
        let known = read(&text).unwrap();
        let verdict = known.check_key(&HostName::new("h", 22), &key());
        assert!(matches!(verdict, Verdict::Revoked(_)), "{text}");
    }
    let known = read(&format!("@revoked other {KEY}\nh {KEY}")).unwrap();
    assert_eq!(known.check_key(&HostName::new("h", 22), &key()), Verdict::Known);
}

#[test]
fn a_revocation_that_cannot_be_read_stops_everything() {
    for text in ["@revoked", "@revoked *", "@revoked * ssh-ed25519", "@revoked * ssh-ed25519 AAAA"]
    {
        let error = read(&format!("h {KEY}\n{text}")).unwrap_err();
        assert!(error.to_string().starts_with("kh:2: "), "{error}");
    }
}

#[test]
fn an_authority_does_not_vouch_for_a_bare_key() {
    let known = read(&format!("@cert-authority * {KEY}")).unwrap();
    let name = HostName::new("h", 22);
    assert_eq!(known.check_key(&name, &key()), Verdict::Unknown);
    assert!(!known.certificate_algorithms(&name).is_empty());
    assert!(read(KEY).unwrap().certificate_algorithms(&name).is_empty());
}

#[test]
fn pinned_algorithms_are_asked_for_first_and_sha1_never() {
    let rsa = "AAAAB3NzaC1yc2EAAAADAQABAAAAAQU=";
    let known = read(&format!("h ssh-rsa {rsa}")).unwrap();
    let asked = known.algorithms(&HostName::new("h", 22));
    assert_eq!(asked[0], Algorithm::Rsa { hash: Some(HashAlg::Sha512) });
    assert_eq!(asked.len(), 6);
    assert!(!asked.contains(&Algorithm::Rsa { hash: None }));
    assert_eq!(known.algorithms(&HostName::new("i", 22))[0], Algorithm::Ed25519);
}

#[test]
fn pinning_appends_once_after_a_torn_line_and_never_against_another_key() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("known_hosts");
    std::fs::write(&file, "h ssh-ed25519 AAA").unwrap();
    let name = HostName::new("h", 2222);
    assert!(pin(&file, &name, &key()).unwrap());
    assert!(!pin(&file, &name, &key()).unwrap());
    let content = std::fs::read_to_string(&file).unwrap();
    assert_eq!(content, format!("h ssh-ed25519 AAA\n[h]:2222 {KEY}\n"));
    let error = pin(&file, &name, &stranger()).unwrap_err();
    assert!(matches!(&error, PinError::Contradicted { place, .. } if place.line == 2), "{error}");
    for hostile in ["", "a b", "a,b", "*", "!a", "#a", "a\nb", "@revoked", "|1|a|b", "é"] {
        let error = pin(&file, &HostName::new(hostile, 22), &key()).unwrap_err();
        assert!(matches!(error, PinError::Unwritable { .. }), "{hostile}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), content);
}

#[test]
fn many_hosts_are_pinned_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("known_hosts");
    std::thread::scope(|scope| {
        for n in 0..8 {
            let file = &file;
            scope.spawn(move || {
                for host in 0..16 {
                    pin(file, &HostName::new(&format!("h{host}"), 22), &key()).unwrap();
                }
                n
            });
        }
    });
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 16);
}

/// Wildcards the slow, obvious way.
fn slow(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => (0..=text.len()).any(|from| slow(rest, &text[from..])),
        (Some((p, rest)), Some((t, more))) if *p == b'?' || p == t => slow(rest, more),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn wildcards_match_as_the_obvious_way_does(pattern in "[ab*?]{0,7}", text in "[ab]{0,8}") {
        prop_assert_eq!(wildcard(&pattern, &text), slow(pattern.as_bytes(), text.as_bytes()));
    }

    #[test]
    fn no_content_makes_it_panic(content in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut known = KnownHosts::default();
        let _ = known.add(Path::new("kh"), &content);
    }
}

#[test]
fn no_pattern_costs_for_ever() {
    assert!(!wildcard(&"*a".repeat(2_000), &"a".repeat(1_999)));
}
