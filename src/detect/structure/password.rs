//! Passwords that everybody knows, tried on key stores: one that opens with them protects nothing.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::der::{OCTET_STRING, OID, Reader, SEQUENCE};

/// None at all, and those that tools and their manuals set.
const KNOWN: [&str; 6] = ["", "changeit", "changeme", "password", "secret", "123456"];

/// Most rounds that a key is derived with here: a store may ask for any number, and tools ask for 10,000 at most.
const MAX_ROUNDS: u32 = 10_240;
/// No store with a key in it is smaller; a layer full of tiny ones would only cost time.
const MIN_STORE: usize = 512;

/// Java: SHA-1 of the password in UTF-16, two words and the store stand at its end.
pub(super) fn of_jks(store: &[u8]) -> Option<&'static str> {
    let (content, found) = store.split_last_chunk::<20>()?;
    let opens = |password: &&&str| {
        let text: Vec<u8> = password.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let sum = Sha1::new().chain_update(text).chain_update(b"Mighty Aphrodite").chain_update(content).finalize();
        sum[..] == found[..]
    };
    KNOWN.iter().find(opens).copied()
}

const SHA1: &[u8] = &[0x2b, 0x0e, 0x03, 0x02, 0x1a];
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];

/// PKCS#12: a MAC over the contents, its key made of the password (RFC 7292, section 4 and appendix B).
pub(super) fn of_pkcs12(store: &[u8]) -> Option<&'static str> {
    let mut file = Reader::new(store).sequence().filter(|_| store.len() >= MIN_STORE)?;
    file.small()?;
    let mut info = file.sequence()?;
    info.expect(OID)?;
    let content = Reader::new(info.expect(0xa0)?).expect(OCTET_STRING)?;
    let mut mac = file.sequence()?;
    let mut digest = mac.sequence()?;
    let hash = Reader::new(digest.expect(SEQUENCE)?).expect(OID)?;
    let found = digest.expect(OCTET_STRING)?;
    let salt = mac.expect(OCTET_STRING).filter(|salt| !salt.is_empty())?;
    let rounds = match mac.integer() {
        None => 1,
        Some(digits) if digits.len() <= 4 => digits.iter().fold(0, |value: u32, digit| value << 8 | u32::from(*digit)),
        Some(_) => return None,
    };
    if rounds > MAX_ROUNDS || salt.len() > 1_024 {
        return None;
    }
    let opens = |text: &[u8]| match hash {
        SHA1 => Hmac::<Sha1>::new_from_slice(&key::<Sha1>(text, salt, rounds))
            .is_ok_and(|mac| mac.chain_update(content).verify_slice(found).is_ok()),
        SHA256 => Hmac::<Sha256>::new_from_slice(&key::<Sha256>(text, salt, rounds))
            .is_ok_and(|mac| mac.chain_update(content).verify_slice(found).is_ok()),
        _ => false,
    };
    // No password is written as no bytes by some and as the end of a text by others.
    let text = |password: &str| password.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
    KNOWN.iter().find(|password| opens(&text(password)) || password.is_empty() && opens(&[])).copied()
}

/// The first block of RFC 7292's derivation for a MAC; both hashes work on blocks of 64 bytes.
fn key<H: Digest>(password: &[u8], salt: &[u8], rounds: u32) -> Vec<u8> {
    const BLOCK: usize = 64;
    let filled = |text: &[u8]| text.iter().copied().cycle().take(text.len().div_ceil(BLOCK) * BLOCK).collect::<Vec<u8>>();
    let mut sum = H::new().chain_update([3; BLOCK]).chain_update(filled(salt)).chain_update(filled(password)).finalize();
    for _ in 1..rounds {
        sum = H::digest(&sum);
    }
    sum.to_vec()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_java_store_is_sealed_with_its_password() {
        let content = b"\xfe\xed\xfe\xed and so on";
        let seal = |password: &[u8]| [content.as_slice(), &Sha1::digest([password, b"Mighty Aphrodite", content].concat())].concat();
        assert_eq!(of_jks(&seal(b"\0c\0h\0a\0n\0g\0e\0i\0t")), Some("changeit"));
        assert_eq!(of_jks(&seal(b"")), Some(""));
        assert_eq!(of_jks(&seal(b"\0c\0h\0a\0n\0g\0e\0i\0T")), None);
        let mut damaged = seal(b"");
        damaged[5] ^= 1;
        assert_eq!(of_jks(&damaged), None);
        assert_eq!(of_jks(b"short"), None);
    }

    #[test]
    fn what_is_no_store_opens_with_nothing() {
        for bytes in [&b""[..], b"\x30\x03\x02\x01\x03", b"0\x82\x01\x02\x02\x01\x03"] {
            assert_eq!(of_pkcs12(bytes), None);
        }
    }
}
