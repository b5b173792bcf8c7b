//! A rule proves itself: its expressions compile and have bounds, its keyword is in every match, its examples are found, its negative
//! examples are not. The test suite and `layersift rules check` run the same checks.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};

use super::compile::{Matcher, Rule, Scorer};
use super::error::{RuleError, line_of};
use super::generate::{self, Random};
use super::hir::{self, Shape};
use super::import::{Imported, LeftOut};
use super::set::{RuleSet, builtin_files, checked, parse_rule_file, read_rule_files};
use super::syntax::RuleFile;
use crate::content::kind::KindOf;
use crate::detect::{self, Candidate, Chunk, Explain, Subject, overlap};

/// Something wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The rule file.
    pub file: String,
    /// The line, from 1, on which the rule begins.
    pub line: Option<usize>,
    /// The rule's id, where it is about one.
    pub rule: Option<String>,
    /// What is wrong.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        match &self.rule {
            Some(rule) => write!(f, ": rule `{rule}`: {}", self.text),
            None => write!(f, ": {}", self.text),
        }
    }
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// What keeps rules from being used as they are.
    pub problems: Vec<Problem>,
    /// What rule files of other scanners say that our rules cannot.
    pub left_out: Vec<LeftOut>,
}

/// A rule file with its text, which says on which line a rule stands.
struct Source {
    name: String,
    text: String,
    file: RuleFile,
}

/// Checks the rules that come with the program.
pub fn check_builtin() -> Vec<Problem> {
    check(&builtin_files().into_iter().map(|(name, file)| Source { name, text: String::new(), file }).collect::<Vec<_>>())
}

/// Checks rule files and folders of them. They are checked together, and without the built-in rules.
pub fn check_files(paths: &[PathBuf]) -> Checked {
    let mut out = Checked::default();
    let mut sources = Vec::new();
    for path in paths {
        let unreadable = |path: &Path, error: &RuleError| {
            let text = match error {
                RuleError::Syntax { message, .. } => message.clone(),
                other => other.to_string(),
            };
            Problem { file: path.display().to_string(), line: None, rule: None, text }
        };
        match read_rule_files(path) {
            Ok(texts) => {
                for (path, text) in texts {
                    match parse_rule_file(&path, &text) {
                        Ok(Imported { file, left_out }) => {
                            out.left_out.extend(left_out);
                            sources.push(Source { name: path.display().to_string(), text, file });
                        }
                        Err(error) => out.problems.push(unreadable(&path, &error)),
                    }
                }
            }
            Err(error) => out.problems.push(unreadable(path, &error)),
        }
    }
    out.problems.extend(check(&sources));
    out
}

fn check(sources: &[Source]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut ids = HashSet::new();
    let mut rules = Vec::new();
    let mut sources_of = Vec::new();
    let problem = |source: &Source, rule: &str, text: String| Problem {
        file: source.name.clone(),
        line: line_of(&source.text, rule),
        rule: Some(rule.to_owned()),
        text,
    };
    for source in sources {
        for rule in &source.file.rules {
            if !ids.insert(rule.id.clone()) {
                problems.push(problem(source, &rule.id, "its id is not unique".to_owned()));
            }
            if rule.id.is_empty() || !rule.id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
                problems.push(problem(source, &rule.id, "its id is not kebab-case".to_owned()));
            }
            match checked(&source.name, &source.text, &source.file, rule) {
                Ok(compiled) => {
                    rules.push(compiled);
                    sources_of.push(source);
                }
                Err(RuleError::Field { field, problem: text, .. }) => problems.push(problem(source, &rule.id, format!("{field}: {text}"))),
                Err(error) => problems.push(problem(source, &rule.id, error.to_string())),
            }
        }
    }
    let builtin = builtin_files();
    let is_known = |id: &String| ids.contains(id) || builtin.iter().any(|(_, file)| file.rules.iter().any(|rule| rule.id == *id));
    for (rule, source) in rules.iter().zip(&sources_of) {
        for unknown in rule.facts.pairs.iter().filter(|id| !is_known(id)) {
            problems.push(problem(source, &rule.facts.id, format!("pairs: there is no rule `{unknown}`")));
        }
    }
    let set = RuleSet::new(rules, String::new());
    for (number, source) in sources_of.iter().enumerate() {
        let rule = set.rule(number as u32);
        for text in examples(&set, number as u32, rule) {
            problems.push(problem(source, &rule.facts.id, text));
        }
    }
    problems
}

/// Whether all expressions of a rule compile and have bounds; the field and a sentence if not.
pub(crate) fn expressions(rule: &Rule) -> Result<(), (&'static str, String)> {
    if rule.allow.iter().any(|allow| allow.get().is_none()) {
        return Err(("allow", "an expression does not compile".to_owned()));
    }
    match &rule.matcher {
        Matcher::Marker(marker) => {
            let shape = Shape::of(marker.source(), &rule.keywords).map_err(|problem| ("regex", problem))?;
            if marker.get().is_none() {
                return Err(("regex", "it does not compile, or compiles to more than 4 MiB".to_owned()));
            }
            let mut random = Random::from_text(&rule.facts.id);
            for _ in 0..20 {
                let text = generate::matching(&shape.hir, &mut random).to_ascii_lowercase();
                if !rule.keywords.iter().any(|keyword| contains(&text, keyword.to_ascii_lowercase().as_bytes())) {
                    return Err(("keywords", "the expression matches a text that holds none of them".to_owned()));
                }
            }
        }
        Matcher::Assignment(assignment) => {
            hir::parse(assignment.value.source()).map_err(|problem| ("assignment", problem))?;
            if assignment.value.get().is_none() {
                return Err(("assignment", "its value's expression does not compile".to_owned()));
            }
        }
        Matcher::File(file) => {
            if file.globs.is_empty() && file.magic.is_empty() {
                return Err(("file", "neither paths nor magic".to_owned()));
            }
            if file.regex.as_ref().is_some_and(|regex| regex.get().is_none()) {
                return Err(("file", "its expression does not compile".to_owned()));
            }
        }
        Matcher::Block(_) => {}
    }
    Ok(())
}

fn contains(text: &[u8], keyword: &[u8]) -> bool {
    memchr::memmem::find(text, keyword).is_some()
}

/// Runs a rule's examples; a sentence for each that does not do what it should.
fn examples(set: &RuleSet, number: u32, rule: &Rule) -> Vec<String> {
    let mut problems = Vec::new();
    let path = sample_path(rule);
    for (index, example) in rule.examples.iter().enumerate() {
        let mut random = Random::from_text(&format!("{} {index}", rule.facts.id));
        let Some(text) = fill(set, rule, example, &mut random) else {
            problems.push(format!("examples: no text of the rule's shape can be made for `{example}`"));
            continue;
        };
        let found = matches(set, text.as_bytes(), path.as_deref());
        let loud: Vec<&Candidate> = found.iter().filter(|candidate| candidate.suppressed.is_none()).collect();
        let own = loud.iter().filter(|candidate| candidate.rule == number).count();
        let rivals: Vec<&str> = loud
            .iter()
            .filter(|candidate| candidate.rule != number && candidate.rank >= rule.rank())
            .map(|candidate| set.rule(candidate.rule).facts.id.as_str())
            .collect();
        if own != 1 {
            problems.push(format!("examples: `{example}` gives {own} findings of this rule, not one{}", others(set, &found, number)));
        } else if !rivals.is_empty() {
            problems.push(format!("examples: `{example}` is also found by {}", rivals.join(", ")));
        }
    }
    for example in &rule.negative_examples {
        let Some(text) = fill(set, rule, example, &mut Random::from_text(&rule.facts.id)) else {
            problems.push(format!("negative_examples: `{example}` cannot be filled"));
            continue;
        };
        let found = matches(set, text.as_bytes(), path.as_deref());
        if found.iter().any(|candidate| candidate.rule == number && candidate.suppressed.is_none()) {
            problems.push(format!("negative_examples: `{example}` gives a finding"));
        }
    }
    problems
}

fn others(set: &RuleSet, found: &[Candidate], number: u32) -> String {
    let mut names: Vec<String> = found
        .iter()
        .filter(|candidate| candidate.rule != number || candidate.suppressed.is_some())
        .map(|candidate| match &candidate.suppressed {
            Some(suppression) => format!("{} suppressed ({})", set.rule(candidate.rule).facts.id, suppression.reason),
            None => set.rule(candidate.rule).facts.id.clone(),
        })
        .collect();
    names.sort();
    names.dedup();
    if names.is_empty() { String::new() } else { format!("; there are findings of {}", names.join(", ")) }
}

/// What the set finds in a text, as a file at `path` or as a document.
pub fn matches(set: &RuleSet, text: &[u8], path: Option<&str>) -> Vec<Candidate> {
    let subject = match path {
        Some(path) => Subject {
            path: Some(path.as_bytes()),
            kind: KindOf::Path(path.as_bytes()),
            is_metadata: false,
            explain: Explain::Nothing,
            watch: None,
        },
        None => Subject::DOCUMENT,
    };
    let mut found = detect::candidates(set, &Chunk::whole(text), &subject).candidates;
    found.sort_by_key(|candidate| (candidate.span.start, candidate.span.end, candidate.rule));
    overlap::resolve(found).into_iter().map(|(candidate, _)| candidate).collect()
}

/// Replaces `{{secret}}` and `{{secret:RULE}}`.
fn fill(set: &RuleSet, rule: &Rule, example: &str, random: &mut Random) -> Option<String> {
    let mut text = String::new();
    let mut rest = example;
    while let Some(at) = rest.find("{{secret") {
        let after = &rest[at + 8..];
        let end = after.find("}}")?;
        let named = after[..end].strip_prefix(':');
        let maker = match named {
            Some(id) => set.rules().find(|other| other.facts.id == id)?,
            None => rule,
        };
        text.push_str(&rest[..at]);
        text.push_str(&generate::secret(maker, random)?);
        rest = &after[end + 2..];
    }
    text.push_str(rest);
    Some(text)
}

/// A path that the rule's first glob matches.
fn sample_path(rule: &Rule) -> Option<String> {
    match &rule.matcher {
        Matcher::File(file) => {
            file.globs.first().map(|glob| glob.glob().replace("**/", "/srv/").replace("{", "").replace('*', "x").replace("//", "/"))
        }
        Matcher::Assignment(assignment) if assignment.scorer == Scorer::Generic => Some("/srv/app/.env".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn built_in_rules_prove_themselves() {
        let problems: Vec<String> = super::check_builtin().iter().map(ToString::to_string).collect();
        assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
    }
}
