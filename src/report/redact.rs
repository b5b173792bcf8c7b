//! Takes every secret of a scan out of every text that comes from the image: instructions, paths, names, pointers, reasons.
//!
//! A secret that was found is known, so it can be looked for, in the forms in which builders and shells write it down: escaped for
//! JSON, HTML or a URL, in base64 whatever stands before it, line by line. All findings count, the suppressed ones too, and those that a
//! filter will leave out: build the redactor before filtering, and redact before shortening.
//!
//! The forms are kept as one sorted list, not as an automaton: 100,000 secrets have some 20 MB of forms, and an automaton over them
//! takes thirty times that. A look-up per byte of text is fast enough for texts that are paths and instructions.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::sanitise;
use crate::finding::trace::{HEAD, Trace, TraceKey, Tracker};
use crate::finding::{Scan, Secret};

/// Whether a report shows secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Exposure {
    /// No secret in any form.
    #[default]
    Redacted,
    /// In clear, because the user asked.
    Shown,
}

/// Replaces secrets in text.
pub struct Redactor {
    exposure: Exposure,
    /// Every form of every secret, sorted.
    forms: Vec<Box<[u8]>>,
    /// For each form, the longest other form that it begins with; [`NONE`] without one.
    shorter: Vec<u32>,
    /// Which heads (first bytes of a form) there are, by hash: most bytes of a text begin no form.
    heads: Box<[u64; HEADS / 64]>,
    /// Secrets that are not at hand.
    tracker: Option<Tracker>,
}

/// Shorter secrets stand in ordinary words, and would blot them out.
const MIN_LEN: usize = HEAD;
/// Shorter lines of a secret of several lines say too little of it.
const MIN_LINE: usize = 16;
const NONE: u32 = u32::MAX;
const HEADS: usize = 1 << 16;
/// What stands in the place of a secret.
pub(super) const MASK: &[u8] = b"****";

impl Redactor {
    /// Learns the secrets of `scan`.
    pub fn new(scan: &Scan, exposure: Exposure) -> Self {
        Self::with(scan, &[], exposure)
    }

    /// Learns the secrets of `scan` and `further` ones, of texts that are shown beside it.
    pub fn with(scan: &Scan, further: &[Vec<u8>], exposure: Exposure) -> Self {
        let mut redactor = Self { exposure, forms: Vec::new(), shorter: Vec::new(), heads: Box::new([0; HEADS / 64]), tracker: None };
        if exposure == Exposure::Redacted {
            let found = scan.findings.iter().map(|finding| &finding.secret);
            let found = found.filter(|secret| !secret.is_withheld()).map(Secret::expose);
            let secrets: HashSet<&[u8]> = found.chain(further.iter().map(Vec::as_slice)).collect();
            redactor.learn(&secrets);
            redactor.tracker = tracker(scan);
        }
        redactor
    }

    /// Whether secrets are to be shown.
    pub fn exposure(&self) -> Exposure {
        self.exposure
    }

    /// `text` without secrets.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.raw(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            // A secret that is no UTF-8 may have been cut out of the middle of a character.
            Cow::Owned(bytes) => {
                Cow::Owned(String::from_utf8(bytes).unwrap_or_else(|error| sanitise::bytes(error.as_bytes()).into_owned()))
            }
        }
    }

    /// `bytes` without secrets, as text; what is not UTF-8 is escaped.
    pub fn bytes(&self, bytes: &[u8]) -> String {
        sanitise::bytes(&self.raw(bytes)).into_owned()
    }

    /// `bytes` without secrets. Secrets that overlap go together: no tail of one is left because another begins before it.
    pub fn raw<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let mut kept = Vec::new();
        let mut done = 0;
        while let Some(secret) = self.next(bytes, done) {
            kept.extend_from_slice(&bytes[done..secret.start]);
            kept.extend_from_slice(MASK);
            done = secret.end;
        }
        if done == 0 {
            return Cow::Borrowed(bytes);
        }
        kept.extend_from_slice(&bytes[done..]);
        Cow::Owned(kept)
    }

    fn learn(&mut self, secrets: &HashSet<&[u8]>) {
        self.forms = secrets.iter().flat_map(|secret| all_forms(secret)).collect();
        self.forms.sort_unstable();
        self.forms.dedup();
        let mut open: Vec<usize> = Vec::new();
        for (index, form) in self.forms.iter().enumerate() {
            let hash = head(form);
            self.heads[hash / 64] |= 1 << (hash % 64);
            while open.last().is_some_and(|&last| !form.starts_with(&self.forms[last])) {
                open.pop();
            }
            self.shorter.push(open.last().map_or(NONE, |&last| last as u32));
            open.push(index);
        }
    }

    /// The first stretch from `from` on that secrets cover.
    fn next(&self, bytes: &[u8], from: usize) -> Option<Range<usize>> {
        let mut found: Option<Range<usize>> = None;
        let mut at = from;
        while at + MIN_LEN <= bytes.len() && found.as_ref().is_none_or(|range| at < range.end) {
            if let Some(len) = self.longest(&bytes[at..]).max(self.tracker.as_ref().and_then(|tracker| tracker.longest(&bytes[at..]))) {
                let range = found.get_or_insert(at..at);
                range.end = range.end.max(at + len);
            }
            at += 1;
        }
        found
    }

    /// Length of the longest form that `text` begins with.
    fn longest(&self, text: &[u8]) -> Option<usize> {
        let hash = head(text);
        if self.heads[hash / 64] & (1 << (hash % 64)) == 0 {
            return None;
        }
        // All forms that sort between a form that `text` begins with and `text` itself begin with that form, so the longest one is the
        // last form before `text`, or one that this one begins with.
        let mut index = self.forms.partition_point(|form| form.as_ref() <= text).checked_sub(1)?;
        while !text.starts_with(&self.forms[index]) {
            index = usize::try_from(self.shorter[index]).ok().filter(|_| self.shorter[index] != NONE)?;
        }
        Some(self.forms[index].len())
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redactor").field("exposure", &self.exposure).field("forms", &self.forms.len()).finish()
    }
}

/// Finds the secrets of `scan` that are not at hand. All of them have their traces from one key.
fn tracker(scan: &Scan) -> Option<Tracker> {
    let kept: HashSet<&Secret> = scan.findings.iter().map(|finding| &finding.secret).collect();
    let traces: Vec<(&TraceKey, &[Trace])> = kept.into_iter().filter_map(Secret::traces).collect();
    let key = traces.first()?.0;
    Some(Tracker::new(key).with(traces.iter().flat_map(|(_, traces)| traces.iter())))
}

/// What is to be kept of a secret, so that it can be redacted when it is not at hand any more.
pub(crate) fn traces(secret: &[u8], key: &TraceKey) -> Vec<Trace> {
    let mut traces: Vec<Trace> = all_forms(secret).iter().filter_map(|form| key.trace(form)).collect();
    traces.sort_unstable();
    traces.dedup();
    traces
}

/// Hash of the first [`MIN_LEN`] bytes, below [`HEADS`].
fn head(bytes: &[u8]) -> usize {
    let mut word = [0; 8];
    word[..MIN_LEN].copy_from_slice(&bytes[..MIN_LEN]);
    // Fibonacci hashing: the upper bits of a product with 2^64 over the golden ratio.
    (u64::from_le_bytes(word).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as usize
}

/// The lines of a secret of several lines, but for those that only frame it.
fn lines(secret: &[u8]) -> impl Iterator<Item = &[u8]> {
    let many = secret.contains(&b'\n');
    let lines = secret.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(move |_| many);
    lines.filter(|line| line.len() >= MIN_LINE && !line.starts_with(b"-----"))
}

/// Everything that is looked for of a secret.
fn all_forms(secret: &[u8]) -> Vec<Box<[u8]>> {
    let mut all = if secret.len() >= MIN_LEN { forms(secret) } else { Vec::new() };
    all.retain(|form| form.len() >= MIN_LEN);
    all.extend(lines(secret).map(Box::from));
    all
}

/// The ways in which a secret may be written down.
fn forms(secret: &[u8]) -> Vec<Box<[u8]>> {
    let text = String::from_utf8_lossy(secret);
    let json = serde_json::to_string(text.as_ref()).unwrap_or_default();
    let json = json.get(1..json.len().saturating_sub(1)).unwrap_or_default();
    let html = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut forms: Vec<Vec<u8>> = vec![
        secret.to_vec(),
        secret.trim_ascii().to_vec(),
        text.as_bytes().to_vec(),
        sanitise::terminal(&sanitise::bytes(secret)).into_owned().into_bytes(),
        secret.escape_ascii().to_string().into_bytes(),
        json.as_bytes().to_vec(),
        // As Go writes JSON.
        json.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e").into_bytes(),
        html.replace('"', "&quot;").replace('\'', "&#39;").into_bytes(),
        html.into_bytes(),
        // As a key in a JSON pointer (RFC 6901, section 3).
        text.replace('~', "~0").replace('/', "~1").into_bytes(),
        percent(secret, b"0123456789ABCDEF"),
        percent(secret, b"0123456789abcdef"),
        STANDARD.encode(secret).into_bytes(),
        URL_SAFE.encode(secret).into_bytes(),
    ];
    forms.extend((0..3).map(|before| inside_base64(secret, before)));
    forms.sort_unstable();
    forms.dedup();
    forms.into_iter().map(Vec::into_boxed_slice).collect()
}

fn percent(secret: &[u8], digits: &[u8; 16]) -> Vec<u8> {
    let mut form = Vec::with_capacity(secret.len() + 16);
    for &byte in secret {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            form.push(byte);
        } else {
            form.extend([b'%', digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]);
        }
    }
    form
}

/// The characters of base64 that `secret` alone decides when `before` bytes (modulo 3) stand before it and others may follow: the
/// password in `user:password`.
fn inside_base64(secret: &[u8], before: usize) -> Vec<u8> {
    let mut padded = vec![0; before];
    padded.extend_from_slice(secret);
    let encoded = STANDARD.encode(&padded).into_bytes();
    encoded[(before * 8).div_ceil(6)..padded.len() * 8 / 6].to_vec()
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    fn redactor(secrets: &[&[u8]]) -> Redactor {
        Redactor::new(&testing::scan_with_secrets(secrets), Exposure::Redacted)
    }

    #[test]
    fn a_secret_is_replaced_wherever_it_stands() {
        let redactor = redactor(&[b"hunter2-hunter2"]);
        assert_eq!(redactor.text("RUN login -p hunter2-hunter2 && echo hunter2-hunter2"), "RUN login -p **** && echo ****");
        assert!(matches!(redactor.text("RUN make"), Cow::Borrowed("RUN make")));
        assert_eq!(redactor.bytes(b"/hunter2-hunter2/\xff"), "/****/\\xff");
    }

    #[test]
    fn escaped_and_encoded_forms_are_replaced_too() {
        let secret = "p\"ss/w~rd<&'x\n";
        let redactor = redactor(&[secret.as_bytes()]);
        for form in [
            r#"p\"ss/w~rd<&'x\n"#,
            r#"p\"ss/w~rd\u003c\u0026'x\n"#,
            "p&quot;ss/w~rd&lt;&amp;&#39;x\n",
            "p\"ss~1w~0rd<&'x\n",
            "p%22ss%2Fw~rd%3C%26%27x%0A",
            "p%22ss%2fw~rd%3c%26%27x%0a",
            &STANDARD.encode(secret),
        ] {
            assert_eq!(redactor.text(form), "****", "{form}");
        }
    }

    #[test]
    fn a_password_inside_base64_is_replaced_at_each_alignment() {
        let redactor = redactor(&[b"correct-horse-battery"]);
        for user in ["", "a:", "ab:", "abc:", "abcd:"] {
            let header = STANDARD.encode(format!("{user}correct-horse-battery and more"));
            let redacted = redactor.text(&header).into_owned();
            assert!(redacted.contains("****") && redacted.len() < header.len() - 20, "{redacted}");
        }
    }

    #[test]
    fn the_lines_of_a_key_are_secrets_and_its_frame_is_not() {
        let redactor = redactor(&[b"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nshort\n-----END PRIVATE KEY-----\n"]);
        assert_eq!(
            redactor.text("printf '-----BEGIN PRIVATE KEY-----' MIIEvQIBADANBgkqhkiG9w0B short"),
            "printf '-----BEGIN PRIVATE KEY-----' **** short"
        );
    }

    #[test]
    fn of_several_secrets_the_longest_goes_and_no_overlapping_tail_stays() {
        let redactor = redactor(&[b"secret", b"secret-one", b"one-and-two", b"secret-other"]);
        assert_eq!(redactor.text("a secret-one b secret-on c secret d"), "a **** b ****-on c **** d");
        assert_eq!(redactor.text("secret-one-and-two."), "****.");
        assert_eq!(redactor.text("secretsecret-other"), "********");
    }

    #[test]
    fn short_secrets_stay_and_shown_is_the_identity() {
        assert_eq!(redactor(&[b"abcde"]).text("abcde"), "abcde");
        let shown = Redactor::new(&testing::scan_with_secrets(&[b"hunter2-hunter2"]), Exposure::Shown);
        assert_eq!(shown.text("hunter2-hunter2"), "hunter2-hunter2");
    }

    #[test]
    fn a_search_over_many_secrets_agrees_with_a_plain_one() {
        let secrets: Vec<String> =
            (0..500).map(|n| format!("key{}{}", n * 7919 % 1000, "x".repeat(n % 5))).filter(|s| s.len() >= 6).collect();
        let all = redactor(&secrets.iter().map(String::as_bytes).collect::<Vec<_>>());
        for secret in &secrets {
            assert_eq!(all.text(&format!("<{secret}>")), "<****>", "{secret}");
        }
        assert_eq!(all.text("key-1 keyx kez100"), "key-1 keyx kez100");
    }

    #[test]
    fn a_secret_that_is_not_at_hand_is_redacted_as_one_that_is() {
        let key = std::sync::Arc::new(TraceKey::new([3; 32]));
        let secrets: [&[u8]; 4] = [b"p\"ss/w~rd<&'x\n", b"hunter2-hunter2", b"hunter2", b"-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\n"];
        let mut scan = testing::scan_with_secrets(&secrets);
        let at_hand = Redactor::new(&scan, Exposure::Redacted);
        for finding in &mut scan.findings {
            let seal = crate::finding::fingerprint::Sealed::new(&finding.secret, None);
            let traces = traces(finding.secret.expose(), &key);
            finding.secret = Secret::kept(finding.secret.redacted(), seal, traces, &key);
        }
        let kept = Redactor::new(&scan, Exposure::Redacted);
        assert!(kept.forms.is_empty());
        let encoded = STANDARD.encode("user:hunter2-hunter2");
        for text in ["run -p hunter2-hunter2hunter2", "p%22ss%2Fw~rd%3C%26%27x%0A", "MIIEvQIBADANBgkqhkiG9w0B", "hunter", &encoded] {
            assert_eq!(kept.text(text), at_hand.text(text), "{text}");
        }
        assert_eq!(kept.text("run hunter2-hunter2 ****(15)"), "run **** ****(15)");
    }

    #[test]
    fn debug_shows_no_secret() {
        assert!(!format!("{:?}", redactor(&[b"hunter2-hunter2"])).contains("hunter2"));
    }
}
