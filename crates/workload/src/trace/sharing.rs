//! How much of the prompts a prefix cache without limits would hold.
//!
//! Counting only; shares are for the reader to divide. Invariant: a block hits when its id was
//! seen in an earlier row or earlier in its own; hits + misses = blocks.

use schemars::JsonSchema;
use std::collections::HashSet;

/// Counts blocks that were seen before.
#[derive(Debug, Clone, Default)]
pub struct Sharing {
    seen: HashSet<u64>,
    counts: SharingCounts,
}

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, JsonSchema)]
pub struct SharingCounts {
    /// Blocks of all prompts, partial ones included.
    pub blocks: u64,
    /// Those seen before, wherever they stand.
    pub block_hits: u64,
    /// Tokens of all prompts.
    pub tokens: u64,
    /// Tokens of the leading blocks that were all seen before: what a prefix cache saves.
    pub prefix_hit_tokens: u64,
    /// Leading blocks that were all seen before.
    pub prefix_hit_blocks: u64,
    /// Distinct blocks.
    pub distinct_blocks: u64,
}

impl Sharing {
    /// Counts one prompt of `tokens` tokens in blocks of `block_tokens`.
    pub fn add(&mut self, ids: &[u64], tokens: u32, block_tokens: u32) {
        let counts = &mut self.counts;
        let mut prefix = true;
        let mut left = tokens;
        counts.tokens += u64::from(tokens);
        for id in ids {
            let size = left.min(block_tokens);
            left -= size;
            counts.blocks += 1;
            let hit = !self.seen.insert(*id);
            prefix &= hit;
            counts.block_hits += u64::from(hit);
            if prefix {
                counts.prefix_hit_blocks += 1;
                counts.prefix_hit_tokens += u64::from(size);
            }
        }
        counts.distinct_blocks = self.seen.len() as u64;
    }

    /// What was counted so far.
    pub fn counts(&self) -> SharingCounts {
        self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_prefixes_are_counted_apart() {
        let mut sharing = Sharing::default();
        sharing.add(&[1, 2, 3], 40, 16);
        sharing.add(&[1, 9, 3], 48, 16);
        sharing.add(&[1, 2], 24, 16);
        let expect = SharingCounts {
            blocks: 8,
            block_hits: 4,
            tokens: 112,
            prefix_hit_tokens: 16 + 24,
            prefix_hit_blocks: 3,
            distinct_blocks: 4,
        };
        assert_eq!(sharing.counts(), expect);
    }
}
