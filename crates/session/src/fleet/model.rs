//! An engine model: the law of its steps, what limits its sequences, and the delay on the way to it.
//!
//! How it is found is in [`super::explain`]. Invariant: it is a value; two of equal parameters answer alike.

use super::fit::Law;
use infermeter_analysis::capacity::{EngineFit, LimitedBy};
use infermeter_mock::engine::{EngineParams, KvParams, StepLaw};

/// Tokens that a step computes at most: no client sees it. It is what engines have by default.
const STEP_TOKENS: u32 = 8_192;

/// Slots where none were reached.
const MANY_SLOTS: u32 = 100_000;

/// Tokens of a block of the KV cache.
const BLOCK: u32 = 16;

/// An engine that can be simulated.
#[derive(Debug, Clone)]
pub(super) struct EngineModel {
    pub law: Law,
    pub fit: EngineFit,
}

impl EngineModel {
    /// As the simulator takes it.
    pub fn params(&self, seed: u64) -> EngineParams {
        let law = StepLaw::Batched {
            base_ns: self.law.base.round() as i64,
            per_prefill_token_ns: self.law.per_prompt_token.round() as i64,
            per_sequence_ns: self.law.per_sequence.round() as i64,
            per_kv_token_ns: self.law.per_kv_token,
            per_attention_ns: 0.0,
        };
        let slots = match self.fit.limit {
            LimitedBy::Slots(slots) => slots.max(1),
            LimitedBy::Nothing | LimitedBy::KvTokens(_) => MANY_SLOTS,
        };
        let kv = match self.fit.limit {
            LimitedBy::KvTokens(tokens) => Some(KvParams {
                block_size: BLOCK,
                blocks: tokens.div_ceil(u64::from(BLOCK)).max(1) as u32,
                prefix_cache: false,
            }),
            LimitedBy::Nothing | LimitedBy::Slots(_) => None,
        };
        EngineParams {
            jitter_sigma: self.law.jitter,
            kv,
            seed,
            ..EngineParams::plain(law, slots, STEP_TOKENS)
        }
    }
}
