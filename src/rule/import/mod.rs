//! Rule files of other scanners, turned into ours as far as they can be; what cannot be carried over is listed, never dropped in
//! silence. One file per format: [`gitleaks`] (also Betterleaks), [`trivy`].

mod expression;
mod gitleaks;
mod trivy;

use std::fmt;
use std::path::Path;

use super::error::RuleError;
use super::syntax::{RuleFile, RuleSyntax};

/// A part of a foreign rule file that our rules cannot say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The rule file.
    pub file: String,
    /// The rule's id as the file has it; none for what stands outside of rules.
    pub rule: Option<String>,
    /// The field, in the file's own words.
    pub field: String,
    /// What follows from it, for people.
    pub effect: String,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = self.rule.as_ref().map(|rule| format!("rule `{rule}`: ")).unwrap_or_default();
        write!(f, "{}: {rule}{}: not carried over: {}", self.file, self.field, self.effect)
    }
}

/// A foreign rule file in our terms.
#[derive(Debug)]
pub(super) struct Imported {
    pub(super) file: RuleFile,
    pub(super) left_out: Vec<LeftOut>,
}

/// Reads a rule file of another scanner; none if it is not of a form known here.
pub(super) fn read(path: &Path, text: &str) -> Option<Result<Imported, RuleError>> {
    let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    if is_yaml {
        return Some(trivy::read(path, text));
    }
    gitleaks::is_one(text).then(|| gitleaks::read(path, text))
}

/// Collects what is carried over and what is not.
struct Importer {
    path: String,
    provider: &'static str,
    rules: Vec<RuleSyntax>,
    left_out: Vec<LeftOut>,
}

/// What the formats have in common.
struct Foreign<'a> {
    id: &'a str,
    description: String,
    severity: &'static str,
    regex: &'a str,
    /// Which group is the secret.
    group: expression::Group<'a>,
    keywords: Vec<String>,
    entropy: Option<f64>,
    allow: Vec<String>,
    tags: Vec<String>,
}

impl Importer {
    fn new(path: &Path, provider: &'static str) -> Self {
        Self { path: path.display().to_string(), provider, rules: Vec::new(), left_out: Vec::new() }
    }

    fn leave_out(&mut self, rule: Option<&str>, field: &str, effect: impl Into<String>) {
        let (rule, effect) = (rule.map(str::to_owned), effect.into());
        self.left_out.push(LeftOut { file: self.path.clone(), rule, field: field.to_owned(), effect });
    }

    /// Takes over one rule, or says why not.
    fn add(&mut self, foreign: Foreign<'_>) {
        let id = slug(foreign.id);
        match expression::carry_over(foreign.regex, &foreign.group, &foreign.keywords) {
            Ok(carried) => {
                for (field, effect) in carried.remarks {
                    self.leave_out(Some(foreign.id), field, effect);
                }
                let allow = foreign.allow.into_iter().filter(|allow| {
                    let is_good = super::hir::parse(allow).is_ok();
                    if !is_good {
                        self.left_out.push(LeftOut {
                            file: self.path.clone(),
                            rule: Some(foreign.id.to_owned()),
                            field: "allowlist".to_owned(),
                            effect: "an expression is not of the syntax of our rules; what it excuses is reported".to_owned(),
                        });
                    }
                    is_good
                });
                let allow = allow.collect();
                self.rules.retain(|rule| rule.id != id);
                self.rules.push(RuleSyntax {
                    id,
                    provider: None,
                    description: foreign.description,
                    severity: foreign.severity.to_owned(),
                    confidence: None,
                    keywords: carried.keywords,
                    regex: Some(carried.regex),
                    assignment: None,
                    block: None,
                    file: None,
                    entropy: foreign.entropy.filter(|min| *min > 0.0).map(|min| super::syntax::EntropySyntax { group: None, min }),
                    checksum: None,
                    structure: None,
                    decode: None,
                    allow,
                    pairs: Vec::new(),
                    tags: foreign.tags,
                    remediation: None,
                    examples: Vec::new(),
                    negative_examples: Vec::new(),
                });
            }
            Err((field, problem)) => self.leave_out(Some(foreign.id), field, format!("the rule is not used: {problem}")),
        }
    }

    fn finish(self) -> Imported {
        let file = RuleFile { provider: self.provider.to_owned(), docs: None, remediation: None, rules: self.rules };
        Imported { file, left_out: self.left_out }
    }
}

/// An id of our form.
fn slug(id: &str) -> String {
    let mut out = String::new();
    for char in id.chars() {
        match char {
            'a'..='z' | '0'..='9' => out.push(char),
            'A'..='Z' => out.push(char.to_ascii_lowercase()),
            _ if out.ends_with('-') || out.is_empty() => {}
            _ => out.push('-'),
        }
    }
    out.trim_end_matches('-').to_owned()
}
