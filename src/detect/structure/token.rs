//! Tokens whose parts decode to something: a macaroon, a user and a password, bytes of a fixed size, a number, a word.

use base64::Engine;

use super::text::{BASE64_URL, BASE64_URL_EXACT, decode, timestamp};
use super::{Facts, Parsed};

/// `pypi-` and a macaroon in version 2: location, identifier, caveats, signature.
pub(super) fn pypi(token: &[u8]) -> Parsed {
    let Some(bytes) = token.strip_prefix(b"pypi-").and_then(|text| BASE64_URL.decode(text).ok()) else {
        return Parsed::No;
    };
    let mut fields = Fields(&bytes);
    let Some(location) = fields.begin() else { return Parsed::No };
    let note = if location == b"pypi.org" { "token of pypi.org" } else { "token of another index than pypi.org" };
    match fields.rest() {
        Some(()) => Parsed::Proved(Facts::note(note)),
        // A rule's expression may cut a long one.
        None if bytes.len() >= 64 => Parsed::Plausible(Facts::note(note)),
        None => Parsed::No,
    }
}

struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// A field: number, length, content. The number 0 ends a section and has neither.
    fn field(&mut self) -> Option<(u8, &'a [u8])> {
        let (number, rest) = self.0.split_first()?;
        if *number == 0 {
            self.0 = rest;
            return Some((0, &[]));
        }
        let (low, rest) = rest.split_first()?;
        let (length, rest) = match low {
            0..0x80 => (usize::from(*low), rest),
            _ => {
                let (high, rest) = rest.split_first().filter(|(high, _)| **high < 0x80)?;
                (usize::from(*low & 0x7f) | usize::from(*high) << 7, rest)
            }
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*number, content))
    }

    /// Version and location.
    fn begin(&mut self) -> Option<&'a [u8]> {
        self.0 = self.0.strip_prefix(&[2])?;
        let (_, location) = self.field().filter(|(number, _)| *number == 1)?;
        (!location.is_empty() && location.iter().all(u8::is_ascii_graphic)).then_some(location)
    }

    /// Identifier, caveats, signature, and nothing after.
    fn rest(&mut self) -> Option<()> {
        self.field().filter(|(number, _)| *number == 2)?;
        self.field().filter(|(number, _)| *number == 0)?;
        while let (2, _) = self.field()? {
            while self.field()?.0 != 0 {}
        }
        let (_, signature) = self.field().filter(|(number, _)| *number == 6)?;
        (signature.len() == 32 && self.0.is_empty()).then_some(())
    }
}

/// `user:password`, as it is or in base64. An identity token has no user's password and stands elsewhere.
pub(super) fn docker_auth(text: &[u8]) -> Parsed {
    let decoded = if text.contains(&b':') { None } else { decode(text) };
    let text = decoded.as_deref().unwrap_or(text);
    let Some(colon) = text.iter().position(|byte| *byte == b':') else {
        return Parsed::No;
    };
    let (user, password) = (&text[..colon], &text[colon + 1..]);
    let printable = |text: &[u8]| std::str::from_utf8(text).is_ok_and(|text| !text.is_empty() && !text.chars().any(char::is_control));
    if !printable(user) || !printable(password) {
        return Parsed::No;
    }
    let note = match user {
        b"AWS" => Some("token of Amazon ECR, good for 12 hours"),
        b"_json_key" | b"_json_key_base64" => Some("service account key of Google Cloud"),
        b"oauth2accesstoken" => Some("access token of Google Cloud, good for one hour"),
        b"00000000-0000-0000-0000-000000000000" => Some("refresh token of Azure Container Registry"),
        _ => None,
    };
    Parsed::Plausible(Facts { note: note.map(str::to_owned), ..Facts::default() })
}

/// `SG.`, 16 bytes, `.`, 32 bytes. Their last digits have bits to spare, which are zero in what SendGrid writes.
pub(super) fn sendgrid(token: &[u8]) -> Parsed {
    let parts: Vec<&[u8]> = token.splitn(4, |byte| *byte == b'.').collect();
    let [b"SG", id, key] = parts[..] else { return Parsed::No };
    let size = |part: &[u8]| BASE64_URL.decode(part).map_or(0, |bytes| bytes.len());
    if (id.len(), key.len(), size(id), size(key)) != (22, 43, 16, 32) {
        return Parsed::No;
    }
    let exact = |part: &[u8]| BASE64_URL_EXACT.decode(part).is_ok();
    if exact(id) && exact(key) { Parsed::Proved(Facts::default()) } else { Parsed::Plausible(Facts::default()) }
}

/// Three parts, the first of which is the bot's number in base64.
pub(super) fn discord_bot(token: &[u8]) -> Parsed {
    let parts: Vec<&[u8]> = token.splitn(4, |byte| *byte == b'.').collect();
    let [id, time, key] = parts[..] else { return Parsed::No };
    let number = decode(id).unwrap_or_default();
    let snowflake = (17..=20).contains(&number.len()) && number.iter().all(u8::is_ascii_digit) && number[0] != b'0';
    let rest = time.len() >= 6 && key.len() >= 27 && BASE64_URL.decode(time).is_ok();
    if snowflake && rest { Parsed::Proved(Facts::default()) } else { Parsed::No }
}

/// `reftkn:<version>:<expiry>:<secret>` in base64.
pub(super) fn jfrog_reference(token: &[u8]) -> Parsed {
    // The text may be cut where no whole number of bytes ends.
    let whole = token.len() - usize::from(token.len() % 4 == 1);
    let Some(text) = decode(&token[..whole]).filter(|text| text.starts_with(b"reftkn:")) else {
        return Parsed::No;
    };
    let parts: Vec<&[u8]> = text.splitn(4, |byte| *byte == b':').collect();
    let [_, version, expiry, secret] = parts[..] else {
        return Parsed::Plausible(Facts::default());
    };
    let digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let seconds: Option<i64> = std::str::from_utf8(expiry).ok().and_then(|text| text.parse().ok());
    if !digits(version) || !digits(expiry) || expiry.len() != 10 || secret.is_empty() || !secret.iter().all(u8::is_ascii_graphic) {
        return Parsed::Plausible(Facts::default());
    }
    let note = seconds.and_then(|seconds| {
        if seconds == 0 { Some("does not expire".into()) } else { timestamp(seconds).map(|when| format!("expires {when}")) }
    });
    Parsed::Proved(Facts { note, ..Facts::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

    #[test]
    fn the_constructed_macaroon_parses_and_damage_shows() {
        let text = [
            "py",
            "pi-AgEIcHlwaS5vcmcCJDAwMDAwMDAwLTAwMDAtNDAwMC04MDAwLTAwMDAwMDAwMDAwMAAABiAA",
            "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHw",
        ]
        .concat();
        assert_eq!(pypi(text.as_bytes()), Parsed::Proved(Facts::note("token of pypi.org")));
        assert!(matches!(pypi(&text.as_bytes()[..text.len() - 4]), Parsed::Plausible(_)));
        assert_eq!(pypi(&text.as_bytes()[..30]), Parsed::No);
        assert_eq!(pypi(b"pypi-AAAA"), Parsed::No);
    }

    #[test]
    fn caveats_are_walked() {
        let caveat = [&[2, 3][..], b"abc", &[0]].concat();
        let token = [&[2, 1, 8][..], b"pypi.org", &[2, 2], b"id", &[0], &caveat, &caveat, &[0, 6, 32], &[9; 32]].concat();
        let text = format!("pypi-{}", URL_SAFE_NO_PAD.encode(&token));
        assert!(matches!(pypi(text.as_bytes()), Parsed::Proved(_)));
    }

    #[test]
    fn docker_auth_is_user_and_password() {
        let plausible = |text: &str| matches!(docker_auth(text.as_bytes()), Parsed::Plausible(_));
        assert!(plausible("robot:a:b"));
        assert!(plausible(&STANDARD.encode("robot:pass word")));
        for no in ["robot:", ":x", "robot", "", "a:\x01", &STANDARD.encode([0xff, b':', 1])] {
            assert!(!plausible(no), "{no}");
        }
        let Parsed::Plausible(facts) = docker_auth(b"AWS:x") else { panic!() };
        assert!(facts.note.is_some_and(|note| note.contains("ECR")));
    }

    #[test]
    fn sendgrid_parts_have_their_sizes() {
        let token = |id: usize, key: usize| {
            format!("SG.{}.{}", URL_SAFE_NO_PAD.encode(vec![7; id]), URL_SAFE_NO_PAD.encode(vec![9; key])).into_bytes()
        };
        assert_eq!(sendgrid(&token(16, 32)), Parsed::Proved(Facts::default()));
        assert_eq!(sendgrid(&token(15, 32)), Parsed::No);
        assert_eq!(sendgrid(&token(16, 33)), Parsed::No);
        let mut spare = token(16, 32);
        spare.pop();
        spare.push(b'_');
        assert_eq!(sendgrid(&spare), Parsed::Plausible(Facts::default()));
    }

    #[test]
    fn discord_begins_with_a_number() {
        let token = |id: &str| format!("{}.{}.{}", STANDARD_NO_PAD.encode(id), "Xabcde", "k".repeat(38)).into_bytes();
        assert!(matches!(discord_bot(&token("123456789012345678")), Parsed::Proved(_)));
        for no in ["1234", "12345678901234567x", "012345678901234567"] {
            assert_eq!(discord_bot(&token(no)), Parsed::No);
        }
    }

    #[test]
    fn jfrog_tells_its_expiry() {
        let token = |text: &str| jfrog_reference(STANDARD_NO_PAD.encode(text).as_bytes());
        assert_eq!(token("reftkn:01:0000000000:abcDEF"), Parsed::Proved(Facts::note("does not expire")));
        assert_eq!(token("reftkn:01:1893456000:abcDEF"), Parsed::Proved(Facts::note("expires 2030-01-01T00:00:00Z")));
        assert_eq!(token("reftkn:01"), Parsed::Plausible(Facts::default()));
        assert_eq!(token("other:01:0000000000:abc"), Parsed::No);
    }
}
