//! Texts as blocks of tokens, each known by a keyed hash of itself and of everything before it.
//!
//! Equal beginnings give equal blocks, so that what prompts share is kept; without the key, which is thrown
//! away with this value, nobody can look a text up. It keeps no text. Invariant: a hash depends on the key
//! and on the tokens up to its block's end alone.

use crate::counter::TokenCounter;
use sha2::{Digest, Sha256};
use std::fmt;

/// Bits of a hash: what every reader of JSON takes for a whole number of 64 bits with a sign.
const BITS: u32 = 63;

/// Hashes the blocks of texts.
pub(super) struct BlockHasher<'c> {
    key: [u8; 32],
    block_tokens: u32,
    counter: &'c TokenCounter,
}

/// A text without its words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Hashed {
    /// Its tokens.
    pub tokens: u32,
    /// Its whole blocks; a last partial one has none.
    pub ids: Vec<u64>,
}

impl fmt::Debug for BlockHasher<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockHasher({} tokens)", self.block_tokens)
    }
}

impl<'c> BlockHasher<'c> {
    /// Blocks of `block_tokens` tokens (at least 1) under a secret `key`.
    pub fn new(key: [u8; 32], block_tokens: u32, counter: &'c TokenCounter) -> Self {
        Self {
            key,
            block_tokens: block_tokens.max(1),
            counter,
        }
    }

    /// The blocks of several texts in a row, the messages of a prompt say; `role` is part of each.
    pub fn blocks<'t>(&self, messages: impl Iterator<Item = (&'t str, &'t str)>) -> Hashed {
        let mut hashed = Hashed::default();
        let mut chain = Chain::new(self);
        for (role, text) in messages {
            chain.hasher.update(role.as_bytes());
            chain.hasher.update([0]);
            for token in self.counter.tokens(text) {
                hashed.tokens = hashed.tokens.saturating_add(1);
                hashed.ids.extend(chain.token(token));
            }
        }
        hashed
    }
}

/// A log's own hash under a secret key: of known texts it could be looked up. Nobody finds the key, or the
/// hash before, from some of these.
pub(super) fn keyed(key: &[u8; 32], block: u64) -> u64 {
    let mut hasher = Sha256::new();
    hasher.update(key);
    hasher.update(block.to_le_bytes());
    head(hasher)
}

fn head(hasher: Sha256) -> u64 {
    let digest: [u8; 32] = hasher.finalize().into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    u64::from_le_bytes([a, b, c, d, e, f, g, h]) >> (u64::BITS - BITS)
}

/// The hash of everything so far.
struct Chain {
    hasher: Sha256,
    block_tokens: u32,
    filled: u32,
}

impl Chain {
    fn new(of: &BlockHasher<'_>) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(of.key);
        Self {
            hasher,
            block_tokens: of.block_tokens,
            filled: 0,
        }
    }

    /// Takes a token; the block's hash where it ends with it.
    fn token(&mut self, token: u32) -> Option<u64> {
        self.hasher.update(token.to_le_bytes());
        self.filled += 1;
        if self.filled < self.block_tokens {
            return None;
        }
        self.filled = 0;
        Some(head(self.hasher.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::Tokenizer;

    #[test]
    fn a_logs_hash_is_keyed_by_the_whole_key() {
        let mut other = [7; 32];
        other[31] = 8;
        let one = keyed(&[7; 32], 1);
        assert_eq!(one, keyed(&[7; 32], 1));
        assert!(one != keyed(&other, 1) && one != keyed(&[7; 32], 2));
        assert_eq!(one >> 63, 0);
    }

    #[test]
    fn equal_beginnings_are_equal_blocks_under_one_key() {
        let counter = TokenCounter::load(&Tokenizer::open("o200k").expect("built in"));
        let counter = counter.expect("loads");
        let of = |key: u8, text: &str| {
            BlockHasher::new([key; 32], 4, &counter).blocks([("user", text)].into_iter())
        };
        let one = of(1, "one two three four five six seven eight nine");
        let other = of(1, "one two three four five six seven eighty nine ten");
        assert_eq!((one.tokens, one.ids.len()), (9, 2));
        assert_eq!(one.ids[0], other.ids[0]);
        assert_ne!(one.ids[1], other.ids[1]);
        assert_ne!(of(2, "one two three four").ids, one.ids[..1]);
        // The chain: an equal block behind another beginning is another block.
        let moved = of(1, "four three two one five six seven eight");
        assert_ne!(moved.ids[1], one.ids[1]);
        assert!(one.ids.iter().all(|id| id >> 63 == 0));
    }
}
