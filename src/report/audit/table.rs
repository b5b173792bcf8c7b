//! The summary for a person at a terminal: a line for each repository, what it comes to, and what could not be read. The findings themselves are for the other formats.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr as _;

use super::super::table::Ink;
use super::super::{place, sanitise, words};
use super::{AuditContext, FailureLine, RepositoryLine, Summary, Tally, View, severities, time};

/// Most things that could not be read that are named.
const MAX_FAILURES: usize = 20;
/// Most columns of a repository's name.
const MAX_NAME: usize = 80;

/// The columns of numbers.
const COLUMNS: [&str; 8] = ["tags", "images", "critical", "high", "medium", "low", "suppressed", "failures"];

pub(super) fn write(view: &dyn View, context: &AuditContext, out: &mut dyn Write) -> io::Result<()> {
    let (head, summary, ink) = (view.head(), view.summary(), Ink(context.colour));
    let targets: Vec<String> = head.targets.iter().take(3).map(|target| sanitise::terminal(target).into_owned()).collect();
    let more = head.targets.len().saturating_sub(targets.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    writeln!(out, "{}", ink.bold(&format!("Audit of {}{more}, {}", targets.join(", "), time(head.started))))?;
    let repositories = view.repositories();
    let width = repositories.iter().map(|repository| repository.name.width()).max().unwrap_or(0).clamp(10, MAX_NAME);
    let header: Vec<String> = COLUMNS.iter().map(|column| format!("  {column:>8}")).collect();
    writeln!(out, "  {}", ink.dim(&format!("{:<width$}{}", "repository", header.concat())))?;
    for repository in repositories {
        line(out, &repository.name, width, &numbers(repository), ink, repository.complete)?;
    }
    let total = RepositoryLine {
        name: String::new(),
        tags: summary.tags,
        images: summary.images,
        findings: summary.findings,
        failures: summary.failures,
        complete: summary.complete,
    };
    // A finding in several repositories is one.
    line(out, "all, each finding once", width, &numbers(&total), ink, true)?;
    writeln!(out)?;
    failures(view, out, ink)?;
    counts(head.is_compared, summary, out)?;
    outcome(summary, out, ink)
}

fn numbers(repository: &RepositoryLine) -> [u64; 8] {
    let Tally { critical, high, medium, low, suppressed } = repository.findings;
    [repository.tags, repository.images, critical, high, medium, low, suppressed, repository.failures]
}

fn line(out: &mut dyn Write, name: &str, width: usize, numbers: &[u64; 8], ink: Ink, is_complete: bool) -> io::Result<()> {
    let name = words::shorten(&sanitise::terminal(name), width);
    write!(out, "  {name}{}", " ".repeat(width.saturating_sub(name.width())))?;
    let severity_of = |column: usize| column.checked_sub(2).and_then(|at| severities().nth(at));
    for (column, (number, title)) in numbers.iter().zip(COLUMNS).enumerate() {
        let text = format!("{:>1$}", words::number(*number), title.len().max(8));
        match severity_of(column).filter(|_| *number > 0) {
            Some(severity) => write!(out, "  {}", ink.severity(severity, &text))?,
            None => write!(out, "  {text}")?,
        }
    }
    writeln!(out, "{}", if is_complete { "" } else { "  not all read" })
}

fn failures(view: &dyn View, out: &mut dyn Write, ink: Ink) -> io::Result<()> {
    let mut count = 0;
    view.failures(&mut |failure: &FailureLine| {
        count += 1;
        if count == 1 {
            writeln!(out, "{}", ink.bold("What could not be read"))?;
        }
        if count > MAX_FAILURES {
            return Ok(());
        }
        let FailureLine { stage, repository, what, problem } = failure;
        let named = format!("{stage} {repository} {what}");
        writeln!(out, "  {}: {}", sanitise::terminal(named.trim_end()), sanitise::terminal(problem))
    })?;
    if count > MAX_FAILURES {
        writeln!(out, "  and {} more", words::number((count - MAX_FAILURES) as u64))?;
    }
    if count > 0 { writeln!(out) } else { Ok(()) }
}

fn counts(is_compared: bool, summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let shared = match summary.shared_layers {
        0 => String::new(),
        shared => format!(", {} of them in several images", words::number(shared)),
    };
    let layers = words::count(summary.layers, "distinct layer", "distinct layers");
    writeln!(out, "{layers} of {}{shared}.", words::size(summary.layer_bytes))?;
    if summary.other_platforms > 0 {
        let tags = words::count(summary.other_platforms, "tag has", "tags have");
        writeln!(out, "{tags} no image for the platform that is wanted.")?;
    }
    if is_compared {
        let [new, fixed] = [summary.new, summary.fixed].map(|count| words::number(count.unwrap_or_default()));
        write!(out, "Since the last audit: {new} new, {fixed} fixed")?;
        match summary.unsure.unwrap_or_default() {
            0 => writeln!(out, ".")?,
            unsure => writeln!(out, "; of {} nothing can be said, since not everything could be read.", words::number(unsure))?,
        }
    }
    Ok(())
}

fn outcome(summary: &Summary, out: &mut dyn Write, ink: Ink) -> io::Result<()> {
    let listed = words::count(summary.findings.listed(), "finding", "findings");
    match summary.gating {
        0 => writeln!(out, "{listed}, none of which fails the gate.")?,
        gating => writeln!(out, "{}", ink.alarm(&format!("{listed}, {} of which fail the gate.", words::number(gating))))?,
    }
    if !summary.complete {
        writeln!(out, "{}", ink.alarm("Not everything could be read."))?;
    }
    if summary.findings.listed() > 0 {
        writeln!(out, "--output html=FILE and --output jsonl=FILE name them all.")?;
    }
    Ok(())
}

/// A gap's or a failure's text, fit for people.
pub(super) fn clean(text: &str) -> String {
    words::shorten(&sanitise::terminal(text), place::MAX_COLUMNS)
}

#[cfg(test)]
mod tests {
    use super::super::AuditFormat;
    use super::super::testing::write;

    #[test]
    fn a_repository_is_a_line_and_failures_are_named_within_a_bound() {
        let table = write(AuditFormat::Table);
        assert!(table.starts_with("Audit of registry://a.example, 2026-01-01T00:00:00Z\n"), "{table}");
        assert!(table.contains("\n  a.example/two         2         2         1 ") && table.contains("30  not all read\n"), "{table}");
        assert_eq!((table.matches("tag a.example/two").count(), table.contains("and 10 more")), (20, true));
        assert!(table.contains("1 finding, 1 of which fail the gate.") && table.contains("1.2 MB, 1 of them in several images"), "{table}");
        assert!(!table.contains('\u{1b}') && table.contains("3 tags have no image for the platform"));
    }
}
