//! Hashes under a secret key, and prompts as chains of them: what begins alike is seen to begin alike, and nobody can
//! look a text up.
//!
//! It counts no tokens and keeps no text. Invariants: a block's hash depends on the key, on who speaks and on the tokens
//! up to its end alone; the key is in no output.

use sha2::{Digest, Sha256};
use std::fmt;

/// Bits of a hash: what every reader of JSON takes for a whole number of 64 bits with a sign.
const BITS: u32 = 63;

/// Marks the beginning of a message: no token has this number.
const MESSAGE: u32 = u32::MAX;

/// A secret that is in memory alone. Throw it away.
#[derive(Clone)]
pub struct HashKey([u8; 32]);

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(***)")
    }
}

impl HashKey {
    /// Of random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest of parts, each with its length.
    pub fn digest(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut hasher = self.hasher();
        for part in parts {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        hasher.finalize().into()
    }

    /// A hash that somebody else made: of known texts it could be looked up. Nobody finds the key, or the hash before,
    /// from some of these.
    pub(crate) fn again(&self, hash: u64) -> u64 {
        head(self.hasher().chain_update(hash.to_le_bytes()))
    }

    fn hasher(&self) -> Sha256 {
        Sha256::new_with_prefix(self.0)
    }
}

/// A prompt's blocks, one after the other.
#[derive(Debug)]
pub struct BlockChain {
    hasher: Sha256,
    block_tokens: u32,
    filled: u32,
}

impl BlockChain {
    /// Of blocks of `block_tokens` tokens (at least 1).
    pub fn new(key: &HashKey, block_tokens: u32) -> Self {
        Self {
            hasher: key.hasher(),
            block_tokens: block_tokens.max(1),
            filled: 0,
        }
    }

    /// What follows is said by `role`.
    pub fn speaker(&mut self, role: &str) {
        self.hasher.update(MESSAGE.to_le_bytes());
        self.hasher.update(role.as_bytes());
        self.hasher.update([0]);
    }

    /// Takes a token; the block's hash where it ends with it.
    pub fn token(&mut self, token: u32) -> Option<u64> {
        self.hasher.update(token.to_le_bytes());
        self.filled += 1;
        if self.filled < self.block_tokens {
            return None;
        }
        self.filled = 0;
        Some(head(self.hasher.clone()))
    }

    /// The hash of a last block that is not full; absent where there is none.
    pub fn rest(&self) -> Option<u64> {
        (self.filled > 0).then(|| head(self.hasher.clone()))
    }
}

fn head(hasher: Sha256) -> u64 {
    let digest: [u8; 32] = hasher.finalize().into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    u64::from_le_bytes([a, b, c, d, e, f, g, h]) >> (u64::BITS - BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(key: u8, parts: &[(&str, &[u32])]) -> Vec<u64> {
        let mut chain = BlockChain::new(&HashKey::new([key; 32]), 4);
        let mut ids = Vec::new();
        for (role, tokens) in parts {
            chain.speaker(role);
            ids.extend(tokens.iter().filter_map(|token| chain.token(*token)));
        }
        ids.extend(chain.rest());
        ids
    }

    #[test]
    fn what_begins_alike_shares_exactly_its_whole_blocks() {
        let system = ("system", [0, 1, 2, 3, 4, 5].as_slice());
        let one = blocks(1, &[system, ("user", &[10, 11, 12, 13, 14])]);
        let other = blocks(1, &[system, ("user", &[10, 11, 12]), ("user", &[0, 1, 2])]);
        assert_eq!(one.len(), 3);
        assert_eq!(one[..2], other[..2]);
        assert_ne!(one[2], other[2]);
        assert!(one.iter().all(|id| id >> 63 == 0));
        // An equal block behind another beginning is another block.
        let moved = |first: u32| blocks(1, &[("user", &[first, 2, 3, 4, 5, 6, 7, 8])])[1];
        assert_ne!(moved(1), moved(9));
    }

    #[test]
    fn who_says_it_and_the_whole_key_count() {
        let said = |key: u8, role: &str| blocks(key, &[(role, &[0, 1, 2, 3])]);
        assert_ne!(said(1, "user"), said(1, "system"));
        assert_ne!(said(1, "user"), said(2, "user"));
        let mut other = [7; 32];
        other[31] = 8;
        let (key, other) = (HashKey::new([7; 32]), HashKey::new(other));
        assert_eq!(key.again(1), key.again(1));
        assert!(key.again(1) != other.again(1) && key.again(1) != key.again(2));
        assert_ne!(key.digest(&[b"ab", b"c"]), key.digest(&[b"a", b"bc"]));
    }
}
