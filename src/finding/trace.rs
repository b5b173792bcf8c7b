//! Traces of a secret: what is kept of one that is not at hand, so that it can be found again in a text, and be redacted there.
//!
//! A trace is a keyed hash of a form in which the secret may be written down, with that form's length. Whoever has the key too can try
//! guesses at the speed of HMAC-SHA-256: traces and key are for the eyes of one user.

use std::collections::HashMap;
use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// First bytes of a form, which most bytes of a text are told apart from it by. Shorter forms leave no trace.
pub const HEAD: usize = 6;

/// The key of traces: random, and never shown.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceKey([u8; TraceKey::LEN]);

/// What is left of one form of a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Trace {
    head: u16,
    /// Bytes of the form.
    len: u32,
    mac: [u8; 16],
}

impl TraceKey {
    /// Bytes of a key.
    pub const LEN: usize = 32;

    /// A key of random bytes.
    pub fn new(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// A public name of the key.
    pub fn name(&self) -> String {
        self.mac(b"layersift trace key").iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The trace of a form; none of one that is shorter than [`HEAD`].
    pub fn trace(&self, form: &[u8]) -> Option<Trace> {
        let len = u32::try_from(form.len()).ok()?;
        (form.len() >= HEAD).then(|| Trace { head: self.head(form), len, mac: self.mac(form) })
    }

    /// Hash of the first [`HEAD`] bytes: quick, and too short to say much of them.
    fn head(&self, text: &[u8]) -> u16 {
        let mut word = [0; 8];
        word[..HEAD].copy_from_slice(&text[..HEAD]);
        let (mut mask, mut factor) = ([0; 8], [0; 8]);
        mask.copy_from_slice(&self.0[..8]);
        factor.copy_from_slice(&self.0[8..16]);
        let product = (u64::from_le_bytes(word) ^ u64::from_le_bytes(mask)).wrapping_mul(u64::from_le_bytes(factor) | 1);
        (product >> 48) as u16
    }

    fn mac(&self, bytes: &[u8]) -> [u8; 16] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
        mac.update(bytes);
        let whole: [u8; 32] = mac.finalize().into_bytes().into();
        let mut half = [0; 16];
        half.copy_from_slice(&whole[..16]);
        half
    }
}

impl fmt::Debug for TraceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceKey({})", self.name())
    }
}

/// Finds secrets by their traces.
pub struct Tracker {
    key: TraceKey,
    /// By head, the longest first.
    traces: HashMap<u16, Vec<Trace>>,
}

impl Tracker {
    /// For traces made with `key`.
    pub fn new(key: &TraceKey) -> Self {
        Self { key: key.clone(), traces: HashMap::new() }
    }

    /// Takes in traces; returns itself, ready.
    #[must_use]
    pub fn with<'t>(mut self, traces: impl IntoIterator<Item = &'t Trace>) -> Self {
        for trace in traces {
            self.traces.entry(trace.head).or_default().push(trace.clone());
        }
        for same in self.traces.values_mut() {
            same.sort_unstable_by(|a, b| (b.len, &b.mac).cmp(&(a.len, &a.mac)));
            same.dedup();
        }
        self
    }

    /// Length of the longest form that `text` begins with.
    pub fn longest(&self, text: &[u8]) -> Option<usize> {
        if text.len() < HEAD {
            return None;
        }
        let mut hashed: Option<(u32, [u8; 16])> = None;
        for trace in self.traces.get(&self.key.head(text))? {
            let Some(form) = text.get(..trace.len as usize) else { continue };
            let mac = match hashed {
                Some((len, mac)) if len == trace.len => mac,
                _ => self.key.mac(form),
            };
            hashed = Some((trace.len, mac));
            if mac == trace.mac {
                return Some(form.len());
            }
        }
        None
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_form_is_found_where_it_begins_and_nowhere_else() {
        let key = TraceKey::new([7; 32]);
        let forms = ["hunter2-hunter2", "hunter2-hunter2-and-more", "hunter2-", "another"];
        let traces: Vec<Trace> = forms.iter().map(|form| key.trace(form.as_bytes()).unwrap()).collect();
        let tracker = Tracker::new(&key).with(&traces);
        for (text, found) in [
            ("hunter2-hunter2-and-more!", Some(24)),
            ("hunter2-hunter2-and-mor", Some(15)),
            ("hunter2-hunter", Some(8)),
            ("hunter2", None),
            (" another", None),
            ("another", Some(7)),
            ("short", None),
        ] {
            assert_eq!(tracker.longest(text.as_bytes()), found, "{text}");
        }
        assert_eq!(Tracker::new(&TraceKey::new([8; 32])).with(&traces).longest(b"another"), None, "another key");
        assert_eq!(key.trace(b"short"), None);
    }

    #[test]
    fn a_key_is_not_printed() {
        let key = TraceKey::new(*b"0123456789abcdefghijklmnopqrstuv");
        assert!(!format!("{key:?}").contains("0123") && !format!("{key:?}").contains("48, 49"));
    }
}
