//! `layersift rules`: list, show, check, test and export rules.

mod export;
mod trial;

use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;

use super::arguments::{RulesArguments, RulesVerb};
use super::error::CliError;
use super::output::Output;
use crate::report::FormatName;
use crate::rule::{LeftOut, Rule, RuleSet, Selection, check};

/// Exit code of a check that found something.
const WRONG: u8 = 1;

pub(super) fn run(arguments: RulesArguments) -> Result<u8, CliError> {
    match arguments.verb {
        RulesVerb::List { format, rules, choice } => list(&load(&rules, &choice.selection())?, format),
        RulesVerb::Show { id, rules } => show(&load(&rules, &Selection::default())?, &id),
        RulesVerb::Check { paths } => check(&paths),
        RulesVerb::Test(arguments) => trial::run(&arguments),
        RulesVerb::Export { folder, choice } => export::run(&folder, &choice.selection()),
    }
}

/// The built-in rules and those of `paths`, as far as they are chosen.
pub(super) fn load(paths: &[PathBuf], selection: &Selection) -> Result<RuleSet, CliError> {
    let rules = if paths.is_empty() { RuleSet::builtin() } else { RuleSet::with_files(paths)? };
    Ok(selection.apply(rules)?)
}

fn list(rules: &RuleSet, format: FormatName) -> Result<u8, CliError> {
    let mut views: Vec<RuleView<'_>> = rules.rules().map(RuleView::new).collect();
    views.sort_unstable_by_key(|view| view.id);
    Output::Stdout.write(|out| match format {
        FormatName::Json => write_json(&views, out),
        // The arguments allow no other.
        _ => write_table(&views, out),
    })?;
    Ok(0)
}

fn show(rules: &RuleSet, id: &str) -> Result<u8, CliError> {
    let rule = rules.rules().find(|rule| rule.facts.id == id).ok_or_else(|| CliError::NoSuchRule { id: id.to_owned() })?;
    let view = RuleView::new(rule);
    Output::Stdout.write(|out| view.write(out))?;
    Ok(0)
}

/// What rule files of other scanners say that ours cannot, a line each.
pub(super) fn say_left_out(left_out: &[LeftOut]) {
    for part in left_out {
        super::note("note", &super::clean(&part.to_string()));
    }
}

fn check(paths: &[PathBuf]) -> Result<u8, CliError> {
    let check::Checked { problems, left_out } = check::check_files(paths);
    say_left_out(&left_out);
    for problem in &problems {
        super::complain(&problem.to_string(), None);
    }
    if problems.is_empty() {
        let left_out = match left_out.len() {
            0 => String::new(),
            count => format!("; {count} parts of other scanners' rules are not carried over"),
        };
        Output::Stdout.write(|out| writeln!(out, "no problems{left_out}"))?;
    }
    Ok(if problems.is_empty() { 0 } else { WRONG })
}

/// A rule as it is listed.
#[derive(Serialize)]
struct RuleView<'a> {
    id: &'a str,
    description: &'a str,
    provider: &'a str,
    severity: &'static str,
    confidence: &'static str,
    keywords: &'a [String],
    tags: &'a [String],
    docs: Option<&'a str>,
    remediation: &'a str,
}

impl<'a> RuleView<'a> {
    fn new(rule: &'a Rule) -> Self {
        Self {
            id: &rule.facts.id,
            description: &rule.facts.description,
            provider: &rule.facts.provider,
            severity: rule.facts.severity.as_str(),
            confidence: rule.confidence.as_str(),
            keywords: &rule.keywords,
            tags: &rule.tags,
            docs: rule.facts.docs.as_deref(),
            remediation: &rule.facts.remediation,
        }
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let (keywords, tags) = (self.keywords.join(", "), self.tags.join(", "));
        let lines = [
            ("description", self.description),
            ("provider", self.provider),
            ("severity", self.severity),
            ("confidence", self.confidence),
            ("keywords", &keywords),
            ("tags", &tags),
            ("docs", self.docs.unwrap_or_default()),
            ("remediation", self.remediation),
        ];
        writeln!(out, "{}", self.id)?;
        for (name, text) in lines.iter().filter(|(_, text)| !text.is_empty()) {
            writeln!(out, "  {name:<11}  {text}")?;
        }
        Ok(())
    }
}

fn write_json(views: &[RuleView<'_>], out: &mut dyn Write) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    serde_json::to_writer_pretty(&mut out, views)?;
    writeln!(out)?;
    out.flush()
}

fn write_table(views: &[RuleView<'_>], out: &mut dyn Write) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    let width = views.iter().map(|view| view.id.len()).max().unwrap_or_default();
    for view in views {
        writeln!(out, "{:<width$}  {:<8}  {:<9}  {}", view.id, view.severity, view.confidence, view.description)?;
    }
    writeln!(out, "{} rules", views.len())?;
    out.flush()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn view<'a>(id: &'a str, keywords: &'a [String]) -> RuleView<'a> {
        RuleView {
            id,
            description: "A token",
            provider: "Example",
            severity: "high",
            confidence: "likely",
            keywords,
            tags: &[],
            docs: None,
            remediation: "Revoke it.",
        }
    }

    fn text(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_list_is_one_line_a_rule() {
        let views = [view("a-token", &[]), view("another-token", &[])];
        let expected = "a-token        high      likely     A token\nanother-token  high      likely     A token\n2 rules\n";
        assert_eq!(text(|out| write_table(&views, out)), expected);
    }

    #[test]
    fn the_json_list_is_an_array_of_rules() {
        let value: serde_json::Value = serde_json::from_str(&text(|out| write_json(&[view("a", &["tok_".to_owned()])], out))).unwrap();
        assert_eq!((&value[0]["id"], &value[0]["keywords"][0], &value[0]["docs"]), (&"a".into(), &"tok_".into(), &serde_json::Value::Null));
    }

    #[test]
    fn one_rule_is_shown_without_empty_fields() {
        let keywords = ["tok_".to_owned(), "tik_".to_owned()];
        let shown = text(|out| view("a-token", &keywords).write(out));
        let expected = "\
a-token
  description  A token
  provider     Example
  severity     high
  confidence   likely
  keywords     tok_, tik_
  remediation  Revoke it.
";
        assert_eq!(shown, expected);
    }
}
