//! What a thread that matches wants again and again: lent to one batch after the other, since making it anew takes longer than many a batch.

use crate::layer::walk::MAX_WHOLE;
use crate::vector::inflate::Inflater;

/// Longer buffers are not kept from one batch to the next.
const MAX_RESTING: usize = 2 << 20;
/// Most buffers that are: a member is seldom within more than one other.
const RESTING: usize = 2;

/// Buffers for members, and a decoder for them.
#[derive(Default)]
pub(super) struct Tools {
    buffers: Vec<Vec<u8>>,
    /// Made when it is first wanted.
    inflater: Option<Inflater>,
}

impl Tools {
    /// An empty buffer.
    pub(super) fn buffer(&mut self) -> Vec<u8> {
        self.buffers.pop().unwrap_or_default()
    }

    /// Takes a buffer back.
    pub(super) fn keep(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() <= 2 * MAX_WHOLE {
            buffer.clear();
            self.buffers.push(buffer);
        }
    }

    /// The decoder; none if there is no memory for it.
    pub(super) fn inflater(&mut self) -> Option<&mut Inflater> {
        if self.inflater.is_none() {
            self.inflater = Inflater::new();
        }
        self.inflater.as_mut()
    }

    /// Without what is too large to wait for another batch.
    pub(super) fn resting(mut self) -> Self {
        self.buffers.retain(|buffer| buffer.capacity() <= MAX_RESTING);
        self.buffers.truncate(RESTING);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_buffers_are_kept_for_a_batch_and_small_ones_for_the_next() {
        let mut tools = Tools::default();
        for size in [10, MAX_WHOLE, 3 * MAX_WHOLE, 20, 30] {
            tools.keep(vec![1; size]);
        }
        let sizes = |tools: &Tools| tools.buffers.iter().map(Vec::capacity).collect::<Vec<_>>();
        assert_eq!(sizes(&tools), [10, MAX_WHOLE, 20, 30]);
        let mut tools = tools.resting();
        assert_eq!(sizes(&tools), [10, 20]);
        assert!(tools.buffer().is_empty());
    }
}
