//! `layersift rules test`: what rules make of a text.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use super::super::arguments::TestArguments;
use super::super::error::CliError;
use super::super::output::Output;
use crate::detect::Candidate;
use crate::rule::{RuleSet, check};

/// Exit code of a test in which nothing was found.
const NOTHING: u8 = 1;

pub(super) fn run(arguments: &TestArguments) -> Result<u8, CliError> {
    let rules = RuleSet::of_files(&arguments.paths)?;
    let mut texts: Vec<Vec<u8>> = arguments.text.iter().map(|text| text.clone().into_bytes()).collect();
    if let Some(path) = &arguments.input {
        texts.push(read(path)?);
    }
    if texts.is_empty() {
        return Err(CliError::NothingToTest);
    }
    let mut lines = Vec::new();
    let mut found = false;
    for (number, text) in texts.iter().enumerate() {
        let candidates = check::matches(&rules, text, arguments.path.as_deref());
        found |= candidates.iter().any(|candidate| candidate.suppressed.is_none());
        if candidates.is_empty() {
            lines.push(format!("text {}: nothing", number + 1));
        }
        lines.extend(candidates.iter().map(|candidate| format!("text {}, {}", number + 1, line(&rules, text, candidate))));
    }
    Output::Stdout.write(|out| lines.iter().try_for_each(|line| writeln!(out, "{line}")))?;
    Ok(if found { 0 } else { NOTHING })
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    let text = if path == Path::new("-") {
        let mut text = Vec::new();
        io::stdin().lock().read_to_end(&mut text).map(|_| text)
    } else {
        fs::read(path)
    };
    text.map_err(|error| CliError::Input { path: path.to_owned(), error })
}

/// Where a secret stands and what was made of it; not the secret, since this may be a build's log.
fn line(rules: &RuleSet, text: &[u8], candidate: &Candidate) -> String {
    let before = &text[..candidate.span.start];
    let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|&&byte| byte != b'\n').count() + 1;
    let facts = &rules.rule(candidate.rule).facts;
    let mut said = format!(
        "line {line}, column {column}, {} bytes: {} ({}, {})",
        candidate.span.len(),
        facts.id,
        candidate.severity.as_str(),
        candidate.confidence.as_str()
    );
    if !candidate.decoding.is_empty() {
        said += &format!(", decoded from {}", candidate.decoding.join(", "));
    }
    if let Some(suppression) = &candidate.suppressed {
        said += &format!(", suppressed ({}): {}", suppression.reason, suppression.detail);
    }
    said
}
