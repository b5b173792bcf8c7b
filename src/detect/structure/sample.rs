//! Texts that the parsers accept, made of random bytes: nothing that anyone ever issued, and no working key. The examples of rules are
//! filled with them, so that the repository holds no live-looking credential.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::StructureKind;
use super::der::{INTEGER, OCTET_STRING, OID, SEQUENCE};
use super::{pgp, ssh};

/// A text of this kind. `begin` is the opening mark of a block rule, which decides the label and the form of a PEM block.
pub fn sample(kind: StructureKind, begin: &str, random: &mut dyn FnMut() -> u8) -> Vec<u8> {
    match kind {
        StructureKind::Jwt => jwt(random).into_bytes(),
        StructureKind::PemPrivateKey => pem(begin, random).into_bytes(),
        StructureKind::PgpPrivateKey => armored(random).into_bytes(),
        StructureKind::PuttyPrivateKey => putty("none", random).into_bytes(),
        StructureKind::PypiMacaroon => {
            let token = [&[2, 1, 8][..], b"pypi.org", &[2, 16], &bytes(16, random), &[0, 0, 6, 32], &bytes(32, random)].concat();
            format!("pypi-{}", URL_SAFE_NO_PAD.encode(token)).into_bytes()
        }
        StructureKind::Jks => {
            let header = [0xfeed_feed_u32, 2, 1, 1].map(u32::to_be_bytes).concat();
            [&header[..], b"\0\x03key", &[0; 8], &64u32.to_be_bytes(), &bytes(64, random), &[0; 4]].concat()
        }
        StructureKind::Pkcs12 => pkcs12(random),
        StructureKind::DerPrivateKey => pkcs1(random),
        StructureKind::DockerAuth => format!("robot:{}", URL_SAFE_NO_PAD.encode(bytes(18, random))).into_bytes(),
        StructureKind::Sendgrid => {
            format!("SG.{}.{}", URL_SAFE_NO_PAD.encode(bytes(16, random)), URL_SAFE_NO_PAD.encode(bytes(32, random))).into_bytes()
        }
        StructureKind::DiscordBot => {
            let number: String = "1".chars().chain((0..17).map(|_| char::from(b'0' + random() % 10))).collect();
            let parts = [bytes(4, random), bytes(28, random)].map(|part| URL_SAFE_NO_PAD.encode(part));
            format!("{}.{}.{}", URL_SAFE_NO_PAD.encode(number), parts[0], parts[1]).into_bytes()
        }
        StructureKind::JfrogReference => {
            let secret: String = bytes(24, random).iter().map(|byte| char::from(b'a' + byte % 26)).collect();
            STANDARD.encode(format!("reftkn:01:0000000000:{secret}xyz")).into_bytes()
        }
    }
}

fn bytes(length: usize, random: &mut dyn FnMut() -> u8) -> Vec<u8> {
    (0..length).map(|_| random()).collect()
}

fn jwt(random: &mut dyn FnMut() -> u8) -> String {
    let subject: String = bytes(8, random).iter().map(|byte| format!("{byte:02x}")).collect();
    let claims = format!(r#"{{"sub":"{subject}"}}"#);
    let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
    format!("{}.{}.{}", encode(br#"{"alg":"HS256","typ":"JWT"}"#), encode(claims.as_bytes()), encode(&bytes(32, random)))
}

fn pem(begin: &str, random: &mut dyn FnMut() -> u8) -> String {
    let label = begin.split("BEGIN ").nth(1).unwrap_or("PRIVATE KEY").trim_end_matches('-');
    let body = match label {
        "OPENSSH PRIVATE KEY" => openssh("none", random),
        "RSA PRIVATE KEY" => pkcs1(random),
        "DSA PRIVATE KEY" => dsa(random),
        "EC PRIVATE KEY" => {
            let curve = element(0xa0, &oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]));
            sequence(&[integer(&[1]), octets(&bytes(32, random)), curve].concat())
        }
        "ENCRYPTED PRIVATE KEY" => encrypted(random),
        _ => pkcs8(&oid(&[0x2b, 0x65, 0x70]), &octets(&bytes(32, random))),
    };
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----", lines(&body, 64).join("\n"))
}

/// Base64 in lines.
pub(super) fn lines(bytes: &[u8], width: usize) -> Vec<String> {
    STANDARD.encode(bytes).as_bytes().chunks(width).map(|line| line.iter().map(|byte| char::from(*byte)).collect()).collect()
}

/// The shape of an RSA key of 1024 bits: the numbers have the right sizes and no relation.
pub(super) fn pkcs1(random: &mut dyn FnMut() -> u8) -> Vec<u8> {
    let mut number = |length: usize| {
        let mut number = bytes(length, random);
        number[0] |= 0x80;
        number[length - 1] |= 1;
        integer(&number)
    };
    let parts = [number(128), integer(&[1, 0, 1]), number(128), number(64), number(64), number(64), number(64), number(64)];
    sequence(&[integer(&[]), parts.concat()].concat())
}

fn dsa(random: &mut dyn FnMut() -> u8) -> Vec<u8> {
    let mut number = |length: usize, top: u8| {
        let mut number = bytes(length, random);
        number[0] = number[0] & 0x3f | top;
        integer(&number)
    };
    let parts = [number(128, 0x80), number(20, 0x80), number(128, 0x40), number(128, 0x40), number(20, 0x40)];
    sequence(&[integer(&[]), parts.concat()].concat())
}

/// An algorithm and its key in PKCS#8.
pub(super) fn pkcs8(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    sequence(&[integer(&[]), sequence(algorithm), octets(key)].concat())
}

fn encrypted(random: &mut dyn FnMut() -> u8) -> Vec<u8> {
    let scheme = oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13]);
    sequence(&[sequence(&[scheme, sequence(&[])].concat()), octets(&bytes(96, random))].concat())
}

fn pkcs12(random: &mut dyn FnMut() -> u8) -> Vec<u8> {
    let data = oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1]);
    let wrap = |content: &[u8]| sequence(&[data.clone(), element(0xa0, &octets(content))].concat());
    let bag = oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1, 2]);
    let bags = sequence(&sequence(&[bag, element(0xa0, &encrypted(random))].concat()));
    sequence(&[vec![INTEGER, 1, 3], wrap(&sequence(&wrap(&bags)))].concat())
}

/// OpenSSH's container of an Ed25519 key.
pub(super) fn openssh(cipher: &str, random: &mut dyn FnMut() -> u8) -> Vec<u8> {
    let mut public = Vec::new();
    ssh::put(&mut public, b"ssh-ed25519");
    ssh::put(&mut public, &bytes(32, random));
    let check = bytes(4, random);
    let mut secret = [check.as_slice(), &check, &public].concat();
    ssh::put(&mut secret, &bytes(64, random));
    ssh::put(&mut secret, b"");
    let padding = (8 - secret.len() % 8) % 8;
    secret.extend((1..=padding).map(|byte| byte as u8));
    let mut whole = b"openssh-key-v1\0".to_vec();
    let derivation: &[u8] = if cipher == "none" { b"none" } else { b"bcrypt" };
    for string in [cipher.as_bytes(), derivation, b""] {
        ssh::put(&mut whole, string);
    }
    whole.extend(1u32.to_be_bytes());
    ssh::put(&mut whole, &public);
    ssh::put(&mut whole, &secret);
    whole
}

fn armored(random: &mut dyn FnMut() -> u8) -> String {
    // A version 4 RSA secret key packet without protection, then random bytes.
    let body = [&[0x95, 1, 0x40, 4, 0, 0, 0, 0, 1, 8, 0, 0xc0][..], &bytes(255, random), &[0, 17, 1, 0, 1, 0], &bytes(58, random)].concat();
    let check = STANDARD.encode(&pgp::crc24(&body).to_be_bytes()[1..]);
    format!("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{}\n={check}\n-----END PGP PRIVATE KEY BLOCK-----", lines(&body, 64).join("\n"))
}

/// A PuTTY file of an Ed25519 key.
pub(super) fn putty(cipher: &str, random: &mut dyn FnMut() -> u8) -> String {
    let mut public = Vec::new();
    ssh::put(&mut public, b"ssh-ed25519");
    ssh::put(&mut public, &bytes(32, random));
    let (public, private) = (lines(&public, 64), lines(&bytes(48, random), 64));
    let mac: String = bytes(32, random).iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: {cipher}\nComment: sample\nPublic-Lines: {}\n{}\nPrivate-Lines: {}\n{}\nPrivate-MAC: {mac}",
        public.len(),
        public.join("\n"),
        private.len(),
        private.join("\n"),
    )
}

/// An element of DER.
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut whole = vec![tag];
    match content.len() {
        length @ 0..0x80 => whole.push(length as u8),
        length => {
            let digits: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|digit| *digit == 0).collect();
            whole.push(0x80 | digits.len() as u8);
            whole.extend(digits);
        }
    }
    whole.extend_from_slice(content);
    whole
}

pub(super) fn sequence(content: &[u8]) -> Vec<u8> {
    element(SEQUENCE, content)
}

pub(super) fn octets(content: &[u8]) -> Vec<u8> {
    element(OCTET_STRING, content)
}

pub(super) fn oid(content: &[u8]) -> Vec<u8> {
    element(OID, content)
}

/// A non-negative integer from its bytes.
pub(super) fn integer(magnitude: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> = magnitude.iter().copied().skip_while(|digit| *digit == 0).collect();
    let sign = digits.first().is_none_or(|digit| *digit >= 0x80);
    element(INTEGER, &[&[0][..usize::from(sign)], &digits].concat())
}
