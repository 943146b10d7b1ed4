//! Texts as blocks of tokens, each known by a keyed hash of itself and of everything before it.
//!
//! It keeps no text. Invariant: a last block that is not full has no hash.

use crate::counter::TokenCounter;
use crate::keyed::BlockChain;

/// A text without its words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Hashed {
    /// Its tokens.
    pub tokens: u32,
    /// Its whole blocks.
    pub ids: Vec<u64>,
}

impl Hashed {
    /// Of several texts in a row, the messages of a prompt say, each with its role.
    pub fn of<'t>(
        messages: impl Iterator<Item = (&'t str, &'t str)>,
        mut chain: BlockChain,
        counter: &TokenCounter,
    ) -> Self {
        let mut hashed = Self::default();
        for (role, text) in messages {
            chain.speaker(role);
            for token in counter.tokens(text) {
                hashed.tokens = hashed.tokens.saturating_add(1);
                hashed.ids.extend(chain.token(token));
            }
        }
        hashed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyed::HashKey;
    use crate::tokenizer::Tokenizer;

    #[test]
    fn equal_beginnings_are_equal_blocks_and_the_last_one_has_to_be_full() {
        let counter = TokenCounter::load(&Tokenizer::open("o200k").expect("built in"));
        let counter = counter.expect("loads");
        let of = |text: &str| {
            let chain = BlockChain::new(&HashKey::new([1; 32]), 4);
            Hashed::of([("user", text)].into_iter(), chain, &counter)
        };
        let one = of("one two three four five six seven eight nine");
        let other = of("one two three four five six seven eighty nine ten");
        assert_eq!((one.tokens, one.ids.len()), (9, 2));
        assert_eq!(one.ids[0], other.ids[0]);
        assert_ne!(one.ids[1], other.ids[1]);
    }
}
