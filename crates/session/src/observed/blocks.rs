//! A prompt as hashes of its blocks of tokens: which prompts begin alike, and nothing of what they say.
//!
//! It counts no tokens. Invariant: hashes are no more than the prompt has room for, by the server's count.

use infermeter_workload::{BlockChain, HashKey};

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
    pub(crate) fn of(key: &HashKey, parts: &[Part], block_tokens: u32) -> Self {
        let mut chain = BlockChain::new(key, block_tokens);
        let mut all = Self::default();
        for part in parts {
            chain.speaker(&part.role);
            for id in &part.ids {
                all.tokens = all.tokens.saturating_add(1);
                all.ids.extend(chain.token(*id));
            }
        }
        all.ids.extend(chain.rest());
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

    #[test]
    fn hashes_fit_the_length_that_the_server_counted() {
        let part = Part {
            role: "user".to_owned(),
            ids: (0..10).collect(),
        };
        let within = |tokens: u32| {
            let key = HashKey::new([1; 32]);
            let all = PromptBlocks::of(&key, std::slice::from_ref(&part), 4);
            assert_eq!((all.ids.len(), all.tokens), (3, 10));
            all.within(tokens, 4).len()
        };
        assert_eq!(
            [within(10), within(12), within(40), within(8), within(3)],
            [3, 2, 2, 2, 1]
        );
    }
}
