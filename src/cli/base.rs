//! Base images as the user gives them, and what to say of them after a scan.

use super::arguments::ReadArguments;
use super::error::CliError;
use super::{clean, note};
use crate::finding::{BaseFacts, Evidence, ImageFacts, Scan, Whose};
use crate::report::Redactor;
use crate::scan::Base;
use crate::source::registry::RegistryOptions;

/// What standard input is called.
const STDIN: &str = "-";

/// Opens the bases given for what `read` names. A layer that is not hashed cannot be known to be the base's; whether that is so, the flags,
/// the environment and the project file say together, so that clap cannot see it.
pub(super) fn open(given: &[String], read: &ReadArguments, registry: &RegistryOptions) -> Result<Vec<Base>, CliError> {
    if read.no_verify && !given.is_empty() {
        return Err(CliError::BaseUnverified);
    }
    let on_stdin = |names: &[String]| names.iter().filter(|name| *name == STDIN).count();
    if on_stdin(given) > 0 && on_stdin(given) + on_stdin(&read.targets) > 1 {
        return Err(CliError::BaseOnStdin);
    }
    given
        .iter()
        .map(|text| Base::open(text, read.source, registry).map_err(|error| CliError::Base { given: text.clone(), error }))
        .collect()
}

/// Says of which images the base is not what was given, and, if a gate would rely on it, of which it is not known.
pub(super) fn notes(scan: &Scan, whose: Whose, redactor: &Redactor) {
    for text in scan.images.iter().filter_map(|image| said_of(image, whose)) {
        note("note", &clean(&redactor.text(&text)));
    }
}

fn said_of(image: &ImageFacts, whose: Whose) -> Option<String> {
    let name = image.name.as_deref().unwrap_or(&image.source);
    match &image.base {
        Some(BaseFacts { name: base, digest, evidence: Evidence::Mismatch, .. }) => {
            let base = base.clone().or_else(|| digest.as_ref().map(ToString::to_string));
            let base = base.map_or_else(|| "none of the images given is".to_owned(), |base| format!("{base} is not"));
            Some(format!("{base} the base of {name}: its first layers are others; nothing is taken for inherited"))
        }
        Some(base) if base.evidence.is_sure() => None,
        _ if whose == Whose::All || image.layers.is_empty() => None,
        base => {
            let guess = base.as_ref().filter(|base| base.layers > 0).map(|base| {
                let source = if base.evidence == Evidence::Layer { "the digest given" } else { "its history" };
                format!(" ({source} suggests that {} of its {} layers are)", base.layers, image.layers.len())
            });
            let guess = guess.unwrap_or_default();
            Some(format!(
                "nothing is known for sure to be inherited in {name}{guess}: all its findings gate; give its base with --base IMAGE"
            ))
        }
    }
}
