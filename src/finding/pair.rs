//! Secrets that open something only together: an access key and its id, an account and its token.

use std::collections::HashMap;
use std::ops::Range;

use super::{Finding, Place};

/// Farthest that two halves stand from each other in a file, in bytes.
const NEAR: u64 = 2_048;

/// Tells each finding whose rule has a counterpart which finding beside it that is: the nearest of the same file, or one of the same
/// part of a document. `findings` are of one image, those of a place one after the other.
pub fn pair(findings: &mut [Finding]) {
    let mut start = 0;
    while start < findings.len() {
        let end = start + findings[start..].iter().take_while(|finding| is_beside(&finding.place, &findings[start].place)).count();
        pair_beside(findings, start..end);
        start = end;
    }
}

/// Whether two places are in the same text.
fn is_beside(one: &Place, other: &Place) -> bool {
    let parent = |place: &Place| place.pointer().and_then(|pointer| pointer.rsplit_once('/')).map(|(parent, _)| parent.to_owned());
    one.kind() == other.kind()
        && one.layer() == other.layer()
        && one.path() == other.path()
        && one.inner() == other.inner()
        && one.part() == other.part()
        && parent(one) == parent(other)
}

fn pair_beside(findings: &mut [Finding], group: Range<usize>) {
    if group.len() < 2 || group.clone().all(|index| findings[index].rule.pairs.is_empty()) {
        return;
    }
    let offset = |finding: &Finding| finding.place.position().map_or(0, |position| position.offset);
    let mut by_rule: HashMap<String, Vec<(u64, usize)>> = HashMap::new();
    for index in group.clone() {
        by_rule.entry(findings[index].rule.id.clone()).or_default().push((offset(&findings[index]), index));
    }
    for index in group {
        let rule = std::sync::Arc::clone(&findings[index].rule);
        let here = offset(&findings[index]);
        for others in rule.pairs.iter().filter_map(|other| by_rule.get(other)) {
            // In the order of the file, so the nearest stands before or after the place where this one would be put in.
            let after = others.partition_point(|(at, _)| *at < here);
            let near = [after.checked_sub(1), Some(after)].into_iter().flatten().filter_map(|at| others.get(at));
            let Some(&(_, nearest)) = near.filter(|(at, _)| at.abs_diff(here) <= NEAR).min_by_key(|(at, _)| at.abs_diff(here)) else {
                continue;
            };
            let (id, other_id) = (findings[index].id.clone(), findings[nearest].id.clone());
            link(&mut findings[index], other_id);
            link(&mut findings[nearest], id);
        }
    }
}

fn link(finding: &mut Finding, other: String) {
    if finding.id != other && finding.pair.len() < super::MAX_ALSO && !finding.pair.contains(&other) {
        finding.pair.push(other);
    }
}
