//! Key stores as files: Java's own two formats and PKCS#12. The question is whether there is a key in them, or certificates only.

use super::der::{OCTET_STRING, OID, Reader, SEQUENCE, header};
use super::password;
use super::{Facts, Parsed};
use crate::finding::{KeyFacts, Severity};

fn store(encrypted: bool, note: &str, opens_with: Option<&str>) -> Facts {
    let note = match opens_with {
        None => note.to_owned(),
        Some("") => format!("{note}; it opens without a password"),
        Some(known) => format!("{note}; it opens with the well-known password `{known}`"),
    };
    Facts {
        note: Some(note),
        severity: opens_with.map(|_| Severity::High),
        ..Facts::key(KeyFacts { encrypted: Some(encrypted), ..KeyFacts::default() })
    }
}

/// Java key store, perhaps cut: magic, version, number of entries; each entry a tag, an alias, a date, and a key or certificate.
pub(super) fn jks(bytes: &[u8]) -> Parsed {
    let mut store = Store(bytes);
    let (Some(0xfeed_feed | 0xcece_cece), Some(version @ (1 | 2)), Some(count)) = (store.number(), store.number(), store.number()) else {
        return Parsed::No;
    };
    // Each entry consumes at least its tag, so the bytes bound the loop whatever the count says.
    for _ in 0..count {
        match store.entry(version) {
            Some(true) => return Parsed::Proved(self::store(true, "Java key store with a key", password::of_jks(bytes))),
            Some(false) => {}
            None => break,
        }
    }
    Parsed::No
}

struct Store<'a>(&'a [u8]);

impl<'a> Store<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*number))
    }

    /// Text with a length of two bytes.
    fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.take(2)?;
        self.take(usize::from(length[0]) << 8 | usize::from(length[1]))
    }

    /// Passes one entry; whether it holds a key.
    fn entry(&mut self, version: u32) -> Option<bool> {
        let tag = self.number()?;
        self.text()?;
        self.take(8)?;
        match tag {
            // A key: the format says how long; a file cut within it is a store with a key all the same.
            1 => (self.number()? >= 16).then_some(true),
            2 => {
                if version == 2 {
                    self.text()?;
                }
                let length = self.number()?;
                self.take(usize::try_from(length).ok()?)?;
                Some(false)
            }
            // A secret key, serialised by Java: begins with the magic number of that.
            3 => (self.take(2)? == [0xac, 0xed]).then_some(true),
            _ => None,
        }
    }
}

const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
const SIGNED: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
const BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1];

/// What a PKCS#12 file lets one see without its password.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    Certificates,
    Ciphertext,
    Key { encrypted: bool },
}

/// PKCS#12 (RFC 7292), perhaps cut: version 3, then contents, which are as a rule keys each encrypted, and certificates all in one.
pub(super) fn pkcs12(bytes: &[u8]) -> Parsed {
    let Some(content) = authenticated_safe(bytes) else {
        return Parsed::No;
    };
    let opens_with = password::of_pkcs12(bytes);
    let note = match content {
        Content::Opaque => return Parsed::Proved(store(true, "PKCS#12 file", opens_with)),
        Content::Safes(safes) => safes,
    };
    match seen(note) {
        Some(Seen::Key { encrypted }) => Parsed::Proved(store(encrypted, "PKCS#12 file with a key", opens_with)),
        Some(Seen::Ciphertext) => {
            Parsed::Plausible(store(true, "PKCS#12 file whose contents are all encrypted: a key or certificates", opens_with))
        }
        Some(Seen::Certificates) | None => Parsed::No,
    }
}

enum Content<'a> {
    /// The encoding of the contents.
    Safes(&'a [u8]),
    /// Signed, of indefinite length, or cut.
    Opaque,
}

fn authenticated_safe(bytes: &[u8]) -> Option<Content<'_>> {
    // BER as some writers have it: `30 80` instead of a length.
    let (rest, indefinite) = match bytes {
        [SEQUENCE, 0x80, rest @ ..] => (rest, true),
        _ => (bytes.get(header(bytes).filter(|(tag, ..)| *tag == SEQUENCE)?.1..)?, false),
    };
    let rest = rest.strip_prefix(&[2, 1, 3])?;
    let rest = match rest {
        [SEQUENCE, 0x80, rest @ ..] => rest,
        _ => rest.get(header(rest).filter(|(tag, ..)| *tag == SEQUENCE)?.1..)?,
    };
    let mut reader = Reader::new(rest);
    let kind = reader.expect(OID)?;
    if kind == SIGNED || kind == DATA && indefinite {
        return Some(Content::Opaque);
    }
    let content = (kind == DATA).then(|| reader.expect(0xa0).and_then(|inside| Reader::new(inside).expect(OCTET_STRING)))?;
    Some(content.map_or(Content::Opaque, Content::Safes))
}

/// The most telling thing in the contents; none where they do not parse.
fn seen(safes: &[u8]) -> Option<Seen> {
    let mut list = Reader::new(safes).sequence()?;
    let mut most = None;
    while !list.is_empty() {
        let mut info = list.sequence()?;
        let found = if info.expect(OID)? == DATA {
            let bags = Reader::new(info.expect(0xa0)?).expect(OCTET_STRING)?;
            bags_seen(bags)?
        } else {
            Seen::Ciphertext
        };
        most = most.max(Some(found));
    }
    most
}

fn bags_seen(bags: &[u8]) -> Option<Seen> {
    let mut list = Reader::new(bags).sequence()?;
    let mut most = Seen::Certificates;
    while !list.is_empty() {
        let kind = list.sequence()?.expect(OID)?;
        let found = match kind.strip_prefix(BAG)? {
            [1] => Seen::Key { encrypted: false },
            [2] => Seen::Key { encrypted: true },
            // A secret, or bags within bags.
            [5 | 6] => Seen::Ciphertext,
            _ => Seen::Certificates,
        };
        most = most.max(found);
    }
    Some(most)
}

#[cfg(test)]
mod tests {
    use super::super::sample::{self, element, octets, oid, sequence};
    use super::*;

    fn jks_of(entries: &[(u32, &[u8])]) -> Vec<u8> {
        let mut bytes = [0xfeed_feed_u32.to_be_bytes(), 2u32.to_be_bytes(), (entries.len() as u32).to_be_bytes()].concat();
        for (tag, content) in entries {
            bytes.extend([&tag.to_be_bytes()[..], b"\0\x03key", &[0; 8], content].concat());
        }
        bytes
    }

    const CERTIFICATE: &[u8] = b"\0\x05X.509\0\0\0\x04abcd";

    #[test]
    fn stores_with_a_key_are_told_from_trust_stores() {
        let key = [&64u32.to_be_bytes()[..], &[7; 64], &[0; 4]].concat();
        assert!(matches!(jks(&jks_of(&[(1, &key)])), Parsed::Proved(_)));
        assert!(matches!(jks(&jks_of(&[(2, CERTIFICATE), (1, &key)])), Parsed::Proved(_)));
        assert!(matches!(jks(&jks_of(&[(3, &[0xac, 0xed, 0, 5])])), Parsed::Proved(_)));
        assert_eq!(jks(&jks_of(&[(2, CERTIFICATE), (2, CERTIFICATE)])), Parsed::No);
        assert_eq!(jks(&jks_of(&[])), Parsed::No);
        let cut = jks_of(&[(2, CERTIFICATE), (2, CERTIFICATE)]);
        assert_eq!(jks(&cut[..cut.len() - 6]), Parsed::No);
    }

    fn pkcs12_of(contents: &[Vec<u8>]) -> Vec<u8> {
        let safes = sequence(&contents.concat());
        let content = sequence(&[oid(DATA), element(0xa0, &octets(&safes))].concat());
        sequence(&[vec![2, 1, 3], content].concat())
    }

    fn safe(bag: u8) -> Vec<u8> {
        let bag = sequence(&[oid(&[BAG, &[bag]].concat()), element(0xa0, &sequence(&[]))].concat());
        sequence(&[oid(DATA), element(0xa0, &octets(&sequence(&bag)))].concat())
    }

    fn ciphertext() -> Vec<u8> {
        sequence(&[oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 6]), element(0xa0, &sequence(&[]))].concat())
    }

    #[test]
    fn key_bags_prove_and_certificates_alone_refute() {
        assert!(matches!(pkcs12(&pkcs12_of(&[ciphertext(), safe(2)])), Parsed::Proved(_)));
        assert!(matches!(pkcs12(&pkcs12_of(&[safe(1)])), Parsed::Proved(_)));
        assert!(matches!(pkcs12(&pkcs12_of(&[ciphertext()])), Parsed::Plausible(_)));
        assert_eq!(pkcs12(&pkcs12_of(&[safe(3)])), Parsed::No);
        assert_eq!(pkcs12(&pkcs12_of(&[])), Parsed::No);
    }

    #[test]
    fn a_file_cut_or_of_indefinite_length_counts() {
        let whole = pkcs12_of(&[ciphertext(), safe(2)]);
        assert!(matches!(pkcs12(&whole[..whole.len() - 20]), Parsed::Proved(_)));
        let indefinite = [&[SEQUENCE, 0x80, 2, 1, 3, SEQUENCE, 0x80][..], &oid(DATA), &[0xa0, 0x80]].concat();
        assert!(matches!(pkcs12(&indefinite), Parsed::Proved(_)));
    }

    #[test]
    fn other_der_is_no_store() {
        assert_eq!(pkcs12(&sample::pkcs1(&mut || 0x44)), Parsed::No);
    }
}
