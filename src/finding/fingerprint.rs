//! Names for findings and secrets that stay the same when an image is built again, and from which no secret can be worked out.
//!
//! A hash of a weak password gives the password away to whoever has a list of passwords, and fingerprints are meant to be kept beside the
//! source. So what is hashed is never the secret itself: with a project's own [`Key`] it is sealed by that key; without one, texts that
//! can be guessed go through Argon2id first, which makes each guess cost as much as it does here.

use std::collections::HashMap;
use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::{Part, Place, Secret};

/// Hex digits of a fingerprint: 128 bits.
const DIGITS: usize = 32;
/// Memory of one Argon2id pass in KiB. Scans have some dozens of such secrets.
const MEMORY: u32 = 8 * 1024;
const SALT: &[u8] = b"layersift fingerprint 1";
/// Shorter texts are taken for guessable, whatever they look like.
const UNGUESSABLE: usize = 20;

/// Whether `text` could be a [`Finding::id`](super::Finding::id).
pub fn is_fingerprint(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A project's own key for fingerprints. Fingerprints made with different keys have nothing in common.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Box<[u8]>);

/// A key that is no protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key for fingerprints has at least {} bytes, this one has {len}", Key::MIN_LEN)]
pub struct WeakKey {
    /// Its length in bytes.
    pub len: usize,
}

impl Key {
    /// Fewer bytes could be guessed.
    pub const MIN_LEN: usize = 16;

    /// Takes the key's bytes, without the blanks round them.
    pub fn new(bytes: &[u8]) -> Result<Self, WeakKey> {
        let bytes = bytes.trim_ascii();
        if bytes.len() < Self::MIN_LEN { Err(WeakKey { len: bytes.len() }) } else { Ok(Self(bytes.into())) }
    }

    /// A public name of the key, to tell fingerprints of one key from those of another.
    pub fn name(&self) -> String {
        hex(&seal(&self.0, &[b"name"]), 16)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.name())
    }
}

/// What is the same for the same secret, rule and path (or pointer), whatever the layer. Unsealed: only a key of maps within a scan.
pub fn plain(rule: &str, secret: &Secret, place: &Place) -> String {
    hex(&seal(b"layersift/1", &[secret.identity(), &place_of(rule, place)]), DIGITS)
}

/// What is the same for the same rule and path (or pointer), whatever the layer and the secret.
fn place_of(rule: &str, place: &Place) -> [u8; 32] {
    let part = match place.part() {
        None | Some(Part::Content) => String::new(),
        Some(part) => format!("{part:?}"),
    };
    let inner = place.inner().join(&b'!');
    // A step's number changes when a line is added to the Dockerfile; what it says does not.
    let pointer: String =
        place.pointer().unwrap_or_default().split('/').filter(|step| step.parse::<u32>().is_err()).collect::<Vec<_>>().join("/");
    let path = place.path().unwrap_or_default();
    seal(b"layersift/1", &[rule.as_bytes(), path, &inner, part.as_bytes(), pointer.as_bytes()])
}

/// A secret sealed, so that fingerprints can be made of it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Sealed([u8; 32]);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({})", self.secret_id())
    }
}

impl Sealed {
    /// Seals `secret`. Costs some milliseconds for a secret that can be guessed, where there is no key.
    pub fn new(secret: &Secret, key: Option<&Key>) -> Self {
        if let Some(seal) = secret.seal() {
            return seal.clone();
        }
        let bytes = secret.expose();
        Self(match key {
            Some(key) => seal(&key.0, &[b"secret", bytes]),
            None if is_guessable(bytes) => stretch(bytes),
            None => seal(SALT, &[bytes]),
        })
    }

    /// [`Finding::secret_id`](super::Finding::secret_id).
    pub fn secret_id(&self) -> String {
        hex(&seal(&self.0, &[b"secret"]), DIGITS)
    }

    /// [`Finding::id`](super::Finding::id): of the secret, the rule and the path (or pointer), whatever the layer.
    pub fn finding_id(&self, rule: &str, place: &Place) -> String {
        hex(&seal(&self.0, &[b"finding", &place_of(rule, place)]), DIGITS)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Puts the final names in the place of the plain ones.
pub fn rename(findings: &mut [super::Finding], seal: impl Fn(&Secret) -> Sealed) {
    let mut names: HashMap<String, String> = HashMap::new();
    for finding in findings.iter_mut() {
        let sealed = seal(&finding.secret);
        finding.secret_id = sealed.secret_id();
        let name = sealed.finding_id(&finding.rule.id, &finding.place);
        let plain = std::mem::replace(&mut finding.id, name.clone());
        names.insert(plain, name);
    }
    for other in findings.iter_mut().flat_map(|finding| &mut finding.pair) {
        if let Some(name) = names.get(other) {
            other.clone_from(name);
        }
    }
}

/// Whether somebody with lists of words and passwords could come upon it: short, or made of few kinds of characters, or of words.
fn is_guessable(secret: &[u8]) -> bool {
    if secret.len() < UNGUESSABLE {
        return true;
    }
    // Random text changes between digits, small and capital letters all the time; words do not.
    let class = |byte: u8| match byte {
        b'0'..=b'9' => 0,
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        _ => 3,
    };
    let changes = secret.windows(2).filter(|pair| class(pair[0]) != class(pair[1])).count();
    let distinct = secret.iter().collect::<std::collections::HashSet<_>>().len();
    distinct < 10 || changes * 5 < secret.len() * 2
}

fn stretch(secret: &[u8]) -> [u8; 32] {
    let mut output = [0; 32];
    // The parameters are constants within the bounds of Argon2, and so are the lengths.
    let hashed = Params::new(MEMORY, 1, 1, Some(output.len()))
        .and_then(|params| Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(secret, SALT, &mut output));
    debug_assert!(hashed.is_ok(), "{hashed:?}");
    output
}

/// HMAC-SHA-256 over fields of any length.
fn seal(key: &[u8], fields: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    for field in fields {
        mac.update(&(field.len() as u64).to_le_bytes());
        mac.update(field);
    }
    mac.finalize().into_bytes().into()
}

fn hex(bytes: &[u8], digits: usize) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()[..digits].to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn id(rule: &str, secret: &str, path: &str, layer: usize, key: Option<&Key>) -> String {
        let secret = Secret::new(secret.as_bytes(), 0);
        let place = Place::LayerFile { layer, path: path.into(), inner: Vec::new(), part: Part::Content, position: None };
        Sealed::new(&secret, key).finding_id(rule, &place)
    }

    #[test]
    fn the_layer_does_not_count_and_rule_secret_path_and_key_do() {
        let key = Key::new(b"0123456789abcdef").unwrap();
        let same = id("r", "hunter2", "/a", 1, None);
        assert_eq!(id("r", "hunter2", "/a", 7, None), same);
        let others = [
            id("s", "hunter2", "/a", 1, None),
            id("r", "hunter3", "/a", 1, None),
            id("r", "hunter2", "/b", 1, None),
            id("r", "hunter2", "/a", 1, Some(&key)),
            id("r", "hunter2", "/a", 1, Some(&Key::new(b"0123456789abcdeg").unwrap())),
        ];
        assert!(!others.contains(&same));
        assert_eq!(same.len(), DIGITS);
    }

    #[test]
    fn a_password_is_stretched_and_a_random_token_need_not_be() {
        for weak in ["hunter2", "correct-horse-battery-staple", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "Winter2024!Winter2024!"] {
            assert!(is_guessable(weak.as_bytes()), "{weak}");
            assert_ne!(Sealed::new(&Secret::new(weak.as_bytes(), 0), None).0, seal(SALT, &[weak.as_bytes()]));
        }
        let mut random = crate::random::Random::new(7);
        let token = |_| (0..36).map(|_| b"abcdefghijKLMNOPQRST0123456789"[random.below(30)]).collect::<Vec<u8>>();
        let stretched = (0..100).map(token).filter(|token| is_guessable(token)).count();
        assert!(stretched < 5, "{stretched}");
    }

    #[test]
    fn a_key_that_could_be_guessed_is_refused_and_none_is_printed() {
        assert_eq!(Key::new(b" short \n").unwrap_err(), WeakKey { len: 5 });
        let key = Key::new(b"a long enough key\n").unwrap();
        assert_eq!(key, Key::new(b"a long enough key").unwrap());
        assert!(!format!("{key:?}").contains("enough"));
    }
}
