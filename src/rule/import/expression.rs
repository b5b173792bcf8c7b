//! Expressions written for a scanner that runs them over whole files: given the bounds, the group and the keywords that ours need.

use regex_syntax::ast::{self, Ast, GroupKind, RepetitionKind, RepetitionRange};
use regex_syntax::hir::{Class, Hir, HirKind};

use super::super::generate::{self, Random};
use super::super::hir::Shape;

/// What stands in place of no limit, the largest first that keeps the whole within the bound.
const LIMITS: [u32; 6] = [512, 256, 128, 64, 32, 16];

/// Which group of an expression is the secret.
pub(super) enum Group<'a> {
    /// The whole match.
    Whole,
    /// By number.
    Number(u32),
    /// By name.
    Name(&'a str),
    /// The first one, or the whole match if there is none.
    First,
}

/// An expression in our terms.
pub(super) struct Carried {
    pub(super) regex: String,
    pub(super) keywords: Vec<String>,
    /// Fields that changed their meaning, and how.
    pub(super) remarks: Vec<(&'static str, String)>,
}

/// Turns an expression into one of ours; the field and a sentence if that cannot be.
pub(super) fn carry_over(regex: &str, group: &Group<'_>, keywords: &[String]) -> Result<Carried, (&'static str, String)> {
    let parse =
        |text: &str| ast::parse::Parser::new().parse(text).map_err(|error| ("regex", format!("it does not parse: {}", error.kind())));
    let named = name_secret(regex, &parse(regex)?, group)?;
    let mut remarks = Vec::new();
    let bounded = bound(&named, &parse(&named)?)?;
    if bounded != named {
        remarks.push(("regex", "repetitions without a limit; they have one now, and a longer match is not found".to_owned()));
    }
    let shape = Shape::of(&bounded, &[]).map_err(|problem| ("regex", problem))?;
    let mut keywords: Vec<String> = keywords.iter().map(|keyword| keyword.to_ascii_lowercase()).collect();
    keywords.sort();
    keywords.dedup();
    if !keywords.is_empty() && !are_in_every_match(&shape.hir, &keywords) {
        remarks.push(("keywords", "some matches hold none of them; a literal that all matches hold is the keyword now".to_owned()));
        keywords.clear();
    }
    if keywords.is_empty() {
        keywords = required(&shape.hir).ok_or((
            "keywords",
            "no literal of three letters or more is in every match; give the expression one, or write the rule as an `assignment`"
                .to_owned(),
        ))?;
    }
    Ok(Carried { regex: bounded, keywords, remarks })
}

fn are_in_every_match(hir: &Hir, keywords: &[String]) -> bool {
    let mut random = Random::from_text("keywords");
    let is_usable = |keyword: &String| keyword.is_ascii() && keyword.len() >= 3;
    keywords.iter().all(is_usable)
        && (0..40).all(|_| {
            let text = generate::matching(hir, &mut random).to_ascii_lowercase();
            keywords.iter().any(|keyword| memchr::memmem::find(&text, keyword.as_bytes()).is_some())
        })
}

/// Calls the wanted group `secret`.
fn name_secret(regex: &str, tree: &Ast, group: &Group<'_>) -> Result<String, (&'static str, String)> {
    let mut groups = Vec::new();
    walk(tree, &mut |ast| {
        if let Ast::Group(group) = ast {
            groups.push(ast::Group::clone(group));
        }
    });
    let number = |wanted: u32| groups.iter().find(|group| group.capture_index() == Some(wanted));
    let found = match group {
        Group::Whole => return Ok(regex.to_owned()),
        Group::First => match number(1) {
            Some(found) => found,
            None => return Ok(regex.to_owned()),
        },
        Group::Number(wanted) => number(*wanted).ok_or_else(|| ("secretGroup", format!("the expression has no group {wanted}")))?,
        Group::Name(wanted) => {
            let is_it = |group: &&ast::Group| matches!(&group.kind, GroupKind::CaptureName { name, .. } if name.name == *wanted);
            groups.iter().find(is_it).ok_or_else(|| ("secret-group-name", format!("the expression has no group `{wanted}`")))?
        }
    };
    let mut out = regex.to_owned();
    match &found.kind {
        GroupKind::CaptureName { name, .. } => out.replace_range(name.span.start.offset..name.span.end.offset, "secret"),
        _ => out.insert_str(found.span.start.offset + 1, "?<secret>"),
    }
    Ok(out)
}

/// Gives every repetition an upper limit.
fn bound(regex: &str, tree: &Ast) -> Result<String, (&'static str, String)> {
    let mut open = Vec::new();
    walk(tree, &mut |ast| {
        if let Ast::Repetition(repetition) = ast {
            let least = match &repetition.op.kind {
                RepetitionKind::ZeroOrMore => Some(0),
                RepetitionKind::OneOrMore => Some(1),
                RepetitionKind::Range(RepetitionRange::AtLeast(least)) => Some(*least),
                _ => None,
            };
            if let Some(least) = least {
                open.push((repetition.op.span.start.offset..repetition.op.span.end.offset, least, repetition.greedy));
            }
        }
    });
    if open.is_empty() {
        return Ok(regex.to_owned());
    }
    open.sort_by_key(|(span, ..)| std::cmp::Reverse(span.start));
    let mut problem = String::new();
    for limit in LIMITS {
        let mut out = regex.to_owned();
        for (span, least, greedy) in &open {
            let most = (*least).max(limit.max(least.saturating_mul(2).min(4_096)).min(4_096));
            out.replace_range(span.clone(), &format!("{{{least},{most}}}{}", if *greedy { "" } else { "?" }));
        }
        match Shape::of(&out, &[]) {
            Ok(_) => return Ok(out),
            Err(text) => problem = text,
        }
    }
    Err(("regex", problem))
}

/// Calls `visit` for each node.
fn walk(tree: &Ast, visit: &mut dyn FnMut(&Ast)) {
    visit(tree);
    match tree {
        Ast::Repetition(repetition) => walk(&repetition.ast, visit),
        Ast::Group(group) => walk(&group.ast, visit),
        Ast::Alternation(alternation) => alternation.asts.iter().for_each(|ast| walk(ast, visit)),
        Ast::Concat(concat) => concat.asts.iter().for_each(|ast| walk(ast, visit)),
        _ => {}
    }
}

/// Literals, in lower case, one of which is in every match: the longest there is.
fn required(hir: &Hir) -> Option<Vec<String>> {
    let found = literals(hir)?;
    let is_good = !found.is_empty() && found.len() <= 16 && found.iter().all(|literal| literal.len() >= 3 && literal.is_ascii());
    is_good.then_some(found)
}

/// What every match holds, as alternatives; none if there is nothing of the kind.
fn literals(hir: &Hir) -> Option<Vec<String>> {
    match hir.kind() {
        HirKind::Literal(literal) => Some(vec![String::from_utf8(literal.0.to_vec()).ok()?.to_ascii_lowercase()]),
        HirKind::Capture(capture) => literals(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => literals(&repetition.sub),
        HirKind::Alternation(parts) => {
            let all: Option<Vec<Vec<String>>> = parts.iter().map(literals).collect();
            all.map(|all| all.concat())
        }
        HirKind::Concat(parts) => {
            // Letters without regard to case are classes of two; a run of them is a literal too.
            let mut runs: Vec<Vec<String>> = Vec::new();
            let mut run = String::new();
            for part in parts {
                match one_letter(part) {
                    Some(text) => run.push_str(&text),
                    None => {
                        runs.push(vec![std::mem::take(&mut run)]);
                        runs.extend(literals(part));
                    }
                }
            }
            runs.push(vec![run]);
            let shortest = |alternatives: &Vec<String>| alternatives.iter().map(String::len).min().unwrap_or_default();
            runs.into_iter().filter(|alternatives| shortest(alternatives) > 0).max_by_key(shortest)
        }
        _ => None,
    }
}

/// A literal, or a letter in either case.
fn one_letter(hir: &Hir) -> Option<String> {
    match hir.kind() {
        HirKind::Literal(literal) => String::from_utf8(literal.0.to_vec()).ok().map(|text| text.to_ascii_lowercase()),
        HirKind::Class(Class::Bytes(class)) => {
            let bytes: Vec<u8> = class.iter().flat_map(|range| range.start()..=range.end()).take(3).collect();
            match bytes[..] {
                [upper, lower] if upper.is_ascii_uppercase() && upper.to_ascii_lowercase() == lower => Some(char::from(lower).to_string()),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::super::hir;
    use super::*;

    fn carried(regex: &str, group: Group<'_>, keywords: &[&str]) -> Result<Carried, (&'static str, String)> {
        carry_over(regex, &group, &keywords.iter().map(|&keyword| keyword.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_wanted_group_is_the_secret() {
        for (group, wanted) in [
            (Group::First, r"acme_(?<secret>[0-9]{8})-(?P<b>[a-z]{4})"),
            (Group::Number(2), r"acme_([0-9]{8})-(?P<secret>[a-z]{4})"),
            (Group::Name("b"), r"acme_([0-9]{8})-(?P<secret>[a-z]{4})"),
            (Group::Whole, r"acme_([0-9]{8})-(?P<b>[a-z]{4})"),
        ] {
            assert_eq!(carried(r"acme_([0-9]{8})-(?P<b>[a-z]{4})", group, &["acme_"]).unwrap().regex, wanted);
        }
        assert_eq!(carried("acme_[0-9]{8}", Group::Number(3), &[]).err().unwrap().0, "secretGroup");
    }

    #[test]
    fn repetitions_get_limits_and_say_so() {
        let bounded = carried(r"acme[ \t]*=\s+?([0-9a-f]{16,})", Group::First, &["acme"]).unwrap();
        assert_eq!(bounded.regex, r"acme[ \t]{0,512}=\s{1,512}?(?<secret>[0-9a-f]{16,512})");
        assert_eq!(bounded.remarks.len(), 1);
        let nested = carried(r"acme(?:[a-z]+-)+x", Group::Whole, &["acme"]).unwrap();
        assert!(Shape::of(&nested.regex, &[]).unwrap().max_len <= hir::MAX_MATCH, "{}", nested.regex);
        assert!(carried("acme_[0-9]{8}", Group::Whole, &["acme_"]).unwrap().remarks.is_empty());
    }

    #[test]
    fn keywords_that_matches_lack_give_way_to_a_literal_that_they_hold() {
        let kept = carried("(?i)acme_[0-9]{8}", Group::Whole, &["ACME_"]).unwrap();
        assert_eq!((kept.keywords.as_slice(), kept.remarks.len()), (["acme_".to_owned()].as_slice(), 0));
        let changed = carried("(?i)Tok[0-9]{2}acme_[0-9]{8}", Group::Whole, &["other"]).unwrap();
        assert_eq!((changed.keywords.as_slice(), changed.remarks.len()), (["acme_".to_owned()].as_slice(), 1));
        assert_eq!(carried("(?:abc|defg)[0-9]{8}", Group::Whole, &[]).unwrap().keywords, ["abc", "defg"]);
        assert_eq!(carried("[a-z]{32}", Group::Whole, &[]).err().unwrap().0, "keywords");
        assert_eq!(carried("(?:acme)?", Group::Whole, &["acme"]).err().unwrap().0, "regex");
    }
}
