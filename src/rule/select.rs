//! Which rules take part: `--only` and `--skip`.

use std::str::FromStr;

use globset::{GlobBuilder, GlobMatcher};

use super::compile::Rule;
use super::error::RuleError;
use super::set::RuleSet;
use crate::finding::Severity;

/// Says of a rule whether it is meant: by id, tag, provider, category or severity.
///
/// Written as a bare word, which is compared with each of these, or as `id:`, `tag:`, `category:` (a tag by another name), `provider:`
/// or `severity:` and a word. Words are globs and are compared without regard to case.
#[derive(Debug, Clone)]
pub struct Selector {
    text: String,
    field: Field,
    glob: GlobMatcher,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Any,
    Id,
    Tag,
    Provider,
    Severity,
}

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (field, word) = match text.split_once(':') {
            None => (Field::Any, text),
            Some(("id", word)) => (Field::Id, word),
            Some(("tag" | "category", word)) => (Field::Tag, word),
            Some(("provider", word)) => (Field::Provider, word),
            Some(("severity", word)) => match word.parse::<Severity>() {
                Ok(_) => (Field::Severity, word),
                Err(error) => return Err(error.to_string()),
            },
            Some((other, _)) => return Err(format!("`{other}:` is none of id:, tag:, category:, provider: and severity:")),
        };
        if word.is_empty() {
            return Err("a word is missing".to_owned());
        }
        let glob = GlobBuilder::new(word).case_insensitive(true).build().map_err(|error| error.to_string())?.compile_matcher();
        Ok(Self { text: text.to_owned(), field, glob })
    }
}

impl Selector {
    /// Whether `rule` is meant.
    pub fn is_match(&self, rule: &Rule) -> bool {
        let is = |field: Field, text: &str| (self.field == Field::Any || self.field == field) && self.glob.is_match(text);
        is(Field::Id, &rule.facts.id)
            || rule.tags.iter().any(|tag| is(Field::Tag, tag))
            || is(Field::Provider, &rule.facts.provider)
            || is(Field::Severity, rule.facts.severity.as_str())
    }
}

/// The rules that take part: those of `only` (all, if it is empty) without those of `skip`.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Nothing but these.
    pub only: Vec<Selector>,
    /// Not these.
    pub skip: Vec<Selector>,
}

impl Selection {
    /// Whether it is all rules.
    pub fn is_all(&self) -> bool {
        self.only.is_empty() && self.skip.is_empty()
    }

    /// Whether `rule` takes part.
    pub fn is_match(&self, rule: &Rule) -> bool {
        (self.only.is_empty() || self.only.iter().any(|selector| selector.is_match(rule)))
            && !self.skip.iter().any(|selector| selector.is_match(rule))
    }

    /// Leaves only the rules that take part.
    ///
    /// # Errors
    /// When a selector is meant for no rule at all, which is a slip of the pen that would make images look clean, and when no rule is left.
    pub fn apply(&self, rules: RuleSet) -> Result<RuleSet, RuleError> {
        if let Some(idle) = self.only.iter().chain(&self.skip).find(|selector| !rules.rules().any(|rule| selector.is_match(rule))) {
            return Err(RuleError::SelectsNothing { selector: idle.text.clone() });
        }
        if self.is_all() {
            return Ok(rules);
        }
        let words = |selectors: &[Selector]| selectors.iter().map(|selector| selector.text.as_str()).collect::<Vec<_>>().join(",");
        let left = rules.retain(|rule| self.is_match(rule), &format!("only {} skip {}", words(&self.only), words(&self.skip)));
        if left.is_empty() { Err(RuleError::NoRuleLeft) } else { Ok(left) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn selection(only: &[&str], skip: &[&str]) -> Selection {
        let read = |words: &[&str]| words.iter().map(|word| word.parse().unwrap()).collect();
        Selection { only: read(only), skip: read(skip) }
    }

    fn ids(only: &[&str], skip: &[&str]) -> Vec<String> {
        let rules = selection(only, skip).apply(RuleSet::builtin()).unwrap();
        rules.rules().map(|rule| rule.facts.id.clone()).collect()
    }

    #[test]
    fn rules_are_chosen_by_id_glob_tag_provider_and_severity() {
        assert_eq!(ids(&["github-pat-classic"], &[]), ["github-pat-classic"]);
        assert_eq!(ids(&["id:GitHub-pat-*"], &["github-pat-fine*"]), ["github-pat-classic"]);
        assert!(ids(&["provider:github"], &[]).contains(&"github-pat-classic".to_owned()));
        let critical = selection(&["severity:critical"], &[]).apply(RuleSet::builtin()).unwrap();
        assert!(critical.rules().all(|rule| rule.facts.severity == Severity::Critical) && !critical.is_empty());
        let narrow = selection(&[], &["tag:broad"]).apply(RuleSet::builtin()).unwrap();
        assert!(narrow.rules().all(|rule| !rule.tags.iter().any(|tag| tag == "broad")));
        assert!(narrow.len() < RuleSet::builtin().len());
    }

    #[test]
    fn a_word_that_means_no_rule_is_an_error_and_so_is_an_empty_set() {
        let apply = |only: &[&str], skip: &[&str]| selection(only, skip).apply(RuleSet::builtin()).map(|_| ());
        assert!(matches!(apply(&["gihub-pat"], &[]), Err(RuleError::SelectsNothing { selector }) if selector == "gihub-pat"));
        assert!(matches!(apply(&[], &["gihub-pat"]), Err(RuleError::SelectsNothing { .. })));
        assert!(matches!(apply(&["github-pat-classic"], &["github-*"]), Err(RuleError::NoRuleLeft)));
    }

    #[test]
    fn another_choice_is_another_set() {
        let hash = |only: &[&str], skip: &[&str]| selection(only, skip).apply(RuleSet::builtin()).unwrap().hash().to_owned();
        assert_eq!(hash(&[], &[]), RuleSet::builtin().hash());
        assert_ne!(hash(&["github-pat-classic"], &[]), hash(&[], &["github-pat-classic"]));
    }

    #[test]
    fn selectors_that_cannot_be_read_are_refused() {
        for bad in ["", "tag:", "colour:red", "severity:worst", "[a"] {
            assert!(bad.parse::<Selector>().is_err(), "{bad}");
        }
    }
}
