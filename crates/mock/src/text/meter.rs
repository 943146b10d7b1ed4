//! Counts a prompt while it is read, and hashes it: whole, and by blocks of the KV cache.
//!
//! The text is not stored. Invariants: the digest is a function of the runs alone, not of the
//! pieces they were given in as long as a piece ends where a run ends; a block's hash covers
//! everything up to its end.

use super::{Class, run_at, run_tokens};
use infermeter_core::seed::splitmix64;

/// What is wanted of a prompt besides its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    /// The number of tokens.
    Tokens,
    /// Also a hash for each full block, for at most `limit` blocks.
    Blocks {
        /// Tokens per block, at least 1.
        size: u32,
        /// Blocks kept; further ones are left out.
        limit: usize,
        /// Changes every hash: prompts of different salts share no block.
        salt: u64,
    },
}

/// Counts and hashes tokens in order.
#[derive(Debug)]
pub(crate) struct Meter {
    tokens: u32,
    digest: u64,
    /// Digest of white space that belongs to the next run.
    space: u64,
    /// Behind template tokens, where white space is trimmed.
    trims: bool,
    /// Tokens to the end of the current block.
    left: u32,
    size: u32,
    limit: usize,
    salt: u64,
    blocks: Vec<u64>,
}

/// The golden ratio's fraction, an odd number with no pattern in its bits.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

#[inline]
fn mixed(digest: u64, value: u64) -> u64 {
    let product = (digest ^ value).wrapping_mul(FACTOR);
    product ^ (product >> 29)
}

/// A digest of a run's bytes.
#[inline]
fn run_digest(bytes: &[u8]) -> u64 {
    let mut digest = bytes.len() as u64;
    for piece in bytes.chunks(8) {
        let word = piece
            .iter()
            .fold(0, |word, byte| word << 8 | u64::from(*byte));
        digest = mixed(digest, word);
    }
    digest
}

impl Meter {
    /// At the beginning of a prompt.
    pub fn new(counted: Counted) -> Self {
        let (size, limit, salt) = match counted {
            Counted::Tokens => (u32::MAX, 0, 0),
            Counted::Blocks { size, limit, salt } => (size.max(1), limit, salt),
        };
        Self {
            tokens: 0,
            digest: 0,
            space: 0,
            trims: false,
            left: size,
            size,
            limit,
            salt,
            blocks: Vec::new(),
        }
    }

    /// Tokens so far.
    pub fn tokens(&self) -> u32 {
        self.tokens
    }

    /// Digest of everything so far; the salt has no part in it.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Whether block hashes are wanted.
    pub fn makes_blocks(&self) -> bool {
        self.limit > 0
    }

    /// The hashes of the full blocks.
    pub fn into_blocks(self) -> Vec<u64> {
        self.blocks
    }

    /// One token given by its id.
    #[inline]
    pub fn id(&mut self, id: u64) {
        self.tokens = self.tokens.saturating_add(1);
        self.digest = mixed(self.digest, id);
        self.left -= 1;
        if self.left == 0 {
            self.left = self.size;
            if self.blocks.len() < self.limit {
                self.blocks.push(splitmix64(self.digest ^ self.salt));
            }
        }
    }

    /// Tokens of the chat template, told apart by a label. White space at either side is dropped,
    /// as templates trim what they are given.
    pub fn template(&mut self, tokens: u32, label: u64) {
        self.space = 0;
        self.trims = true;
        self.digest = mixed(self.digest, label);
        for place in 0..u64::from(tokens) {
            self.id(label.wrapping_add(place));
        }
    }

    /// A text.
    pub fn text(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let (class, end) = run_at(bytes, at);
            let digest = run_digest(&bytes[at..end]);
            if class == Class::Space {
                if !self.trims {
                    self.space = mixed(self.space, digest);
                }
            } else {
                let id = digest ^ std::mem::take(&mut self.space).rotate_left(32);
                self.trims = false;
                for place in 0..run_tokens(class, end - at) as u64 {
                    self.id(id.wrapping_add(place));
                }
            }
            at = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Speech;

    fn blocks_of(text: &str, salt: u64) -> Vec<u64> {
        let mut meter = Meter::new(Counted::Blocks {
            size: 4,
            limit: 100,
            salt,
        });
        meter.text(text);
        meter.into_blocks()
    }

    fn digest(text: &str) -> u64 {
        let mut meter = Meter::new(Counted::Tokens);
        meter.text(text);
        meter.digest()
    }

    #[test]
    fn the_digest_tells_texts_apart() {
        for (one, other) in [
            ("one two", "one six"),
            ("table", "tuple"),
            ("bx", "cX"),
            ("the of", "theof"),
            ("the of", "the  of"),
            ("abcdefghi", "ibcdefgha"),
        ] {
            assert_ne!(digest(one), digest(other), "{one}, {other}");
        }
        assert_eq!(digest("one two"), digest("one two"));
    }

    #[test]
    fn equal_beginnings_share_exactly_their_full_blocks() {
        let common = " a b c d e f g h i j";
        let one = blocks_of(&format!("{common} k l m n"), 0);
        let other = blocks_of(&format!("{common} x l m n"), 0);
        assert_eq!((one.len(), other.len()), (3, 3));
        assert_eq!(one[..2], other[..2]);
        assert_ne!(one[2], other[2]);
        assert!(blocks_of(common, 0) == one[..2]);
        let salted = blocks_of(common, 1);
        assert!(salted.iter().zip(&one).all(|(a, b)| a != b));
    }

    #[test]
    fn words_given_one_by_one_hash_as_their_text() {
        let mut speech = Speech::of(3);
        let words: Vec<&str> = (0..40).map(|_| speech.next_word()).collect();
        let mut one_by_one = Meter::new(Counted::Blocks {
            size: 4,
            limit: 100,
            salt: 0,
        });
        for word in &words {
            one_by_one.text(word);
        }
        assert_eq!(one_by_one.into_blocks(), blocks_of(&words.concat(), 0));
    }

    #[test]
    fn the_template_trims_what_it_wraps() {
        let wrapped = |text: &str| {
            let mut meter = Meter::new(Counted::Tokens);
            meter.template(2, 7);
            meter.text(text);
            meter.template(1, 9);
            (meter.tokens(), meter.digest())
        };
        assert_eq!(wrapped(" the of \t"), wrapped("the of"));
        assert_ne!(wrapped("the of"), wrapped("theof"));
        assert_eq!(wrapped("the of").0, 5);
    }

    #[test]
    fn blocks_have_a_limit() {
        let mut meter = Meter::new(Counted::Blocks {
            size: 1,
            limit: 3,
            salt: 0,
        });
        meter.text(&" a".repeat(10));
        assert_eq!(meter.tokens(), 10);
        assert_eq!(meter.into_blocks().len(), 3);
    }
}
