//! The paged KV cache: blocks, who holds them, and which can be found again by their hash.
//!
//! A free block keeps its hash until it is taken for something else, least recently used first.
//! Every operation on one block takes constant time: free blocks are a doubly linked list through
//! the blocks themselves, as in vLLM V1.
//!
//! Does not know sequences: whoever holds blocks keeps their numbers. Invariants: a block is free
//! (in the list) exactly when nobody holds it; a hash names at most one block; with the same calls
//! the same blocks are given out.

use super::KvParams;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

const NIL: u32 = u32::MAX;

/// Spreads keys that are numbers: hashes already, or ids.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        infermeter_core::seed::splitmix64(self.0)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = n;
    }
}

/// A map by numbers.
pub(super) type NumberMap<K, V> = HashMap<K, V, BuildHasherDefault<Spread>>;

#[derive(Debug, Clone, Copy)]
struct Block {
    hash: u64,
    holders: u32,
    previous: u32,
    next: u32,
    findable: bool,
}

/// All blocks.
#[derive(Debug)]
pub(super) struct BlockPool {
    block_size: u32,
    prefix_cache: bool,
    blocks: Vec<Block>,
    /// Numbers taken out of use when the pool was made smaller.
    retired: Vec<u32>,
    oldest: u32,
    newest: u32,
    free: u32,
    found: NumberMap<u64, u32>,
    hits: Vec<u32>,
}

impl BlockPool {
    /// A pool with every block free.
    pub fn new(params: KvParams) -> Self {
        let mut pool = Self {
            block_size: params.block_size.max(1),
            prefix_cache: params.prefix_cache,
            blocks: Vec::new(),
            retired: Vec::new(),
            oldest: NIL,
            newest: NIL,
            free: 0,
            found: NumberMap::default(),
            hits: Vec::new(),
        };
        pool.grow(params.blocks.max(1));
        pool
    }

    /// Tokens per block.
    pub fn block_size(&self) -> u32 {
        self.block_size
    }

    /// Blocks in use or free.
    pub fn total(&self) -> u32 {
        (self.blocks.len() - self.retired.len()) as u32
    }

    /// Blocks that somebody holds.
    pub fn used(&self) -> u32 {
        self.total() - self.free
    }

    /// Tokens that held blocks have room for; without limit where they are the whole pool.
    pub fn room(&self, held: &[u32]) -> u32 {
        let blocks = held.len() as u32;
        if blocks >= self.total() {
            return u32::MAX;
        }
        blocks.saturating_mul(self.block_size)
    }

    /// Makes `held` large enough for `tokens`, or for as many as the whole pool holds; false, and
    /// nothing changed, where the free blocks do not suffice.
    pub fn extend(&mut self, held: &mut Vec<u32>, tokens: u32) -> bool {
        let wanted = self.wanted(tokens);
        let missing = wanted.saturating_sub(held.len() as u32);
        if missing > self.free {
            return false;
        }
        held.extend((0..missing).map(|_| self.take_oldest()));
        true
    }

    /// The longest run of leading blocks that can be found, at most `limit`.
    pub fn find(&mut self, hashes: &[u64], limit: u32) -> u32 {
        self.hits.clear();
        if self.prefix_cache {
            let leading = hashes.iter().take(limit as usize);
            let found = leading.map_while(|hash| self.found.get(hash).copied());
            self.hits.extend(found);
        }
        self.hits.len() as u32
    }

    /// Gives an empty `held` the blocks found last and free ones up to `tokens`; false, and nothing
    /// changed, where they do not suffice.
    pub fn begin(&mut self, held: &mut Vec<u32>, tokens: u32) -> bool {
        let asleep = |block: &&u32| self.blocks[**block as usize].holders == 0;
        let woken = self.hits.iter().filter(asleep).count() as u32;
        let missing = self.wanted(tokens).saturating_sub(self.hits.len() as u32);
        if woken.saturating_add(missing) > self.free {
            return false;
        }
        for index in 0..self.hits.len() {
            let block = self.hits[index];
            if self.blocks[block as usize].holders == 0 {
                self.unlink(block);
            }
            self.blocks[block as usize].holders += 1;
            held.push(block);
        }
        held.extend((0..missing).map(|_| self.take_oldest()));
        true
    }

    /// A held block is computed and can be found by `hash` from now on. Where another block has
    /// that hash already, that one stays the one that is found.
    pub fn publish(&mut self, block: u32, hash: u64) {
        if !self.prefix_cache || self.blocks[block as usize].findable {
            return;
        }
        if let std::collections::hash_map::Entry::Vacant(vacant) = self.found.entry(hash) {
            vacant.insert(block);
            let block = &mut self.blocks[block as usize];
            block.hash = hash;
            block.findable = true;
        }
    }

    /// Gives blocks back, the last first: a sequence's tail is evicted before its head.
    pub fn release(&mut self, held: &mut Vec<u32>) {
        while let Some(block) = held.pop() {
            let entry = &mut self.blocks[block as usize];
            entry.holders -= 1;
            if entry.holders == 0 {
                self.link_newest(block);
            }
        }
    }

    /// Forgets every hash: the memory behind the blocks is gone.
    pub fn forget(&mut self) {
        self.found.clear();
        for block in &mut self.blocks {
            block.findable = false;
        }
    }

    /// Takes over a new number of blocks, not below what is used, and whether they can be found.
    pub fn reconfigure(&mut self, params: KvParams) {
        self.prefix_cache = params.prefix_cache;
        if !params.prefix_cache {
            self.forget();
        }
        let blocks = params.blocks.max(1);
        if blocks > self.total() {
            self.grow(blocks - self.total());
        }
        while self.total() > blocks && self.free > 0 {
            let block = self.take_oldest();
            self.blocks[block as usize].holders = 0;
            self.retired.push(block);
        }
    }

    fn grow(&mut self, more: u32) {
        for _ in 0..more {
            let block = self.retired.pop().unwrap_or_else(|| {
                self.blocks.push(Block {
                    hash: 0,
                    holders: 0,
                    previous: NIL,
                    next: NIL,
                    findable: false,
                });
                (self.blocks.len() - 1) as u32
            });
            self.link_newest(block);
        }
    }

    fn wanted(&self, tokens: u32) -> u32 {
        tokens.div_ceil(self.block_size).min(self.total())
    }

    /// Takes the least recently used free block; there is one.
    fn take_oldest(&mut self) -> u32 {
        let block = self.oldest;
        self.unlink(block);
        let entry = &mut self.blocks[block as usize];
        entry.holders = 1;
        if std::mem::take(&mut entry.findable) {
            let hash = entry.hash;
            self.found.remove(&hash);
        }
        block
    }

    fn unlink(&mut self, block: u32) {
        let Block { previous, next, .. } = self.blocks[block as usize];
        match previous {
            NIL => self.oldest = next,
            previous => self.blocks[previous as usize].next = next,
        }
        match next {
            NIL => self.newest = previous,
            next => self.blocks[next as usize].previous = previous,
        }
        self.free -= 1;
    }

    fn link_newest(&mut self, block: u32) {
        let last = std::mem::replace(&mut self.newest, block);
        match last {
            NIL => self.oldest = block,
            last => self.blocks[last as usize].next = block,
        }
        let entry = &mut self.blocks[block as usize];
        entry.previous = last;
        entry.next = NIL;
        self.free += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(blocks: u32) -> BlockPool {
        BlockPool::new(KvParams {
            block_size: 16,
            blocks,
            prefix_cache: true,
        })
    }

    /// Takes blocks for hashes as a sequence does that computes all of them.
    fn compute(pool: &mut BlockPool, hashes: &[u64]) -> (u32, Vec<u32>) {
        let mut held = Vec::new();
        let found = pool.find(hashes, u32::MAX);
        assert!(pool.begin(&mut held, hashes.len() as u32 * 16));
        for (block, hash) in held.iter().zip(hashes) {
            pool.publish(*block, *hash);
        }
        (found, held)
    }

    #[test]
    fn the_least_recently_used_block_goes_first_and_tails_before_heads() {
        let mut pool = pool(4);
        let (_, mut first) = compute(&mut pool, &[1, 2]);
        let (_, mut second) = compute(&mut pool, &[11, 12]);
        pool.release(&mut first);
        pool.release(&mut second);
        assert_eq!(pool.used(), 0);
        // Free in the order 2, 1, 12, 11. Using 1 makes it the newest again.
        let (found, mut again) = compute(&mut pool, &[1]);
        assert_eq!(found, 1);
        pool.release(&mut again);
        for (wanted, gone) in [(1, 2), (2, 12), (3, 11), (4, 1)] {
            let left: Vec<u64> = [2, 12, 11, 1]
                .into_iter()
                .filter(|hash| pool.find(&[*hash], 1) == 0)
                .collect();
            assert_eq!(left.len(), wanted - 1);
            let block = pool.take_oldest();
            assert_eq!(
                pool.find(&[gone], 1),
                0,
                "{gone} is evicted as number {wanted}"
            );
            assert!(block < 4);
        }
    }

    #[test]
    fn a_shared_block_is_free_when_its_last_holder_is_gone() {
        let mut pool = pool(4);
        let (_, mut first) = compute(&mut pool, &[1, 2]);
        let (found, mut second) = compute(&mut pool, &[1, 2, 3]);
        assert_eq!((found, pool.used()), (2, 3));
        pool.release(&mut first);
        assert_eq!(pool.used(), 3);
        pool.release(&mut second);
        assert_eq!(pool.used(), 0);
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let mut pool = pool(3);
        let (_, mut first) = compute(&mut pool, &[1]);
        pool.release(&mut first);
        let mut held = Vec::new();
        assert!(pool.extend(&mut held, 32));
        // Block 1 is still there, and counts as free; with it two more would be needed.
        let mut other = Vec::new();
        assert_eq!(pool.find(&[1], 1), 1);
        assert!(!pool.begin(&mut other, 48));
        assert!(other.is_empty());
        assert!(
            pool.extend(&mut held, 64),
            "the pool is all that anybody can ask for"
        );
        assert_eq!(held.len(), 3);
    }

    #[test]
    fn a_smaller_pool_loses_free_blocks_only_and_can_grow_again() {
        let mut pool = pool(4);
        let (_, mut held) = compute(&mut pool, &[1, 2]);
        let params = |blocks, prefix_cache| KvParams {
            block_size: 16,
            blocks,
            prefix_cache,
        };
        pool.reconfigure(params(1, true));
        assert_eq!((pool.total(), pool.used()), (2, 2), "what is held stays");
        pool.reconfigure(params(5, true));
        assert_eq!((pool.total(), pool.used()), (5, 2));
        pool.release(&mut held);
        assert_eq!(pool.used(), 0);
        assert_eq!(pool.find(&[1, 2], 2), 2);
        pool.reconfigure(params(5, false));
        assert_eq!(pool.find(&[1, 2], 2), 0);
    }
}
