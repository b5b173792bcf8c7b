//! What was known of an image when a gate was set up: only what is new since then has to fail it.
//!
//! Holds fingerprints and redacted places, never a secret or a hash of one that could be guessed.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::{Finding, Novelty, Remembered, Scan};

/// Version of the file's shape.
const VERSION: u32 = 1;

/// Findings that are known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Baseline {
    /// Name of the key that the fingerprints were made with; none without a key.
    pub key: Option<String>,
    /// By id.
    entries: BTreeMap<String, Remembered>,
}

/// A file that is no baseline, or not one for this scan.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// Not JSON of the right shape.
    #[error("it is not a baseline: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Written by a later program.
    #[error("it is a baseline of version {found}, and only version {VERSION} is known")]
    Version {
        /// The version it gives.
        found: u32,
    },
    /// Its fingerprints cannot be compared with those of the scan.
    #[error("its fingerprints were made {}, those of this scan {}", with(.theirs), with(.ours))]
    OtherKey {
        /// Name of the baseline's key.
        theirs: Option<String>,
        /// Name of the scan's key.
        ours: Option<String>,
    },
}

fn with(key: &Option<String>) -> String {
    key.as_ref().map_or_else(|| "without a key".to_owned(), |key| format!("with the key {key}"))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    key: Option<String>,
    findings: Vec<Remembered>,
}

/// What a comparison comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compared {
    /// Findings that the baseline does not have.
    pub new: usize,
    /// Findings whose secret the baseline has at a place where it no longer is.
    pub moved: usize,
    /// Findings that the baseline has.
    pub known: usize,
    /// Entries of the baseline that nothing was found for.
    pub fixed: usize,
}

impl Baseline {
    /// Remembers `findings`. Suppressed ones are left out: they fail no gate.
    pub fn new(key: Option<String>, findings: impl IntoIterator<Item = Remembered>) -> Self {
        Self { key, entries: findings.into_iter().map(|finding| (finding.id.clone(), finding)).collect() }
    }

    /// Reads what [`Baseline::to_json`] gave. `ours` is the name of the scan's key.
    pub fn parse(text: &str, ours: Option<String>) -> Result<Self, BaselineError> {
        let document: Document = serde_json::from_str(text)?;
        if document.version != VERSION {
            return Err(BaselineError::Version { found: document.version });
        }
        if document.key != ours {
            return Err(BaselineError::OtherKey { theirs: document.key, ours });
        }
        Ok(Self::new(document.key, document.findings))
    }

    /// The file: sorted and one finding a line or so, so that it is pleasant to review in a change.
    pub fn to_json(&self) -> String {
        let document = Document { version: VERSION, key: self.key.clone(), findings: self.entries.values().cloned().collect() };
        // Strings and numbers only: nothing that cannot be written.
        let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
        text.push('\n');
        text
    }

    /// How many findings are known.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Tells of every finding of `scan` whether it is known, and which known ones are gone. To be done before anything is filtered out.
    pub fn compare(&self, scan: &mut Scan) -> Compared {
        let present: std::collections::HashSet<&str> = scan.findings.iter().map(|finding| finding.id.as_str()).collect();
        let mut gone: BTreeMap<&str, &Remembered> =
            self.entries.iter().filter(|(id, _)| !present.contains(id.as_str())).map(|(id, entry)| (id.as_str(), entry)).collect();
        let mut gone_by_secret: HashMap<(&str, &str), Vec<&str>> = HashMap::new();
        for (id, entry) in gone.iter().rev() {
            gone_by_secret.entry((entry.secret_id.as_str(), entry.rule.as_str())).or_default().push(id);
        }
        let mut compared = Compared::default();
        let mut moved: HashMap<String, bool> = HashMap::new();
        let mut novelties = Vec::with_capacity(scan.findings.len());
        for finding in &scan.findings {
            // The same id may stand in several images: it has moved in all of them or in none.
            let mut has_moved = || {
                *moved.entry(finding.id.clone()).or_insert_with(|| {
                    let former = gone_by_secret.get_mut(&(finding.secret_id.as_str(), finding.rule.id.as_str())).and_then(Vec::pop);
                    former.is_some_and(|former| gone.remove(former).is_some())
                })
            };
            let novelty = match self.entries.contains_key(&finding.id) {
                true => Novelty::Known,
                false if has_moved() => Novelty::Moved,
                false => Novelty::New,
            };
            if finding.suppressed.is_none() {
                *compared.count(novelty) += 1;
            }
            novelties.push(novelty);
        }
        compared.fixed = gone.len();
        scan.fixed = Some(gone.into_values().cloned().collect());
        for (finding, novelty) in scan.findings.iter_mut().zip(novelties) {
            finding.novelty = Some(novelty);
        }
        compared
    }
}

impl Compared {
    fn count(&mut self, novelty: Novelty) -> &mut usize {
        match novelty {
            Novelty::New => &mut self.new,
            Novelty::Moved => &mut self.moved,
            Novelty::Known => &mut self.known,
        }
    }
}

impl Remembered {
    /// What is remembered of `finding`; `place` is redacted and for people.
    pub fn new(finding: &Finding, place: String) -> Self {
        Self {
            id: finding.id.clone(),
            secret_id: finding.secret_id.clone(),
            rule: finding.rule.id.clone(),
            severity: finding.severity,
            place,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use super::super::{Place, RuleFacts, Secret, Severity};
    use super::*;

    fn finding(id: &str, secret: &str) -> Finding {
        let rule = RuleFacts {
            id: "r".to_owned(),
            description: String::new(),
            provider: String::new(),
            docs: None,
            severity: Severity::High,
            remediation: String::new(),
            pairs: Vec::new(),
        };
        let place = Place::Config { pointer: id.to_owned() };
        let finding = Finding::new(&Arc::new(rule), Secret::new(secret.as_bytes(), 0), place);
        Finding { id: id.to_owned(), secret_id: secret.to_owned(), ..finding }
    }

    fn scan(findings: &[(&str, &str)]) -> Scan {
        Scan { findings: findings.iter().map(|(id, secret)| finding(id, secret)).collect(), ..Scan::new("") }
    }

    fn baseline(findings: &[(&str, &str)]) -> Baseline {
        Baseline::new(None, scan(findings).findings.iter().map(|finding| Remembered::new(finding, "there".to_owned())))
    }

    #[test]
    fn known_new_moved_and_fixed_findings_are_told_apart() {
        let baseline = baseline(&[("a", "one"), ("b", "two"), ("c", "three")]);
        let mut scan = scan(&[("a", "one"), ("d", "two"), ("e", "one"), ("f", "four")]);
        let compared = baseline.compare(&mut scan);
        let novelties: Vec<_> = scan.findings.iter().filter_map(|finding| finding.novelty).collect();
        // `e` is a copy: the first place still has its secret.
        assert_eq!(novelties, [Novelty::Known, Novelty::Moved, Novelty::New, Novelty::New]);
        assert_eq!(scan.fixed.unwrap().iter().map(|entry| entry.id.as_str()).collect::<Vec<_>>(), ["c"]);
        assert_eq!(compared, Compared { new: 2, moved: 1, known: 1, fixed: 1 });
    }

    #[test]
    fn a_file_is_read_back_as_it_was() {
        let baseline = baseline(&[("b", "two"), ("a", "one")]);
        assert_eq!(Baseline::parse(&baseline.to_json(), None).unwrap(), baseline);
    }

    #[test]
    fn what_is_no_baseline_or_one_of_another_key_is_an_error() {
        assert!(matches!(Baseline::parse("{}", None), Err(BaselineError::Malformed(_))));
        assert!(matches!(Baseline::parse(r#"{"version":2,"key":null,"findings":[]}"#, None), Err(BaselineError::Version { found: 2 })));
        let error = Baseline::parse(&Baseline::default().to_json(), Some("0123".to_owned())).unwrap_err();
        assert_eq!(error.to_string(), "its fingerprints were made without a key, those of this scan with the key 0123");
    }
}
