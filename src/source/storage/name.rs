//! Which image of a storage is meant: a name, short or whole, an id or the beginning of one, or a digest.

use super::{Record, is_id};
use crate::oci::Digest;

/// What the user asks for.
#[derive(Debug)]
pub(super) struct Wish {
    digest: Option<Digest>,
    /// As typed.
    id: String,
    /// Whole names, the likeliest first.
    names: Vec<String>,
}

impl Wish {
    pub(super) fn new(text: &str) -> Self {
        let digest = text.rsplit_once('@').and_then(|(_, digest)| digest.parse().ok());
        let id = text.strip_prefix("sha256:").unwrap_or(text).to_owned();
        let last = text.rsplit('/').next().unwrap_or(text);
        let tagged = if last.contains(':') { text.to_owned() } else { format!("{text}:latest") };
        let official = if text.contains('/') { "docker.io/" } else { "docker.io/library/" };
        let names = ["", "localhost/", official].map(|registry| format!("{registry}{tagged}")).into();
        Self { digest, id, names }
    }

    /// The image that is meant: by digest, by a whole name, by an id, by a name in the only registry that an image of it is from, by the
    /// beginning of an id.
    pub(super) fn choose<'r>(&self, records: &'r [Record]) -> Option<&'r Record> {
        let sound = || records.iter().filter(|record| is_id(&record.id));
        if let Some(digest) = &self.digest {
            let (digest, document) = (digest.to_string(), format!("manifest-{digest}"));
            return sound().find(|record| record.digest.as_deref() == Some(&digest) || record.documents.contains(&document));
        }
        let named = |name: &String| sound().find(|record| record.names.contains(name));
        let ends = |name: &String| self.names.first().is_some_and(|tagged| name.ends_with(&format!("/{tagged}")));
        self.names
            .iter()
            .find_map(named)
            .or_else(|| sound().find(|record| record.id == self.id))
            .or_else(|| only(sound().filter(|record| record.names.iter().any(ends))))
            .or_else(|| only(sound().filter(|record| self.id.len() >= 4 && record.id.starts_with(&self.id))))
    }
}

/// The one item, if it is one.
fn only<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let first = items.next();
    first.filter(|_| items.next().is_none())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_found_by_what_people_call_it() {
        let record = |id: &str, names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            let digest = Some(Digest::sha256(id.as_bytes()).to_string());
            Record { id: id.repeat(16), digest, names, layer: None, documents: Vec::new() }
        };
        let records = [
            record("ab12", &["docker.io/library/app:1", "quay.io/team/tool:latest"]),
            record("ab13", &["localhost/app:1", "a.io/x/y:2"]),
            record("cd14", &["b.io/x/y:2", "docker.io/team/web:latest"]),
        ];
        let digest = format!("any@{}", Digest::sha256(b"cd14"));
        for (text, found) in [
            ("app:1", Some(1)),
            ("docker.io/library/app:1", Some(0)),
            ("team/tool", Some(0)),
            ("team/web", Some(2)),
            ("x/y:2", None),
            ("ab12", Some(0)),
            ("ab1", None),
            ("cd14cd", Some(2)),
            (&format!("sha256:{}", "ab13".repeat(16)), Some(1)),
            (&digest, Some(2)),
            ("app", None),
        ] {
            let chosen = Wish::new(text).choose(&records).map(|record| record.id.clone());
            assert_eq!(chosen, found.map(|index: usize| records[index].id.clone()), "{text}");
        }
    }
}
