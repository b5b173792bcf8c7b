//! Private keys in DER: PKCS#1 (RFC 8017), PKCS#8 (RFC 5958, with RFC 8410 and RFC 5915 inside), SEC1 (RFC 5915), DSA as OpenSSL
//! writes it. All lengths must agree to the last byte, so that a text which parses is a key.

use super::der::{BIT_STRING, OCTET_STRING, OID, Reader, SEQUENCE, bits, header};
use super::ssh;
use crate::finding::KeyFacts;

/// A private key that takes all the bytes.
pub(super) fn parse(der: &[u8]) -> Option<KeyFacts> {
    let mut outer = Reader::new(der);
    let inner = outer.sequence().filter(|_| outer.is_empty())?;
    pkcs8(inner).or_else(|| pkcs1(inner)).or_else(|| sec1(inner, None)).or_else(|| dsa(inner)).or_else(|| encrypted_pkcs8(inner))
}

/// Whether the bytes begin as a key would: a sequence of about their size whose first element is an integer or a sequence.
pub(super) fn is_key_shaped(der: &[u8]) -> bool {
    let Some((SEQUENCE, start, length)) = header(der) else {
        return false;
    };
    let first = der.get(start..).and_then(header).map(|(tag, ..)| tag);
    // Wrong to the last byte is a damaged key; much more or much less than there is, another thing.
    let near = (start + length).abs_diff(der.len()) <= 64;
    length >= 40 && (near || start + length > der.len() && length < 16_384) && matches!(first, Some(super::der::INTEGER | SEQUENCE))
}

fn facts(algorithm: &str, bits: Option<u32>, fingerprint: Option<String>) -> KeyFacts {
    KeyFacts { algorithm: Some(algorithm.to_owned()), bits, encrypted: Some(false), fingerprint, ..KeyFacts::default() }
}

/// Version, n, e, d, p, q, d mod p-1, d mod q-1, 1/q mod p, and for more than two primes the others.
fn pkcs1(mut reader: Reader<'_>) -> Option<KeyFacts> {
    let version = reader.small().filter(|version| *version <= 1)?;
    let (n, e) = (reader.integer()?, reader.integer()?);
    for _ in 0..6 {
        reader.integer().filter(|part| !part.is_empty())?;
    }
    if version == 1 {
        reader.sequence()?;
    }
    let odd = |value: &[u8]| value.last().is_some_and(|byte| byte & 1 == 1);
    if !reader.is_empty() || !odd(n) || !odd(e) || bits(n) < 256 {
        return None;
    }
    Some(facts("rsa", Some(bits(n)), Some(rsa_fingerprint(n, e))))
}

fn rsa_fingerprint(n: &[u8], e: &[u8]) -> String {
    let mut blob = Vec::new();
    ssh::put(&mut blob, b"ssh-rsa");
    ssh::put_integer(&mut blob, e);
    ssh::put_integer(&mut blob, n);
    ssh::fingerprint(&blob)
}

/// Fingerprint of a public key as a certificate has it: the algorithm with its parameters, and the key in the algorithm's own form.
pub(super) fn public_fingerprint(mut algorithm: Reader<'_>, key: &[u8]) -> Option<String> {
    match algorithm.expect(OID)? {
        RSA | RSA_PSS => {
            let mut parts = Reader::new(key).sequence()?;
            let (n, e) = (parts.integer()?, parts.integer()?);
            Some(rsa_fingerprint(n, e))
        }
        EC => {
            let curve = named_curve(algorithm);
            let name = CURVES.iter().find(|(known, ..)| *known == curve).and_then(|(_, _, name)| *name)?;
            (key.first() == Some(&4)).then(|| ec_fingerprint(name, key))
        }
        [0x2b, 0x65, 0x70] => {
            let mut blob = Vec::new();
            ssh::put(&mut blob, b"ssh-ed25519");
            ssh::put(&mut blob, key);
            Some(ssh::fingerprint(&blob))
        }
        _ => None,
    }
}

fn ec_fingerprint(curve: &str, point: &[u8]) -> String {
    let mut blob = Vec::new();
    ssh::put(&mut blob, format!("ecdsa-sha2-{curve}").as_bytes());
    ssh::put(&mut blob, curve.as_bytes());
    ssh::put(&mut blob, point);
    ssh::fingerprint(&blob)
}

/// Version, p, q, g, y, x.
fn dsa(mut reader: Reader<'_>) -> Option<KeyFacts> {
    reader.small().filter(|version| *version == 0)?;
    let mut blob = Vec::new();
    ssh::put(&mut blob, b"ssh-dss");
    let mut sizes = [0; 5];
    for (place, size) in sizes.iter_mut().enumerate() {
        let part = reader.integer()?;
        *size = bits(part);
        if place < 4 {
            ssh::put_integer(&mut blob, part);
        }
    }
    let [p, q, _, y, x] = sizes;
    let right = reader.is_empty() && p >= 512 && (160..=256).contains(&q) && y <= p && x <= q;
    right.then(|| facts("dsa", Some(p), Some(ssh::fingerprint(&blob))))
}

/// Curves: object identifier, bits, name in SSH.
const CURVES: [(&[u8], u32, Option<&str>); 6] = [
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7], 256, Some("nistp256")),
    (&[0x2b, 0x81, 4, 0, 0x22], 384, Some("nistp384")),
    (&[0x2b, 0x81, 4, 0, 0x23], 521, Some("nistp521")),
    (&[0x2b, 0x81, 4, 0, 0x21], 224, None),
    (&[0x2b, 0x81, 4, 0, 0x0a], 256, None),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 1], 192, None),
];

/// Version, the number, the curve unless PKCS#8 has named it, the public point perhaps.
fn sec1(mut reader: Reader<'_>, curve: Option<&[u8]>) -> Option<KeyFacts> {
    reader.small().filter(|version| *version == 1)?;
    let number = reader.expect(OCTET_STRING).filter(|number| (14..=72).contains(&number.len()))?;
    let own = match reader.expect(0xa0) {
        Some(parameters) => {
            let mut inside = Reader::new(parameters);
            let (tag, content) = inside.any().filter(|(tag, _)| inside.is_empty() && matches!(*tag, OID | SEQUENCE))?;
            Some(if tag == OID { content } else { &[] })
        }
        None => None,
    };
    let point = match reader.expect(0xa1) {
        Some(public) => Some(Reader::new(public).expect(BIT_STRING)?.strip_prefix(&[0])?),
        None => None,
    };
    let oid = own.or(curve).filter(|_| reader.is_empty())?;
    let known = CURVES.iter().find(|(known, ..)| *known == oid);
    let size = known.map_or(number.len() as u32 * 8, |(_, size, _)| *size);
    let fingerprint = known
        .and_then(|(_, _, name)| *name)
        .zip(point.filter(|point| point.first() == Some(&4)))
        .map(|(name, point)| ec_fingerprint(name, point));
    Some(facts("ec", Some(size), fingerprint))
}

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const DSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1];
const DH: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 3, 1];
/// What the encryption schemes of PKCS#5 and PKCS#12 begin with.
const SCHEMES: [&[u8]; 2] = [&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5], &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 1]];

/// Version, algorithm, the key in the algorithm's own form, attributes, the public key perhaps.
fn pkcs8(mut reader: Reader<'_>) -> Option<KeyFacts> {
    reader.small().filter(|version| *version <= 1)?;
    let mut algorithm = reader.sequence()?;
    let oid = algorithm.expect(OID)?;
    let parameters = algorithm;
    let key = reader.expect(OCTET_STRING).filter(|key| !key.is_empty())?;
    reader.expect(0xa0);
    let public = reader.expect(0x81).and_then(|public| public.strip_prefix(&[0]));
    if !reader.is_empty() {
        return None;
    }
    let mut inside = Reader::new(key);
    let found = match oid {
        RSA | RSA_PSS => return pkcs1(inside.sequence()?),
        EC => return sec1(inside.sequence()?, Some(named_curve(parameters))),
        DSA => facts("dsa", modulus_bits(parameters), None),
        DH => facts("dh", modulus_bits(parameters), None),
        [0x2b, 0x65, curve @ 0x6e..=0x71] => return rfc8410(*curve, inside.expect(OCTET_STRING)?, public),
        _ => KeyFacts { encrypted: Some(false), ..KeyFacts::default() },
    };
    Some(found)
}

/// The curve that the parameters of an EC key name.
fn named_curve(mut parameters: Reader<'_>) -> &[u8] {
    parameters.expect(OID).unwrap_or(&[])
}

/// Size of the modulus that begins the parameters of DSA and DH.
fn modulus_bits(mut parameters: Reader<'_>) -> Option<u32> {
    parameters.sequence()?.integer().map(bits)
}

/// X25519, X448, Ed25519 and Ed448: a number of fixed size.
fn rfc8410(curve: u8, number: &[u8], public: Option<&[u8]>) -> Option<KeyFacts> {
    let (name, size, bits) = match curve {
        0x6e => ("x25519", 32, 256),
        0x6f => ("x448", 56, 448),
        0x70 => ("ed25519", 32, 256),
        _ => ("ed448", 57, 456),
    };
    let fingerprint = public.filter(|public| curve == 0x70 && public.len() == 32).map(|public| {
        let mut blob = Vec::new();
        ssh::put(&mut blob, b"ssh-ed25519");
        ssh::put(&mut blob, public);
        ssh::fingerprint(&blob)
    });
    (number.len() == size).then(|| facts(name, Some(bits), fingerprint))
}

/// Scheme and ciphertext: nothing is known of the key but that there is one.
fn encrypted_pkcs8(mut reader: Reader<'_>) -> Option<KeyFacts> {
    let oid = reader.sequence()?.expect(OID)?;
    reader.expect(OCTET_STRING).filter(|text| text.len() >= 16)?;
    let right = reader.is_empty() && SCHEMES.iter().any(|scheme| oid.starts_with(scheme));
    right.then(|| KeyFacts { encrypted: Some(true), ..KeyFacts::default() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::sample::{self, integer, octets, oid, sequence};
    use super::*;

    fn bytes(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at * 37 + 11) as u8 | 1).collect()
    }

    #[test]
    fn each_form_is_known_by_its_content() {
        let rsa = sample::pkcs1(&mut || 0x5a);
        let wrapped = sample::pkcs8(&[oid(RSA), vec![5, 0]].concat(), &rsa);
        for der in [&rsa, &wrapped] {
            let key = parse(der).unwrap();
            assert_eq!((key.algorithm.as_deref(), key.bits, key.encrypted), (Some("rsa"), Some(1024), Some(false)));
            assert!(key.fingerprint.unwrap().starts_with("SHA256:"));
        }
        let ed25519 = sample::pkcs8(&oid(&[0x2b, 0x65, 0x70]), &octets(&bytes(32)));
        assert_eq!(parse(&ed25519).unwrap(), facts("ed25519", Some(256), None));
        let number = [integer(&[1]), octets(&bytes(32))].concat();
        let bare = sequence(&number);
        assert_eq!(parse(&bare), None, "no curve is named");
        let ec = sample::pkcs8(&[oid(EC), oid(CURVES[0].0)].concat(), &bare);
        assert_eq!(parse(&ec).unwrap(), facts("ec", Some(256), None));
        let scheme = sequence(&[oid(&[SCHEMES[0], &[13]].concat()), sequence(&[])].concat());
        let encrypted = sequence(&[scheme, octets(&bytes(64))].concat());
        assert_eq!(parse(&encrypted).unwrap().encrypted, Some(true));
    }

    #[test]
    fn a_digest_info_is_not_an_encrypted_key() {
        let sha256 = sequence(&[oid(&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1]), vec![5, 0]].concat());
        assert_eq!(parse(&sequence(&[sha256, octets(&bytes(32))].concat())), None);
    }

    #[test]
    fn sizes_must_agree_to_the_last_byte() {
        let whole = sample::pkcs1(&mut || 0x33);
        assert_eq!(parse(&[whole.as_slice(), &[0]].concat()), None);
        for length in 0..whole.len() {
            assert_eq!(parse(&whole[..length]), None);
        }
        assert!(is_key_shaped(&whole[..whole.len() - 30]));
        assert!(!is_key_shaped(&bytes(300)));
    }

    #[test]
    fn a_public_point_gives_the_fingerprint() {
        let point = [&[0, 4][..], &bytes(64)].concat();
        let public = sample::element(0xa1, &sample::element(BIT_STRING, &point));
        let curve = sample::element(0xa0, &oid(CURVES[0].0));
        let key = sequence(&[integer(&[1]), octets(&bytes(32)), curve, public].concat());
        assert!(parse(&key).unwrap().fingerprint.is_some());
    }
}
