//! JUnit XML: a test suite per image, in which each finding that gates is a failed test, so that any build server can show them.
//!
//! Findings that do not gate are skipped tests. Gaps in what was read are a test of their own, with an error.

use std::io;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::said::Said;
use super::{Context, Format, place};
use crate::finding::{Finding, ImageFacts, Scan};

/// The format.
pub(super) struct Junit;

impl Format for Junit {
    fn write(&self, scan: &Scan, context: &Context, out: &mut dyn io::Write) -> io::Result<()> {
        let mut report = Report::new("layersift");
        for (index, image) in scan.images.iter().enumerate() {
            report.add_test_suite(suite(scan, context, &name(context, image), index));
        }
        if scan.findings.iter().any(|finding| finding.image >= scan.images.len()) {
            report.add_test_suite(suite(scan, context, "in no image", scan.images.len()));
        }
        report.add_test_suite(coverage(scan, context));
        report.serialize(out).map_err(io::Error::other)
    }
}

fn name(context: &Context, image: &ImageFacts) -> String {
    place::clean(&context.redactor, image.name.as_deref().unwrap_or(&image.source))
}

fn suite(scan: &Scan, context: &Context, name: &str, image: usize) -> TestSuite {
    let mut suite = TestSuite::new(name);
    suite.add_test_cases(
        scan.findings
            .iter()
            .filter(|finding| finding.image.min(scan.images.len()) == image)
            .map(|finding| case(scan, context, name, finding)),
    );
    if !suite.test_cases.iter().any(|case| matches!(case.status, TestCaseStatus::NonSuccess { .. })) {
        let mut clean = TestCase::new("no secrets that gate", TestCaseStatus::success());
        clean.set_classname(name);
        suite.add_test_case(clean);
    }
    suite
}

fn case(scan: &Scan, context: &Context, suite: &str, finding: &Finding) -> TestCase {
    let said = Said::new(scan, context, finding);
    let headline = format!("{} {} secret: {}", finding.severity, finding.confidence, finding.rule.id);
    let status = if context.gate.gates(finding) {
        let fix = said.fix();
        let lines = [said.secret()].into_iter().chain(said.details()).chain([fix.rotate, fix.persists.to_owned()]).chain(fix.page);
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_type(&*finding.rule.id).set_message(headline).set_description(lines.collect::<Vec<_>>().join("\n"));
        status
    } else {
        let why = said.suppression().or_else(|| finding.novelty.map(|novelty| novelty.as_str().to_owned()));
        let mut status = TestCaseStatus::skipped();
        status.set_message(format!("{headline} ({})", why.as_deref().unwrap_or("below the gate")));
        status
    };
    let mut case = TestCase::new(said.title(), status);
    case.set_classname(suite);
    case
}

fn coverage(scan: &Scan, context: &Context) -> TestSuite {
    let gaps: Vec<String> = scan
        .coverage
        .skipped
        .iter()
        .filter(|skipped| !skipped.reason.is_harmless())
        .map(|skipped| {
            let [place, detail] = [&skipped.place, &skipped.detail].map(|text| place::clean(&context.redactor, text));
            format!("{}: {place}: {detail}", skipped.reason)
        })
        .collect();
    let status = if scan.coverage.is_complete() {
        TestCaseStatus::success()
    } else {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_type("coverage").set_message("not everything could be read").set_description(gaps.join("\n"));
        status
    };
    let mut case = TestCase::new("everything was read", status);
    case.set_classname("coverage");
    let mut suite = TestSuite::new("coverage");
    suite.add_test_case(case);
    suite
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{Exposure, testing};
    use super::*;

    fn write(scan: &Scan) -> Report {
        let mut out = Vec::new();
        Junit.write(scan, &testing::context(scan, Exposure::Redacted), &mut out).unwrap();
        Report::deserialize_from_str(std::str::from_utf8(&out).unwrap()).unwrap()
    }

    #[test]
    fn what_gates_fails_and_the_rest_is_skipped() {
        let scan = testing::rich();
        let gate = testing::context(&scan, Exposure::Redacted).gate;
        let gating = scan.findings.iter().filter(|finding| gate.gates(finding)).count();
        let report = write(&scan);
        assert_eq!((report.failures, report.errors), (gating, 1));
        assert_eq!(report.tests, scan.findings.len() + 1);
    }

    #[test]
    fn an_empty_scan_has_a_test_that_passes() {
        let report = write(&testing::empty());
        assert_eq!((report.tests, report.failures, report.errors), (1, 0, 0));
    }
}
