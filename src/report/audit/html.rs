//! One HTML file for people, without network and without script: a summary, then a section for each repository with its findings. Written section by section.

use std::io::{self, Write};

use askama::Template;

use super::super::html::{STYLE, hash};
use super::super::words;
use super::table::clean;
use super::{FailureLine, RepositoryLine, Row, View, severities, time};

/// Most findings of one repository that are listed: the worst.
const MAX_ROWS: usize = 500;
/// Most things not read that are named.
const MAX_FAILURES: usize = 500;
/// Further style of this page.
const MORE_STYLE: &str = "table{border-collapse:collapse;width:100%}th,td{text-align:right;padding:.2rem .6rem;border-bottom:1px solid var(--line)}\
                          th:first-child,td:first-child{text-align:left;overflow-wrap:anywhere}.wide{overflow-x:auto}";

#[derive(Template)]
#[template(path = "audit-head.html", config = "src/report/html/askama.toml")]
struct HeadPage<'a> {
    version: &'static str,
    style: String,
    style_hash: String,
    class: &'static str,
    mark: &'static str,
    words: &'static str,
    subject: String,
    started: String,
    lead: String,
    tallies: Vec<(&'static str, String)>,
    change: String,
    repositories: Vec<RepositoryView<'a>>,
}

/// A line of the summary.
struct RepositoryView<'a> {
    number: usize,
    line: &'a RepositoryLine,
}

#[derive(Template)]
#[template(path = "audit-repository.html", config = "src/report/html/askama.toml")]
struct RepositoryPage<'a> {
    number: usize,
    line: &'a RepositoryLine,
    facts: String,
    rows: Vec<RowView>,
    more: u64,
}

struct RowView {
    row: Row,
    severity: &'static str,
    confidence: &'static str,
    images: String,
}

#[derive(Template)]
#[template(path = "audit-tail.html", config = "src/report/html/askama.toml")]
struct TailPage<'a> {
    version: &'static str,
    failures: Vec<FailureView>,
    more: u64,
    rules_hash: &'a str,
}

struct FailureView {
    stage: &'static str,
    place: String,
    problem: String,
}

pub(super) fn write(view: &dyn View, out: &mut dyn Write) -> io::Result<()> {
    head(view).write_into(out)?;
    for (index, line) in view.repositories().iter().enumerate() {
        repository(view, index + 1, line)?.write_into(out)?;
    }
    let (mut failures, mut count) = (Vec::new(), 0);
    view.failures(&mut |failure: &FailureLine| {
        count += 1;
        if failures.len() < MAX_FAILURES {
            let place = clean(format!("{} {}", failure.repository, failure.what).trim_end());
            failures.push(FailureView { stage: failure.stage, place, problem: clean(&failure.problem) });
        }
        Ok(())
    })?;
    let more = count - failures.len() as u64;
    TailPage { version: env!("CARGO_PKG_VERSION"), failures, more, rules_hash: &view.head().rules_hash }.write_into(out)
}

fn head(view: &dyn View) -> HeadPage<'_> {
    let (head, summary) = (view.head(), view.summary());
    let (class, mark, words) = match (summary.gating, summary.complete) {
        (1.., _) => ("bad", "✖", "Secrets found"),
        (0, false) => ("part", "⚠", "Not everything could be read"),
        (0, true) if summary.findings.listed() > 0 => ("good", "✔", "Nothing that fails the gate"),
        (0, true) => ("good", "✔", "No secrets found"),
    };
    let subject = match &head.targets[..] {
        [] => "nothing".to_owned(),
        [one] => clean(one),
        [one, rest @ ..] => format!("{} and {}", clean(one), words::count(rest.len() as u64, "more", "more")),
    };
    let lead = [
        words::count(summary.repositories, "repository", "repositories"),
        words::count(summary.tags, "tag", "tags"),
        words::count(summary.images, "image", "images"),
        format!("{} of {}", words::count(summary.layers, "distinct layer", "distinct layers"), words::size(summary.layer_bytes)),
        words::count(summary.findings.listed(), "finding", "findings"),
    ];
    let change = match (summary.new, summary.fixed) {
        (Some(new), Some(fixed)) => format!("Since the last audit: {} new, {} fixed.", words::number(new), words::number(fixed)),
        _ => String::new(),
    };
    let style = format!("{STYLE}{MORE_STYLE}");
    HeadPage {
        version: env!("CARGO_PKG_VERSION"),
        style_hash: hash(&style),
        style,
        class,
        mark,
        words,
        subject,
        started: time(head.started),
        lead: format!("{}.", lead.join(", ")),
        tallies: severities().map(|severity| (severity.as_str(), words::number(summary.findings.of(severity)))).collect(),
        change,
        repositories: view.repositories().iter().enumerate().map(|(index, line)| RepositoryView { number: index + 1, line }).collect(),
    }
}

fn repository<'a>(view: &dyn View, number: usize, line: &'a RepositoryLine) -> io::Result<RepositoryPage<'a>> {
    let rows = view.rows(&line.name, MAX_ROWS)?;
    let all = line.findings.listed() + line.findings.suppressed;
    let facts = [words::count(line.tags, "tag", "tags"), words::count(line.images, "image", "images")];
    let end = if line.complete { "" } else { "; not all of it could be read" };
    let more = all.saturating_sub(rows.len() as u64);
    let rows = rows.into_iter().map(|row| RowView {
        severity: row.severity.as_str(),
        confidence: row.confidence.as_str(),
        images: words::count(row.images, "image", "images"),
        row,
    });
    Ok(RepositoryPage { number, line, facts: format!("{}{end}", facts.join(", ")), rows: rows.collect(), more })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::AuditFormat;
    use super::super::testing::write;
    use super::*;

    #[test]
    fn names_stay_text_and_nothing_runs() {
        let page = write(AuditFormat::Html);
        assert!(!page.contains("<img") && !page.contains("<script") && page.trim_end().ends_with("</html>"), "{page}");
        let (_, rest) = page.split_once("<style>").unwrap();
        let (style, _) = rest.split_once("</style>").unwrap();
        assert!(page.contains(&format!("style-src '{}'", hash(style))));
        assert_eq!((page.matches("<section id=\"r").count(), page.matches("<code>revoke</code>").count()), (2, 2));
        assert!(page.contains("1 new, 1 fixed"));
    }
}
