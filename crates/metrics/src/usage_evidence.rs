//! Whether the text that came bears the server's usage out.
//!
//! Two witnesses beside usage: the number of chunks, which carry one token at least, and the text, counted
//! by a tokenizer. More tokens than chunks are no lie by themselves (speculation, stream intervals): then
//! the text decides. Answers whose usage is one token per chunk need no witness. Does not judge the run.
//! Invariant: an answer is held against usage only where each witness that there is contradicts it.

use crate::facts::RequestFacts;
use crate::population::Population;
use infermeter_core::finish::FinishReason;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Tokens that an answer may have without text: those that begin and end messages, channels and roles.
const UNSEEN_TOKENS: f64 = 6.0;

/// Texts with fewer tokens are no witness: a few unseen ones would be a large share.
const LEAST_TEXT: u32 = 16;

/// Whose tokenizer counted the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextCount {
    /// One that the plan names: the model's own.
    Own,
    /// A built-in one.
    Other,
}

impl TextCount {
    /// Usage beyond so many times the text's tokens (or below by as much) is contradicted. Another tokenizer than the
    /// server's is off by some 30 % either way; a lie is a factor of two. The model's own cuts a text otherwise than it
    /// was generated at a few places only.
    fn factor(self) -> f64 {
        match self {
            Self::Own => 1.25,
            Self::Other => 1.6,
        }
    }
}

/// Usage against chunks and text, over the completed measured requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageEvidence {
    /// Answers with a usage.
    pub with_usage: u64,
    /// Of those, that claim more tokens than their text has.
    pub claims_more: u64,
    /// Of those, that claim fewer.
    pub claims_less: u64,
    /// Tokens that these two claim.
    pub claimed_tokens: u64,
    /// Tokens of their text.
    pub text_tokens: u64,
    /// Their chunks.
    pub chunks: u64,
    /// Streams, whatever usage says.
    pub streams: u64,
    /// Of those, whose chunks came twice.
    pub duplicated: u64,
    /// Chunks of these that repeat the one before.
    pub repeated_chunks: u64,
}

/// What witnesses say of one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Agrees,
    More,
    Less,
    Duplicated,
}

/// Asks the witnesses of a population.
pub fn usage_evidence(population: &Population<'_>, count: TextCount) -> UsageEvidence {
    let mut found = UsageEvidence::default();
    for request in population.completed() {
        found.with_usage += u64::from(request.output_tokens.is_some());
        found.streams += u64::from(request.chunks.count > 0);
        match word(request, count) {
            Word::Agrees => {}
            Word::Duplicated => {
                found.duplicated += 1;
                found.repeated_chunks += u64::from(request.repeated_chunks.unwrap_or(0));
            }
            word @ (Word::More | Word::Less) => {
                let more = word == Word::More;
                found.claims_more += u64::from(more);
                found.claims_less += u64::from(!more);
                found.claimed_tokens += u64::from(request.output_tokens.unwrap_or(0));
                found.text_tokens += u64::from(request.text_tokens.unwrap_or(0));
                found.chunks += request.chunks.count as u64;
            }
        }
    }
    found
}

fn word(request: &RequestFacts, count: TextCount) -> Word {
    let chunks = request.chunks.count as f64;
    if is_duplicated(request) {
        return Word::Duplicated;
    }
    // A call's wrapping is no text.
    let call = request.chunks.tool_call || request.finish == Some(FinishReason::ToolCalls);
    let text = request.text_tokens.filter(|text| *text >= LEAST_TEXT);
    let (Some(usage), Some(text), false) = (request.output_tokens, text, call) else {
        return Word::Agrees;
    };
    let hidden = match request.chunks.reasoning {
        true => 0,
        // Counted, never shown.
        false => request.reasoning_tokens.unwrap_or(0),
    };
    let usage = f64::from(usage.saturating_sub(hidden));
    let (text, factor) = (f64::from(text), count.factor());
    // Text of about a token a chunk: a tokenizer that cuts otherwise would cut the chunks otherwise, too.
    let one_each = chunks == 0.0 || count == TextCount::Own || text <= 1.3 * chunks;
    if usage > factor * text + UNSEEN_TOKENS && usage > chunks && one_each {
        Word::More
    } else if text > factor * usage + UNSEEN_TOKENS
        && !request.chunks.reasoning
        && (chunks > factor * usage || (chunks == 0.0 && count == TextCount::Own))
    {
        Word::Less
    } else {
        Word::Agrees
    }
}

/// Chunks came twice: without the repetitions there are no more than usage has tokens (a model repeats a word
/// at times, too), or, where there is no usage, every second one repeats the one before.
fn is_duplicated(request: &RequestFacts) -> bool {
    let chunks = request.chunks.count as u64;
    let repeated = u64::from(request.repeated_chunks.unwrap_or(0));
    match request.output_tokens.map(u64::from) {
        Some(usage) => {
            let once = chunks.saturating_sub(repeated);
            10 * repeated >= chunks && chunks > usage + 1 && once <= usage + 1 + usage / 50
        }
        None => chunks >= 8 && (2 * chunks..=3 * chunks).contains(&(5 * repeated)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Run, facts, ms};

    /// An answer of so many chunks, tokens by usage, tokens of text, repeated chunks.
    fn check(chunks: u32, usage: Option<u32>, text: u32, repeated: u32, expect: Word) {
        let mut run = Run::open(1.0, 10);
        run.stream(0, ms(20), ms(10), chunks);
        let record = &mut run.records()[0];
        record.output_tokens = usage;
        (record.text_tokens, record.repeated_chunks) = (Some(text), Some(repeated));
        let facts = facts(&run.build());
        assert_eq!(word(&facts.requests[0], TextCount::Other), expect);
    }

    #[test]
    fn each_witness_has_a_word() {
        // Half the tokens sent, all claimed; and usage doubled.
        check(50, Some(100), 50, 0, Word::More);
        check(50, Some(100), 40, 0, Word::More);
        // A stream interval of 2, and drafts, under any tokenizer within limits.
        for text in [63, 100, 160, 250] {
            check(50, Some(100), text, 0, Word::Agrees);
        }
        // A tokenizer that cuts less finely, where chunks say that it does.
        check(30, Some(100), 50, 0, Word::Agrees);
        // Usage halved.
        check(100, Some(50), 100, 0, Word::Less);
        check(100, Some(50), 60, 0, Word::Agrees);
        // Twice each.
        check(100, Some(50), 100, 50, Word::Duplicated);
        check(100, Some(50), 100, 5, Word::Less);
        check(100, None, 100, 50, Word::Duplicated);
        // "ha ha ha": as many chunks as tokens, or nobody says.
        check(100, Some(100), 100, 99, Word::Agrees);
        check(100, None, 100, 99, Word::Agrees);
    }
}
