//! What stands under the list: what to do, how many, and what was read.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Write};

use super::super::said::{self, Said};
use super::super::{Suppressed, change, place, words};
use super::Page;
use super::list::Group;
use crate::finding::{DockerfileFix, Finding, Gaps, Reason, Severity, Skipped, Visibility};

/// Most things not read that are named; the JSON report has them all.
const MAX_SKIPPED_LINES: usize = 20;
/// Most findings of one change that are numbered.
const MAX_NUMBERS: usize = 10;

impl Page<'_> {
    /// Once per rule, in the order of the list.
    pub(super) fn remediations(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut said = HashSet::new();
        let rules = self.listed().map(|finding| &finding.rule).filter(|rule| said.insert(rule.id.clone())).collect::<Vec<_>>();
        if rules.is_empty() {
            return Ok(());
        }
        writeln!(out, "{}", self.ink.bold("What to do"))?;
        for rule in rules {
            writeln!(out, "  {}", self.ink.bold(&rule.id))?;
            self.paragraph(out, &format!("{}. {}", rule.description.trim_end_matches('.'), rule.remediation))?;
            if let Some(docs) = &rule.docs {
                self.paragraph(out, docs)?;
            }
        }
        if self.listed().any(|finding| matches!(finding.visibility, Some(Visibility::Deleted { .. } | Visibility::Overwritten { .. }))) {
            writeln!(out, "  {}", self.ink.bold("overwritten and deleted files"))?;
            self.paragraph(
                out,
                "A later layer hides a file and does not remove it. Revoke what it held, and rebuild so that no layer has it.",
            )?;
        }
        writeln!(out)
    }

    /// Each change of the Dockerfile once, with the numbers of the findings that it mends.
    pub(super) fn dockerfile(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut numbers: HashMap<&DockerfileFix, Vec<usize>> = HashMap::new();
        let mut fixes = Vec::new();
        for (number, finding) in self.groups.iter().flat_map(Group::numbered) {
            let Some(fix) = finding.dockerfile.as_deref() else { continue };
            let of_fix = numbers.entry(fix).or_default();
            if of_fix.is_empty() {
                fixes.push(fix);
            }
            of_fix.push(number);
        }
        let Some(first) = fixes.first() else { return Ok(()) };
        let redactor = &self.context.redactor;
        writeln!(out, "{}", self.ink.bold(&format!("What to change in {}", place::clean(redactor, &first.file))))?;
        for fix in fixes {
            let all = numbers.get(fix).map_or(&[][..], Vec::as_slice);
            let named = all.iter().take(MAX_NUMBERS).map(|number| format!("#{number}")).collect::<Vec<_>>().join(", ");
            let more = all.len().saturating_sub(MAX_NUMBERS);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            writeln!(out, "  {}  {named}{more}", self.ink.bold(&change::spot(redactor, fix)))?;
            if let Some(instruction) = change::instruction(redactor, fix) {
                writeln!(out, "    {instruction}")?;
            }
            let lines = change::lines(redactor, fix);
            if let Some((advice, lines)) = lines.split_first() {
                self.paragraph(out, advice)?;
                // To be copied, so not wrapped.
                for line in lines {
                    writeln!(out, "    {line}")?;
                }
            }
        }
        writeln!(out)
    }

    fn paragraph(&self, out: &mut dyn Write, text: &str) -> io::Result<()> {
        for line in words::wrap(text, self.context.width.saturating_sub(4).max(40)) {
            writeln!(out, "    {line}")?;
        }
        Ok(())
    }

    /// Suppressed findings: one line that counts them by reason, and each with its reason if asked for.
    pub(super) fn suppressed(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
        for suppression in self.scan.findings.iter().filter_map(|finding| finding.suppressed.as_ref()) {
            *reasons.entry(suppression.reason.as_ref()).or_default() += 1;
        }
        if reasons.is_empty() {
            return Ok(());
        }
        let total = reasons.values().sum();
        let reasons = reasons.iter().map(|(reason, count)| format!("{} {reason}", words::number(*count))).collect::<Vec<_>>().join(", ");
        let total = words::number(total);
        match self.context.suppressed {
            Suppressed::Counted => writeln!(out, "Suppressed: {total} ({reasons}); --show-suppressed lists them."),
            Suppressed::Listed => {
                writeln!(out, "Suppressed: {total} ({reasons})")?;
                self.each_suppressed(out)
            }
        }
    }

    fn each_suppressed(&self, out: &mut dyn Write) -> io::Result<()> {
        for finding in self.scan.findings.iter().filter(|finding| finding.suppressed.is_some()) {
            let said = Said::new(self.scan, self.context, finding);
            writeln!(out, "    {:<8}  {}  {}  {}", finding.severity, finding.rule.id, said.secret(), said.place())?;
            for line in words::wrap(&said.suppression().unwrap_or_default(), self.context.width.saturating_sub(8).max(40)) {
                writeln!(out, "        {line}")?;
            }
        }
        Ok(())
    }

    /// What a baseline knows and is no longer there.
    pub(super) fn fixed(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some(fixed) = self.scan.fixed.as_ref().filter(|fixed| !fixed.is_empty()) else { return Ok(()) };
        writeln!(out, "Fixed since the baseline: {}", words::count(fixed.len() as u64, "finding", "findings"))?;
        for finding in fixed.iter().take(MAX_SKIPPED_LINES) {
            let [rule, place] = [&finding.rule, &finding.place].map(|text| place::clean(&self.context.redactor, text));
            writeln!(out, "    {}  {rule}  {place}", finding.severity)?;
        }
        let more = fixed.len().saturating_sub(MAX_SKIPPED_LINES);
        if more > 0 { writeln!(out, "    and {more} more") } else { Ok(()) }
    }

    /// How many of each severity, and how many gate.
    pub(super) fn counts(&self, out: &mut dyn Write) -> io::Result<()> {
        let listed: Vec<&Finding> = self.listed().collect();
        if listed.is_empty() {
            let what = if self.scan.coverage.is_complete() { "No secrets found." } else { "No secrets found in what was read." };
            return writeln!(out, "{}", self.ink.bold(what));
        }
        let by_severity = Severity::ALL.into_iter().rev().filter_map(|severity| {
            let count = listed.iter().filter(|finding| finding.severity == severity).count() as u64;
            (count > 0).then(|| self.ink.severity(severity, &format!("{} {severity}", words::number(count))))
        });
        let by_severity = by_severity.collect::<Vec<_>>().join(", ");
        let title = self.ink.bold(&format!("Findings: {}", words::number(listed.len() as u64)));
        writeln!(out, "{title} ({by_severity}); {}.", self.gating(&listed))
    }

    fn gating(&self, listed: &[&Finding]) -> String {
        let gate = &self.context.gate;
        let Some(words) = said::gate(gate) else {
            return "none gates, as asked".to_owned();
        };
        let count = listed.iter().filter(|finding| gate.gates(finding)).count() as u64;
        let verb = if count == 1 { "gates" } else { "gate" };
        format!("{} {verb} ({words})", words::number(count))
    }

    /// What was read, and each thing that was not.
    pub(super) fn coverage(&self, out: &mut dyn Write) -> io::Result<()> {
        let coverage = &self.scan.coverage;
        let seen = [
            words::count(coverage.layers, "layer", "layers"),
            words::count(coverage.entries, "entry", "entries"),
            words::count(coverage.documents, "document", "documents"),
        ];
        let bytes = [(coverage.bytes_read, "read"), (coverage.bytes_expanded, "expanded"), (coverage.bytes_scanned, "scanned")];
        let bytes = bytes.map(|(count, what)| format!("{} {what}", words::size(count)));
        writeln!(out, "Read: {}; {}.", seen.join(", "), bytes.join(", "))?;
        let total = coverage.skipped.len() as u64 + coverage.skipped_more;
        let things = words::count(total, "thing", "things");
        match (coverage.is_complete(), total) {
            (true, 0) => writeln!(out, "Complete: everything was read."),
            (true, _) => {
                writeln!(out, "Complete; {things} had no content to read:")?;
                self.skipped(out)
            }
            (false, _) => {
                let title = self.ink.alarm("INCOMPLETE");
                let fails = if self.context.gate.gaps == Gaps::Fail { ", which fails the gate" } else { "" };
                writeln!(out, "{title}{fails}: {things} could not be read in full, or are not what they say:")?;
                self.skipped(out)
            }
        }
    }

    fn skipped(&self, out: &mut dyn Write) -> io::Result<()> {
        let coverage = &self.scan.coverage;
        let mut reasons: BTreeMap<(bool, Reason), Vec<&Skipped>> = BTreeMap::new();
        for skipped in &coverage.skipped {
            // What makes the scan incomplete comes first.
            reasons.entry((skipped.reason.is_harmless(), skipped.reason)).or_default().push(skipped);
        }
        let mut left = MAX_SKIPPED_LINES;
        for ((_, reason), all) in &reasons {
            if left == 0 {
                break;
            }
            writeln!(out, "  {reason} ({})", words::number(all.len() as u64))?;
            for skipped in all.iter().take(left) {
                writeln!(out, "    {}", self.skipped_line(skipped))?;
            }
            left = left.saturating_sub(all.len());
        }
        let more = coverage.skipped.len().saturating_sub(MAX_SKIPPED_LINES) as u64 + coverage.skipped_more;
        if more > 0 {
            writeln!(out, "  and {} more", words::number(more))?;
        }
        Ok(())
    }

    fn skipped_line(&self, skipped: &Skipped) -> String {
        let redactor = &self.context.redactor;
        let mut line = place::clean(redactor, &skipped.place);
        if let Some(size) = skipped.size {
            line.push_str(&format!(" ({})", words::size(size)));
        }
        if !skipped.detail.is_empty() {
            line.push_str(": ");
            line.push_str(&place::clean(redactor, &skipped.detail));
        }
        line
    }
}
