//! Where in an image's history the base image ends, as far as the history itself tells.
//!
//! A history is a text that whoever builds the image can write, so this is a guess, and no gate relies on it. When in doubt a step is the
//! image's own. Four marks are known, and the last one counts:
//!
//! 1. *The builder changes.* One build is written down by one builder, so everything up to the last step of another builder than the last
//!    one is another build. Steps that no builder can be told from belong to the later side.
//! 2. *buildah says `FROM name`* in the comment of a step of the build: the layers below that step are the base's. `FROM` and the hex digits
//!    of an image is a step on the one before, within one build.
//! 3. *`CMD` or `ENTRYPOINT` is said again.* One Dockerfile says each once. The last `CMD` before another `CMD` ends a base.
//! 4. *A root filesystem is added as the first layer and `CMD` follows at once*, as images of distributions are made; then other steps come.
//!
//! Marks 3 and 4 could stand within one build, so they count only where the next step was made an hour or more before or after. Times that
//! reproducible builders make up (before 1990) are none.

use crate::oci::HistoryStep;

/// Steps that are farther apart are of two builds, in seconds.
const APART: i64 = 3_600;
/// 1990-01-01, in seconds since 1970.
const EARLIEST: i64 = 631_152_000;
/// Builders that put their name into `author`.
const AUTHORS: [&str; 5] = ["kaniko", "Jib", "ko", "Bazel", "apko"];

/// What wrote a step down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Builder {
    BuildKit,
    /// Docker's classic builder, and buildah, which writes steps as that did.
    Docker,
    /// What Debian makes its root filesystems with.
    Debuerreotype,
    /// One of [`AUTHORS`].
    Author(&'static str),
}

/// How many of the first steps are a base image's.
pub(super) fn base_steps(history: &[HistoryStep]) -> usize {
    let marks = [builder_change(history), said_from(history), said_again(history), root_filesystem(history)];
    marks.into_iter().flatten().max().unwrap_or(0)
}

fn builder_change(history: &[HistoryStep]) -> Option<usize> {
    let last = history.iter().rev().find_map(builder)?;
    history.iter().rposition(|step| builder(step).is_some_and(|other| other != last)).map(|step| step + 1)
}

fn said_from(history: &[HistoryStep]) -> Option<usize> {
    let is_from = |step: &HistoryStep| {
        let name = step.comment.as_deref().and_then(|comment| comment.strip_prefix("FROM "));
        name.is_some_and(|name| !is_image_id(name.trim()))
    };
    let first_own = history.iter().rposition(is_from)?;
    // Older versions say it at the end of a build of one layer: steps without a layer before it may be of the build.
    history[..first_own].iter().rposition(|step| !step.empty_layer).map(|step| step + 1)
}

fn said_again(history: &[HistoryStep]) -> Option<usize> {
    let ends = ["CMD", "ENTRYPOINT"].into_iter().filter_map(|word| {
        let said: Vec<usize> = (0..history.len()).filter(|&step| is_instruction(&history[step], word)).collect();
        let (_, before) = said.split_last()?;
        before.iter().rev().find(|step| ends_build(history, **step)).map(|step| step + 1)
    });
    ends.max()
}

fn root_filesystem(history: &[HistoryStep]) -> Option<usize> {
    let root = history.iter().position(|step| !step.empty_layer)?;
    let command = history.get(root + 1).filter(|step| is_instruction(step, "CMD"));
    (adds_root(&history[root]) && command.is_some() && ends_build(history, root + 1)).then_some(root + 2)
}

/// Whether the step after `step` was made at quite another time.
fn ends_build(history: &[HistoryStep], step: usize) -> bool {
    let time = |step: usize| history.get(step)?.created.map(jiff::Timestamp::as_second).filter(|time| *time >= EARLIEST);
    time(step).zip(time(step + 1)).is_some_and(|(one, other)| one.abs_diff(other) >= APART.unsigned_abs())
}

fn builder(step: &HistoryStep) -> Option<Builder> {
    let (comment, created_by) = (step.comment.as_deref().unwrap_or_default(), step.created_by.as_deref().unwrap_or_default().trim());
    let author = AUTHORS.into_iter().find(|author| step.author.as_deref() == Some(author));
    if let Some(author) = author {
        Some(Builder::Author(author))
    } else if comment.starts_with("buildkit.") || created_by.ends_with("# buildkit") {
        Some(Builder::BuildKit)
    } else if comment.starts_with("debuerreotype ") {
        Some(Builder::Debuerreotype)
    } else if created_by.starts_with("/bin/sh -c ") {
        Some(Builder::Docker)
    } else {
        None
    }
}

/// What the step says, without what the classic builder writes before it.
fn instruction(step: &HistoryStep) -> &str {
    let text = step.created_by.as_deref().unwrap_or_default().trim();
    text.strip_prefix("/bin/sh -c #(nop)").map_or(text, str::trim_start)
}

fn is_instruction(step: &HistoryStep, word: &str) -> bool {
    instruction(step).split_whitespace().next() == Some(word)
}

/// `ADD file:... in /`, or `ADD rootfs.tar.gz / # buildkit`.
pub(in crate::scan) fn adds_root(step: &HistoryStep) -> bool {
    let text = instruction(step);
    let words: Vec<&str> = text.strip_suffix("# buildkit").unwrap_or(text).split_whitespace().collect();
    words.first() == Some(&"ADD") && words.last() == Some(&"/")
}

/// At least the twelve hex digits by which tools shorten one.
fn is_image_id(name: &str) -> bool {
    name.len() >= 12 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
