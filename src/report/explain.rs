//! How a finding came about, and how to accept it, for people. Everything from the image is redacted, sanitised and cut.

use std::io::{self, Write};

use super::said::Said;
use super::{Context, Redactor, place, words};
use crate::content::kind::Kind;
use crate::finding::{Explanation, Finding, MatcherKind, Ownership, OwnershipClaim, OwnershipVerdict, Part, Place, Scan, Score};

/// Claims of package databases that are told.
const MAX_CLAIMS: usize = 5;
/// What stands for the reason that only people know.
const REASON: &str = "why it is accepted";

/// Writes all that is known of how `finding` came about, and what to write where to accept it.
pub fn explain(scan: &Scan, context: &Context, finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
    let said = Said::new(scan, context, finding);
    let image = scan.images.get(finding.image).map(|image| place::clean(&context.redactor, &image.source)).unwrap_or_default();
    writeln!(out, "{}", said.title())?;
    let confidence = format!("{} severity, {} confidence", finding.severity, finding.confidence);
    let head = [format!("{}  {}", said.secret(), finding.rule.id), confidence, format!("fingerprint {}", finding.id)];
    let own = said.origin().is_none().then(|| "The image's own: nothing says that it is inherited".to_owned());
    section(out, context, "What it is", head.into_iter().chain(said.details()).chain(own))?;
    match &finding.explanation {
        Some(explanation) => section(out, context, "How it was found", reasons(&context.redactor, explanation))?,
        None => {
            let again = format!("The report does not say. Scan with --explain, or: layersift explain {image} {}", finding.id);
            section(out, context, "How it was found", [again])?;
        }
    }
    if finding.suppressed.is_some() {
        return section(out, context, "To make it count", [unsuppress(finding).to_owned()]);
    }
    writeln!(out, "\n  To accept it, one of these")?;
    acceptances(&context.redactor, finding, &image).iter().try_for_each(|line| writeln!(out, "    {line}"))
}

fn section(out: &mut dyn Write, context: &Context, title: &str, texts: impl IntoIterator<Item = String>) -> io::Result<()> {
    writeln!(out, "\n  {title}")?;
    let room = context.width.saturating_sub(4).max(40);
    for text in texts {
        for line in words::wrap(&text, room) {
            writeln!(out, "    {line}")?;
        }
    }
    Ok(())
}

/// A line or so for each fact.
pub(super) fn reasons(redactor: &Redactor, explanation: &Explanation) -> Vec<String> {
    let mut reasons = vec![looked(redactor, explanation)];
    let checks = explanation.checks.iter();
    reasons.extend(checks.map(|one| format!("{} {}: {}", one.outcome.as_str(), one.check.as_str(), place::clean(redactor, &one.detail))));
    reasons.extend(explanation.score.as_ref().map(|one| score(redactor, one)));
    reasons.extend(explanation.ownership.iter().flat_map(|one| ownership(redactor, one)));
    reasons
}

/// `the rule looks for a value given to a name; "password" woke it, and it looked at 5 bytes before and 34 from there on`.
fn looked(redactor: &Redactor, explanation: &Explanation) -> String {
    let looks = match explanation.matcher {
        MatcherKind::Marker => "an expression round a word",
        MatcherKind::Assignment => "a value that is given to a name",
        MatcherKind::Block => "all between two marks",
        MatcherKind::File => "a file by its path or its first bytes",
    };
    let window = explanation.window;
    match &explanation.keyword {
        Some(keyword) => format!(
            "the rule looks for {looks}: \"{}\" woke it, and it looked at {} before and {} from there on",
            place::clean(redactor, keyword),
            words::count(window.before, "byte", "bytes"),
            words::number(window.after)
        ),
        None => format!("the rule looks for {looks}: it looked at the first {}", words::count(window.after, "byte", "bytes")),
    }
}

/// `score .93 of 1, most of all by: the value looks random (+3.1), the name says password (+1.2), in program text (-0.4)`.
fn score(redactor: &Redactor, score: &Score) -> String {
    let reason = |feature: &str, weight: f64| format!("{} ({weight:+.2})", place::clean(redactor, feature));
    let reasons: Vec<String> = score.reasons.iter().take(MAX_CLAIMS).map(|one| reason(&one.feature, one.weight)).collect();
    format!("score {:.2} of 1, most of all by: {}", score.probability, reasons.join(", "))
}

fn ownership(redactor: &Redactor, ownership: &Ownership) -> Vec<String> {
    let verdict = match ownership.verdict {
        OwnershipVerdict::Known => "the file is in the list of public files, by its content",
        OwnershipVerdict::Vouched => "the file is public: a package database of the image has its hash, and is believed",
        OwnershipVerdict::NotBelieved => "a package database of the image has its hash, and is not believed",
        OwnershipVerdict::Changed => "the file is not as its package has it: the databases have another hash",
        OwnershipVerdict::Unowned => "no package database of the image has the hash of this file",
        OwnershipVerdict::NotHashed => "whose the file is was not asked: it is too large to be hashed, or sparse",
        OwnershipVerdict::NotAsked => "whose the file is was not asked: the finding is suppressed already",
        OwnershipVerdict::Off => "whose the file is was not asked: public files count in this scan",
    };
    let more = ownership.claims.len().saturating_sub(MAX_CLAIMS);
    let claims = ownership.claims.iter().take(MAX_CLAIMS).map(|one| claim(redactor, one));
    std::iter::once(verdict.to_owned()).chain(claims).chain((more > 0).then(|| format!("and {more} more"))).collect()
}

/// `libx 3.7-2 (dpkg), in the database of layer 2: the hash is another one`.
fn claim(redactor: &Redactor, claim: &OwnershipClaim) -> String {
    let package = &claim.package;
    let (name, version) = (place::clean(redactor, &package.name), place::clean(redactor, &package.version));
    let mut doubts = Vec::new();
    if !claim.hash_agrees {
        doubts.push("the hash is another one");
    }
    if !claim.is_published {
        doubts.push("nothing says that the package is a published one");
    }
    if !claim.is_installed {
        doubts.push("the layer was not made by installing packages");
    }
    let doubts = if doubts.is_empty() { "it is believed".to_owned() } else { doubts.join(", ") };
    format!("{name} {version} ({}), in the database of layer {}: {doubts}", package.manager.as_str(), claim.layer)
}

/// What takes a suppression back.
fn unsuppress(finding: &Finding) -> &'static str {
    match finding.suppressed.as_ref().map(|suppression| suppression.reason.as_ref()) {
        Some("public-file") => "--no-public-files lets public files count as others do",
        Some("allowed") => {
            "--no-ignore and --no-inline-allow let what is allowed count, the one by the project, the other by the line itself"
        }
        _ => "nothing: by what is said above it is no secret",
    }
}

/// What to write where, each with its heading.
fn acceptances(redactor: &Redactor, finding: &Finding, image: &str) -> Vec<String> {
    let rule = place::clean(redactor, &finding.rule.id);
    let mut lines = Vec::new();
    let place = place::place(redactor, &finding.place);
    if let Some((opening, closing)) = comment(&finding.place) {
        lines.push(format!("on its line, {place}:"));
        lines.push(format!("    {opening} layersift:allow {rule} -- {REASON}{closing}"));
    }
    lines.push("in .layersiftignore:".to_owned());
    lines.push(format!("    {} -- {REASON}", finding.id));
    lines.push("in layersift.toml:".to_owned());
    lines.push("    [[allow]]".to_owned());
    lines.push(format!("    fingerprint = \"{}\"", finding.id));
    lines.push(format!("    reason = \"{REASON}\""));
    lines.push("with all that is there now, so that only what is new fails:".to_owned());
    lines.push(format!("    layersift baseline create {image}"));
    lines.push(format!("    layersift scan {image} --baseline layersift-baseline.json"));
    lines
}

/// How a comment begins and ends in the file that a finding stands in; none where there can be none.
fn comment(place: &Place) -> Option<(&'static str, &'static str)> {
    place.position()?;
    let path = place.path().filter(|_| place.part() == Some(&Part::Content) && place.inner().is_empty())?;
    let name = String::from_utf8_lossy(path.rsplit(|byte| *byte == b'/').next()?).to_ascii_lowercase();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension {
        "json" | "der" | "p12" | "pfx" | "jks" | "keystore" | "csv" => None,
        "xml" | "html" | "htm" | "xhtml" | "svg" | "md" | "plist" => Some(("<!--", " -->")),
        "css" => Some(("/*", " */")),
        "sql" | "lua" | "hs" | "adb" => Some(("--", "")),
        "tex" | "erl" | "m" => Some(("%", "")),
        "py" | "pyi" | "rb" | "pl" | "pm" | "r" | "ex" | "exs" | "jl" | "sh" => Some(("#", "")),
        "el" | "clj" | "asm" | "ini" => Some((";", "")),
        _ if Kind::of(path) == Kind::Code => Some(("//", "")),
        _ => Some(("#", "")),
    }
}
