//! An entry as bytes: a mark, a checksum, and what was put.

use crate::oci::Digest;

/// Changes when the bytes after it change their form.
const MARK: &[u8] = b"layersift cache entry 1\n";
const DIGITS: usize = 64;

/// `payload` with its checksum before it.
pub(super) fn seal(payload: &[u8]) -> Vec<u8> {
    [MARK, Digest::sha256(payload).hex().as_bytes(), b"\n", payload].concat()
}

/// What was sealed, if nothing of it has changed.
pub(super) fn open(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let rest = bytes.strip_prefix(MARK)?;
    let (checksum, rest) = rest.split_at_checked(DIGITS)?;
    let payload = rest.strip_prefix(b"\n")?;
    if Digest::sha256(payload).hex().as_bytes() != checksum {
        return None;
    }
    Some(bytes.split_off(MARK.len() + DIGITS + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_is_not_taken_for_what_was_sealed() {
        let sealed = seal(b"payload");
        assert_eq!(open(sealed.clone()), Some(b"payload".to_vec()));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(open(changed), None, "{at}");
            assert_eq!(open(sealed[..at].to_vec()), None, "{at}");
        }
    }
}
