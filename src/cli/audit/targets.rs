//! What an audit is of: from the command line and from a list.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::super::error::CliError;
use super::AuditArguments;
use crate::audit::Plan;
use crate::audit::catalog::{MalformedTarget, ServiceChoice, Target};
use crate::audit::tags::{MalformedChoice, Since, TagChoice, TagGlob, Versions};
use crate::source::Reference;
use crate::source::registry::ImageName;

/// Longest list.
const MAX_LIST: u64 = 64 << 20;

/// What stands before a registry.
const REGISTRY: &str = "registry://";

/// What the arguments come to.
pub(super) fn plan(arguments: &AuditArguments) -> Result<Plan, CliError> {
    let mut plan = Plan { tags: choice(arguments)?, said: said(arguments), ..Plan::default() };
    let service: ServiceChoice = arguments.catalog.parse().map_err(|problem: MalformedTarget| wrong(problem))?;
    let add = |plan: &mut Plan, text: &str| add(plan, text, service, arguments.catalog_url.as_deref());
    for text in &arguments.targets {
        add(&mut plan, text).map_err(|problem| CliError::Target { place: String::new(), problem })?;
    }
    if let Some(path) = &arguments.from {
        let text = list(path)?;
        for (number, line) in text.lines().enumerate() {
            let line = line_of(line);
            if !line.is_empty() {
                add(&mut plan, line)
                    .map_err(|problem| CliError::Target { place: format!("{}, line {}: ", path.display(), number + 1), problem })?;
            }
        }
    }
    if plan.targets.is_empty() && plan.images.is_empty() {
        return Err(CliError::NoTarget { path: arguments.from.clone().unwrap_or_else(|| PathBuf::from("-")) });
    }
    Ok(plan)
}

/// Which tags are wanted.
fn choice(arguments: &AuditArguments) -> Result<TagChoice, CliError> {
    let globs = |texts: &[String]| texts.iter().map(|text| text.parse()).collect::<Result<Vec<TagGlob>, MalformedChoice>>().map_err(wrong);
    Ok(TagChoice {
        include: globs(&arguments.tag)?,
        exclude: globs(&arguments.exclude_tag)?,
        since: arguments.since.as_deref().map(|text| text.parse::<Since>().map_err(wrong)).transpose()?,
        versions: if arguments.latest_versions { Versions::Latest } else { Versions::All },
        max_tags: arguments.max_tags,
    })
}

/// What was typed of it.
fn said(arguments: &AuditArguments) -> Vec<String> {
    let AuditArguments { tag, exclude_tag, since, latest_versions, max_tags, .. } = arguments;
    vec![format!("{tag:?} {exclude_tag:?} {since:?} {latest_versions} {max_tags:?}")]
}

fn wrong(problem: impl ToString) -> CliError {
    CliError::Target { place: String::new(), problem: problem.to_string() }
}

fn add(plan: &mut Plan, text: &str, service: ServiceChoice, url: Option<&str>) -> Result<(), String> {
    if text.starts_with(REGISTRY) {
        let target = Target::parse(text, service, url).map_err(|problem| problem.to_string())?;
        if !plan.targets.contains(&target) {
            plan.targets.push(target);
        }
        return Ok(());
    }
    let name = ["registry:", "docker://"].iter().find_map(|scheme| text.strip_prefix(scheme)).unwrap_or(text);
    let image = ImageName::parse(name).map_err(|problem| problem.to_string())?;
    if !plan.images.contains(&image) {
        plan.images.push(image);
    }
    Ok(())
}

/// A line without its comment.
fn line_of(line: &str) -> &str {
    let comment = line.char_indices().find(|&(at, sign)| sign == '#' && line[..at].chars().next_back().is_none_or(char::is_whitespace));
    line[..comment.map_or(line.len(), |(at, _)| at)].trim()
}

fn list(path: &Path) -> Result<String, CliError> {
    let failed = |error| CliError::Input { path: path.to_owned(), error };
    let mut text = String::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().take(MAX_LIST + 1).read_to_string(&mut text)
    } else {
        fs::File::open(path).and_then(|file| file.take(MAX_LIST + 1).read_to_string(&mut text))
    };
    read.map_err(failed)?;
    if text.len() as u64 > MAX_LIST {
        return Err(failed(io::Error::new(io::ErrorKind::FileTooLarge, "it is longer than 64 MiB")));
    }
    Ok(text)
}

/// For whom a login can be.
pub(super) fn references(plan: &Plan, arguments: &AuditArguments) -> Vec<Reference> {
    let targets = plan.targets.iter().filter_map(|target| ImageName::parse(&format!("{}/any", target.registry)).ok());
    let mut references: Vec<Reference> = targets.chain(plan.images.iter().cloned()).map(Reference::Registry).collect();
    if arguments.from.as_deref() == Some(Path::new("-")) {
        references.push(Reference::Stdin);
    }
    references
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_begins_where_a_word_could() {
        for (line, rest) in [("a:1", "a:1"), (" a:1 # b", "a:1"), ("#a", ""), ("a#b", "a#b"), ("\ta\t#", "a"), ("", "")] {
            assert_eq!(line_of(line), rest, "{line}");
        }
    }

    #[test]
    fn targets_are_told_from_images_and_taken_once() {
        let mut plan = Plan::default();
        for text in ["registry://a.example/x", "a.example/y:1", "registry:a.example/y:1", "registry://a.example/x", "alpine"] {
            add(&mut plan, text, ServiceChoice::Auto, None).unwrap();
        }
        assert_eq!(plan.names(), ["registry://a.example/x", "a.example/y:1", "docker.io/library/alpine:latest"]);
        for bad in ["A/B", "registry://"] {
            assert!(add(&mut plan, bad, ServiceChoice::Auto, None).is_err());
        }
    }
}
