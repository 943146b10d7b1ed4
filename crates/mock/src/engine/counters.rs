//! What an engine has done: the counters behind a metrics page.
//!
//! Filled when it happened (at the end of the step that did it), never when it was planned.

use super::params::MAX_DRAFT;

/// Counters since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EngineCounters {
    /// Steps completed.
    pub steps: u64,
    /// Sequences that left the queue for the first time.
    pub admitted: u64,
    /// Sequences that ended by themselves.
    pub finished: u64,
    /// Sequences given up by the caller, waiting or running.
    pub cancelled: u64,
    /// Requests not taken because the queue was full.
    pub refused: u64,
    /// Times a running sequence lost its blocks.
    pub preemptions: u64,
    /// Tokens looked up in the prefix cache, at first admissions: all of each prompt, as vLLM
    /// counts.
    pub prefix_query_tokens: u64,
    /// Those of them that were found.
    pub prefix_hit_tokens: u64,
    /// Prompt tokens computed, for the first time or again after a preemption; tokens of the
    /// answer that are computed again count too.
    pub prefill_tokens: u64,
    /// Tokens of prefills, first or again, that the prefix cache made unnecessary.
    pub cached_tokens: u64,
    /// Tokens handed out.
    pub generation_tokens: u64,
    /// Drafts verified.
    pub drafts: u64,
    /// Tokens of those drafts.
    pub draft_tokens: u64,
    /// Draft tokens accepted, including those behind an answer's end.
    pub accepted_tokens: u64,
    /// Draft tokens accepted at each position of the draft.
    pub accepted_per_position: [u64; MAX_DRAFT],
    /// LoRA adapters loaded.
    pub adapter_loads: u64,
    /// Times an arrival found the engine away.
    pub cold_starts: u64,
}

impl EngineCounters {
    /// Adds another engine's counters.
    pub fn add(&mut self, other: &Self) {
        let Self {
            steps,
            admitted,
            finished,
            cancelled,
            refused,
            preemptions,
            prefix_query_tokens,
            prefix_hit_tokens,
            prefill_tokens,
            cached_tokens,
            generation_tokens,
            drafts,
            draft_tokens,
            accepted_tokens,
            accepted_per_position,
            adapter_loads,
            cold_starts,
        } = other;
        self.steps += steps;
        self.admitted += admitted;
        self.finished += finished;
        self.cancelled += cancelled;
        self.refused += refused;
        self.preemptions += preemptions;
        self.prefix_query_tokens += prefix_query_tokens;
        self.prefix_hit_tokens += prefix_hit_tokens;
        self.prefill_tokens += prefill_tokens;
        self.cached_tokens += cached_tokens;
        self.generation_tokens += generation_tokens;
        self.drafts += drafts;
        self.draft_tokens += draft_tokens;
        self.accepted_tokens += accepted_tokens;
        for (mine, more) in self
            .accepted_per_position
            .iter_mut()
            .zip(accepted_per_position)
        {
            *mine += more;
        }
        self.adapter_loads += adapter_loads;
        self.cold_starts += cold_starts;
    }
}
