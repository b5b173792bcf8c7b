//! All rules of a scan, with the keyword index that finds which of them to try where.

use std::fs;
use std::path::{Path, PathBuf};

use globset::{GlobSet, GlobSetBuilder};

use super::compile::{Matcher, Rule};
use super::error::RuleError;
use super::import::{self, Imported, LeftOut};
use super::syntax::{RuleFile, RuleSyntax};
use crate::detect::prefilter::Prefilter;
use crate::detect::structure::public;
use crate::oci::Digest;

/// The rule files of `patterns/`, made by the build script.
static BUILTIN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/rules.bin"));

/// An immutable set of rules. Cheap to share between threads.
#[derive(Debug)]
pub struct RuleSet {
    rules: Vec<Rule>,
    prefilter: Prefilter,
    /// The rules that keywords wake, those of one keyword of the prefilter after the other.
    woken: Vec<u32>,
    /// For each keyword, how many of these come before its own; and then how many there are.
    woken_before: Vec<u32>,
    /// Rules by magic bytes.
    magic_rules: Vec<u32>,
    /// All globs of the rules by path, and for each the rule it belongs to.
    globs: GlobSet,
    rules_of_glob: Vec<u32>,
    /// Keywords that public keys begin with.
    public_marks: Vec<usize>,
    hash: String,
    left_out: Vec<LeftOut>,
}

impl RuleSet {
    /// The rules that come with the program.
    pub fn builtin() -> Self {
        let mut rules = Vec::new();
        for (name, mut file) in builtin_files() {
            let of_file = std::mem::take(&mut file.rules);
            #[allow(clippy::expect_used, reason = "a rule left out would make an image look clean; the tests compile each of them")]
            rules.extend(of_file.into_iter().map(|rule| Rule::compile(&name, &file, rule).expect("built-in rule")));
        }
        Self::new(rules, hash_of(&[BUILTIN]))
    }

    /// The built-in rules and those of the user's files and folders; a rule of the same id replaces the built-in one.
    pub fn with_files(paths: &[PathBuf]) -> Result<Self, RuleError> {
        Self::extended(Self::builtin().rules, vec![BUILTIN.to_vec()], paths.iter().map(|path| read_rule_files(path)))
    }

    /// Nothing but the rules of these files and folders.
    pub fn of_files(paths: &[PathBuf]) -> Result<Self, RuleError> {
        Self::extended(Vec::new(), Vec::new(), paths.iter().map(|path| read_rule_files(path)))
    }

    /// Nothing but the rules of a file that is called `path` and says `text`.
    pub(crate) fn of_text(path: &Path, text: &str) -> Result<Self, RuleError> {
        Self::extended(Vec::new(), Vec::new(), std::iter::once(Ok(vec![(path.to_owned(), text.to_owned())])))
    }

    /// `rules`, made of `texts`, with those of `files` added: paths and what they say.
    fn extended(
        mut rules: Vec<Rule>,
        mut texts: Vec<Vec<u8>>,
        files: impl Iterator<Item = Result<Vec<(PathBuf, String)>, RuleError>>,
    ) -> Result<Self, RuleError> {
        let mut left_out = Vec::new();
        for files in files {
            for (path, text) in files? {
                let Imported { file, left_out: more } = parse_rule_file(&path, &text)?;
                left_out.extend(more);
                for rule in &file.rules {
                    let rule = checked(&path.display().to_string(), &text, &file, rule)?;
                    rules.retain(|old| old.facts.id != rule.facts.id);
                    rules.push(rule);
                }
                texts.push(text.into_bytes());
            }
        }
        let texts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
        Ok(Self { left_out, ..Self::new(rules, hash_of(&texts)) })
    }

    /// A set of exactly these rules; `hash` names them.
    pub fn new(rules: Vec<Rule>, hash: String) -> Self {
        let mut magic_rules = Vec::new();
        let mut globs = GlobSetBuilder::new();
        let mut rules_of_glob = Vec::new();
        // Each keyword with a rule that it wakes; marks of public keys may wake none.
        let mut wakes: Vec<(String, Option<u32>)> = public::MARKS.iter().map(|mark| (mark.to_ascii_lowercase(), None)).collect();
        for (number, rule) in rules.iter().enumerate() {
            let number = number as u32;
            if let Matcher::File(file) = &rule.matcher {
                if file.globs.is_empty() {
                    magic_rules.push(number);
                }
                for glob in &file.globs {
                    globs.add(glob.clone());
                    rules_of_glob.push(number);
                }
            }
            wakes.extend(rule.keywords.iter().map(|keyword| (keyword.to_ascii_lowercase(), Some(number))));
        }
        wakes.sort_unstable();
        wakes.dedup();
        let (mut keywords, mut public_marks) = (Vec::new(), Vec::new());
        let (mut woken, mut woken_before) = (Vec::new(), Vec::new());
        for (keyword, rule) in wakes {
            if keywords.last() != Some(&keyword) {
                keywords.push(keyword);
                woken_before.push(woken.len() as u32);
            }
            match rule {
                Some(rule) => woken.push(rule),
                None => public_marks.push(keywords.len() - 1),
            }
        }
        woken_before.push(woken.len() as u32);
        // Each glob was compiled with its rule; together they are only larger.
        #[allow(clippy::expect_used, reason = "without them path rules would find nothing")]
        let globs = globs.build().expect("each glob was compiled with its rule");
        Self {
            prefilter: Prefilter::new(keywords),
            rules,
            woken,
            woken_before,
            magic_rules,
            globs,
            rules_of_glob,
            public_marks,
            hash,
            left_out: Vec::new(),
        }
    }

    /// The rules that `keep` wants; `choice` says in words which these are, for the hash.
    #[must_use]
    pub fn retain(self, keep: impl Fn(&Rule) -> bool, choice: &str) -> Self {
        let hash = hash_of(&[self.hash.as_bytes(), choice.as_bytes()]);
        Self { left_out: self.left_out, ..Self::new(self.rules.into_iter().filter(keep).collect(), hash) }
    }

    /// All rules.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rule with this number.
    pub fn rule(&self, number: u32) -> &Rule {
        &self.rules[number as usize]
    }

    /// Calls `found` for each rule that knows a file by its path or its first bytes.
    pub fn file_rules_for(&self, path: Option<&[u8]>, head: &[u8], mut found: impl FnMut(u32)) {
        for &number in &self.magic_rules {
            let Matcher::File(file) = &self.rule(number).matcher else { continue };
            if file.is_magic(head) {
                found(number);
            }
        }
        let Some(path) = path else { return };
        let path = String::from_utf8_lossy(path);
        let mut last = None;
        for glob in self.globs.matches(path.as_ref()) {
            let number = self.rules_of_glob[glob];
            if last != Some(number) {
                found(number);
            }
            last = Some(number);
        }
    }

    /// Finds keywords.
    pub fn prefilter(&self) -> &Prefilter {
        &self.prefilter
    }

    /// The rules that keyword number `keyword` of the prefilter wakes.
    pub fn woken_by(&self, keyword: usize) -> &[u32] {
        &self.woken[self.woken_before[keyword] as usize..self.woken_before[keyword + 1] as usize]
    }

    /// Whether keyword number `keyword` of the prefilter is what a public key begins with.
    pub fn is_public_mark(&self, keyword: usize) -> bool {
        self.public_marks.contains(&keyword)
    }

    /// What rule files of other scanners say that these rules do not.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// Names the rules: the same text means the same rules.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

/// How many rules come with the program, and the [`RuleSet::hash`] that names them; no rule is compiled for it.
pub(crate) fn builtin_facts() -> (usize, String) {
    (builtin_files().iter().map(|(_, file)| file.rules.len()).sum(), hash_of(&[BUILTIN]))
}

/// The embedded rule files, each with its name.
pub(crate) fn builtin_files() -> Vec<(String, RuleFile)> {
    #[allow(clippy::expect_used, reason = "the build script wrote it with the same types")]
    postcard::from_bytes(BUILTIN).expect("embedded rules")
}

/// Parses one rule file, of ours or of another scanner.
pub(super) fn parse_rule_file(path: &Path, text: &str) -> Result<Imported, RuleError> {
    if let Some(imported) = import::read(path, text) {
        return imported;
    }
    let file = toml::from_str(text).map_err(|error| RuleError::Syntax { path: path.to_owned(), message: error.to_string() })?;
    Ok(Imported { file, left_out: Vec::new() })
}

/// A rule as meant, its expressions checked. Errors name its line in `text`.
pub(super) fn checked(name: &str, text: &str, file: &RuleFile, rule: &RuleSyntax) -> Result<Rule, RuleError> {
    let compiled = Rule::compile(name, file, rule.clone()).map_err(|error| error.in_text(text))?;
    super::check::expressions(&compiled).map_err(|(field, problem)| {
        let (file, rule) = (name.to_owned(), rule.id.clone());
        RuleError::Field { file, line: None, rule, field, problem }.in_text(text)
    })?;
    Ok(compiled)
}

/// Reads a rule file, or every `*.toml`, `*.yaml` and `*.yml` of a folder in name order.
pub(crate) fn read_rule_files(path: &Path) -> Result<Vec<(PathBuf, String)>, RuleError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |error| RuleError::Io { path, error }
    };
    let mut paths = Vec::new();
    if path.is_dir() {
        for entry in fs::read_dir(path).map_err(io(path))? {
            let entry = entry.map_err(io(path))?.path();
            if entry.extension().is_some_and(|extension| ["toml", "yaml", "yml"].iter().any(|known| extension == *known)) {
                paths.push(entry);
            }
        }
        paths.sort();
    } else {
        paths.push(path.to_owned());
    }
    paths.into_iter().map(|path| fs::read_to_string(&path).map_err(io(&path)).map(|text| (path, text))).collect()
}

fn hash_of(texts: &[&[u8]]) -> String {
    let mut hasher = crate::oci::Hasher::new(crate::oci::Algorithm::Sha256);
    for text in texts {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text);
    }
    let digest: Digest = hasher.finish();
    digest.to_string()
}
