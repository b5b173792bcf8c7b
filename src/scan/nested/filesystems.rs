//! Images of file systems whose files have to be put together.

use std::ops::Range;
use std::sync::Arc;

use super::Matcher;
use crate::content::nested::budget::{Budget, Metered};
use crate::content::nested::just;
use crate::content::nested::squashfs::{self, Node};
use crate::finding::Part;
use crate::layer::{Entry, EntryKind};

impl Matcher<'_, '_> {
    pub(super) fn squashfs(&mut self, entry: &Arc<Entry>, bytes: &[u8], budget: &Arc<Budget>) -> Vec<Range<usize>> {
        let mut numbers = 0u32..;
        let problems = squashfs::read(bytes, budget, &mut |path, node| {
            let kind = if matches!(node, Node::Link(_)) { EntryKind::Symlink } else { EntryKind::File };
            let child = Arc::new(entry.member(numbers.next().unwrap_or(u32::MAX), path, kind));
            self.named(&child, Part::Name, path);
            match node {
                Node::Link(target) => self.named(&child, Part::LinkTarget, target),
                Node::File(reader) => _ = self.decoded(&child, &mut Metered::new(reader, budget)),
            }
        });
        // What is stored as it is in an image that was not understood as a whole is text.
        let is_whole = problems.is_empty() && budget.stopped().is_none();
        self.found.problems(entry, problems);
        if is_whole { just(0..bytes.len()) } else { Vec::new() }
    }
}
