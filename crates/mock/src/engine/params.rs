//! Timing and limits of an engine, and what a request asks of it.
//!
//! Plain values; whether they can run is judged in `check`.

use super::{Finish, SequenceId};
use std::sync::Arc;

/// How long a step takes and who gets a token at its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum StepLaw {
    /// Continuous batching: a step lasts `base + prefill tokens x per_prefill_token + scheduled
    /// sequences x per_sequence + KV tokens in use x per_kv_token + sum over prefill tokens of
    /// their position x per_attention`. It serves every running decode and, within the budget of
    /// batched tokens, prefill chunks. A sequence whose prefill the step completes gets its first
    /// token at the step's end.
    Batched {
        /// Time of an empty step, nanoseconds.
        base_ns: i64,
        /// Added by each prompt token computed, nanoseconds.
        per_prefill_token_ns: i64,
        /// Added by each sequence served, nanoseconds.
        per_sequence_ns: i64,
        /// Added by each token that the sequences served have in the KV cache when the step begins,
        /// nanoseconds: attention reads them.
        per_kv_token_ns: f64,
        /// Added by each pair of a prompt token computed and a token before it, nanoseconds: the
        /// quadratic part of attention.
        per_attention_ns: f64,
    },
    /// Steps end at every multiple of `step_ns` on the caller's clock, whatever the load: streams
    /// share their instants. A sequence gets its first token at the first such boundary at or
    /// after its admission plus `ttft_ns`, then one at each boundary. It is admitted at its arrival
    /// or, with all slots taken, at the boundary that frees one.
    Fixed {
        /// From admission to the earliest first token, nanoseconds.
        ttft_ns: i64,
        /// Distance of the boundaries, nanoseconds, at least 1.
        step_ns: i64,
    },
}

/// Longest draft, tokens.
pub const MAX_DRAFT: usize = 16;

/// The paged KV cache. A sequence holds blocks for what is computed; when they run out the youngest
/// running sequence gives its own back, goes to the front of the queue, and is computed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KvParams {
    /// Tokens per block, at least 1.
    pub block_size: u32,
    /// Blocks, at least what one request of the greatest length needs.
    pub blocks: u32,
    /// Full blocks are found again by their hash, and evicted least recently used first.
    pub prefix_cache: bool,
}

/// Speculative decoding.
#[derive(Debug, Clone, PartialEq)]
pub struct Speculative {
    /// Probability that the draft token at each position is accepted, given that those before it
    /// were. Its length is the draft's, at most [`MAX_DRAFT`]; a step gives one token more than
    /// were accepted. Draft tokens count in the step's budget of batched tokens.
    pub acceptance: Vec<f64>,
    /// Added to a step per sequence by each draft token, nanoseconds.
    pub per_draft_token_ns: i64,
}

/// LoRA adapters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoraParams {
    /// Adapters on the device at once, at least 1. While running sequences of other adapters use
    /// all of them, requests for a further one are passed over: those behind them may go first.
    pub slots: u32,
    /// Added to the step that first uses a newly loaded adapter, nanoseconds.
    pub load_ns: i64,
}

/// What is paid once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Penalties {
    /// Added to the engine's first step, nanoseconds.
    pub first_request_ns: i64,
    /// Added to the first step of each shape (power of two of prefill tokens and of sequences),
    /// nanoseconds: compilation, graph capture.
    pub first_shape_ns: i64,
}

/// Steps that are slow at first: clocks that rise, caches that fill, kernels that are tuned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WarmUp {
    /// How much longer the first step of a life is, at least 1.
    pub factor: f64,
    /// What is above 1 falls to 1/e within this, nanoseconds; 0: at once.
    pub decay_ns: i64,
}

impl Default for WarmUp {
    fn default() -> Self {
        Self {
            factor: 1.0,
            decay_ns: 0,
        }
    }
}

impl WarmUp {
    /// The factor on a step that begins `since_ns` after the life did.
    pub(super) fn at(&self, since_ns: i64) -> f64 {
        if self.decay_ns <= 0 || self.factor <= 1.0 {
            return 1.0;
        }
        1.0 + (self.factor - 1.0) * (-(since_ns.max(0) as f64) / self.decay_ns as f64).exp()
    }
}

/// When an engine is there at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LifeCycle {
    /// From the start to readiness, nanoseconds.
    pub loading_ns: i64,
    /// Without work for this long, the engine goes away with its caches; 0: never.
    pub idle_to_zero_ns: i64,
    /// From the arrival that finds it away to readiness, nanoseconds. The request waits.
    pub cold_start_ns: i64,
}

/// Timing and limits of an engine.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineParams {
    /// The law of its steps.
    pub law: StepLaw,
    /// Most sequences running at once; the others wait.
    pub max_num_seqs: u32,
    /// Most tokens in one step: one per decode, the rest for prefill chunks.
    pub max_batched_tokens: u32,
    /// Prompts are cut to fit a step's budget and share steps with decodes. Otherwise a prompt is
    /// computed in one step, even where it exceeds the budget alone, in which no decode takes
    /// part; prompts go before decodes.
    pub chunked_prefill: bool,
    /// Most requests waiting, at least 1; the next one is not taken. `None`: no limit. A request that
    /// comes during a step waits for its end even where a slot is free.
    pub max_waiting: Option<u32>,
    /// The paged KV cache; `None`: without limit and without cache.
    pub kv: Option<KvParams>,
    /// Sigma of the lognormal factor (of mean 1) on every step's length; 0: none; at most 2.
    pub jitter_sigma: f64,
    /// Speculative decoding; `None`: one token per step.
    pub speculative: Option<Speculative>,
    /// LoRA adapters; `None`: requests for adapters cost nothing.
    pub lora: Option<LoraParams>,
    /// What is paid once.
    pub penalties: Penalties,
    /// Steps that are slow at first; the batched law's only.
    pub warm_up: WarmUp,
    /// Loading, idling to zero.
    pub life: LifeCycle,
    /// Seeds jitter and acceptance.
    pub seed: u64,
}

impl EngineParams {
    /// Tokens per block, where prompts are looked up by block.
    pub(crate) fn caching_block_size(&self) -> Option<u32> {
        let caching = self.kv.filter(|kv| kv.prefix_cache);
        caching.map(|kv| kv.block_size)
    }

    /// An engine of a law without anything optional: no KV limit, no jitter, no drafts.
    pub fn plain(law: StepLaw, max_num_seqs: u32, max_batched_tokens: u32) -> Self {
        Self {
            law,
            max_num_seqs,
            max_batched_tokens,
            chunked_prefill: true,
            max_waiting: None,
            kv: None,
            jitter_sigma: 0.0,
            speculative: None,
            lora: None,
            penalties: Penalties::default(),
            warm_up: WarmUp::default(),
            life: LifeCycle::default(),
            seed: 0,
        }
    }
}

/// What a request asks of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineRequest {
    /// Its name.
    pub id: SequenceId,
    /// Tokens to prefill; 0 is taken as 1.
    pub prompt_tokens: u32,
    /// Tokens to generate, the end token included; 0 is taken as 1.
    pub output_tokens: u32,
    /// How it will end.
    pub finish: Finish,
    /// Hashes of its full blocks in order, each of everything up to its end: those of the prompt,
    /// then those that the answer will fill. Fewer than full blocks, or none: the rest is never
    /// found in a cache.
    pub blocks: Arc<[u64]>,
    /// The LoRA adapter it wants, by a number of the caller's.
    pub adapter: Option<u32>,
}
