//! Public keys that stand about in the open: certificates (RFC 5280) and OpenSSH's lines. They are no findings; a private key that is found
//! names what it belongs to.

use super::der::{BIT_STRING, INTEGER, OID, Reader};
use super::{key, ssh, text};

/// The public half of a key, where somebody uses it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Public {
    /// As OpenSSH prints it: `SHA256:...`.
    pub fingerprint: String,
    /// What uses it, for people.
    pub what: String,
}

const CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----";
const CERTIFICATE_END: &[u8] = b"-----END CERTIFICATE-----";
/// What public keys begin with, for the prefilter.
pub(crate) const MARKS: [&str; 5] = ["-----BEGIN CERTIFICATE-----", "ssh-rsa AAAA", "ssh-ed25519 AAAA", "ecdsa-sha2-nistp", "ssh-dss AAAA"];
/// Most bytes of a certificate's text and of a line.
const MAX_CERTIFICATE: usize = 24 * 1024;
const MAX_LINE: usize = 8 * 1024;
/// Most bytes of a name or comment that is told.
const MAX_TOLD: usize = 100;

/// The public key that begins with one of the [`MARKS`] at the start of a text.
pub(crate) fn read(rest: &[u8]) -> Option<Public> {
    if !rest.starts_with(CERTIFICATE) {
        return line(rest);
    }
    let rest = &rest[..rest.len().min(MAX_CERTIFICATE)];
    let end = memchr::memmem::find(rest, CERTIFICATE_END)?;
    certificate(&text::body(&rest[CERTIFICATE.len()..end]).decode()?)
}

/// `ssh-ed25519 AAAA... comment`
fn line(rest: &[u8]) -> Option<Public> {
    let rest = &rest[..rest.len().min(MAX_LINE)];
    let rest = &rest[..memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len())];
    let mut words = rest.splitn(3, |byte| *byte == b' ');
    let (name, blob) = (words.next()?, words.next().filter(|blob| blob.starts_with(b"AAAA"))?);
    let length = blob.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte)).count();
    let blob = text::decode(&blob[..length])?;
    // The blob names its algorithm once more.
    ssh::public_key(&blob).filter(|_| blob.get(4..).is_some_and(|rest| rest.starts_with(name)))?;
    let comment = words.next().map(told).filter(|comment| !comment.is_empty()).map(|comment| format!(" of {comment}")).unwrap_or_default();
    Some(Public { fingerprint: ssh::fingerprint(&blob), what: format!("{} public key{comment}", String::from_utf8_lossy(name)) })
}

/// Version, serial, algorithm, issuer, validity, subject, key.
fn certificate(der: &[u8]) -> Option<Public> {
    let mut body = Reader::new(der).sequence()?.sequence()?;
    body.expect(0xa0);
    body.expect(INTEGER)?;
    body.sequence()?;
    let issuer = name(body.sequence()?);
    let mut validity = body.sequence()?;
    validity.any()?;
    let until = validity.any().and_then(|(tag, time)| date(tag, time));
    let subject = name(body.sequence()?);
    let mut info = body.sequence()?;
    let fingerprint = key::public_fingerprint(info.sequence()?, info.expect(BIT_STRING)?.strip_prefix(&[0])?)?;
    let by = if issuer == subject { "itself".to_owned() } else { issuer };
    let until = until.map(|until| format!(", valid until {until}")).unwrap_or_default();
    Some(Public { fingerprint, what: format!("certificate of {subject}, issued by {by}{until}") })
}

/// The common name, else the organisation, of a distinguished name.
fn name(mut parts: Reader<'_>) -> String {
    let mut best: Option<(bool, String)> = None;
    while let Some((_, set)) = parts.any() {
        let Some(mut part) = Reader::new(set).sequence() else { continue };
        let (Some(kind), Some((_, value))) = (part.expect(OID), part.any()) else { continue };
        let is_common = kind == [0x55, 4, 3];
        if (is_common || kind == [0x55, 4, 10]) && best.as_ref().is_none_or(|(had_common, _)| is_common || !had_common) {
            best = Some((is_common, told(value)));
        }
    }
    best.map(|(_, name)| name).filter(|name| !name.is_empty()).unwrap_or_else(|| "an unnamed subject".to_owned())
}

/// The day of a UTCTime or GeneralizedTime.
fn date(tag: u8, time: &[u8]) -> Option<String> {
    let digits = std::str::from_utf8(time).ok()?;
    let (year, rest) = match tag {
        // Two digits: 1950 to 2049.
        0x17 => {
            let year: u32 = digits.get(..2)?.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, digits.get(2..6)?)
        }
        0x18 => (digits.get(..4)?.parse().ok()?, digits.get(4..8)?),
        _ => return None,
    };
    rest.bytes().all(|byte| byte.is_ascii_digit()).then(|| format!("{year:04}-{}-{}", &rest[..2], &rest[2..]))
}

/// Printable text of some length.
fn told(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().filter(|char| !char.is_control()).take(MAX_TOLD).collect::<String>().trim().to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::super::sample::{self, element, oid, sequence};
    use super::*;

    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];

    fn named(kind: u8, value: &[u8]) -> Vec<u8> {
        element(0x31, &sequence(&[oid(&[0x55, 4, kind]), element(0x0c, value)].concat()))
    }

    /// A certificate of the key, which is in PKCS#1.
    fn certificate_of(private: &[u8], until: Vec<u8>) -> Vec<u8> {
        let mut parts = Reader::new(private).sequence().unwrap();
        parts.small().unwrap();
        let public = sequence(&[parts.any().unwrap(), parts.any().unwrap()].map(|(tag, value)| element(tag, value)).concat());
        let info = sequence(&[sequence(&oid(RSA)), element(BIT_STRING, &[&[0], public.as_slice()].concat())].concat());
        let (subject, issuer) = (sequence(&[named(10, b"Shop"), named(3, b"shop.internal")].concat()), sequence(&named(10, b"Authority")));
        let validity = sequence(&[element(0x17, b"250101000000Z"), until].concat());
        let algorithm = sequence(&oid(RSA));
        let body = [element(0xa0, &element(INTEGER, &[2])), element(INTEGER, &[9]), algorithm.clone(), issuer, validity, subject, info];
        sequence(&[sequence(&body.concat()), algorithm, element(BIT_STRING, &[0, 1, 2, 3])].concat())
    }

    fn armoured(der: &[u8]) -> String {
        let text = STANDARD.encode(der);
        let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    }

    #[test]
    fn a_certificate_has_the_fingerprint_of_its_key_and_tells_whose_it_is() {
        let mut random = 7u8;
        let private = sample::pkcs1(&mut || {
            random = random.wrapping_mul(37).wrapping_add(11);
            random
        });
        let fingerprint = key::parse(&private).unwrap().fingerprint.unwrap();
        let der = certificate_of(&private, element(0x17, b"270304050607Z"));
        let what = "certificate of shop.internal, issued by Authority, valid until 2027-03-04".to_owned();
        assert_eq!(read(armoured(&der).as_bytes()), Some(Public { fingerprint: fingerprint.clone(), what }));
        let late = certificate_of(&private, element(0x18, b"20510304050607Z"));
        assert!(read(armoured(&late).as_bytes()).unwrap().what.ends_with("until 2051-03-04"));
        let mut other = private.clone();
        other[20] ^= 1;
        let other = certificate_of(&other, element(0x17, b"270304050607Z"));
        assert_ne!(read(armoured(&other).as_bytes()).unwrap().fingerprint, fingerprint, "of another key");
        assert_eq!(read(armoured(&der[..40]).as_bytes()), None);
    }

    #[test]
    fn a_line_of_openssh_is_read_with_its_comment() {
        let mut blob = Vec::new();
        ssh::put(&mut blob, b"ssh-ed25519");
        ssh::put(&mut blob, &[7; 32]);
        let text = STANDARD.encode(&blob);
        let found = read(format!("ssh-ed25519 {text} robot@shop\nnext").as_bytes()).unwrap();
        assert_eq!((found.fingerprint, found.what.as_str()), (ssh::fingerprint(&blob), "ssh-ed25519 public key of robot@shop"));
        assert!(read(format!("ssh-ed25519 {text}").as_bytes()).unwrap().what.ends_with("public key"));
        for text in ["ssh-rsa AAAA", "ssh-ed25519 AAAAAAAAAAAAAAAAAAAAAAAA x", "ssh-keygen -t rsa"] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
    }
}
