//! Workflow commands of GitHub Actions: findings become annotations of the run. The job's summary is the Markdown report.
//!
//! GitHub keeps ten errors and ten warnings of a step, so the worst come first and the rest are one notice.

use std::io::{self, Write};

use super::said::{Said, counts, worst_first};
use super::{Context, Format, words};
use crate::finding::{Confidence, Finding, Scan};

/// Annotations of one kind that a step may have.
const MAX_ANNOTATIONS: usize = 10;

/// The format.
pub(super) struct Github;

impl Format for Github {
    fn write(&self, scan: &Scan, context: &Context, out: &mut dyn io::Write) -> io::Result<()> {
        let findings = worst_first(scan, context);
        let (errors, others): (Vec<&Finding>, Vec<&Finding>) = findings.iter().partition(|finding| context.gate.gates(finding));
        let warnings: Vec<&Finding> = others.into_iter().filter(|finding| finding.confidence != Confidence::Possible).collect();
        // The last warning is kept for gaps.
        let gap = !scan.coverage.is_complete();
        for (command, list, most) in [("error", &errors, MAX_ANNOTATIONS), ("warning", &warnings, MAX_ANNOTATIONS - usize::from(gap))] {
            for finding in list.iter().take(most) {
                let said = Said::new(scan, context, finding);
                let fix = said.fix();
                let lines = [said.title(), said.secret()].into_iter().chain(said.details());
                let lines = lines.chain([fix.rotate, fix.persists.to_owned()]).chain(fix.change);
                let title = format!("{} secret in {}: {}", finding.severity, said.image(), finding.rule.id);
                annotate(out, command, &title, &lines.chain(fix.page).collect::<Vec<_>>().join("\n"))?;
            }
        }
        if gap {
            let things = words::count(scan.coverage.skipped.len() as u64 + scan.coverage.skipped_more, "thing", "things");
            annotate(out, "warning", "not everything could be read", &format!("{things} could not be read, or are not what they say"))?;
        }
        let all = counts(findings.iter().copied());
        let all = if all.is_empty() { "none" } else { &all };
        annotate(out, "notice", "layersift", &format!("findings: {all}; {} fail the step", words::number(errors.len() as u64)))
    }
}

fn annotate(out: &mut dyn Write, command: &str, title: &str, message: &str) -> io::Result<()> {
    writeln!(out, "::{command} title={}::{}", property(title), data(message))
}

/// A message: a command is one line, and `%` begins an escape.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A value among several.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{Exposure, testing};
    use super::*;

    fn write(scan: &Scan) -> String {
        let mut out = Vec::new();
        Github.write(scan, &testing::context(scan, Exposure::Redacted), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_line_is_one_command() {
        let report = write(&testing::rich());
        assert!(report.lines().all(|line| ["::error ", "::warning ", "::notice "].iter().any(|command| line.starts_with(command))));
        assert!(
            report.lines().next().unwrap().starts_with("::error title=critical secret in shop/api%3A1.4%3A example-token::"),
            "{report}"
        );
    }

    #[test]
    fn no_more_than_github_shows_and_the_rest_is_counted() {
        let secrets: Vec<String> = (0..25).map(|number| format!("a-secret-{number}")).collect();
        let scan = testing::scan_with_secrets(&secrets.iter().map(String::as_bytes).collect::<Vec<_>>());
        let report = write(&scan);
        assert_eq!(report.lines().filter(|line| line.starts_with("::error ")).count(), 10);
        assert!(report.ends_with("findings: 25 high; 25 fail the step\n"), "{report}");
    }

    #[test]
    fn a_name_cannot_end_its_command() {
        assert_eq!(property("a::b,c%0A\n::error::x"), "a%3A%3Ab%2Cc%250A%0A%3A%3Aerror%3A%3Ax");
    }
}
