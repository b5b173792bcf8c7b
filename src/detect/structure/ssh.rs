//! Encodings of OpenSSH: its private key container, and public keys as the blobs that fingerprints are taken of.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest, Sha256};

use super::der::bits;
use super::{Facts, Parsed};
use crate::finding::KeyFacts;

pub(super) const MAGIC: &[u8] = b"openssh-key-v1\0";

/// `SHA256:...` of a public key blob.
pub(super) fn fingerprint(blob: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(blob)))
}

/// Appends a string with its length.
pub(super) fn put(blob: &mut Vec<u8>, string: &[u8]) {
    blob.extend((string.len() as u32).to_be_bytes());
    blob.extend_from_slice(string);
}

/// Appends a non-negative integer without leading zeros.
pub(super) fn put_integer(blob: &mut Vec<u8>, magnitude: &[u8]) {
    let sign = magnitude.first().is_some_and(|byte| *byte >= 0x80);
    blob.extend((magnitude.len() as u32 + u32::from(sign)).to_be_bytes());
    blob.extend(sign.then_some(0));
    blob.extend_from_slice(magnitude);
}

/// Reads strings one after the other.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn number(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*number))
    }

    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (string, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(string)
    }
}

/// Algorithm and size of a public key blob.
pub(super) fn public_key(blob: &[u8]) -> Option<(String, Option<u32>)> {
    let mut reader = Reader(blob);
    let name = std::str::from_utf8(reader.string()?).ok().filter(|name| name.len() <= 64 && name.bytes().all(|b| b.is_ascii_graphic()))?;
    let size = |integer: &[u8]| bits(&integer[usize::from(integer.first() == Some(&0))..]);
    Some(match name {
        "ssh-rsa" => {
            reader.string()?;
            ("rsa".into(), Some(size(reader.string()?)))
        }
        "ssh-dss" => ("dsa".into(), Some(size(reader.string()?))),
        "ssh-ed25519" => ("ed25519".into(), Some(256)),
        "sk-ssh-ed25519@openssh.com" => ("ed25519-sk".into(), Some(256)),
        "sk-ecdsa-sha2-nistp256@openssh.com" => ("ec-sk".into(), Some(256)),
        _ => match name.strip_prefix("ecdsa-sha2-nistp") {
            Some(size) => ("ec".into(), size.parse().ok()),
            None => (name.to_owned(), None),
        },
    })
}

/// Whether the bytes begin as OpenSSH's container does.
pub(super) fn is_openssh(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// The container: cipher and key derivation, public keys in the clear, private ones perhaps not.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    let Some(mut reader) = bytes.strip_prefix(MAGIC).map(Reader) else {
        return Parsed::No;
    };
    let Some(encrypted) = cipher(&mut reader) else { return Parsed::No };
    let mut key = KeyFacts { encrypted: Some(encrypted), ..KeyFacts::default() };
    let Some(blob) = reader.number().filter(|count| *count == 1).and_then(|_| reader.string()) else {
        return Parsed::Plausible(Facts::key(key));
    };
    if let Some((algorithm, bits)) = public_key(blob) {
        (key.algorithm, key.bits) = (Some(algorithm), bits);
        key.fingerprint = Some(fingerprint(blob));
    }
    let whole = key.algorithm.is_some() && reader.string().is_some_and(|secret| is_private(secret, encrypted));
    if whole { Parsed::Proved(Facts::key(key)) } else { Parsed::Plausible(Facts::key(key)) }
}

/// How many of the container's first bytes are public: all up to what is encrypted, or up to the private numbers of a key without a
/// passphrase, since the public key stands beside them once more.
pub(super) fn public_length(bytes: &[u8]) -> Option<usize> {
    let mut reader = bytes.strip_prefix(MAGIC).map(Reader)?;
    let is_encrypted = cipher(&mut reader)?;
    if reader.number()? != 1 {
        return None;
    }
    reader.string()?;
    let secret = reader.string()?;
    if is_encrypted {
        return bytes.len().checked_sub(secret.len() + reader.0.len());
    }
    let mut numbers = Reader(secret.get(8..)?);
    let public = match numbers.string()? {
        b"ssh-ed25519" => 1,
        b"ssh-rsa" => 2,
        b"ssh-dss" => 4,
        kind if kind.starts_with(b"ecdsa-sha2-nistp") => 2,
        _ => return None,
    };
    for _ in 0..public {
        numbers.string()?;
    }
    let after = numbers.0.len() + reader.0.len();
    bytes.len().checked_sub(after)
}

/// Whether a passphrase is needed.
fn cipher(reader: &mut Reader<'_>) -> Option<bool> {
    let cipher = reader.string()?;
    let _derivation = reader.string()?;
    let _options = reader.string()?;
    (!cipher.is_empty() && cipher.is_ascii()).then_some(cipher != b"none")
}

/// Two equal numbers, which show a decrypting reader that the passphrase was right, then the key; whole blocks of 8 bytes.
fn is_private(secret: &[u8], encrypted: bool) -> bool {
    let whole = secret.len() >= 16 && secret.len().is_multiple_of(8);
    whole && (encrypted || secret[..4] == secret[4..8])
}
