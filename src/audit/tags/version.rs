//! What a tag says of a version, read leniently: `v1.2`, `1.2.3-rc1-alpine`, `3.13.0b2`, `2024.01.05`.

use semver::{Prerelease, Version};

/// Words that begin the name of something that is no release yet.
const BEFORE: [&str; 13] =
    ["alpha", "beta", "rc", "cr", "pre", "preview", "prerelease", "dev", "snapshot", "nightly", "canary", "next", "unstable"];

/// A tag that is a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TagVersion {
    version: Version,
    /// How many numbers there are: `1` and `1.2` are names that move on, and stand behind those that do not.
    numbers: usize,
    /// `v`, or nothing.
    prefix: String,
    /// What tells it from other images of the version: `-alpine`.
    variant: String,
}

/// What belongs together: versions of a line follow each other. Major and minor, prefix, variant.
pub(super) type Line = (u64, u64, String, String);

impl TagVersion {
    pub(super) fn parse(tag: &str) -> Option<Self> {
        let rest = tag.strip_prefix(['v', 'V']).unwrap_or(tag);
        let prefix = tag[..tag.len() - rest.len()].to_owned();
        let mut numbers = Vec::new();
        let mut rest = rest;
        loop {
            let end = rest.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(rest.len());
            numbers.push(rest[..end].parse::<u64>().ok()?);
            rest = &rest[end..];
            match rest.strip_prefix('.') {
                Some(next) if next.starts_with(|sign: char| sign.is_ascii_digit()) && numbers.len() < 3 => rest = next,
                _ => break,
            }
        }
        let number = |index: usize| numbers.get(index).copied().unwrap_or(0);
        let (pre, variant) = suffix(rest)?;
        let version = Version { pre, ..Version::new(number(0), number(1), number(2)) };
        Some(Self { version, numbers: numbers.len(), prefix, variant })
    }

    pub(super) fn line(&self) -> Line {
        (self.version.major, self.version.minor, self.prefix.clone(), self.variant.clone())
    }

    /// The order within a line: any release is above all pre-releases.
    pub(super) fn rank(&self) -> (bool, &Version, usize) {
        (self.version.pre.is_empty(), &self.version, self.numbers)
    }

    /// The order among all versions of a repository.
    pub(super) fn order(self) -> (Version, usize) {
        (self.version, self.numbers)
    }
}

/// What follows the numbers, divided into what comes before a release and what tells variants apart. None if it cannot follow a version.
fn suffix(text: &str) -> Option<(Prerelease, String)> {
    let (mut pre, mut variant) = (Vec::new(), String::new());
    let attached = text.find(['-', '_', '+']).unwrap_or(text.len());
    if attached > 0 {
        // Python's way: `3.13.0rc2`, `3.13.0b1`.
        pre.push(before(&text[..attached], true)?);
    }
    let mut rest = &text[attached..];
    while !rest.is_empty() {
        let end = rest[1..].find(['-', '_', '+']).map_or(rest.len(), |end| end + 1);
        match before(&rest[1..end], false) {
            Some(word) if rest.starts_with('-') => pre.push(word),
            _ => variant.push_str(&rest[..end]),
        }
        rest = &rest[end..];
    }
    Some((Prerelease::new(&pre.join(".")).ok()?, variant))
}

/// A word that says that something is no release yet, as identifiers that are compared as they should be: `rc.2` comes before `rc.10`, and `rc2` after.
fn before(word: &str, is_attached: bool) -> Option<String> {
    let end = word.find(|sign: char| !sign.is_ascii_alphabetic()).unwrap_or(word.len());
    let (name, number) = (word[..end].to_ascii_lowercase(), word[end..].trim_start_matches('.'));
    let is_name = BEFORE.contains(&name.as_str()) || (is_attached && ["a", "b"].contains(&name.as_str()));
    let is_number = number.split('.').all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    if !is_name || !is_number {
        return None;
    }
    // Numbers may not begin with a zero there.
    let numbers = number.split('.').filter(|part| !part.is_empty()).map(|part| match part.trim_start_matches('0') {
        "" => "0",
        part => part,
    });
    Some(std::iter::once(name.as_str()).chain(numbers).collect::<Vec<_>>().join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_leniently() {
        let table = [
            ("1", Some("1.0.0 ")),
            ("v1.2", Some("1.2.0 v")),
            ("1.2.3", Some("1.2.3 ")),
            ("1.2.3-alpine3.18", Some("1.2.3 -alpine3.18")),
            ("1.2.3-RC01", Some("1.2.3-rc.1 ")),
            ("1.2.3-rc.1.2-slim", Some("1.2.3-rc.1.2 -slim")),
            ("1.2.3-alpha", Some("1.2.3-alpha ")),
            ("3.13.0b1", Some("3.13.0-b.1 ")),
            ("2024.01.05", Some("2024.1.5 ")),
            ("1.2.3.4", None),
            ("7e1", None),
            ("12ab34", None),
            ("latest", None),
            ("v", None),
            ("", None),
            ("1.", None),
            ("99999999999999999999", None),
            ("1.2.3-é", Some("1.2.3 -é")),
        ];
        for (tag, expected) in table {
            let read = TagVersion::parse(tag).map(|read| format!("{} {}{}", read.version, read.prefix, read.variant));
            assert_eq!(read.as_deref(), expected, "{tag}");
        }
    }
}
