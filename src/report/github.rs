//! Workflow commands of GitHub Actions: findings become annotations of the run. The job's summary is the Markdown report.
//!
//! GitHub keeps ten errors and ten warnings of a step, so the worst come first and the rest are one notice.

use std::io::{self, Write};

use super::said::{Said, counts, worst_first};
use super::{Context, Format, words};
use crate::finding::{Confidence, Finding, Gaps, Scan};

/// Annotations of one kind that a step may have.
const MAX_ANNOTATIONS: usize = 10;

/// The format.
pub(super) struct Github;

impl Format for Github {
    fn write(&self, scan: &Scan, context: &Context, out: &mut dyn io::Write) -> io::Result<()> {
        let findings = worst_first(scan, context);
        let (errors, others): (Vec<&Finding>, Vec<&Finding>) = findings.iter().partition(|finding| context.gate.gates(finding));
        let warnings: Vec<&Finding> = others.into_iter().filter(|finding| finding.confidence != Confidence::Possible).collect();
        let gap = match context.gate.gaps {
            _ if scan.coverage.is_complete() => None,
            Gaps::Warn => Some("warning"),
            Gaps::Fail => Some("error"),
        };
        for (command, list) in [("error", &errors), ("warning", &warnings)] {
            // The last one of its kind is kept for gaps.
            for finding in list.iter().take(MAX_ANNOTATIONS - usize::from(gap == Some(command))) {
                let said = Said::new(scan, context, finding);
                let fix = said.fix();
                let lines = [said.title(), said.secret()].into_iter().chain(said.details());
                let lines = lines.chain([fix.rotate, fix.persists.to_owned()]).chain(fix.change);
                let title = format!("{} secret in {}: {}", finding.severity, said.image(), finding.rule.id);
                annotate(out, command, &title, &lines.chain(fix.page).collect::<Vec<_>>().join("\n"))?;
            }
        }
        if let Some(command) = gap {
            let things = words::count(scan.coverage.skipped.len() as u64 + scan.coverage.skipped_more, "thing", "things");
            annotate(out, command, "not everything could be read", &format!("{things} could not be read, or are not what they say"))?;
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
        write_with(scan, Gaps::Warn)
    }

    fn write_with(scan: &Scan, gaps: Gaps) -> String {
        let mut context = testing::context(scan, Exposure::Redacted);
        context.gate.gaps = gaps;
        let mut out = Vec::new();
        Github.write(scan, &context, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_gap_is_an_error_where_it_fails_the_gate() {
        let lines = |gaps, begin: &str| write_with(&testing::rich(), gaps).lines().filter(|line| line.starts_with(begin)).count();
        let title = |command| format!("::{command} title=not everything could be read::");
        let [warning, error] = ["warning", "error"].map(title);
        assert_eq!((lines(Gaps::Warn, &warning), lines(Gaps::Warn, &error)), (1, 0));
        assert_eq!((lines(Gaps::Fail, &warning), lines(Gaps::Fail, &error)), (0, 1));
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
