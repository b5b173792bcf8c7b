//! PuTTY key files, versions 2 and 3: headers, a public blob, a private one, a MAC.

use super::text::{BASE64, unescape};
use super::{Facts, Parsed, ssh};
use crate::finding::KeyFacts;
use base64::Engine;

/// A file, or the part of one from its first header to its MAC.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    let text = if bytes.contains(&b'\\') { unescape(bytes) } else { bytes.to_vec() };
    let mut lines = text.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let Some(head) = lines.find(|line| line.starts_with(b"PuTTY-User-Key-File-")) else {
        return Parsed::No;
    };
    let Some((version, _)) = header(head) else { return Parsed::No };
    if !matches!(version, b"PuTTY-User-Key-File-2" | b"PuTTY-User-Key-File-3") {
        return Parsed::No;
    }
    let mut key = KeyFacts::default();
    let (mut public, mut private, mut mac) = (None, None, false);
    while let Some(line) = lines.next() {
        match header(line) {
            Some((b"Encryption", value)) => key.encrypted = Some(value != b"none"),
            Some((b"Public-Lines", value)) => public = blob(&mut lines, value),
            Some((b"Private-Lines", value)) => private = blob(&mut lines, value),
            Some((b"Private-MAC", value)) => mac = value.len() >= 40 && value.iter().all(u8::is_ascii_hexdigit),
            _ => {}
        }
    }
    if let Some((blob, (algorithm, bits))) = public.as_ref().and_then(|blob| Some((blob, ssh::public_key(blob)?))) {
        (key.algorithm, key.bits, key.fingerprint) = (Some(algorithm), bits, Some(ssh::fingerprint(blob)));
    }
    let (whole, known) = (private.is_some() && key.encrypted.is_some(), key.algorithm.is_some() && mac);
    match (whole, known) {
        (true, true) => Parsed::Proved(Facts::key(key)),
        (true, false) => Parsed::Plausible(Facts::key(key)),
        _ => Parsed::No,
    }
}

fn header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    Some((&line[..colon], line[colon + 1..].trim_ascii()))
}

/// The bytes of as many lines of base64 as the header says.
fn blob<'a>(lines: &mut impl Iterator<Item = &'a [u8]>, count: &[u8]) -> Option<Vec<u8>> {
    let count: usize = std::str::from_utf8(count).ok()?.parse().ok()?;
    let text: Vec<&[u8]> = lines.take(count.min(1_000)).collect();
    if text.len() != count {
        return None;
    }
    BASE64.decode(text.concat()).ok().filter(|bytes| !bytes.is_empty())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn a_file_tells_algorithm_and_protection() {
        for (cipher, encrypted) in [("none", false), ("aes256-cbc", true)] {
            let file = sample::putty(cipher, &mut || 0x21);
            for text in [file.clone(), file.replace('\n', "\r\n"), file.replace('\n', "\\n")] {
                let Parsed::Proved(facts) = parse(text.as_bytes()) else { panic!("{cipher}") };
                let key = facts.key.unwrap();
                assert_eq!((key.algorithm.as_deref(), key.encrypted), (Some("ed25519"), Some(encrypted)));
                assert!(key.fingerprint.is_some());
            }
        }
    }

    #[test]
    fn headers_without_a_body_are_no_key() {
        let file = sample::putty("none", &mut || 0x21);
        let cut = file.split("Private-Lines").next().unwrap();
        assert_eq!(parse(cut.as_bytes()), Parsed::No);
        assert_eq!(parse(b"PuTTY-User-Key-File-2: ssh-rsa"), Parsed::No);
        assert_eq!(parse(b"PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\nPrivate-Lines: 99999999999999999999\n"), Parsed::No);
    }
}
