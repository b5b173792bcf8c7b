//! JSON web tokens: header and payload must be JSON objects, and the signature as long as its algorithm makes it.

use base64::Engine;
use serde_json::{Map, Value};

use super::text::{BASE64_URL, timestamp};
use super::{Facts, Parsed};
use crate::finding::Severity;

/// `header.payload.signature`, perhaps behind a marker that ends in `_`; or the five parts of an encrypted token.
pub(super) fn parse(token: &[u8]) -> Parsed {
    let parts: Vec<&[u8]> = unmarked(token).splitn(6, |byte| *byte == b'.').collect();
    let Some(header) = parts.first().and_then(|part| object(part)) else {
        return Parsed::No;
    };
    let Some(algorithm) = header.get("alg").and_then(Value::as_str) else {
        return Parsed::No;
    };
    match parts[..] {
        [_, payload, signature] => {
            let Some(claims) = object(payload) else { return Parsed::No };
            if let Some(detail) = sample(&claims) {
                return Parsed::Dummy { reason: "well-known", detail: detail.into() };
            }
            let (severity, note) = (severity(&claims), note(&claims));
            let facts = Facts { severity, key: None, note, expires: expiry(&claims) };
            if fits(algorithm, signature) { Parsed::Proved(facts) } else { Parsed::Plausible(facts) }
        }
        [_, _, _, text, _] if header.contains_key("enc") && !text.is_empty() => Parsed::Plausible(Facts::note("encrypted token")),
        _ => Parsed::No,
    }
}

/// The token without a marker such as `ghs_123_`.
fn unmarked(token: &[u8]) -> &[u8] {
    let start = token.iter().take(40).rposition(|byte| *byte == b'_').map_or(0, |at| at + 1);
    if token.starts_with(b"ey") || !token[start..].starts_with(b"ey") { token } else { &token[start..] }
}

fn object(part: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(&BASE64_URL.decode(part).ok()?).ok()
}

/// Tokens that documentation and starter kits hand to everyone, by what they claim.
fn sample(claims: &Map<String, Value>) -> Option<&'static str> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    let number = |name: &str| claims.get(name).and_then(Value::as_i64);
    if text("sub") == "1234567890" && (text("name") == "John Doe" || number("iat") == Some(1_516_239_022)) {
        return Some("the sample token of jwt.io");
    }
    (text("iss") == "supabase-demo").then_some("the demo key that every local Supabase has")
}

fn severity(claims: &Map<String, Value>) -> Option<Severity> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    match (text("iss"), text("role")) {
        ("supabase", "anon") => Some(Severity::Low),
        ("supabase", "service_role") => Some(Severity::Critical),
        _ if is_kubernetes(claims) => Some(Severity::Critical),
        _ => None,
    }
}

fn is_kubernetes(claims: &Map<String, Value>) -> bool {
    let starts = |name: &str, with: &str| claims.get(name).and_then(Value::as_str).is_some_and(|text| text.starts_with(with));
    starts("iss", "kubernetes/serviceaccount") || starts("sub", "system:serviceaccount:")
}

/// When the token ceases to work, in seconds since 1970.
fn expiry(claims: &Map<String, Value>) -> Option<i64> {
    claims.get("exp").and_then(|exp| exp.as_i64().or_else(|| exp.as_f64().map(|exp| exp as i64)))
}

/// Longest claim that is told.
const MAX_CLAIM: usize = 120;

/// Whose it is, where that is plain, and until when.
fn note(claims: &Map<String, Value>) -> Option<String> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    let whose = match (text("iss"), text("role")) {
        ("supabase", "anon") => Some("Supabase key for anonymous use, meant to be public"),
        ("supabase", "service_role") => Some("Supabase key that passes row-level security"),
        _ if is_kubernetes(claims) => Some("Kubernetes service account"),
        _ => None,
    };
    let until = match expiry(claims) {
        Some(seconds) => timestamp(seconds).map(|when| format!("expires {when}")),
        None => Some("does not expire".to_owned()),
    };
    // Who issued it and for whom: claims that anyone who holds the token reads.
    let claim = |name: &str, says: &str| {
        let value = text(name);
        let is_short = (1..=MAX_CLAIM).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic());
        (whose.is_none() && is_short).then(|| format!("{says} {value}"))
    };
    let parts: Vec<String> =
        whose.map(str::to_owned).into_iter().chain(claim("iss", "issued by")).chain(claim("sub", "for")).chain(until).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// Whether a signature has the size of its algorithm (RFC 7518); those of algorithms not known here need only be there.
fn fits(algorithm: &str, signature: &[u8]) -> bool {
    let Ok(bytes) = BASE64_URL.decode(signature) else { return false };
    match algorithm {
        "none" => bytes.is_empty(),
        "HS256" => bytes.len() == 32,
        "HS384" => bytes.len() == 48,
        "HS512" | "ES256" | "ES256K" => bytes.len() == 64,
        "ES384" => bytes.len() == 96,
        "ES512" => bytes.len() == 132,
        "EdDSA" => matches!(bytes.len(), 64 | 114),
        "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" => bytes.len() >= 128,
        _ => !bytes.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    fn token(header: &str, claims: &str, signature: usize) -> Vec<u8> {
        [header.as_bytes(), claims.as_bytes(), &vec![0x5a; signature]].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".").into_bytes()
    }

    const HS256: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

    #[test]
    fn severity_follows_the_claims() {
        for (claims, severity) in [
            (r#"{"iss":"supabase","role":"anon","exp":1}"#, Some(Severity::Low)),
            (r#"{"iss":"supabase","role":"service_role","exp":1}"#, Some(Severity::Critical)),
            (r#"{"iss":"kubernetes/serviceaccount","exp":1}"#, Some(Severity::Critical)),
            (r#"{"sub":"system:serviceaccount:default:ci","exp":1}"#, Some(Severity::Critical)),
            (r#"{"sub":"me","exp":1}"#, None),
        ] {
            let Parsed::Proved(facts) = parse(&token(HS256, claims, 32)) else { panic!("{claims}") };
            assert_eq!(facts.severity, severity, "{claims}");
        }
    }

    #[test]
    fn expiry_is_told_and_not_judged() {
        let note = |claims| match parse(&token(HS256, claims, 32)) {
            Parsed::Proved(facts) => facts.note,
            _ => None,
        };
        assert_eq!(note(r#"{"exp":1893456000}"#).as_deref(), Some("expires 2030-01-01T00:00:00Z"));
        assert_eq!(note(r#"{"exp":946684800.5}"#).as_deref(), Some("expires 2000-01-01T00:00:00Z"));
        assert_eq!(note(r#"{"a":1}"#).as_deref(), Some("does not expire"));
        assert_eq!(note(r#"{"exp":9e300}"#), None);
    }

    #[test]
    fn samples_known_to_all_are_dummies() {
        for claims in [
            r#"{"sub":"1234567890","name":"John Doe","iat":1516239022}"#,
            r#"{"sub":"1234567890","name":"John Doe","admin":true}"#,
            r#"{"iss":"supabase-demo","role":"anon"}"#,
        ] {
            assert!(matches!(parse(&token(HS256, claims, 32)), Parsed::Dummy { reason: "well-known", .. }), "{claims}");
        }
    }

    #[test]
    fn a_signature_of_another_size_proves_nothing() {
        assert!(matches!(parse(&token(HS256, "{}", 31)), Parsed::Plausible(_)));
        assert!(matches!(parse(&token(r#"{"alg":"none"}"#, "{}", 0)), Parsed::Proved(_)));
        assert!(matches!(parse(&token(r#"{"alg":"RS256"}"#, "{}", 256)), Parsed::Proved(_)));
    }

    #[test]
    fn what_does_not_decode_is_no_token() {
        for bad in [
            token(r#"{"typ":"JWT"}"#, "{}", 32),
            token(HS256, "[1]", 32),
            token(HS256, "{", 32),
            token("not json", "{}", 32),
            b"a.b.c".to_vec(),
            b"".to_vec(),
        ] {
            assert_eq!(parse(&bad), Parsed::No);
        }
        let whole = token(HS256, "{}", 32);
        assert_eq!(parse(&whole[1..]), Parsed::No);
    }

    #[test]
    fn a_marker_may_stand_before_it() {
        assert!(matches!(parse(&[b"ghs_12345_".as_slice(), &token(HS256, "{}", 32)].concat()), Parsed::Proved(_)));
    }
}
