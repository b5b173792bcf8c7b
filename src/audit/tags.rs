//! Which tags of a repository an audit reads. Pure: the time is a parameter.
//!
//! Choices apply in this order: globs, the time, versions, the number. A time that is not known leaves a tag in, as undecided: who has the image's config can
//! decide then. So where no time is known the number may take tags that turn out to be too old; they are not made up for.

mod version;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::str::FromStr;

use globset::{GlobBuilder, GlobMatcher};
use jiff::civil::{Date, Time};
use jiff::tz::Offset;

use self::version::{Line, TagVersion};
use super::catalog::Tag;

const DAY: i64 = 24 * 60 * 60;

/// Which tags are wanted. By default all.
#[derive(Debug, Clone, Default)]
pub struct TagChoice {
    /// Those that match one of these; all if there is none.
    pub include: Vec<TagGlob>,
    /// But none of these.
    pub exclude: Vec<TagGlob>,
    /// None that was last pushed before.
    pub since: Option<Since>,
    /// Which versions.
    pub versions: Versions,
    /// At most so many, the newest: by the time of the push; those without one after them, by version, and those that are no version last, by name backwards.
    pub max_tags: Option<NonZeroUsize>,
}

/// Which versions are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Versions {
    /// All, and tags that are none.
    #[default]
    All,
    /// The newest of each `MAJOR.MINOR`, for each variant (`-alpine`, `-slim`) by itself. Pre-releases count where a line has nothing else. Tags that are no versions
    /// are left out, unless the repository has no versions at all.
    Latest,
}

/// A glob for tags: `*`, `?`, `[...]`, `{a,b}`.
#[derive(Debug, Clone)]
pub struct TagGlob(GlobMatcher);

/// A point in time: a day, from its begin in UTC, or so many days ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// The beginning of a day, in seconds since 1970.
    Day(i64),
    /// So many days ago.
    DaysAgo(u32),
}

/// A text that says nothing of tags.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MalformedChoice {
    /// No glob.
    #[error("`{}` is no glob of tags: {problem}", .glob.escape_default())]
    Glob {
        /// What was given.
        glob: String,
        /// Why.
        problem: String,
    },
    /// No time.
    #[error("`{}` is no time: write a day as 2026-01-31, or a number of days as 30d", .0.escape_default())]
    Since(String),
}

/// A tag that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The tag.
    pub tag: Tag,
    /// Whether it is surely new enough.
    pub age: Age,
}

/// Whether a tag is new enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// It is, or any would be.
    Fits,
    /// It is too old.
    TooOld,
    /// Its time is not known.
    Undecided,
}

impl TagChoice {
    /// The wanted ones of `tags`, in their order. `now` is in seconds since 1970.
    pub fn choose(&self, tags: &[Tag], now: i64) -> Vec<Chosen> {
        let is_named = |tag: &Tag| {
            let matches = |glob: &TagGlob| glob.0.is_match(&tag.name);
            (self.include.is_empty() || self.include.iter().any(matches)) && !self.exclude.iter().any(matches)
        };
        let named = tags.iter().filter(|tag| is_named(tag)).map(|tag| Chosen { tag: tag.clone(), age: self.age(tag.pushed, now) });
        let mut chosen: Vec<Chosen> = named.filter(|chosen| chosen.age != Age::TooOld).collect();
        if self.versions == Versions::Latest {
            keep_latest(&mut chosen);
        }
        if let Some(most) = self.max_tags {
            keep_newest(&mut chosen, most.get());
        }
        chosen
    }

    /// Whether a tag of this time, in seconds since 1970, is new enough; for what was undecided, the time at which its image was made.
    pub fn age(&self, time: Option<i64>, now: i64) -> Age {
        match (self.since.map(|since| since.seconds(now)), time) {
            (None, _) => Age::Fits,
            (Some(_), None) => Age::Undecided,
            (Some(first), Some(time)) if time < first => Age::TooOld,
            (Some(_), Some(_)) => Age::Fits,
        }
    }

    /// Whether the times of tags matter.
    pub fn needs_times(&self) -> bool {
        self.since.is_some() || self.max_tags.is_some()
    }
}

impl Since {
    fn seconds(self, now: i64) -> i64 {
        match self {
            Since::Day(first) => first,
            Since::DaysAgo(days) => now - i64::from(days) * DAY,
        }
    }
}

impl FromStr for Since {
    type Err = MalformedChoice;

    fn from_str(text: &str) -> Result<Self, MalformedChoice> {
        let malformed = || MalformedChoice::Since(cut(text));
        if let Some(days) = text.strip_suffix('d') {
            // `+3d` would parse.
            let is_number = days.bytes().all(|byte| byte.is_ascii_digit());
            return days.parse().ok().filter(|_| is_number).map(Since::DaysAgo).ok_or_else(malformed);
        }
        let day: Date = text.parse().map_err(|_| malformed())?;
        // `2026-01-31T12:00` would parse as well, and lose its time.
        if day.to_string() != text {
            return Err(malformed());
        }
        Offset::UTC.to_timestamp(day.to_datetime(Time::midnight())).map(|time| Since::Day(time.as_second())).map_err(|_| malformed())
    }
}

impl FromStr for TagGlob {
    type Err = MalformedChoice;

    fn from_str(text: &str) -> Result<Self, MalformedChoice> {
        let glob = GlobBuilder::new(text).build();
        let malformed = |error: globset::Error| MalformedChoice::Glob { glob: cut(text), problem: error.kind().to_string() };
        glob.map(|glob| TagGlob(glob.compile_matcher())).map_err(malformed)
    }
}

fn cut(text: &str) -> String {
    text.chars().take(200).collect()
}

/// Keeps the newest version of each line.
fn keep_latest(chosen: &mut Vec<Chosen>) {
    let mut newest: BTreeMap<Line, (TagVersion, usize)> = BTreeMap::new();
    for (index, chosen) in chosen.iter().enumerate() {
        let Some(version) = TagVersion::parse(&chosen.tag.name) else { continue };
        match newest.get_mut(&version.line()) {
            Some(known) if known.0.rank() >= version.rank() => {}
            Some(known) => *known = (version, index),
            None => _ = newest.insert(version.line(), (version, index)),
        }
    }
    if !newest.is_empty() {
        let mut kept: Vec<usize> = newest.into_values().map(|(_, index)| index).collect();
        kept.sort_unstable();
        keep(chosen, &kept);
    }
}

/// Keeps the `most` newest.
fn keep_newest(chosen: &mut Vec<Chosen>, most: usize) {
    let mut order: Vec<usize> = (0..chosen.len()).collect();
    order.sort_by_cached_key(|&index| {
        let tag = &chosen[index].tag;
        let version = TagVersion::parse(&tag.name).map(|version| version.order());
        Reverse((tag.pushed, version, tag.name.clone()))
    });
    order.truncate(most);
    order.sort_unstable();
    keep(chosen, &order);
}

/// Keeps those at `indexes`, which are sorted.
fn keep(chosen: &mut Vec<Chosen>, indexes: &[usize]) {
    let mut index = 0;
    chosen.retain(|_| {
        index += 1;
        indexes.binary_search(&(index - 1)).is_ok()
    });
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// `NAME` or `NAME@DAY`, the day since 1970.
    fn tags(text: &str) -> Vec<Tag> {
        text.split_whitespace()
            .map(|word| match word.split_once('@') {
                Some((name, day)) => Tag { name: name.to_owned(), pushed: Some(day.parse::<i64>().unwrap() * DAY) },
                None => Tag { name: word.to_owned(), pushed: None },
            })
            .collect()
    }

    fn globs(text: &str) -> Vec<TagGlob> {
        text.split_whitespace().map(|glob| glob.parse().unwrap()).collect()
    }

    /// Names; with a `?` where the age is undecided.
    #[track_caller]
    fn check(choice: &TagChoice, given: &str, expected: &str) {
        let chosen = choice.choose(&tags(given), 100 * DAY);
        let names = chosen.iter().map(|chosen| match chosen.age {
            Age::Undecided => format!("{}?", chosen.tag.name),
            _ => chosen.tag.name.clone(),
        });
        assert_eq!(names.collect::<Vec<_>>().join(" "), expected, "of {given}");
    }

    #[test]
    fn all_are_wanted_by_default() {
        check(&TagChoice::default(), "1 latest main@1", "1 latest main");
        assert!(!TagChoice::default().needs_times());
    }

    #[test]
    fn globs_name_tags_and_others_take_some_away() {
        let choice = TagChoice { include: globs("v* 1.?"), exclude: globs("*-rc* v[0-1].*"), ..TagChoice::default() };
        check(&choice, "1.2 1.22 latest v0.1 v2.0 v2.1-rc1", "1.2 v2.0");
        check(&TagChoice { exclude: globs("{dev,sha}-*"), ..TagChoice::default() }, "dev-1 main sha-2", "main");
        assert!("[".parse::<TagGlob>().unwrap_err().to_string().starts_with("`[` is no glob of tags: "));
    }

    #[test]
    fn what_is_too_old_is_left_out_and_what_has_no_time_is_undecided() {
        let since = |text: &str| TagChoice { since: Some(text.parse().unwrap()), ..TagChoice::default() };
        check(&since("30d"), "a@69 b@70 c d@100", "b c? d");
        check(&since("1970-01-11"), "a@9 b@10 c", "b c?");
        assert_eq!(since("30d").age(Some(69 * DAY), 100 * DAY), Age::TooOld);
        assert!(since("1d").needs_times());
        for text in ["", "d", "30", "-3d", "+3d", "3w", "2026-02-30", "2026-1-1", "2026-01-31T12:00", "99999999999d", "yesterday"] {
            assert_eq!(text.parse::<Since>(), Err(MalformedChoice::Since(text.to_owned())));
        }
    }

    #[test]
    fn the_newest_of_each_line_of_versions() {
        let latest = TagChoice { versions: Versions::Latest, ..TagChoice::default() };
        let table = [
            ("1.2.3 1.2.10 1.3.0 2.0.0", "1.2.10 1.3.0 2.0.0"),
            ("v1.2.3 v1.2.4 1.2.5", "v1.2.4 1.2.5"),
            ("1.2.3-alpine 1.2.4 1.2.4-alpine 1.2.4-slim", "1.2.4 1.2.4-alpine 1.2.4-slim"),
            ("1.2.3 1.2.4-rc.1 1.3.0-rc.2 1.3.0-rc.10", "1.2.3 1.3.0-rc.10"),
            ("3.13.0a3 3.13.0b1 3.13.0rc2 3.13.0rc10", "3.13.0rc10"),
            ("1.2.3-rc1-alpine 1.2.2-alpine 1.4.0-alpine-beta2", "1.2.2-alpine 1.4.0-alpine-beta2"),
            ("1 1.0 1.0.0 1.2 1.2.1", "1.0.0 1.2.1"),
            ("latest main 1.0.0", "1.0.0"),
            ("latest main sha-1234abc", "latest main sha-1234abc"),
            ("1.2.3+build.1 1.2.3_2", "1.2.3+build.1 1.2.3_2"),
            ("2024.01.05 2024.01.20 2024.02.01", "2024.01.20 2024.02.01"),
        ];
        for (given, expected) in table {
            check(&latest, given, expected);
        }
    }

    #[test]
    fn the_newest_are_those_pushed_last_then_versions_then_names() {
        let newest = |most| TagChoice { max_tags: NonZeroUsize::new(most), ..TagChoice::default() };
        check(&newest(2), "a@3 b@1 c@2", "a c");
        check(&newest(2), "1.10.0 1.9.0 latest 1.2.0", "1.10.0 1.9.0");
        check(&newest(2), "1.0.0 1.0.0-rc1 1.0.0-alpine", "1.0.0 1.0.0-alpine");
        check(&newest(2), "9.9.9 old@1 x", "9.9.9 old");
        check(&newest(2), "2026-01-01 2026-03-01 2026-02-01", "2026-03-01 2026-02-01");
        check(&newest(9), "b a", "b a");
    }

    #[test]
    fn choices_apply_in_turn() {
        let choice = TagChoice {
            include: globs("1.*"),
            exclude: globs("*-rc*"),
            since: Some(Since::DaysAgo(50)),
            versions: Versions::Latest,
            max_tags: NonZeroUsize::new(2),
        };
        check(&choice, "1.0.0@60 1.0.9@40 1.1.0@90 1.1.1-rc1@99 1.2.0@70 1.3.0@80 2.0.0@99", "1.1.0 1.3.0");
    }
}
