//! Lengths in tokens that a server does not tell, by a tokenizer that is loaded when the first one is needed.
//!
//! It runs on the observer's thread, never on one of the proxy's. Invariant: what it counts is labelled as counted, and
//! is never mixed with what a server said.

use super::question::{Question, Said};
use anyhow::Result;
use infermeter_client::tokens::settle_with_tokenizer;
use infermeter_core::record::RequestRecord;
use infermeter_workload::{TokenCounter, Tokenizer};
use std::fmt;

/// Counts tokens of texts.
pub(crate) struct Lengths {
    tokenizer: Tokenizer,
    counter: Option<TokenCounter>,
}

impl fmt::Debug for Lengths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lengths({})", self.tokenizer.name())
    }
}

impl Lengths {
    /// By a tokenizer of this name or file.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn by(name: &str) -> Result<Self> {
        Ok(Self {
            tokenizer: Tokenizer::open(name)?,
            counter: None,
        })
    }

    /// Loads the vocabulary now. Later it would hold up the observer for a second, and where it does not load, blocks
    /// would be absent without a word.
    ///
    /// # Errors
    /// When it does not load.
    pub(crate) fn load(&mut self) -> Result<()> {
        self.counter = Some(TokenCounter::load(&self.tokenizer)?);
        Ok(())
    }

    /// The tokenizer's identity.
    pub(crate) fn identity(&self) -> &str {
        self.tokenizer.identity()
    }

    /// Token ids of a text; none where the vocabulary does not load.
    pub(crate) fn ids(&mut self, text: &str) -> Vec<u32> {
        self.counter()
            .map(|counter| counter.ids(text))
            .unwrap_or_default()
    }

    /// Tokens of a prompt's texts.
    pub(crate) fn prompt(&mut self, said: &[Said]) -> Option<u32> {
        let counter = self.counter()?;
        let tokens: usize = said.iter().map(|said| counter.count(&said.text)).sum();
        u32::try_from(tokens).ok()
    }

    /// Fills in what the server did not say, and what was asked for, and takes the answer's texts out of the record.
    pub(crate) fn complete(&mut self, record: &mut RequestRecord, question: &Question) -> Texts {
        if record.texts.is_some()
            && record.output_tokens.is_none()
            && let Some(counter) = self.counter()
        {
            settle_with_tokenizer(record, &mut |text| counter.count(text));
        }
        record.requested_prompt_tokens = match record.prompt_tokens {
            Some(tokens) => tokens,
            None => self.prompt(&question.said).unwrap_or(0),
        };
        if question.output_tokens.is_none() {
            let came = record.output_token_count().unwrap_or(0);
            record.requested_output_tokens = u32::try_from(came).unwrap_or(u32::MAX);
        }
        Texts(
            record
                .texts
                .take()
                .map_or_else(Vec::new, |texts| texts.bytes),
        )
    }

    fn counter(&mut self) -> Option<&TokenCounter> {
        if self.counter.is_none() {
            self.counter = TokenCounter::load(&self.tokenizer).ok();
        }
        self.counter.as_ref()
    }
}

/// The text of an answer; it goes no further than memory.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Texts(pub(crate) Vec<u8>);
