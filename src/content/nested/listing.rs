//! What is common to containers whose members lie in them as they are.

use std::ops::Range;

use super::Problem;

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
}
