//! PEM blocks of private keys, however a file wraps them. What the block holds decides what it is; the label decides only what an
//! encrypted body would be.

use super::text::{Armor, armor, body};
use super::{Facts, Parsed, der, key, pgp, ssh};
use crate::finding::KeyFacts;

/// Begins the body of a key of SSH Communications' own format.
const SSH2_MAGIC: &[u8] = &[0x3f, 0x6f, 0xf9, 0xeb];

/// A block from its BEGIN line to its END line.
pub(super) fn parse(block: &[u8]) -> Parsed {
    let Some(armor) = armor(block) else { return Parsed::No };
    if armor.label.starts_with(b"PGP") {
        return pgp::parse(block);
    }
    let body = body(armor.body);
    if body.cut && armor.complete {
        return Parsed::No;
    }
    let encrypted = body.header(b"Proc-Type").is_some_and(|value| value.ends_with(b"ENCRYPTED"));
    let Some(bytes) = body.decode().filter(|bytes| !bytes.is_empty()) else {
        return Parsed::No;
    };
    if encrypted { legacy(&armor, &bytes) } else { plain(&armor, &bytes) }
}

fn plain(armor: &Armor<'_>, bytes: &[u8]) -> Parsed {
    if ssh::is_openssh(bytes) {
        return ssh::parse(bytes);
    }
    if bytes.starts_with(SSH2_MAGIC) {
        return Parsed::Plausible(Facts::key(KeyFacts::default()));
    }
    match key::parse(bytes) {
        Some(facts) => Parsed::Proved(Facts::key(facts)),
        None if armor.complete && key::is_key_shaped(bytes) && is_abridged(bytes) => Parsed::Dummy {
            reason: "placeholder",
            detail: "the block is closed and holds less than a quarter of the key that it begins".to_owned(),
        },
        None if key::is_key_shaped(bytes) => Parsed::Plausible(Facts {
            note: Some("the block begins as a key does, but does not parse to its end".into()),
            ..Facts::key(KeyFacts { algorithm: algorithm(armor.label), ..KeyFacts::default() })
        }),
        None => Parsed::No,
    }
}

/// Whether the outermost element says that it is more than four times as long as what there is: a key in a text that shows what keys look
/// like. With so little of it nothing can be worked out.
fn is_abridged(bytes: &[u8]) -> bool {
    der::header(bytes).is_some_and(|(tag, header, length)| tag == der::SEQUENCE && bytes.len().saturating_mul(4) < header + length)
}

/// The text of a PEM body from the first character that tells anything of what is private. An OpenSSH key begins with its public half, which
/// is in any `.pub` file; other keys are private from the start.
pub(super) fn private_text(text: &[u8]) -> &[u8] {
    let digits = || text.iter().enumerate().filter(|(_, byte)| !byte.is_ascii_whitespace());
    // Wrapped by line breaks and nothing else, so that characters can be counted.
    if !digits().all(|(_, byte)| byte.is_ascii_alphanumeric() || b"+/=".contains(byte)) {
        return text;
    }
    let public = body(text).decode().as_deref().and_then(ssh::public_length);
    // Four characters for three bytes: those that hold a bit of what is private stay.
    let start = public.and_then(|public| digits().nth(public * 8 / 6)).map_or(0, |(at, _)| at);
    &text[start..]
}

/// OpenSSL's own encryption: the body is ciphertext, of which only the size can be judged.
fn legacy(armor: &Armor<'_>, bytes: &[u8]) -> Parsed {
    let facts = Facts::key(KeyFacts { algorithm: algorithm(armor.label), encrypted: Some(true), ..KeyFacts::default() });
    match (bytes.len() >= 48, bytes.len().is_multiple_of(8) && armor.complete) {
        (true, true) => Parsed::Proved(facts),
        (true, false) => Parsed::Plausible(facts),
        _ => Parsed::No,
    }
}

fn algorithm(label: &[u8]) -> Option<String> {
    let first = label.split(|byte| *byte == b' ').next()?;
    let known: [(&[u8], &str); 3] = [(b"RSA", "rsa"), (b"EC", "ec"), (b"DSA", "dsa")];
    known.into_iter().find(|(name, _)| *name == first).map(|(_, algorithm)| algorithm.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::sample;
    use super::*;

    fn block(label: &str, body: &str) -> String {
        format!("-----BEGIN {label}-----{body}-----END {label}-----")
    }

    fn wrapped(der: &[u8], between: &str) -> String {
        sample::lines(der, 64).iter().map(|line| format!("{between}{line}")).collect::<String>() + between
    }

    #[test]
    fn a_key_is_the_same_however_it_is_wrapped() {
        let der = sample::pkcs1(&mut || 0x6b);
        let expected = key::parse(&der).unwrap();
        for between in ["\n", "\r\n", r"\n", r"\\n", r"\r\n", " ", "\\n\" +\n  \"", "\",\n\"", "\n# ", "\n// ", "\n    ", "\\n\\\n", "%0A"]
        {
            let text = block("RSA PRIVATE KEY", &wrapped(&der, between));
            assert_eq!(parse(text.as_bytes()), Parsed::Proved(Facts::key(expected.clone())), "{between:?}");
        }
    }

    #[test]
    fn text_between_marks_is_no_key() {
        for body in [
            "",
            "\n",
            "\n...\n",
            "\nMIIEow...\n",
            "\\n\" + key + \"\\n",
            "\n<your key here>\n",
            "\nYOUR PRIVATE KEY\n",
            "\nabcdefgh\n",
            "\n%s\n",
            "\n{{ key }}\n",
        ] {
            assert_eq!(parse(block("RSA PRIVATE KEY", body).as_bytes()), Parsed::No, "{body:?}");
        }
        assert_eq!(parse(b"-----BEGIN RSA PRIVATE KEY-----"), Parsed::No);
    }

    #[test]
    fn a_damaged_key_is_plausible() {
        let mut der = sample::pkcs1(&mut || 0x6b);
        der.truncate(der.len() - 9);
        let text = block("RSA PRIVATE KEY", &wrapped(&der, "\n"));
        assert!(matches!(parse(text.as_bytes()), Parsed::Plausible(_)));
    }

    #[test]
    fn the_beginning_of_a_key_in_a_closed_block_is_a_dummy() {
        let der = sample::pkcs1(&mut || 0x6b);
        let of = |length: usize| parse(block("RSA PRIVATE KEY", &wrapped(&der[..length], "\n")).as_bytes());
        assert!(matches!(of(der.len() / 5), Parsed::Dummy { .. }));
        assert!(matches!(of(der.len() / 3), Parsed::Plausible(_)));
        // Cut by whoever reads it, and not by whoever wrote it.
        let open = format!("-----BEGIN RSA PRIVATE KEY-----{}", wrapped(&der[..der.len() / 5], "\n"));
        assert!(matches!(parse(open.as_bytes()), Parsed::Plausible(_)));
    }

    #[test]
    fn a_block_cut_by_a_limit_is_plausible() {
        let text = block("RSA PRIVATE KEY", &wrapped(&sample::pkcs1(&mut || 0x6b), "\n"));
        assert!(matches!(parse(&text.as_bytes()[..300]), Parsed::Plausible(_)));
    }

    #[test]
    fn the_public_half_of_an_openssh_key_is_no_part_of_the_secret() {
        let bytes = sample::openssh("none", &mut || 0x17);
        let public = sample::lines(&bytes[ssh::MAGIC.len() + 24..][..51], 64).concat();
        for between in ["\n", "\r\n", ""] {
            let text = wrapped(&bytes, between);
            let private = private_text(text.as_bytes());
            let whole: String = text.split_whitespace().collect();
            let private: String = std::str::from_utf8(private).unwrap().split_whitespace().collect();
            assert!(whole.contains(&public) && whole.ends_with(&private) && !private.contains(&public), "{between:?}");
            // The 64 bytes of the seed and its public point, in base64, are all there.
            assert!(private.len() >= 64 * 4 / 3 && private.len() < whole.len() / 2, "{private}");
        }
        let encrypted = wrapped(&sample::openssh("aes256-ctr", &mut || 0x17), "\n");
        let private = private_text(encrypted.as_bytes());
        assert!(private.len() > 150 && encrypted.as_bytes().ends_with(private) && !encrypted.as_bytes().starts_with(private));
        for other in [sample::pkcs1(&mut || 0x6b), bytes[..90].to_vec()] {
            let text = wrapped(&other, "\n");
            assert_eq!(private_text(text.as_bytes()), text.as_bytes());
        }
        let escaped = wrapped(&bytes, r"\n");
        assert_eq!(private_text(escaped.as_bytes()), escaped.as_bytes());
    }

    #[test]
    fn legacy_encryption_is_told() {
        for between in ["\n", " ", r"\n"] {
            let headers = format!("{between}Proc-Type: 4,ENCRYPTED{between}DEK-Info: AES-256-CBC,00112233{between}");
            let text = block("RSA PRIVATE KEY", &(headers + &wrapped(&[0x91; 96], between)));
            let Parsed::Proved(facts) = parse(text.as_bytes()) else { panic!("{between:?}") };
            let key = facts.key.unwrap();
            assert_eq!((key.algorithm.as_deref(), key.encrypted), (Some("rsa"), Some(true)));
        }
    }

    #[test]
    fn openssh_keys_tell_cipher_and_type() {
        for (cipher, encrypted) in [("none", false), ("aes256-ctr", true)] {
            let bytes = sample::openssh(cipher, &mut || 0x17);
            let text = block("OPENSSH PRIVATE KEY", &wrapped(&bytes, "\n"));
            let Parsed::Proved(facts) = parse(text.as_bytes()) else { panic!("{cipher}") };
            let key = facts.key.unwrap();
            assert_eq!((key.algorithm.as_deref(), key.bits, key.encrypted), (Some("ed25519"), Some(256), Some(encrypted)));
            assert!(key.fingerprint.unwrap().starts_with("SHA256:"));
            assert!(matches!(ssh::parse(&bytes[..bytes.len() - 8]), Parsed::Plausible(_)));
        }
    }
}
