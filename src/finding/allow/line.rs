//! The format of `.layersiftignore`: an entry a line, criteria and then ` -- ` and the reason.
//!
//! ```text
//! # what the emulator ships with
//! rule:aws-* path:/srv/test/** until:2027-01-31 -- test keys of the emulator
//! 0123456789abcdef0123456789abcdef -- revoked, stays in the old layers
//! ```

use super::criterion::{self, Pattern, Problem};
use super::{Entry, Written};

/// What begins the reason.
const REASON: &str = "--";

/// The entry of a line, if it has one, or what is wrong and the byte where, from 1.
pub(super) fn entry(line: &str) -> Result<Option<Entry>, (usize, Problem)> {
    let start = line.trim_start();
    if start.is_empty() || start.starts_with('#') {
        return Ok(None);
    }
    let mut written = Written::default();
    let mut rest = start;
    while !rest.is_empty() {
        let at = line.len() - rest.len() + 1;
        let (word, after) = word(rest).map_err(|problem| (at, problem))?;
        if word == REASON {
            written.reason = Some(after.trim().to_owned());
            break;
        }
        criterion(word, &mut written).map_err(|problem| (at, problem))?;
        rest = after.trim_start();
    }
    Entry::try_from(written).map(Some).map_err(|problem| (line.len() - start.len() + 1, problem))
}

/// The first word, with blanks where they are quoted, and what comes after it.
fn word(text: &str) -> Result<(&str, &str), Problem> {
    let blank = text.find(char::is_whitespace).unwrap_or(text.len());
    let Some(quote) = text[..blank].find(":\"") else { return Ok(text.split_at(blank)) };
    let value = quote + 2;
    let end = value + text[value..].find('"').ok_or(Problem::Quote)? + 1;
    let (word, after) = text.split_at(end);
    if after.starts_with(|next: char| !next.is_whitespace()) { Err(Problem::Quote) } else { Ok((word, after)) }
}

fn criterion(word: &str, written: &mut Written) -> Result<(), Problem> {
    let Some((field, value)) = word.split_once(':') else {
        let bare = criterion::fingerprint(word).map_err(|_| Problem::Unknown)?;
        return once("fingerprint", &mut written.fingerprint, bare);
    };
    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    match field {
        "fingerprint" => once("fingerprint", &mut written.fingerprint, criterion::fingerprint(value)?),
        "rule" => once("rule", &mut written.rule, Pattern::rule(value)?),
        "path" => once("path", &mut written.path, Pattern::path(value)?),
        "image" => once("image", &mut written.image, Pattern::image(value)?),
        "until" => once("until", &mut written.until, criterion::date(value)?),
        _ => Err(Problem::Unknown),
    }
}

fn once<T>(field: &'static str, slot: &mut Option<T>, value: T) -> Result<(), Problem> {
    if slot.replace(value).is_some() { Err(Problem::Twice(field)) } else { Ok(()) }
}
