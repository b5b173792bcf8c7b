//! Which store of containerd is meant, and which image in it.

use std::env;
use std::path::{Path, PathBuf};

use super::Record;
use crate::oci::Digest;
use crate::source::registry::ImageName;

/// Where containerd keeps things unless it is told otherwise.
const USUAL: &str = "/var/lib/containerd";
const CONFIG: &str = "/etc/containerd/config.toml";

/// A store and an image in it, as the user named them: `NAME`, `[NAMESPACE]NAME`, `[ROOT]NAME` or `[NAMESPACE@ROOT]NAME`. A root is a path, and
/// begins as one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Given<'t> {
    pub(super) namespace: Option<String>,
    pub(super) root: Option<&'t str>,
    pub(super) name: &'t str,
}

impl<'t> Given<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let (inside, name) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')).unwrap_or(("", text));
        let is_path = inside.contains(['/', '\\']) && !inside.contains('@');
        let (namespace, root) = inside.split_once('@').unwrap_or(if is_path { ("", inside) } else { (inside, "") });
        let some = |text: &'t str| Some(text).filter(|text| !text.is_empty());
        Self { namespace: some(namespace).map(str::to_owned), root: some(root), name }
    }

    /// The root folder: the one given, that of `CONTAINERD_ROOT`, that of containerd's configuration, or the usual one.
    pub(super) fn root(&self) -> PathBuf {
        let variable = || env::var_os("CONTAINERD_ROOT").filter(|value| !value.is_empty()).map(PathBuf::from);
        let given = self.root.map(PathBuf::from).or_else(variable).or_else(|| root_in(Path::new(CONFIG)));
        given.unwrap_or_else(|| PathBuf::from(USUAL))
    }

    /// The one image that is meant. None if there is none; an error names the namespaces if the name means another image in each.
    pub(super) fn choose<'r>(&self, records: &'r [Record]) -> Result<Option<&'r Record>, Vec<&'r str>> {
        let in_namespace: Vec<&Record> =
            records.iter().filter(|record| self.namespace.as_ref().is_none_or(|wanted| *wanted == record.namespace)).collect();
        let full = ImageName::parse(self.name).ok().map(|name| name.to_string());
        let digest: Option<Digest> = self.name.rsplit_once('@').map_or(self.name, |(_, digest)| digest).parse().ok();
        let named = |name: &str| in_namespace.iter().copied().filter(|record| record.name == name).collect::<Vec<_>>();
        let mut found = named(self.name);
        if let (true, Some(full)) = (found.is_empty(), full) {
            found = named(&full);
        }
        if let (true, Some(digest)) = (found.is_empty(), digest) {
            found = in_namespace.iter().copied().filter(|record| record.target.as_ref() == Some(&digest)).collect();
        }
        match &found[..] {
            [first, others @ ..] if others.iter().any(|other| other.target != first.target) => {
                Err(found.iter().map(|record| record.namespace.as_str()).collect())
            }
            _ => Ok(found.first().copied()),
        }
    }
}

/// The root that containerd's configuration names. One that cannot be read names none: where nothing is then, it is said.
fn root_in(path: &Path) -> Option<PathBuf> {
    let table: toml::Table = std::fs::read_to_string(path).ok()?.parse().ok()?;
    Some(PathBuf::from(table.get("root")?.as_str()?)).filter(|root| root.is_absolute())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_store_may_be_named() {
        for (text, namespace, root, name) in [
            ("alpine:3", None, None, "alpine:3"),
            ("[k8s.io]alpine:3", Some("k8s.io"), None, "alpine:3"),
            ("[k8s.io@/srv/a]alpine", Some("k8s.io"), Some("/srv/a"), "alpine"),
            ("[@/srv/a]alpine", None, Some("/srv/a"), "alpine"),
            ("[/srv/a]alpine", None, Some("/srv/a"), "alpine"),
            ("[]alpine", None, None, "alpine"),
            ("[k8s.io", None, None, "[k8s.io"),
        ] {
            assert_eq!(Given::new(text), Given { namespace: namespace.map(str::to_owned), root, name }, "{text}");
        }
    }

    #[test]
    fn an_image_is_found_by_what_people_call_it() {
        let digest = |text: &str| Digest::sha256(text.as_bytes());
        let record = |namespace: &str, name: &str, target: &str| Record {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            target: Some(digest(target)),
        };
        let records = [
            record("default", "docker.io/library/alpine:3", "a"),
            record("default", "docker.io/team/app:1", "b"),
            record("k8s.io", "docker.io/library/alpine:3", "a"),
            record("k8s.io", "docker.io/team/app:1", "c"),
            record("k8s.io", "bare", "d"),
        ];
        let (by_digest, with_name) = (digest("d").to_string(), format!("bare@{}", digest("d")));
        for (text, expected) in [
            ("alpine:3", Ok(Some(0))),
            ("docker.io/library/alpine:3", Ok(Some(0))),
            ("[k8s.io]alpine:3", Ok(Some(2))),
            ("team/app:1", Err(vec!["default", "k8s.io"])),
            ("[default]team/app:1", Ok(Some(1))),
            ("bare", Ok(Some(4))),
            (&by_digest, Ok(Some(4))),
            (&with_name, Ok(Some(4))),
            ("[default]bare", Ok(None)),
            ("alpine", Ok(None)),
        ] {
            assert_eq!(Given::new(text).choose(&records), expected.map(|index| index.map(|index: usize| &records[index])), "{text}");
        }
    }
}
