//! What a file hashes to, in the ways that package databases use.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// A hash as a database gives it. None of them lets anyone make another file of the same hash as one that is given (a second preimage).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// dpkg's, and old ones of rpm.
    Md5([u8; 16]),
    /// apk's, and old ones of rpm.
    Sha1([u8; 20]),
    /// Of a Python distribution, and rpm's.
    Sha256([u8; 32]),
}

impl Checksum {
    /// MD5 from 32 hex digits.
    pub(super) fn md5(hex: &[u8]) -> Option<Self> {
        bytes(hex).map(Checksum::Md5)
    }

    /// From hex digits, of which sort their number says.
    pub(super) fn hex(hex: &[u8]) -> Option<Self> {
        match hex.len() {
            32 => bytes(hex).map(Checksum::Md5),
            40 => bytes(hex).map(Checksum::Sha1),
            64 => bytes(hex).map(Checksum::Sha256),
            _ => None,
        }
    }

    /// SHA-1 from base64.
    pub(super) fn sha1(base64: &[u8]) -> Option<Self> {
        LENIENT.decode(base64).ok()?.try_into().ok().map(Checksum::Sha1)
    }

    /// SHA-256 from URL-safe base64.
    pub(super) fn sha256(base64: &[u8]) -> Option<Self> {
        URL_SAFE.decode(base64).ok()?.try_into().ok().map(Checksum::Sha256)
    }
}

const CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const LENIENT: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, CONFIG);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, CONFIG);

/// From twice as many hex digits.
fn bytes<const N: usize>(hex: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if hex.len() != 2 * N {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(hex.as_chunks::<2>().0) {
        *byte = digit(digits[0])? << 4 | digit(digits[1])?;
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

/// All that a file may be recognised by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FileHashes {
    md5: [u8; 16],
    sha1: [u8; 20],
    pub(super) sha256: [u8; 32],
}

impl FileHashes {
    /// Of a whole file.
    pub fn of(bytes: &[u8]) -> Self {
        Self { md5: Md5::digest(bytes).into(), sha1: Sha1::digest(bytes).into(), sha256: Sha256::digest(bytes).into() }
    }

    /// Whether they are of the file that `checksum` is of.
    pub fn agree(&self, checksum: &Checksum) -> bool {
        match checksum {
            Checksum::Md5(sum) => *sum == self.md5,
            Checksum::Sha1(sum) => *sum == self.sha1,
            Checksum::Sha256(sum) => *sum == self.sha256,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn published_sums_of_abc_agree() {
        // RFC 1321, FIPS 180-2.
        let hashes = FileHashes::of(b"abc");
        let sums = [
            Checksum::md5(b"900150983cd24fb0d6963f7d28e17f72"),
            Checksum::md5(b"900150983CD24FB0D6963F7D28E17F72"),
            Checksum::sha1(b"qZk+NkcGgWq6PiVxeFDCbJzQ2J0="),
            Checksum::sha256(b"ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"),
            Checksum::sha256(b"ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0="),
        ];
        for sum in sums {
            assert!(hashes.agree(&sum.unwrap()) && !FileHashes::of(b"abd").agree(&sum.unwrap()), "{sum:?}");
        }
    }

    #[test]
    fn what_is_no_sum_is_none() {
        for text in ["", "900150983cd24fb0d6963f7d28e17f7", "900150983cd24fb0d6963f7d28e17f7g", "qZk", "=", "\u{fffd}"] {
            let bytes = text.as_bytes();
            assert_eq!((Checksum::md5(bytes), Checksum::sha1(bytes), Checksum::sha256(bytes)), (None, None, None), "{text}");
        }
    }
}
