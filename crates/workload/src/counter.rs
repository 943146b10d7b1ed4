//! Counts the tokens of texts: of answers after the run, of what a proxy saw beside it.
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

    /// The tokens of `text` by number; none where a `tokenizer.json` cannot encode it.
    pub(crate) fn tokens(&self, text: &str) -> Vec<u32> {
        match &self.0 {
            Loaded::BuiltIn(bpe) => bpe.encode_ordinary(text),
            Loaded::File(file) => encode(file, text).unwrap_or_default(),
        }
    }

    /// The tokens of `text` by their numbers; none where a `tokenizer.json` cannot encode it.
    pub fn ids(&self, text: &str) -> Vec<u32> {
        match &self.0 {
            Loaded::BuiltIn(bpe) => bpe.encode_ordinary(text),
            Loaded::File(file) => encode(file, text).unwrap_or_default(),
        }
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
