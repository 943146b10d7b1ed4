//! Where the numbers of tokens per chunk come from (measurement.md, "Events, chunks, tokens"):
//! continuous usage, token ids or log probabilities, one per chunk where the final usage says so,
//! and, after the run, a tokenizer. The first source whose sum agrees with the server's usage is
//! taken; none is ever assumed.
//!
//! Invariant: either every chunk of a row has its number of tokens, or none has.

use infermeter_core::finish::FinishReason;
use infermeter_core::record::{Chunk, RequestRecord, TokenSource};

/// The answer was ended by a token that no chunk shows: a chunk sum one below usage is agreement.
pub(crate) fn has_hidden_end(finish_reason: Option<&str>) -> bool {
    finish_reason.is_some_and(|word| FinishReason::of(word).has_hidden_end())
}

/// What one event says about its number of tokens.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct EventTokens {
    /// `usage.completion_tokens` of the event.
    pub(crate) usage: Option<u32>,
    /// Length of its token ids, else of its log probabilities.
    pub(crate) ids: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Candidate {
    /// No chunk yet.
    #[default]
    Open,
    Usage,
    Ids,
    Neither,
}

/// Counts tokens while chunks come. The first chunk decides which source is a candidate; a later
/// chunk that lacks it ends the candidacy.
#[derive(Debug, Default)]
pub(crate) struct TokenTally {
    candidate: Candidate,
    /// `usage.completion_tokens` up to the last chunk.
    accounted: u32,
}

impl TokenTally {
    /// Rise of usage since the last chunk.
    pub(crate) fn rise(&self, usage: Option<u32>) -> u32 {
        usage.unwrap_or(0).saturating_sub(self.accounted)
    }

    /// Notes a chunk; its tokens as far as known now.
    #[inline]
    pub(crate) fn chunk(&mut self, tokens: EventTokens) -> u32 {
        if self.candidate == Candidate::Open {
            self.candidate = match tokens {
                EventTokens { usage: Some(_), .. } => Candidate::Usage,
                EventTokens { ids: Some(_), .. } => Candidate::Ids,
                _ => Candidate::Neither,
            };
        }
        let rise = self.rise(tokens.usage);
        self.accounted = self.accounted.max(tokens.usage.unwrap_or(0));
        let known = match self.candidate {
            Candidate::Usage => tokens.usage.map(|_| rise),
            Candidate::Ids => tokens.ids,
            Candidate::Open | Candidate::Neither => None,
        };
        known.unwrap_or_else(|| {
            self.candidate = Candidate::Neither;
            Chunk::TOKENS_UNKNOWN
        })
    }

    /// Settles the chunks' tokens once no more will come. `None` when there are no chunks.
    pub(crate) fn settle(
        &self,
        chunks: &mut [Chunk],
        usage: Option<u32>,
        finish_reason: Option<&str>,
    ) -> Option<TokenSource> {
        let count = chunks.len() as u64;
        if count == 0 {
            return None;
        }
        let agrees = |sum: u64| agree(sum, usage, finish_reason);
        let sum = || chunks.iter().map(|c| u64::from(c.tokens)).sum();
        match self.candidate {
            Candidate::Usage if agrees(sum()) => return Some(TokenSource::ContinuousUsage),
            Candidate::Ids if usage.is_none() || agrees(sum()) => {
                return Some(TokenSource::TokenIds);
            }
            _ => {}
        }
        let (tokens, source) = if agrees(count) {
            (1, TokenSource::OnePerChunk)
        } else {
            (Chunk::TOKENS_UNKNOWN, TokenSource::Unknown)
        };
        for chunk in chunks {
            chunk.tokens = tokens;
        }
        Some(source)
    }
}

/// The chunks' sum is what usage says, the hidden end token aside.
fn agree(sum: u64, usage: Option<u32>, finish_reason: Option<&str>) -> bool {
    usage
        .map(u64::from)
        .is_some_and(|usage| sum == usage || (sum + 1 == usage && has_hidden_end(finish_reason)))
}

/// A tokenizer may settle this row: it has texts, and their tokens are unknown.
pub fn needs_tokenizer(record: &RequestRecord) -> bool {
    let uncounted = match record.token_source {
        Some(TokenSource::Unknown) => true,
        None => record.output_tokens.is_none(),
        Some(_) => false,
    };
    uncounted && record.texts.as_ref().is_some_and(|t| !t.bytes.is_empty())
}

/// Counts the texts of a row that [`needs_tokenizer`]; other rows are left as they are. Where the server
/// gives usage, each chunk's text is counted on its own, and the counts are taken only if their sum agrees
/// with it (or is one below it where a hidden token ended the answer). Where it gives none, the text as a
/// whole is counted, as an estimate of the answer's length that says nothing about its chunks. Meant for
/// after the run: it tokenises.
pub fn settle_with_tokenizer(record: &mut RequestRecord, count: &mut dyn FnMut(&str) -> usize) {
    if !needs_tokenizer(record) {
        return;
    }
    let Some(texts) = &record.texts else { return };
    if record.output_tokens.is_none() {
        let tokens = count(&String::from_utf8_lossy(&texts.bytes));
        record.estimated_output_tokens = u32::try_from(tokens).ok();
        record.token_source = Some(TokenSource::Estimated);
        return;
    }
    let counts: Vec<u32> = (0..record.chunks.len())
        .map(|i| u32::try_from(count(texts.get(i))).unwrap_or(u32::MAX))
        .collect();
    let sum = counts.iter().map(|n| u64::from(*n)).sum();
    if !agree(sum, record.output_tokens, record.finish_reason.as_deref()) {
        return;
    }
    for (chunk, tokens) in record.chunks.iter_mut().zip(counts) {
        chunk.tokens = tokens;
    }
    record.token_source = Some(TokenSource::Tokenizer);
}
