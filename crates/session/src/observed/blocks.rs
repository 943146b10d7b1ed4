//! A prompt as hashes of its blocks of tokens: which prompts begin alike, and nothing of what they say.
//!
//! It counts no tokens. Invariants: a block's hash covers everything up to its end, and who says it; it is keyed with
//! random bytes that are in no file, so that a guess at a text cannot be checked.

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fmt;
use std::fs::File;
use std::io::Read;

/// Bits of a hash that are kept: what every reader of JSON keeps exactly. Of 2^26 blocks, a billion tokens at 16 each,
/// two would be taken for one with a chance of a half.
const BITS: u32 = 52;

/// Marks the beginning of a message: no token has this number.
const MESSAGE: u32 = u32::MAX;

/// A random key, in memory alone.
pub(crate) struct Key([u8; 32]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(***)")
    }
}

impl Key {
    /// A fresh one.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub(crate) fn random() -> Result<Self> {
        let mut bytes = [0; 32];
        File::open("/dev/urandom")
            .and_then(|mut source| source.read_exact(&mut bytes))
            .context("/dev/urandom cannot be read")?;
        Ok(Self(bytes))
    }

    /// The digest of parts, each with its length.
    pub(crate) fn digest(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(self.0);
        for part in parts {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(&hasher.finalize());
        digest
    }

    #[cfg(test)]
    pub(crate) fn fixed(byte: u8) -> Self {
        Self([byte; 32])
    }
}

/// The first bits of a digest as a number.
pub(crate) fn number(digest: &[u8; 32]) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(first) >> (64 - BITS)
}

/// One message's tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) role: String,
    pub(crate) ids: Vec<u32>,
}

/// A prompt in blocks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PromptBlocks {
    /// A hash for each block, the last of which may be partial.
    pub(crate) ids: Vec<u64>,
    /// Tokens of all parts.
    pub(crate) tokens: u32,
}

impl PromptBlocks {
    /// Those of parts, in order.
    pub(crate) fn of(key: &Key, parts: &[Part], block_tokens: u32) -> Self {
        let mut chain = [0; 32];
        let (mut bytes, mut held) = (Vec::new(), 0);
        let mut all = Self::default();
        let mut end = |bytes: &mut Vec<u8>, ids: &mut Vec<u64>| {
            chain = key.digest(&[chain.as_slice(), bytes.as_slice()]);
            ids.push(number(&chain));
            bytes.clear();
        };
        for part in parts {
            bytes.extend_from_slice(&MESSAGE.to_le_bytes());
            bytes.extend_from_slice(part.role.as_bytes());
            bytes.push(0);
            for id in &part.ids {
                bytes.extend_from_slice(&id.to_le_bytes());
                held += 1;
                all.tokens = all.tokens.saturating_add(1);
                if held == block_tokens {
                    end(&mut bytes, &mut all.ids);
                    held = 0;
                }
            }
        }
        if held > 0 {
            end(&mut bytes, &mut all.ids);
        }
        all
    }

    /// The hashes for a prompt that has `tokens` by the server's count: no more than it has room for, and no partial
    /// block in the middle of it.
    pub(crate) fn within(mut self, tokens: u32, block_tokens: u32) -> Vec<u64> {
        let partial = !self.tokens.is_multiple_of(block_tokens);
        if partial && tokens > self.tokens {
            self.ids.pop();
        }
        self.ids.truncate(tokens.div_ceil(block_tokens) as usize);
        self.ids
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(role: &str, ids: std::ops::Range<u32>) -> Part {
        Part {
            role: role.to_owned(),
            ids: ids.collect(),
        }
    }

    fn blocks(parts: &[Part]) -> Vec<u64> {
        PromptBlocks::of(&Key::fixed(1), parts, 4).ids
    }

    #[test]
    fn what_begins_alike_shares_exactly_its_whole_blocks() {
        let one = blocks(&[part("system", 0..6), part("user", 10..15)]);
        let other = blocks(&[
            part("system", 0..6),
            part("user", 10..13),
            part("user", 0..3),
        ]);
        assert_eq!(one.len(), 3);
        assert_eq!(one[..2], other[..2]);
        assert_ne!(one[2], other[2]);
        let longer = blocks(&[
            part("system", 0..6),
            part("user", 10..15),
            part("assistant", 0..9),
        ]);
        assert_eq!(one[..2], longer[..2]);
    }

    #[test]
    fn who_says_it_and_the_key_count() {
        let said = |role: &str| blocks(&[part(role, 0..4)]);
        assert_ne!(said("user"), said("system"));
        let with = |key: &Key| PromptBlocks::of(key, &[part("user", 0..4)], 4).ids;
        assert_ne!(with(&Key::fixed(1)), with(&Key::fixed(2)));
        assert_ne!(
            with(&Key::random().expect("a key")),
            with(&Key::random().expect("a key"))
        );
        assert!(said("user").iter().all(|id| *id < 1 << 52));
    }

    #[test]
    fn hashes_fit_the_length_that_the_server_counted() {
        let within = |tokens: u32| {
            let all = PromptBlocks::of(&Key::fixed(1), &[part("user", 0..10)], 4);
            assert_eq!((all.ids.len(), all.tokens), (3, 10));
            all.within(tokens, 4).len()
        };
        assert_eq!(
            [within(10), within(12), within(40), within(8), within(3)],
            [3, 2, 2, 2, 1]
        );
    }
}
