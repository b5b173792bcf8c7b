//! One HTML file for people, without network: the layers as a stack, the life of each secret beside it, and the findings with what to do.
//!
//! Everything from the image is escaped by the template, which allows no markup, and no script but its own runs: the page's policy names
//! the hash of the one it has. Findings are rendered while they are written. `html/` holds the template, its style and its script.

mod lanes;
mod stack;

use std::collections::HashSet;
use std::io;

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use self::stack::ImageView;
use super::said::{self, PERSISTS, Said, worst_first};
use super::{Context, Exposure, Format, place, words};
use crate::finding::{Confidence, Finding, Gaps, ImageFacts, Origin, Outcome, Scan, Severity, Visibility};

pub(super) const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/script.js");
/// Most gaps that are named.
const MAX_GAPS: usize = 200;

/// The format.
pub(super) struct Html;

impl Format for Html {
    fn write(&self, scan: &Scan, context: &Context, out: &mut dyn io::Write) -> io::Result<()> {
        let mut out = io::BufWriter::with_capacity(1 << 16, out);
        Page::new(scan, context).write_into(&mut out)?;
        io::Write::flush(&mut out)
    }
}

#[derive(Template)]
#[template(path = "report.html", config = "src/report/html/askama.toml")]
struct Page<'a> {
    version: &'static str,
    style: &'static str,
    style_hash: String,
    script: &'static str,
    script_hash: String,
    verdict: Verdict,
    /// What was scanned, in few words.
    subject: String,
    lead: String,
    /// What holds of every finding in a layer; empty where there is none.
    advice: &'static str,
    /// Empty where nothing was found.
    tallies: Vec<Tally>,
    /// What the filters offer: values, and words for them.
    severities: Vec<&'static str>,
    states: Vec<(&'static str, &'static str)>,
    has_suppressed: bool,
    shown: bool,
    images: Vec<ImageView>,
    total: String,
    fixed: Vec<String>,
    coverage: String,
    gaps: Vec<Gap>,
    more_gaps: u64,
    rules_hash: &'a str,
    gate: String,
    /// The exit code for gaps.
    unread: &'static str,
    scan: &'a Scan,
    context: &'a Context,
    /// In the order of the page: the worst first, the suppressed last.
    order: Vec<&'a Finding>,
}

struct Verdict {
    class: &'static str,
    mark: &'static str,
    words: &'static str,
}

struct Tally {
    name: &'static str,
    count: String,
}

struct Gap {
    reason: &'static str,
    place: String,
    detail: String,
}

struct FindingView<'a> {
    number: usize,
    id: &'a str,
    rule: &'a str,
    severity: &'static str,
    confidence: &'static str,
    state: &'static str,
    gates: bool,
    suppressed: bool,
    what: &'a str,
    /// One word or two on what is special about it.
    tags: Vec<&'static str>,
    place: String,
    secret: String,
    /// Whether some layer hides it, and it is there all the same.
    hidden: bool,
    fate: String,
    layer: Option<String>,
    image: String,
    details: Vec<String>,
    /// With code between backticks.
    rotate: String,
    page: Option<String>,
    /// What to change in the Dockerfile, or of such instructions in general.
    change: String,
}

impl<'a> Page<'a> {
    fn new(scan: &'a Scan, context: &'a Context) -> Self {
        let mut order = worst_first(scan, context);
        let listed = order.len();
        order.extend(scan.findings.iter().filter(|finding| finding.suppressed.is_some()));
        let gating = order.iter().filter(|finding| context.gate.gates(finding)).count();
        let severities = Severity::ALL.into_iter().rev();
        let tallies = severities.clone().filter(|_| listed > 0).map(|severity| {
            let count = order[..listed].iter().filter(|finding| finding.severity == severity).count();
            Tally { name: severity.as_str(), count: words::number(count as u64) }
        });
        let in_a_layer = order[..listed].iter().any(|finding| lanes::row(finding).is_some());
        let names: Vec<String> = scan.images.iter().map(|image| name(context, image)).collect();
        let subject = match names.as_slice() {
            [] => "nothing".to_owned(),
            [name] => name.clone(),
            [name, rest @ ..] => format!("{name} and {}", words::count(rest.len() as u64, "more image", "more images")),
        };
        let gaps = scan.coverage.skipped.iter().filter(|skipped| !skipped.reason.is_harmless());
        let all_gaps = gaps.clone().count() as u64 + scan.coverage.skipped_more;
        let gaps: Vec<Gap> = gaps
            .take(MAX_GAPS)
            .map(|skipped| Gap {
                reason: skipped.reason.as_str(),
                place: place::clean(&context.redactor, &skipped.place),
                detail: place::clean(&context.redactor, &skipped.detail),
            })
            .collect();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            style: STYLE,
            style_hash: hash(STYLE),
            script: SCRIPT,
            script_hash: hash(SCRIPT),
            verdict: Verdict::new(context.gate.outcome(scan), listed),
            lead: lead(&order[..listed], gating, scan.findings.len() - listed),
            advice: if in_a_layer { PERSISTS } else { "" },
            subject,
            tallies: tallies.collect(),
            severities: severities
                .filter(|severity| scan.findings.iter().any(|one| one.severity == *severity))
                .map(Severity::as_str)
                .collect(),
            states: states(scan, context),
            has_suppressed: listed < scan.findings.len(),
            shown: context.redactor.exposure() == Exposure::Shown,
            images: stack::images(scan, context, &order[..listed]),
            total: words::number(order.len() as u64),
            fixed: fixed(scan, context),
            coverage: coverage(scan),
            more_gaps: all_gaps - gaps.len() as u64,
            gaps,
            rules_hash: &scan.rules_hash,
            gate: said::gate(&context.gate).unwrap_or_else(|| "none".to_owned()),
            unread: match context.gate.gaps {
                Gaps::Warn => "3 if only something could not be read",
                Gaps::Fail => "the same if something could not be read",
            },
            scan,
            context,
            order,
        }
    }

    /// The findings, made while the page is written.
    fn findings(&self) -> impl Iterator<Item = FindingView<'a>> + '_ {
        self.order.iter().enumerate().map(|(index, finding)| self.finding(index + 1, finding))
    }

    fn finding(&self, number: usize, finding: &'a Finding) -> FindingView<'a> {
        let said = Said::new(self.scan, self.context, finding);
        let fix = said.fix();
        let doubt = (finding.confidence == Confidence::Possible).then_some("possible");
        let suppressed = finding.suppressed.is_some().then_some("suppressed");
        let inherited = matches!(finding.origin, Origin::Inherited(_)).then_some("inherited");
        FindingView {
            number,
            id: &finding.id,
            rule: &finding.rule.id,
            severity: finding.severity.as_str(),
            confidence: finding.confidence.as_str(),
            state: said.state(),
            gates: self.context.gate.gates(finding),
            suppressed: suppressed.is_some(),
            what: &finding.rule.description,
            tags: [suppressed, doubt, inherited, finding.novelty.map(|novelty| novelty.as_str())].into_iter().flatten().collect(),
            place: said.place(),
            secret: said.secret(),
            hidden: is_hidden(finding),
            fate: lanes::fate(finding),
            layer: said.layer(),
            image: if self.scan.images.len() > 1 { said.image() } else { String::new() },
            details: said.details(),
            rotate: fix.rotate,
            change: fix.change.join("\n"),
            page: fix.page.filter(|page| page.starts_with("https://")),
        }
    }
}

impl Verdict {
    fn new(outcome: Outcome, listed: usize) -> Self {
        let (class, mark, words) = match outcome {
            Outcome::Findings => ("bad", "✖", "Secrets found"),
            Outcome::Incomplete(Gaps::Warn) => ("part", "⚠", "Not everything could be read"),
            Outcome::Incomplete(Gaps::Fail) => ("bad", "✖", "Not everything could be read, which fails the gate"),
            Outcome::Clean if listed == 0 => ("good", "✔", "No secrets found"),
            Outcome::Clean => ("good", "✔", "Nothing that fails the gate"),
        };
        Self { class, mark, words }
    }
}

/// The whole page in two sentences.
fn lead(listed: &[&Finding], gating: usize, suppressed: usize) -> String {
    let mut text = match (listed.len(), gating) {
        (0, _) => "Nothing was found in what was read".to_owned(),
        (1, 1) => "1 finding, which fails the gate".to_owned(),
        (1, _) => "1 finding, which does not fail the gate".to_owned(),
        (all, 0) => format!("{} findings, none of which fails the gate", words::number(all as u64)),
        (all, gating) if all == gating => format!("{} findings, all of which fail the gate", words::number(all as u64)),
        (all, gating) => format!("{} findings, {} of which fail the gate", words::number(all as u64), words::number(gating as u64)),
    };
    if suppressed > 0 {
        text.push_str(&format!("; {} suppressed", words::number(suppressed as u64)));
    }
    text.push('.');
    let hidden = listed.iter().filter(|finding| is_hidden(finding)).count() as u64;
    if hidden > 0 {
        let which = words::count(hidden, "is deleted or overwritten", "are deleted or overwritten");
        text.push_str(&format!(" {which} in a later layer, and can still be read by anyone who pulls the image."));
    }
    text
}

/// Whether a layer hides what another one holds.
fn is_hidden(finding: &Finding) -> bool {
    matches!(finding.visibility, Some(Visibility::Deleted { .. } | Visibility::Overwritten { .. }))
}

/// The states that occur.
fn states(scan: &Scan, context: &Context) -> Vec<(&'static str, &'static str)> {
    let present: HashSet<&str> = scan.findings.iter().map(|finding| Said::new(scan, context, finding).state()).collect();
    let all = [
        ("in-final-image", "in the final image"),
        ("deleted", "deleted"),
        ("overwritten", "overwritten"),
        ("metadata", "in metadata"),
        ("file", "in another file"),
    ];
    all.into_iter().filter(|(state, _)| present.contains(state)).collect()
}

/// What a policy calls an inline style or script by.
pub(super) fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

fn name(context: &Context, image: &ImageFacts) -> String {
    place::clean(&context.redactor, image.name.as_deref().unwrap_or(&image.source))
}

fn fixed(scan: &Scan, context: &Context) -> Vec<String> {
    let clean = |text: &str| place::clean(&context.redactor, text);
    let fixed = scan.fixed.iter().flatten();
    fixed.map(|finding| format!("{} {} in {}", finding.severity, clean(&finding.rule), clean(&finding.place))).collect()
}

fn coverage(scan: &Scan) -> String {
    let coverage = &scan.coverage;
    let seen = [
        words::count(coverage.layers, "layer", "layers"),
        words::count(coverage.entries, "entry", "entries"),
        words::count(coverage.documents, "document", "documents"),
        format!("{} scanned", words::size(coverage.bytes_scanned)),
    ];
    let end = if coverage.is_complete() { "Everything was read." } else { "Not everything could be read." };
    format!("{}. {end}", seen.join(", "))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::testing;
    use super::*;

    fn write(scan: &Scan, exposure: Exposure) -> String {
        let mut out = Vec::new();
        Html.write(scan, &testing::context(scan, exposure), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_policy_names_the_style_and_the_script_of_the_page() {
        let page = write(&testing::rich(), Exposure::Redacted);
        for (start, end) in [("<style>", "</style>"), ("<script>", "</script>")] {
            let (_, rest) = page.split_once(start).unwrap();
            let (content, _) = rest.split_once(end).unwrap();
            assert!(page.contains(&hash(content)), "{start}");
        }
        assert_eq!((page.matches("<script").count(), page.matches("<style").count()), (1, 1));
    }

    #[test]
    fn names_of_the_image_stay_text() {
        let mut scan = testing::rich();
        for hostile in ["<img src=x onerror=alert(1)>", "\"><script>alert(1)</script>", "' onmouseover='x"] {
            scan.images[0].name = Some(hostile.to_owned());
            scan.images[0].layers[1].created_by = Some(format!("COPY {hostile} /"));
            scan.findings[1].place = crate::finding::Place::RootfsFile {
                path: format!("/{hostile}").into_bytes(),
                inner: Vec::new(),
                part: crate::finding::Part::Content,
                position: None,
            };
            let page = write(&scan, Exposure::Redacted);
            assert!(!page.contains("<img") && page.matches("<script").count() == 1 && !page.contains("' onmouse"), "{hostile}");
        }
    }

    #[test]
    fn a_deleted_secret_is_drawn_up_to_the_layer_that_removed_it() {
        let page = write(&testing::rich(), Exposure::Redacted);
        assert!(page.contains("added in layer 1, deleted in layer 2"), "{page}");
        assert!(page.contains("✖") && page.contains("Secrets found"));
    }

    #[test]
    fn a_page_with_secrets_says_so() {
        assert!(write(&testing::rich(), Exposure::Shown).contains("This file holds secrets in clear."));
        assert!(!write(&testing::rich(), Exposure::Redacted).contains("in clear."));
    }

    #[test]
    fn an_empty_scan_is_a_page_too() {
        let page = write(&testing::empty(), Exposure::Redacted);
        assert!(page.contains("No secrets found") && page.trim_end().ends_with("</html>"));
    }
}
