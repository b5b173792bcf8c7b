//! One finding for one text: where several rules matched the same bytes, the most specific one speaks, and names the others.

use std::collections::BTreeMap;
use std::ops::Range;

use super::Candidate;

/// Anything that carries a candidate and knows where it stands.
pub trait Spanned {
    /// The candidate.
    fn candidate(&self) -> &Candidate;
    /// Where its secret stands in the text that all of a group share.
    fn span(&self) -> Range<u64>;
}

impl Spanned for Candidate {
    fn candidate(&self) -> &Candidate {
        self
    }

    fn span(&self) -> Range<u64> {
        self.span.start as u64..self.span.end as u64
    }
}

/// Keeps of each set of overlapping candidates the strongest, with the numbers of the other rules; in the order given.
pub fn resolve<T: Spanned>(group: Vec<T>) -> Vec<(T, Vec<u32>)> {
    let mut order: Vec<usize> = (0..group.len()).collect();
    order.sort_by(|&a, &b| strength(&group[b]).cmp(&strength(&group[a])).then(a.cmp(&b)));
    // Disjoint spans: the last that begins before another's end is the only one that can overlap it.
    let mut taken: BTreeMap<u64, (u64, usize)> = BTreeMap::new();
    let mut kept: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
    for index in order {
        let (span, rule) = (group[index].span(), group[index].candidate().rule);
        let over = taken
            .range(..span.end.max(span.start + 1))
            .next_back()
            .filter(|(_, (end, _))| *end > span.start)
            .map(|(_, &(_, winner))| winner);
        match over {
            Some(winner) => {
                let too = kept.entry(winner).or_default();
                if group[winner].candidate().rule != rule && !too.contains(&rule) {
                    too.push(rule);
                }
            }
            None => {
                taken.insert(span.start, (span.end, index));
                kept.insert(index, Vec::new());
            }
        }
    }
    group.into_iter().enumerate().filter_map(|(index, item)| kept.remove(&index).map(|too| (item, too))).collect()
}

/// What makes a candidate speak for a text: its rule's rank, proof, that it was told decoded (an encoded password is better told as the
/// password), its length.
fn strength<T: Spanned>(item: &T) -> (u8, crate::finding::Confidence, bool, u64) {
    let candidate = item.candidate();
    let span = item.span();
    (candidate.rank, candidate.confidence, !candidate.decoding.is_empty(), span.end - span.start)
}
