//! Where the numbers of tokens per chunk come from (measurement.md, "Events, chunks, tokens"):
//! continuous usage, token ids or log probabilities, one per chunk where the final usage says so,
//! and, after the run, a tokenizer. The first source whose sum agrees with the server's usage is
//! taken; none is ever assumed.
//!
//! Invariant: either every chunk of a row has its number of tokens, or none has.

use infermeter_core::record::{Chunk, RequestRecord, TokenSource};

/// Tokens that may end an answer without a chunk of their own: a chunk sum one below usage is
/// agreement for these `finish_reason`s.
const HIDDEN_END: [&str; 5] = [
    "stop",
    "tool_calls",
    "function_call",
    "eos_token",
    "stop_sequence",
];

/// The answer was ended by a token that no chunk shows.
pub(crate) fn has_hidden_end(finish_reason: Option<&str>) -> bool {
    finish_reason.is_some_and(|reason| HIDDEN_END.contains(&reason))
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

/// Counts the chunks of a row whose source is unknown with a tokenizer, each chunk's text on its
/// own; the counts are taken only if their sum agrees with the server's usage (or is one below it
/// where a hidden token ended the answer). Rows with another source, without texts or without
/// usage are left as they are. Meant for after the run: it tokenises.
pub fn settle_with_tokenizer(record: &mut RequestRecord, count: &mut dyn FnMut(&str) -> usize) {
    let Some(texts) = &record.texts else { return };
    if record.token_source != Some(TokenSource::Unknown) || record.output_tokens.is_none() {
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
