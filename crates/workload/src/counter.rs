//! Counts the tokens of answers, after the run.
//!
//! It does not run while anything is measured: the built-in vocabularies take some 0.4 s and 50 MB
//! to load. Drop the counter when done.

use crate::tokenizer::{Tokenizer, TokenizerError, Vocabulary, encode};
use crate::vocabulary;
use std::fmt;
use std::sync::Arc;

/// Counts tokens of text under the run's tokenizer, special tokens excluded.
pub struct TokenCounter(Loaded);

enum Loaded {
    BuiltIn(Box<tiktoken_rs::CoreBPE>),
    File(Arc<tokenizers::Tokenizer>),
}

impl TokenCounter {
    /// Loads the vocabulary of `tokenizer`.
    ///
    /// # Errors
    /// When a built-in vocabulary does not load.
    pub fn load(tokenizer: &Tokenizer) -> Result<Self, TokenizerError> {
        Ok(Self(match &tokenizer.vocabulary {
            Vocabulary::File(file) => Loaded::File(Arc::clone(file)),
            Vocabulary::BuiltIn(which) => Loaded::BuiltIn(Box::new(vocabulary::load(*which)?)),
        }))
    }

    /// Number of tokens of `text`; 0 where a `tokenizer.json` cannot encode it.
    pub fn count(&self, text: &str) -> usize {
        match &self.0 {
            Loaded::BuiltIn(bpe) => bpe.encode_ordinary(text).len(),
            Loaded::File(file) => encode(file, text).map_or(0, |ids| ids.len()),
        }
    }
}

impl fmt::Debug for TokenCounter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Loaded::BuiltIn(_) => "TokenCounter(built-in)",
            Loaded::File(_) => "TokenCounter(file)",
        })
    }
}
