//! The change of a Dockerfile in words, for formats for people. Everything is redacted, sanitised and cut here.

use super::redact::Redactor;
use super::{place, sanitise, words};
use crate::finding::{Certainty, DockerfileFix, Spot};

/// Columns of an instruction; the file has it in full.
const INSTRUCTION: usize = 200;

/// Where the change is to be made: `Dockerfile:12-14`, `probably Dockerfile:12`, `base image node:20`.
pub(super) fn spot(redactor: &Redactor, fix: &DockerfileFix) -> String {
    let file = place::clean(redactor, &fix.file);
    match &fix.spot {
        Spot::Instruction { line, end_line, certainty, .. } => {
            let lines = if line == end_line { line.to_string() } else { format!("{line}-{end_line}") };
            let doubt = if *certainty == Certainty::Exact { "" } else { "probably " };
            format!("{doubt}{file}:{lines}")
        }
        Spot::Base { image } => format!("base image {}", place::clean(redactor, image)),
        Spot::Unknown => format!("{file}: no line"),
    }
}

/// The instruction on one line; none without one.
pub(super) fn instruction(redactor: &Redactor, fix: &DockerfileFix) -> Option<String> {
    let Spot::Instruction { text, .. } = &fix.spot else { return None };
    // Folded after redacting: what is folded may be within a secret.
    let folded = redactor.text(text).split_whitespace().collect::<Vec<_>>().join(" ");
    Some(words::shorten(&sanitise::terminal(&folded), INSTRUCTION))
}

/// What to do, and what to write: a line each, a here-document several.
pub(super) fn lines(redactor: &Redactor, fix: &DockerfileFix) -> Vec<String> {
    let code = |text: &str| redactor.text(text).lines().map(|line| sanitise::terminal(line).into_owned()).collect::<Vec<_>>();
    let mut lines = vec![place::clean(redactor, &fix.advice)];
    match fix.replacement.as_deref() {
        None => {}
        Some("") => lines.push("Remove the instruction.".to_owned()),
        Some(text) => {
            lines.push("Write instead:".to_owned());
            lines.extend(code(text).into_iter().map(|line| format!("  {line}")));
        }
    }
    lines.extend(fix.ignore.as_deref().map(|path| format!("Add to .dockerignore: {}", code(path).join(" "))));
    lines.extend(fix.build_command.as_deref().map(|command| format!("Build with: {}", code(command).join(" "))));
    lines
}
