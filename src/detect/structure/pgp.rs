//! OpenPGP private keys in ASCII armour (RFC 9580): the checksum of the armour, and the head of the first packet.

use base64::Engine;

use super::text::{BASE64, Body, armor, body};
use super::{Facts, Parsed};
use crate::finding::KeyFacts;

/// Packets that hold a secret key, primary or sub.
const SECRET_KEY: [u8; 2] = [5, 7];

/// A block from its BEGIN line to its END line.
pub(super) fn parse(block: &[u8]) -> Parsed {
    let Some(armor) = armor(block) else { return Parsed::No };
    let mut body = body(armor.body);
    if body.cut && armor.complete {
        return Parsed::No;
    }
    let check = split_checksum(&mut body);
    let Some(bytes) = body.decode().filter(|bytes| bytes.len() >= 16) else {
        return Parsed::No;
    };
    let facts = Facts::key(key_facts(&bytes).unwrap_or_default());
    match check {
        Some(check) if check == crc24(&bytes) => Parsed::Proved(facts),
        Some(_) => Parsed::No,
        None if packet(&bytes).is_some_and(|(tag, _)| SECRET_KEY.contains(&tag)) => Parsed::Plausible(facts),
        None => Parsed::No,
    }
}

/// Takes `=XXXX` off the end.
fn split_checksum(body: &mut Body) -> Option<u32> {
    let last = body.words.last_mut()?;
    let at = last.len().checked_sub(5).filter(|at| last[*at] == b'=')?;
    let digits = BASE64.decode(&last[at + 1..]).ok().filter(|digits| digits.len() == 3)?;
    last.truncate(at);
    Some(digits.iter().fold(0, |value, byte| value << 8 | u32::from(*byte)))
}

/// CRC-24 of the armour.
pub(super) fn crc24(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x00b7_04ce, |crc: u32, byte| {
        (0..8).fold(crc ^ u32::from(*byte) << 16, |crc, _| if crc & 0x0080_0000 == 0 { crc << 1 } else { crc << 1 ^ 0x0186_4cfb })
    }) & 0x00ff_ffff
}

/// Tag and body of the first packet; the body may be cut short.
fn packet(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let first = *bytes.first().filter(|first| **first & 0x80 != 0)?;
    let (tag, header) = if first & 0x40 != 0 {
        let size = match bytes.get(1)? {
            0..=191 => 1,
            192..=223 => 2,
            255 => 5,
            _ => 1,
        };
        (first & 0x3f, 1 + size)
    } else {
        (first >> 2 & 0x0f, 1 + [1, 2, 4, 0][usize::from(first & 3)])
    };
    Some((tag, bytes.get(header..)?))
}

/// Algorithm, size and protection of a version 4 key.
fn key_facts(bytes: &[u8]) -> Option<KeyFacts> {
    let (_, key) = packet(bytes).filter(|(tag, key)| SECRET_KEY.contains(tag) && key.first() == Some(&4))?;
    let public = key.get(6..)?;
    let (name, integers, curve) = match key[5] {
        1..=3 => ("rsa", 2, false),
        16 => ("elgamal", 3, false),
        17 => ("dsa", 4, false),
        18 => ("ecdh", 1, true),
        19 => ("ec", 1, true),
        22 => ("ed25519", 1, true),
        _ => return Some(KeyFacts::default()),
    };
    let bits = if curve { None } else { public.get(..2).map(|size| u32::from(size[0]) << 8 | u32::from(size[1])) };
    let encrypted = skip_public(public, integers, curve, name == "ecdh").map(|usage| usage != 0);
    Some(KeyFacts { algorithm: Some(name.to_owned()), bits, encrypted, ..KeyFacts::default() })
}

/// The octet after the public part, which is zero where no passphrase protects the rest.
fn skip_public(mut rest: &[u8], integers: usize, curve: bool, derivation: bool) -> Option<u8> {
    if curve {
        rest = rest.get(1 + usize::from(*rest.first()?)..)?;
    }
    for _ in 0..integers {
        let bits = usize::from(*rest.first()?) << 8 | usize::from(*rest.get(1)?);
        rest = rest.get(2 + bits.div_ceil(8)..)?;
    }
    if derivation {
        rest = rest.get(1 + usize::from(*rest.first()?)..)?;
    }
    rest.first().copied()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::sample;
    use super::*;

    fn block(bytes: &[u8], check: &str, between: &str) -> Vec<u8> {
        let lines = sample::lines(bytes, 64).join(between);
        format!(
            "-----BEGIN PGP PRIVATE KEY BLOCK-----{between}{between}{lines}{between}{check}{between}-----END PGP PRIVATE KEY BLOCK-----"
        )
        .into_bytes()
    }

    fn check(bytes: &[u8]) -> String {
        format!("={}", BASE64.encode(&crc24(bytes).to_be_bytes()[1..]))
    }

    #[test]
    fn the_checksum_has_its_published_value() {
        assert_eq!(crc24(b"123456789"), 0x0021_cf02);
    }

    #[test]
    fn a_right_checksum_proves_and_a_wrong_one_refutes() {
        for length in [98, 99, 100] {
            let bytes = vec![0x5c; length];
            for between in ["\n", "\r\n", r"\n", " "] {
                assert!(matches!(parse(&block(&bytes, &check(&bytes), between)), Parsed::Proved(_)), "{length} {between:?}");
                assert_eq!(parse(&block(&bytes, "=AAAA", between)), Parsed::No);
            }
        }
    }

    #[test]
    fn without_a_checksum_the_packet_decides() {
        let key = [&[0x95, 1, 0x20, 4, 0, 0, 0, 0, 1, 4, 0, 0x80][..], &[1; 127], &[0, 2, 3, 0], &[9; 60]].concat();
        let Parsed::Plausible(facts) = parse(&block(&key, "", "\n")) else { panic!() };
        assert_eq!(facts.key.unwrap().algorithm.as_deref(), Some("rsa"));
        assert_eq!(parse(&block(&[0x5c; 99], "", "\n")), Parsed::No);
    }

    #[test]
    fn protection_is_read_after_the_public_part() {
        for (usage, encrypted) in [(0, false), (254, true)] {
            let key = [&[0x95, 0, 200, 4, 0, 0, 0, 0, 1, 0, 16, 0xff, 0xff, 0, 2, 3, usage][..], &[9; 60]].concat();
            let facts = key_facts(&key).unwrap();
            assert_eq!((facts.bits, facts.encrypted), (Some(16), Some(encrypted)));
        }
    }

    #[test]
    fn headers_are_passed_over() {
        let bytes = [0x5c; 99];
        let text = String::from_utf8(block(&bytes, &check(&bytes), "\n"))
            .unwrap()
            .replace("BLOCK-----\n\n", "BLOCK-----\nVersion: GnuPG v2\nComment: it's: mine\n\n");
        assert!(matches!(parse(text.as_bytes()), Parsed::Proved(_)));
    }
}
