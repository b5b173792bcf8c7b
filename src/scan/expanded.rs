//! What came out of the files of a layer, so that all of them together stay within a bound: the first ones in the order of the archive, whatever
//! thread read them when.

use std::collections::BTreeMap;

/// Bytes that came out of files, by their position in the archive.
#[derive(Debug, Default)]
pub(super) struct Expanded {
    files: BTreeMap<u32, u64>,
    total: u64,
}

impl Expanded {
    /// Takes in bytes that came out of a file; none for one that was passed over.
    pub(super) fn add(&mut self, order: u32, bytes: u64) {
        let known = self.files.entry(order).or_default();
        *known = known.saturating_add(bytes);
        self.total = self.total.saturating_add(bytes);
    }

    pub(super) fn merge(&mut self, other: Expanded) {
        other.files.into_iter().for_each(|(order, bytes)| self.add(order, bytes));
    }

    /// Whether files before this one have already used up `limit`: then it is beyond the bound for sure.
    pub(super) fn is_used_up(&self, order: u32, limit: u64) -> bool {
        self.total >= limit
            && self.files.range(..order).map(|(_, bytes)| bytes).fold(0, |sum: u64, bytes| sum.saturating_add(*bytes)) >= limit
    }

    /// The first file that is beyond `limit`, if there is one, and how many there are.
    pub(super) fn beyond(&self, limit: u64) -> Option<(u32, usize)> {
        let mut before = 0u64;
        let first = self.files.iter().find_map(|(order, bytes)| {
            let is_beyond = before >= limit;
            before = before.saturating_add(*bytes);
            is_beyond.then_some(*order)
        })?;
        Some((first, self.files.range(first..).count()))
    }

    /// Whether it is one of the files beyond the bound; `first` is the first of them.
    pub(super) fn is_beyond(&self, order: u32, first: u32) -> bool {
        order >= first && self.files.contains_key(&order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_files_count_whatever_order_they_come_in() {
        for files in [[(1, 50), (2, 60), (3, 1), (4, 0)], [(4, 0), (3, 1), (2, 60), (1, 50)]] {
            let mut expanded = Expanded::default();
            files.iter().for_each(|&(order, bytes)| expanded.add(order, bytes));
            assert_eq!(expanded.beyond(100), Some((3, 2)));
            assert_eq!(expanded.beyond(112), None);
            assert!(expanded.is_used_up(3, 100) && !expanded.is_used_up(2, 100));
            assert!(expanded.is_beyond(4, 3) && !expanded.is_beyond(5, 3) && !expanded.is_beyond(2, 3));
        }
    }
}
