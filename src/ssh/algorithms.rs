//! What we take of an sshd, in our order of preference: AES-GCM before ChaCha20-Poly1305 (measured
//! 848 against 472 MB/s), no compression, since the payload is compressed.
//!
//! **Promise.** SHA-1, CBC and groups of 1024 bits are asked for only by name
//! ([`super::Means::legacy`]), and then after all else. There is no DSA, RC4 or triple DES at all.

use std::borrow::Cow;

use russh::client::GexParams;
use russh::keys::{Algorithm, PublicKey};
use russh::{AlgorithmKind, Preferred, cipher, compression, kex, mac};

use super::{HostName, KnownHosts};

const CIPHERS: [cipher::Name; 6] = [
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];
const OLD_CIPHERS: [cipher::Name; 3] =
    [cipher::AES_256_CBC, cipher::AES_192_CBC, cipher::AES_128_CBC];

const EXCHANGES: [kex::Name; 6] = [
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::DH_GEX_SHA256,
    kex::DH_G16_SHA512,
    kex::DH_G14_SHA256,
];
const OLD_EXCHANGES: [kex::Name; 3] = [kex::DH_GEX_SHA1, kex::DH_G14_SHA1, kex::DH_G1_SHA1];
/// No algorithms, but said in the same list.
const EXTENSIONS: [kex::Name; 2] =
    [kex::EXTENSION_SUPPORT_AS_CLIENT, kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT];

const OLD_MACS: [mac::Name; 2] = [mac::HMAC_SHA1_ETM, mac::HMAC_SHA1];

/// Everything for one host; `only`: the one key the inventory names.
pub(super) fn preferred(
    (name, known, only): (&HostName, &KnownHosts, Option<&PublicKey>),
    legacy: bool,
) -> Preferred {
    let mut key = host_keys(only, known.algorithms(name));
    let mut cipher = CIPHERS.to_vec();
    let mut kex = EXCHANGES.to_vec();
    let mut mac = Preferred::DEFAULT.mac.to_vec();
    if legacy {
        key.push(Algorithm::Rsa { hash: None });
        cipher.extend(OLD_CIPHERS);
        kex.extend(OLD_EXCHANGES);
        mac.extend(OLD_MACS);
    }
    kex.extend(EXTENSIONS);
    Preferred {
        key: Cow::Owned(key),
        host_key_certificates: Cow::Owned(known.certificate_algorithms(name)),
        cipher: Cow::Owned(cipher),
        compression: Cow::Borrowed(&[compression::NONE]),
        kex: Cow::Owned(kex),
        mac: Cow::Owned(mac),
    }
}

/// Sizes of Diffie-Hellman groups; the smallest of old machines' lists are of 2048 bits.
pub(super) fn groups(legacy: bool) -> GexParams {
    if legacy { GexParams::new(2048, 2048, 8192).unwrap_or_default() } else { GexParams::default() }
}

/// Host key algorithms to ask for: that of the one key the inventory names, then as the files say.
fn host_keys(only: Option<&PublicKey>, from_files: Vec<Algorithm>) -> Vec<Algorithm> {
    let Some(key) = only else { return from_files };
    let wanted = key.algorithm();
    let is_rsa = |one: &Algorithm| matches!(one, Algorithm::Rsa { .. });
    let same = |one: &Algorithm| *one == wanted || (is_rsa(one) && is_rsa(&wanted));
    let (mut first, rest): (Vec<_>, Vec<_>) = from_files.into_iter().partition(same);
    first.extend(rest);
    first
}

/// What the two ends have none of in common.
pub(super) fn word(kind: AlgorithmKind) -> &'static str {
    match kind {
        AlgorithmKind::Kex => "key exchange",
        AlgorithmKind::Key => "kind of host key",
        AlgorithmKind::Cipher => "cipher",
        AlgorithmKind::Compression => "compression",
        AlgorithmKind::Mac => "MAC",
    }
}
