//! GitHub-flavoured Markdown, for job summaries and comments: the counts, a table of the worst, what to do, and what was not read.

use std::collections::HashSet;
use std::io::{self, Write};

use super::said::{Said, counts, worst_first};
use super::{Context, Format, place, words};
use crate::finding::{Confidence, Finding, Gaps, Origin, Outcome, Scan};

/// Most rows: a job summary on GitHub holds 1 MiB, and a row has up to 2 kB.
const MAX_ROWS: usize = 300;
/// Most gaps that are named.
const MAX_GAPS: usize = 20;

/// The format.
pub(super) struct Markdown;

impl Format for Markdown {
    fn write(&self, scan: &Scan, context: &Context, out: &mut dyn io::Write) -> io::Result<()> {
        let findings = worst_first(scan, context);
        heading(scan, context, &findings, out)?;
        table(scan, context, &findings, out)?;
        advice(scan, context, &findings, out)?;
        gaps(scan, context, out)
    }
}

fn heading(scan: &Scan, context: &Context, findings: &[&Finding], out: &mut dyn Write) -> io::Result<()> {
    let verdict = match context.gate.outcome(scan) {
        Outcome::Findings => "❌ Secrets found",
        Outcome::Incomplete(Gaps::Warn) => "⚠️ Not everything could be read",
        Outcome::Incomplete(Gaps::Fail) => "❌ Not everything could be read, which fails the build",
        Outcome::Clean if findings.is_empty() => "✅ No secrets found",
        Outcome::Clean => "✅ No secret that fails the build",
    };
    writeln!(out, "## {verdict}\n")?;
    for image in &scan.images {
        let name = place::clean(&context.redactor, image.name.as_deref().unwrap_or(&image.source));
        let digest = image.digest.as_ref().map(|digest| format!(" at {}", code(&digest.to_string()))).unwrap_or_default();
        writeln!(out, "- {}{digest}, {}", code(&name), words::count(image.layers.len() as u64, "layer", "layers"))?;
    }
    let gating = findings.iter().filter(|finding| context.gate.gates(finding)).count() as u64;
    let suppressed = (scan.findings.len() - findings.len()) as u64;
    let all = counts(findings.iter().copied());
    let all = if all.is_empty() { "none".to_owned() } else { all };
    writeln!(out, "- Findings: {all}; {} fail, {} suppressed", words::number(gating), words::number(suppressed))?;
    if let Some(fixed) = &scan.fixed {
        writeln!(out, "- Fixed since the baseline: {}", words::number(fixed.len() as u64))?;
    }
    Ok(())
}

fn table(scan: &Scan, context: &Context, findings: &[&Finding], out: &mut dyn Write) -> io::Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n| Severity | Confidence | Secret | Where | Layer | State |\n|---|---|---|---|---|---|")?;
    for finding in findings.iter().take(MAX_ROWS) {
        let said = Said::new(scan, context, finding);
        let severity = if context.gate.gates(finding) { format!("**{}**", finding.severity) } else { finding.severity.to_string() };
        let novelty = finding.novelty.map(|novelty| format!(" ({})", novelty.as_str())).unwrap_or_default();
        let state = said.state();
        let origin = if finding.origin == Origin::Own { "" } else { ", inherited" };
        let place = if scan.images.len() > 1 { format!("{}: {}", said.image(), said.place()) } else { said.place() };
        writeln!(
            out,
            "| {severity}{novelty} | {} | {} {} | {} | {} | {state}{origin} |",
            finding.confidence,
            text(&finding.rule.description),
            code(&said.secret()),
            code(&place),
            said.layer().map(|layer| code(&layer)).unwrap_or_default(),
        )?;
    }
    match findings.len().saturating_sub(MAX_ROWS) as u64 {
        0 => Ok(()),
        more => writeln!(out, "\nand {} more", words::number(more)),
    }
}

fn advice(scan: &Scan, context: &Context, findings: &[&Finding], out: &mut dyn Write) -> io::Result<()> {
    let sure = findings.iter().filter(|finding| finding.confidence != Confidence::Possible).take(MAX_ROWS);
    let mut told = HashSet::new();
    let mut persists = None;
    for finding in sure.filter(|finding| told.insert(finding.rule.id.as_str())) {
        let fix = Said::new(scan, context, finding).fix();
        if persists.is_none() {
            writeln!(out, "\n<details><summary>What to do</summary>\n")?;
            persists = Some(fix.persists);
        }
        let page = fix.page.map(|page| format!(" [More]({page})")).unwrap_or_default();
        writeln!(out, "- **{}**: {}{page}", text(&finding.rule.description), text(&fix.rotate))?;
    }
    changes(scan, context, findings, out)?;
    match persists {
        Some(persists) => writeln!(out, "\n{}\n\n</details>", text(persists)),
        None => Ok(()),
    }
}

/// Each change of the Dockerfile once, in the order of the table.
fn changes(scan: &Scan, context: &Context, findings: &[&Finding], out: &mut dyn Write) -> io::Result<()> {
    let fixes = findings.iter().filter(|finding| finding.confidence != Confidence::Possible && finding.dockerfile.is_some());
    let mut told = HashSet::new();
    for finding in fixes.filter(|finding| told.insert(finding.dockerfile.as_deref())).take(MAX_ROWS) {
        let lines = Said::new(scan, context, finding).fix().change;
        let lines: Vec<String> = lines.iter().enumerate().map(|(at, line)| if at == 0 { code(line) } else { text(line) }).collect();
        writeln!(out, "- {}", lines.join("<br>"))?;
    }
    Ok(())
}

fn gaps(scan: &Scan, context: &Context, out: &mut dyn Write) -> io::Result<()> {
    if scan.coverage.is_complete() {
        return Ok(());
    }
    writeln!(out, "\n<details><summary>What could not be read</summary>\n")?;
    let gaps: Vec<_> = scan.coverage.skipped.iter().filter(|skipped| !skipped.reason.is_harmless()).collect();
    for gap in gaps.iter().take(MAX_GAPS) {
        let [place, detail] = [&gap.place, &gap.detail].map(|text| place::clean(&context.redactor, text));
        writeln!(out, "- {}: {} {}", gap.reason, code(&place), text(&detail))?;
    }
    let more = gaps.len().saturating_sub(MAX_GAPS) as u64 + scan.coverage.skipped_more;
    if more > 0 {
        writeln!(out, "- and {} more", words::number(more))?;
    }
    writeln!(out, "\n</details>")
}

/// Text that Markdown leaves as it is: every ASCII mark that could mean something is a character reference.
fn text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            ' ' | '.' | ',' | '/' | '-' | '(' | ')' | ';' | '?' | '\'' | '"' | '%' | '$' | '=' => escaped.push(character),
            _ if character.is_ascii_punctuation() => escaped.push_str(&format!("&#{};", u32::from(character))),
            _ => escaped.push(character),
        }
    }
    // A line that begins so would be a list or a rule.
    if escaped.starts_with(['-', '=']) { format!("&#{};{}", u32::from(escaped.as_bytes()[0]), &escaped[1..]) } else { escaped }
}

/// The same in the typeface of code. A code span of backticks cannot hold `|` in a table.
fn code(content: &str) -> String {
    format!("<code>{}</code>", text(content))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{Exposure, testing};
    use super::*;

    fn write(scan: &Scan) -> String {
        let mut out = Vec::new();
        Markdown.write(scan, &testing::context(scan, Exposure::Redacted), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_verdict_comes_first_and_the_worst_row_first() {
        let report = write(&testing::rich());
        assert!(report.starts_with("## ❌ Secrets found\n"), "{report}");
        let row = report.lines().skip_while(|line| !line.starts_with("|---")).nth(1).unwrap();
        assert!(row.starts_with("| **critical** | confirmed | ") && row.contains("/app/.env&#58;3"), "{row}");
        assert!(report.contains("What could not be read"));
        assert!(write(&testing::empty()).starts_with("## ✅ No secrets found\n"));
    }

    #[test]
    fn names_of_the_image_stay_text() {
        for hostile in ["a|b", "<img src=x onerror=alert(1)>", "[x](javascript:alert(1))", "`x`", "**x**", "@everyone", "- x", "# x", "\\"]
        {
            let escaped = code(hostile);
            let inner = escaped.strip_prefix("<code>").unwrap().strip_suffix("</code>").unwrap();
            assert!(!inner.starts_with('-') && !inner.contains(['|', '<', '>', '[', ']', '`', '*', '@', '\\']), "{escaped}");
            assert!(!inner.replace("&#", "").contains('#'), "{escaped}");
        }
    }
}
