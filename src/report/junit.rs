//! JUnit XML: a test suite per image, in which each finding that gates is a failed test, so that any build server can show them.
//!
//! Findings that do not gate are skipped tests. Gaps in what was read are a test of their own, with an error.

use std::io::{self, Write};

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::said::Said;
use super::{Context, Format, place};
use crate::finding::{Finding, ImageFacts, Scan, Whose};

/// The format.
pub(super) struct Junit;

impl Format for Junit {
    fn write(&self, scan: &Scan, context: &Context, out: &mut dyn io::Write) -> io::Result<()> {
        let mut suites: Vec<Suite<'_>> =
            scan.images.iter().enumerate().map(|(index, image)| Suite::new(scan, context, name(context, image), index)).collect();
        if scan.findings.iter().any(|finding| finding.image >= scan.images.len()) {
            suites.push(Suite::new(scan, context, "in no image".to_owned(), scan.images.len()));
        }
        let gap = !scan.coverage.is_complete();
        let tests = suites.iter().map(Suite::tests).sum::<usize>() + 1;
        let failures = suites.iter().map(|suite| suite.failures).sum();

        let mut xml = Writer::new_with_indent(io::BufWriter::with_capacity(1 << 16, out), b' ', 2);
        xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        let root = xml.create_element("testsuites").with_attributes(counts("layersift", tests, failures, usize::from(gap)).as_pairs());
        root.write_inner_content(|xml| {
            for suite in &suites {
                suite.write(scan, context, xml)?;
            }
            coverage(scan, context, xml)
        })?;
        let mut out = xml.into_inner();
        out.write_all(b"\n")?;
        out.flush()
    }
}

fn name(context: &Context, image: &ImageFacts) -> String {
    place::clean(&context.redactor, image.name.as_deref().unwrap_or(&image.source))
}

/// Attributes of a suite, or of all suites.
struct Counts {
    name: String,
    numbers: [(&'static str, String); 3],
}

fn counts(name: &str, tests: usize, failures: usize, errors: usize) -> Counts {
    let numbers = [("tests", tests.to_string()), ("failures", failures.to_string()), ("errors", errors.to_string())];
    Counts { name: text(name), numbers }
}

impl Counts {
    fn as_pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        [("name", self.name.as_str())].into_iter().chain(self.numbers.iter().map(|(key, value)| (*key, value.as_str())))
    }
}

/// The findings of one image.
struct Suite<'a> {
    name: String,
    findings: Vec<&'a Finding>,
    failures: usize,
}

impl<'a> Suite<'a> {
    fn new(scan: &'a Scan, context: &Context, name: String, image: usize) -> Self {
        let findings: Vec<&Finding> = scan.findings.iter().filter(|finding| finding.image.min(scan.images.len()) == image).collect();
        let failures = findings.iter().filter(|finding| context.gate.gates(finding)).count();
        Self { name, findings, failures }
    }

    /// Without a failure there is a test that passes, so that a clean image is no empty suite.
    fn tests(&self) -> usize {
        self.findings.len() + usize::from(self.failures == 0)
    }

    fn write<W: io::Write>(&self, scan: &Scan, context: &Context, xml: &mut Writer<W>) -> io::Result<()> {
        let counts = counts(&self.name, self.tests(), self.failures, 0);
        xml.create_element("testsuite").with_attributes(counts.as_pairs()).write_inner_content(|xml| {
            for finding in &self.findings {
                case(scan, context, &self.name, finding, xml)?;
            }
            if self.failures == 0 {
                let pairs = [("name", "no secrets that gate"), ("classname", &text(&self.name))];
                xml.create_element("testcase").with_attributes(pairs).write_empty()?;
            }
            Ok(())
        })?;
        Ok(())
    }
}

fn case<W: io::Write>(scan: &Scan, context: &Context, suite: &str, finding: &Finding, xml: &mut Writer<W>) -> io::Result<()> {
    let said = Said::new(scan, context, finding);
    let headline = format!("{} {} secret: {}", finding.severity, finding.confidence, finding.rule.id);
    let pairs = [("name", &*text(&said.title())), ("classname", &text(suite))];
    xml.create_element("testcase").with_attributes(pairs).write_inner_content(|xml| {
        if context.gate.gates(finding) {
            let fix = said.fix();
            let lines = [said.secret()].into_iter().chain(said.details()).chain([fix.rotate, fix.persists.to_owned()]).chain(fix.page);
            let lines = text(&lines.collect::<Vec<_>>().join("\n"));
            let pairs = [("message", &*text(&headline)), ("type", &text(&finding.rule.id))];
            xml.create_element("failure").with_attributes(pairs).write_text_content(BytesText::new(&lines))?;
        } else {
            let exempt = (context.gate.whose == Whose::Own && finding.origin.is_surely_inherited()).then(|| said.origin()).flatten();
            let why = said.suppression().or(exempt).or_else(|| finding.novelty.map(|novelty| novelty.as_str().to_owned()));
            let message = format!("{headline} ({})", why.as_deref().unwrap_or("below the gate"));
            // A text and no attribute: so Jenkins' schema has it.
            xml.create_element("skipped").write_text_content(BytesText::new(&text(&message)))?;
        }
        Ok(())
    })?;
    Ok(())
}

fn coverage<W: io::Write>(scan: &Scan, context: &Context, xml: &mut Writer<W>) -> io::Result<()> {
    let gaps = scan.coverage.skipped.iter().filter(|skipped| !skipped.reason.is_harmless()).map(|skipped| {
        let [place, detail] = [&skipped.place, &skipped.detail].map(|text| place::clean(&context.redactor, text));
        format!("{}: {place}: {detail}", skipped.reason)
    });
    let complete = scan.coverage.is_complete();
    let counts = counts("coverage", 1, 0, usize::from(!complete));
    xml.create_element("testsuite").with_attributes(counts.as_pairs()).write_inner_content(|xml| {
        let case = xml.create_element("testcase").with_attributes([("name", "everything was read"), ("classname", "coverage")]);
        if complete {
            case.write_empty()?;
        } else {
            case.write_inner_content(|xml| {
                let gaps = text(&gaps.collect::<Vec<_>>().join("\n"));
                let pairs = [("message", "not everything could be read"), ("type", "coverage")];
                xml.create_element("error").with_attributes(pairs).write_text_content(BytesText::new(&gaps))?;
                Ok(())
            })?;
        }
        Ok(())
    })?;
    Ok(())
}

/// `text` without the two characters that XML 1.0 has no way to write and that [`super::sanitise`] leaves.
fn text(text: &str) -> String {
    text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use quick_junit::Report;

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
