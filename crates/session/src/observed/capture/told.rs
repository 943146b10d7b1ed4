//! What a capture holds and what it does not, in counts.
//!
//! Invariant: every request that went through is in a row, or in one of these counts.

use super::super::answer::Unread;
use super::super::conversation::Conversations;
use super::{CaptureAsk, KeptTexts};
use infermeter_core::record::{Outcome, RequestRecord, TokenSource};
use infermeter_core::run::FORMAT_VERSION;
use infermeter_proxy::Counts;
use infermeter_workload::Row;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) other_paths: u64,
    pub(super) not_kept: u64,
    pub(super) cut_off: u64,
    pub(super) not_understood: u64,
    pub(super) not_written: u64,
    unread: BTreeMap<Unread, u64>,
    rows: u64,
    completed: u64,
    going_on: u64,
    estimated_prompts: u64,
    estimated_answers: u64,
    without_answer_length: u64,
    input_tokens: u64,
    output_tokens: u64,
    cached_tokens: u64,
    first_ns: Option<i64>,
    last_ns: i64,
}

impl Told {
    pub(super) fn unread(&mut self, why: Unread) {
        *self.unread.entry(why).or_default() += 1;
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    pub(super) fn row(&mut self, record: &RequestRecord, row: &Row) {
        self.rows += 1;
        self.completed += u64::from(record.outcome == Outcome::Completed);
        self.going_on += u64::from(row.parent.is_some());
        self.estimated_prompts += u64::from(record.prompt_tokens.is_none());
        let estimated = record.token_source == Some(TokenSource::Estimated);
        self.estimated_answers += u64::from(estimated);
        self.without_answer_length += u64::from(row.output_tokens.is_none());
        self.input_tokens += u64::from(row.input_tokens.unwrap_or(0));
        self.output_tokens += record.output_token_count().unwrap_or(0);
        self.cached_tokens += u64::from(record.cached_tokens.unwrap_or(0));
        let at = record.intended.0;
        self.first_ns = Some(self.first_ns.map_or(at, |first| first.min(at)));
        self.last_ns = self.last_ns.max(at);
    }
}

/// Requests that are in no row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NotCaptured {
    /// Why.
    pub why: String,
    /// How many.
    pub requests: u64,
}

/// What a capture is: `capture.json`, and what `record --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Captured {
    /// Version of the format.
    pub format_version: u32,
    /// Version of infermeter.
    pub infermeter_version: String,
    /// Where the requests went, without secrets.
    pub target: String,
    /// What is kept of texts.
    pub texts: KeptTexts,
    /// The tokenizer of blocks, and of lengths that the server does not tell.
    pub tokenizer: String,
    /// Tokens of a block; absent without hashes.
    pub block_tokens: Option<u32>,
    /// Rows.
    pub rows: u64,
    /// Rows of requests that completed.
    pub completed: u64,
    /// From the first request to the last, seconds; absent without a row.
    pub seconds: Option<f64>,
    /// Conversations, those of one request among them.
    pub sessions: u64,
    /// Rows that go on with another one.
    pub going_on: u64,
    /// Tokens of all prompts.
    pub input_tokens: u64,
    /// Tokens of all answers.
    pub output_tokens: u64,
    /// Prompt tokens that the server found in its cache, by its own account.
    pub cached_tokens: u64,
    /// Prompts whose length is the tokenizer's count, as the server told none.
    pub estimated_prompts: u64,
    /// Answers whose length is the tokenizer's count.
    pub estimated_answers: u64,
    /// Rows without an answer's length: a replay draws it.
    pub without_answer_length: u64,
    /// Requests that are in no row.
    pub left_out: Vec<NotCaptured>,
    /// Answers that were forgotten before anybody could go on with them, two for each.
    pub forgotten: u64,
}

impl Captured {
    pub(super) fn of(
        ask: &CaptureAsk,
        told: &Told,
        conversations: &Conversations,
        counts: &Counts,
    ) -> Self {
        let named = [
            ("of no known API", told.other_paths),
            ("with a body beyond the bytes that are kept", told.not_kept),
            ("that ended before their body had come", told.cut_off),
            ("that are not understood", told.not_understood),
            ("that the recorder had no room for", counts.not_observed),
            ("whose row could not be written", told.not_written),
        ];
        let unread = told.unread.iter().map(|(why, n)| (why.as_str(), *n));
        let left_out = named.into_iter().chain(unread).filter(|(_, n)| *n > 0);
        Self {
            format_version: FORMAT_VERSION,
            infermeter_version: env!("CARGO_PKG_VERSION").to_owned(),
            target: ask.target.clone(),
            texts: ask.texts,
            tokenizer: ask.tokenizer.clone(),
            block_tokens: (ask.texts != KeptTexts::None).then_some(ask.block_tokens),
            rows: told.rows,
            completed: told.completed,
            seconds: told
                .first_ns
                .map(|first| (told.last_ns - first) as f64 / 1e9),
            sessions: conversations.sessions(),
            going_on: told.going_on,
            input_tokens: told.input_tokens,
            output_tokens: told.output_tokens,
            cached_tokens: told.cached_tokens,
            estimated_prompts: told.estimated_prompts,
            estimated_answers: told.estimated_answers,
            without_answer_length: told.without_answer_length,
            left_out: left_out
                .map(|(why, requests)| NotCaptured {
                    why: why.to_owned(),
                    requests,
                })
                .collect(),
            forgotten: conversations.forgotten,
        }
    }
}
