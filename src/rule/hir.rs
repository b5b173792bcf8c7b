//! What can be known of an expression without running it: its longest match, whether it starts with a keyword, what its groups look
//! like. Used to size the windows that expressions run on.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind, Look};

/// Longest match that a rule's expression may have, in bytes. Rules without a bound would make findings depend on how a file is cut.
pub const MAX_MATCH: usize = 8 * 1024;

/// What an expression's syntax tells.
#[derive(Debug, Clone)]
pub struct Shape {
    /// The tree, for generating matching texts.
    pub hir: Hir,
    /// Longest match in bytes.
    pub max_len: usize,
    /// Whether every match begins with one of the rule's keywords (after word boundaries).
    pub starts_with_keyword: bool,
}

impl Shape {
    /// Parses `expression` and works out its bounds; the error is a sentence for people.
    pub fn of(expression: &str, keywords: &[String]) -> Result<Self, String> {
        let hir = parse(expression)?;
        let properties = hir.properties();
        if properties.minimum_len() == Some(0) {
            return Err("it can match the empty text".to_owned());
        }
        let max_len = properties.maximum_len().ok_or("it has no length bound: write {n,m} in place of *, + and {n,}")?;
        if max_len > MAX_MATCH {
            return Err(format!("its longest match is {max_len} bytes, more than {MAX_MATCH}"));
        }
        let starts_with_keyword = !keywords.is_empty() && starts_with(&hir, keywords);
        Ok(Self { hir, max_len, starts_with_keyword })
    }
}

/// Parses an expression the way it will be compiled.
pub(super) fn parse(expression: &str) -> Result<Hir, String> {
    ParserBuilder::new().unicode(false).utf8(false).build().parse(expression).map_err(|error| format!("it does not parse: {error}"))
}

/// Whether all matches begin with a keyword, going by the literal prefixes of the tree.
fn starts_with(hir: &Hir, keywords: &[String]) -> bool {
    use regex_syntax::hir::literal::{ExtractKind, Extractor};
    let mut extractor = Extractor::new();
    // What stands behind a keyword is not asked: of two characters out of 62 alone there are thousands of prefixes, and working them out took most of the
    // time that compiling a rule takes. A rule whose keywords differ in more characters than such a class has is tried on a wider window.
    let longest = keywords.iter().map(String::len).max().unwrap_or_default();
    extractor.kind(ExtractKind::Prefix).limit_class(10).limit_literal_len(longest).limit_total(4096);
    let prefixes = extractor.extract(hir);
    let Some(literals) = prefixes.literals() else { return false };
    !literals.is_empty()
        && literals.iter().all(|literal| {
            let bytes = literal.as_bytes();
            keywords.iter().any(|keyword| bytes.len() >= keyword.len() && bytes[..keyword.len()].eq_ignore_ascii_case(keyword.as_bytes()))
        })
}

/// Whether the expression asserts something on the byte before its first one.
pub(super) fn leading_look(hir: &Hir) -> Option<Look> {
    match hir.kind() {
        HirKind::Look(look) => Some(*look),
        HirKind::Concat(parts) => parts.first().and_then(leading_look),
        HirKind::Capture(capture) => leading_look(&capture.sub),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn shape(expression: &str, keyword: &str) -> Result<Shape, String> {
        Shape::of(expression, &[keyword.to_owned()])
    }

    #[test]
    fn bounds_and_prefixes_are_read_off_the_expression() {
        let marker = shape(r"\b(?<secret>ab_[0-9]{4,9})\b", "ab_").unwrap();
        assert_eq!((marker.max_len, marker.starts_with_keyword), (12, true));
        assert!(shape(r"(?i)\bab_[0-9]{4}", "ab_").unwrap().starts_with_keyword);
        assert!(!shape(r"[0-9]{4}ab_", "ab_").unwrap().starts_with_keyword);
    }

    #[test]
    fn expressions_without_a_bound_are_refused() {
        assert!(shape(r"ab_[0-9]+", "ab_").unwrap_err().contains("length bound"));
        assert!(shape(r"(ab_)?", "ab_").unwrap_err().contains("empty"));
        assert!(shape(r"ab_[0-9]{9000}", "ab_").unwrap_err().contains("9003"));
    }
}
