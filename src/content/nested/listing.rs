//! What is common to containers whose members lie in them as they are.

use std::ops::Range;

use super::Problem;

/// Most bytes of names that are kept of a container. In a tree every file repeats the names of its folders, so that a few bytes may be many.
pub const MAX_NAMES: usize = 64 << 20;

/// A member whose bytes stand in the container as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its path in the container.
    pub name: Vec<u8>,
    /// Its bytes.
    pub range: Range<usize>,
}

/// The members of a container.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// In the order of the container's tables.
    pub members: Vec<Stored>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
    names: usize,
}

impl Listing {
    /// Says what is wrong, once.
    pub fn problem(&mut self, problem: &'static str) {
        tell(&mut self.problems, Problem::Damaged(problem));
    }

    /// Says what is more than is read, once.
    pub fn too_large(&mut self, part: &'static str) {
        tell(&mut self.problems, Problem::TooLarge(part));
    }

    /// Whether one more path of so many bytes may be kept.
    pub fn has_room(&mut self, length: usize) -> bool {
        self.names = self.names.saturating_add(length);
        if self.names > MAX_NAMES {
            self.too_large("the names of its files are longer than 64 MiB; the files after that were not read");
        }
        self.names <= MAX_NAMES
    }
}

/// Adds a problem that is not told yet.
pub(super) fn tell(problems: &mut Vec<Problem>, problem: Problem) {
    if !problems.contains(&problem) {
        problems.push(problem);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_up_to_a_bound_and_that_is_said_once() {
        let mut listing = Listing::default();
        assert!(listing.has_room(MAX_NAMES) && !listing.has_room(1) && !listing.has_room(usize::MAX));
        assert_eq!(listing.problems.len(), 1);
    }
}
