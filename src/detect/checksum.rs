//! Checksums that issuers build into their tokens: proof, without asking anyone, that a text was made by the issuer's code.
//!
//! Pure: bytes in, a verdict out. What a mismatch means (suppress, demote, nothing) is the rule's business, not this module's.
//! The same tables serve [`seal`], which makes a random text of the right shape pass; the examples of the rules are filled so.

use std::ops::Range;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha2::{Digest, Sha256};

/// How a token proves itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChecksumKind {
    /// CRC-32 of the group `over`, six base62 digits: GitHub, npm, Vercel.
    Crc32Base62,
    /// `github_pat_`: eight base32 digits of a SHA-256 within the text.
    GithubFineGrained,
    /// `glpat-` and kin with routing: length of the payload and CRC-32 in base36.
    GitlabRoutable,
    /// `ATATT3...=`: CRC-32 of all before it, in upper-case hex.
    AtlassianCrc32,
    /// `glsa_`: CRC-32, little-endian, in hex.
    GrafanaCrc32,
    /// `zpka_`: CRC-32 of the group `over` in hex.
    ZuploCrc32,
    /// `cfut_` and kin: CRC-32 of the group `over` in hex.
    CloudflareCrc32,
    /// `cflt`: CRC-32 of the group `over`, little-endian, in base64.
    ConfluentCrc32,
    /// Azure keys with a signature: Marvin32 of the decoded bytes in the last four.
    AzureIdentifiable,
    /// Entra client secrets (`8Q~`): Marvin32 in base66.
    EntraMarvin,
    /// AWS key ids: no checksum, but an alphabet that made-up ones miss.
    AwsKeyId,
    /// age identities: the checksum of bech32.
    AgeBech32,
}

/// What a checksum says of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The text was made by the issuer's code, or by someone who knows it.
    Match,
    /// It was not, or was altered since.
    Mismatch,
    /// The text is not of the form that carries this checksum.
    NotApplicable,
}

impl ChecksumKind {
    /// All, with the names rule files use.
    pub const ALL: [(ChecksumKind, &'static str); 12] = [
        (ChecksumKind::Crc32Base62, "crc32-base62"),
        (ChecksumKind::GithubFineGrained, "github-fine-grained"),
        (ChecksumKind::GitlabRoutable, "gitlab-routable"),
        (ChecksumKind::AtlassianCrc32, "atlassian-crc32"),
        (ChecksumKind::GrafanaCrc32, "grafana-crc32"),
        (ChecksumKind::ZuploCrc32, "zuplo-crc32"),
        (ChecksumKind::CloudflareCrc32, "cloudflare-crc32"),
        (ChecksumKind::ConfluentCrc32, "confluent-crc32"),
        (ChecksumKind::AzureIdentifiable, "azure-identifiable"),
        (ChecksumKind::EntraMarvin, "entra-marvin"),
        (ChecksumKind::AwsKeyId, "aws-key-id"),
        (ChecksumKind::AgeBech32, "age-bech32"),
    ];

    /// The kind a rule file names.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }

    /// The name in rule files.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    /// Whether the sum stands in a group of the rule's expression (`equals`), rather than at a place that the text itself gives.
    pub fn needs_groups(self) -> bool {
        matches!(self, ChecksumKind::Crc32Base62 | ChecksumKind::ZuploCrc32 | ChecksumKind::CloudflareCrc32 | ChecksumKind::ConfluentCrc32)
    }
}

/// Checks a text. `over` (the whole secret when absent) and `equals` are for the kinds that need groups.
pub fn verify(kind: ChecksumKind, secret: &[u8], over: Option<&[u8]>, equals: Option<&[u8]>) -> Verdict {
    let right = match kind {
        ChecksumKind::AwsKeyId => return aws_key_id(secret),
        ChecksumKind::AzureIdentifiable => return azure_identifiable(secret),
        _ if kind.needs_groups() => match equals {
            Some(found) => found == sum(kind, over.unwrap_or(secret), found.len()),
            None => return Verdict::NotApplicable,
        },
        _ => match check(kind, secret) {
            Some(check) => secret.get(check.at).is_some_and(|found| found == check.right),
            None => return Verdict::NotApplicable,
        },
    };
    if right { Verdict::Match } else { Verdict::Mismatch }
}

/// Rewrites the check characters of a text of the right shape, so that [`verify`] says [`Verdict::Match`] (for key ids of AWS, which
/// have none: [`Verdict::NotApplicable`]). A text of another shape is left as it is.
pub fn seal(kind: ChecksumKind, secret: &mut [u8], over: Option<Range<usize>>, equals: Option<Range<usize>>) {
    match kind {
        ChecksumKind::AwsKeyId => {
            for byte in secret.iter_mut().skip(4).filter(|byte| !is_base32(**byte)) {
                *byte = BASE32[usize::from(*byte % 32)];
            }
        }
        _ if kind.needs_groups() => {
            let Some(at) = equals else { return };
            let Some(text) = secret.get(over.unwrap_or(0..secret.len())) else {
                return;
            };
            let right = sum(kind, text, at.len());
            write(secret, at, &right);
        }
        _ => {
            if kind == ChecksumKind::AgeBech32 {
                clear_bech32_padding(secret);
            }
            if let Some(check) = check(kind, secret) {
                write(secret, check.at, &check.right);
            }
        }
    }
}

fn write(secret: &mut [u8], at: Range<usize>, right: &[u8]) {
    if let Some(place) = secret.get_mut(at)
        && place.len() == right.len()
    {
        place.copy_from_slice(right);
    }
}

/// Where check characters stand in a text, and what they should be.
struct Check {
    at: Range<usize>,
    right: Vec<u8>,
}

/// The sum of the kinds that need groups.
fn sum(kind: ChecksumKind, over: &[u8], width: usize) -> Vec<u8> {
    let crc = crc32(over);
    match kind {
        ChecksumKind::Crc32Base62 => digits(crc, BASE62, width),
        ChecksumKind::ConfluentCrc32 => {
            let mut text = BASE64.encode(crc.to_le_bytes()).into_bytes();
            text.truncate(6);
            text
        }
        _ => format!("{crc:08x}").into_bytes(),
    }
}

/// The check of the kinds whose text gives its place.
fn check(kind: ChecksumKind, secret: &[u8]) -> Option<Check> {
    match kind {
        ChecksumKind::GithubFineGrained => github_fine_grained(secret),
        ChecksumKind::GitlabRoutable => gitlab_routable(secret),
        ChecksumKind::AtlassianCrc32 => atlassian(secret),
        ChecksumKind::GrafanaCrc32 => grafana(secret),
        ChecksumKind::AzureIdentifiable => azure_sealed(secret),
        ChecksumKind::EntraMarvin => entra(secret),
        ChecksumKind::AgeBech32 => bech32(secret),
        _ => None,
    }
}

const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE36: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const BASE66: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ1234567890.-_~";
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BECH32: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

/// The lowest `width` digits of a number in the base of the alphabet, most significant first, filled with the alphabet's zero.
fn digits(mut value: u32, alphabet: &[u8], width: usize) -> Vec<u8> {
    let base = alphabet.len();
    let mut text = vec![0; width];
    for place in text.iter_mut().rev() {
        *place = alphabet[value as usize % base];
        value /= base as u32;
    }
    text
}

fn is_base32(byte: u8) -> bool {
    matches!(byte, b'A'..=b'Z' | b'2'..=b'7')
}

/// `github_pat_`, 22 characters, `_`, 59: those at 43..51 of the 59 are base32 of the hash of all before them.
fn github_fine_grained(secret: &[u8]) -> Option<Check> {
    const AT: Range<usize> = 77..85;
    if secret.len() != 93 || secret.get(33) != Some(&b'_') {
        return None;
    }
    let hash = Sha256::digest(secret.get(..AT.start)?);
    let bits = hash.iter().take(5).fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
    let right = (0..8).rev().map(|digit| BASE32[(bits >> (5 * digit) & 31) as usize]).collect();
    Some(Check { at: AT, right })
}

/// `<prefix><payload>[.<version>].<length, 2><crc, 7>`, both in base36; the CRC is of everything before it.
fn gitlab_routable(secret: &[u8]) -> Option<Check> {
    let at = secret.len().checked_sub(9)?..secret.len();
    let body = secret.get(..at.start)?;
    if body.last() != Some(&b'.') {
        return None;
    }
    let end = body.iter().position(|byte| *byte == b'.')?;
    let length = payload_length(secret, end, &secret[at.clone()])?;
    let mut text = body.to_vec();
    text.extend(digits(length, BASE36, 2));
    let crc = crc32(&text);
    let mut right = text.split_off(at.start);
    right.extend(digits(crc, BASE36, 7));
    Some(Check { at, right })
}

/// Length of the payload that ends at `end`. Its alphabet has the characters that end a prefix, so the length the text claims decides
/// where both are possible; failing that, the prefix is the usual one: `glXX-`, and perhaps a partition `t1_`.
fn payload_length(secret: &[u8], end: usize, claim: &[u8]) -> Option<u32> {
    let prefix_ends_at = |start: usize| start > 0 && matches!(secret.get(start - 1), Some(b'-' | b'_'));
    let claimed = std::str::from_utf8(claim.get(..2)?).ok().and_then(|text| usize::from_str_radix(text, 36).ok());
    if let Some(length) = claimed
        && end.checked_sub(length).is_some_and(prefix_ends_at)
    {
        return u32::try_from(length).ok();
    }
    let text = secret.get(..end)?;
    let family = text.windows(2).position(|pair| pair == b"gl")?;
    let mut start = family + text[family..].iter().position(|byte| *byte == b'-')? + 1;
    if let [b't', b'0'..=b'9', b'_', ..] = text[start..] {
        start += 3;
    }
    u32::try_from(end - start).ok().filter(|length| *length < 36 * 36)
}

/// All before the last eight characters, prefix and `=` included; the `=` may be escaped as properties files and URLs do.
fn atlassian(secret: &[u8]) -> Option<Check> {
    let at = secret.len().checked_sub(8)?..secret.len();
    let body = &secret[..at.start];
    let escaped = [b"\\=".as_slice(), b"%3D", b"%3d"].into_iter().find_map(|escape| body.strip_suffix(escape));
    let crc = match escaped {
        Some(text) => crc32(&[text, b"="].concat()),
        None => crc32(body),
    };
    Some(Check { at, right: format!("{crc:08X}").into_bytes() })
}

/// `glsa_`, 32 characters, `_`, and the CRC of all before that `_`.
fn grafana(secret: &[u8]) -> Option<Check> {
    if secret.len() != 46 || secret.get(37) != Some(&b'_') {
        return None;
    }
    let crc = crc32(secret.get(..37)?).swap_bytes();
    Some(Check { at: 38..46, right: format!("{crc:08x}").into_bytes() })
}

/// The 16 characters after `AKIA` or `ASIA` are base32; a text with other digits was made up. The right alphabet proves nothing.
fn aws_key_id(secret: &[u8]) -> Verdict {
    match secret.get(4..) {
        Some(id) if id.len() == 16 && !id.iter().all(|byte| is_base32(*byte)) => Verdict::Mismatch,
        _ => Verdict::NotApplicable,
    }
}

/// What the families of Azure keys start Marvin32 with, as microsoft/security-utilities lists them.
const AZURE_SEEDS: &[[u8; 8]] = b"\
    Default0AbAcct00Access00ACRDflt0Classic0Send0000Manage00Listen00Unknown0System00Master00Functi00SysAll00Resour00\
    MastRO00MastRW00SystRO00SystRW00Encryp00Query000PAdmin00IoTHub00DpsKey00Device00Tenant00Gatewy00GitKey00UsrPwd00"
    .as_chunks()
    .0;

fn azure_parts(secret: &[u8]) -> Option<(Vec<u8>, [u8; 4])> {
    let mut bytes = BASE64.decode(secret).ok().filter(|bytes| bytes.len() >= 16)?;
    let found = bytes.split_off(bytes.len() - 4);
    Some((bytes, found.try_into().ok()?))
}

fn azure_identifiable(secret: &[u8]) -> Verdict {
    let Some((bytes, found)) = azure_parts(secret) else {
        return Verdict::NotApplicable;
    };
    let found = u32::from_le_bytes(found);
    let matches = AZURE_SEEDS.iter().any(|seed| marvin32(&bytes, u64::from_be_bytes(*seed)) == found);
    if matches { Verdict::Match } else { Verdict::Mismatch }
}

fn azure_sealed(secret: &[u8]) -> Option<Check> {
    let (mut bytes, _) = azure_parts(secret)?;
    let sum = marvin32(&bytes, u64::from_be_bytes(AZURE_SEEDS[0]));
    bytes.extend(sum.to_le_bytes());
    let mut right = BASE64.encode(bytes).into_bytes();
    right.truncate(secret.len());
    Some(Check { at: 0..secret.len(), right })
}

/// The last three characters are the first three base66 digits of the hash of all before. Only the `8Q~` generation has them.
fn entra(secret: &[u8]) -> Option<Check> {
    if secret.get(3..6) != Some(b"8Q~") {
        return None;
    }
    let at = secret.len().checked_sub(3).filter(|start| *start >= 6)?..secret.len();
    let mut right = digits(marvin32(&secret[..at.start], u64::from_be_bytes(*b"AadPwd00")), BASE66, 6);
    right.truncate(3);
    Some(Check { at, right })
}

/// The value of each character after the last `1`, and where that is. All of one case.
fn bech32_data(secret: &[u8]) -> Option<(usize, Vec<u8>)> {
    let start = secret.iter().rposition(|byte| *byte == b'1')? + 1;
    let value = |byte: &u8| BECH32.iter().position(|known| *known == byte.to_ascii_lowercase()).map(|value| value as u8);
    let data: Option<Vec<u8>> = secret[start..].iter().map(value).collect();
    data.filter(|data| data.len() > 6).map(|data| (start, data))
}

fn bech32(secret: &[u8]) -> Option<Check> {
    let mixed = secret.iter().any(u8::is_ascii_lowercase) && secret.iter().any(u8::is_ascii_uppercase);
    let (start, mut data) = bech32_data(secret).filter(|_| !mixed)?;
    let payload = data.len() - 6;
    let prefix: Vec<u8> = secret[..start - 1].iter().map(u8::to_ascii_lowercase).collect();
    data[payload..].fill(0);
    let expanded = prefix.iter().map(|byte| byte >> 5).chain([0]).chain(prefix.iter().map(|byte| byte & 31)).chain(data);
    let sum = bech32_polymod(expanded) ^ 1;
    let upper = secret.iter().any(u8::is_ascii_uppercase);
    let digit = |place: u32| BECH32[(sum >> (5 * (5 - place)) & 31) as usize];
    let right = (0..6).map(digit).map(|byte| if upper { byte.to_ascii_uppercase() } else { byte }).collect();
    Some(Check { at: start + payload..secret.len(), right })
}

fn bech32_polymod(values: impl Iterator<Item = u8>) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    values.fold(1, |sum: u32, value| {
        let top = sum >> 25;
        let next = (sum & 0x01ff_ffff) << 5 ^ u32::from(value);
        GENERATOR.iter().enumerate().fold(next, |next, (bit, term)| if top >> bit & 1 == 1 { next ^ term } else { next })
    })
}

/// 32 bytes take 51.2 characters; the bits that the last one has too many must be zero for a decoder to take the text.
fn clear_bech32_padding(secret: &mut [u8]) {
    let Some((start, data)) = bech32_data(secret) else { return };
    let payload = data.len() - 6;
    let spare = payload * 5 % 8;
    let last = data[payload - 1] >> spare << spare;
    let upper = secret.iter().any(u8::is_ascii_uppercase);
    let byte = BECH32[usize::from(last & 31)];
    secret[start + payload - 1] = if upper { byte.to_ascii_uppercase() } else { byte };
}

/// CRC-32 as in zlib (reflected 0x04C11DB7). The texts are a few dozen bytes: a table is all it takes.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut at = 0;
        while at < 256 {
            let mut value = at as u32;
            let mut bit = 0;
            while bit < 8 {
                value = if value & 1 == 1 { value >> 1 ^ 0xedb8_8320 } else { value >> 1 };
                bit += 1;
            }
            table[at] = value;
            at += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |crc, byte| crc >> 8 ^ TABLE[usize::from(crc as u8 ^ byte)])
}

/// Marvin32, its two halves folded into one.
fn marvin32(bytes: &[u8], seed: u64) -> u32 {
    let (low, high) = marvin(bytes, seed);
    low ^ high
}

fn marvin(bytes: &[u8], seed: u64) -> (u32, u32) {
    let mix = |(mut p0, mut p1): (u32, u32)| {
        p1 ^= p0;
        p0 = p0.rotate_left(20).wrapping_add(p1);
        p1 = p1.rotate_left(9) ^ p0;
        p0 = p0.rotate_left(27).wrapping_add(p1);
        p1 = p1.rotate_left(19);
        (p0, p1)
    };
    let mut state = (seed as u32, (seed >> 32) as u32);
    let mut words = bytes.chunks_exact(4);
    for word in words.by_ref() {
        state.0 = state.0.wrapping_add(word.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte)));
        state = mix(state);
    }
    let tail = words.remainder().iter().rev().fold(0x80, |value: u32, byte| value << 8 | u32::from(*byte));
    state.0 = state.0.wrapping_add(tail);
    mix(mix(state))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
