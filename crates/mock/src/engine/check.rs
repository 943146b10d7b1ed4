//! Whether an engine's parameters can run, and what to set where they cannot.
//!
//! Changes nothing and fills in nothing. Invariant: an engine of checked parameters serves every
//! request of at most the checked length, whatever else arrives.

use super::params::MAX_DRAFT;
use super::{EngineParams, KvParams, LoraParams, Speculative, StepLaw};

/// Most blocks of a KV cache: what the simulator keeps of one costs 24 bytes.
pub(crate) const MAX_KV_BLOCKS: u32 = 1 << 24;

/// Widest jitter: at this sigma one step in forty is 50 times as long as the median.
const MAX_SIGMA: f64 = 2.0;

/// Why parameters cannot run. Numbers are kept as they were printed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParamsError {
    /// A count below its least value.
    #[error("{field} is {value}: set it to {least} or more")]
    TooSmall {
        /// The field.
        field: &'static str,
        /// What was given.
        value: String,
        /// The least value.
        least: i64,
    },
    /// A count above its greatest value.
    #[error("{field} is {value}: set it to {most} or less")]
    TooLarge {
        /// The field.
        field: &'static str,
        /// What was given.
        value: String,
        /// The greatest value.
        most: i64,
    },
    /// Not a number, or infinite.
    #[error("{field} is {value}: set it to a finite number")]
    NotFinite {
        /// The field.
        field: &'static str,
        /// What was given.
        value: String,
    },
    /// One request of the greatest length does not fit into the KV cache.
    #[error(
        "the KV cache holds {tokens} tokens ({blocks} blocks of {block_size}), and one request may \
         have {max_model_len}: set max_model_len to {tokens} or less, or the KV cache to \
         {needed} blocks or more"
    )]
    KvTooSmall {
        /// Tokens that fit.
        tokens: u64,
        /// Blocks.
        blocks: u32,
        /// Tokens per block.
        block_size: u32,
        /// Longest prompt plus answer, tokens.
        max_model_len: u32,
        /// Blocks that one such request needs.
        needed: u32,
    },
    /// A probability outside 0 to 1.
    #[error(
        "the acceptance at position {position} of the draft is {value}: set it to a probability \
         between 0 and 1"
    )]
    Acceptance {
        /// The position, from 1.
        position: usize,
        /// What was given.
        value: String,
    },
    /// An engine with times given outright has no such thing.
    #[error("{field} cannot be set for an engine whose times are given outright: use another one")]
    FixedLaw {
        /// The field.
        field: &'static str,
    },
    /// A running engine cannot change this.
    #[error("{field} cannot change while the engine runs: start another one")]
    Running {
        /// The field.
        field: &'static str,
    },
    /// The KV cache cannot become smaller than what is in it.
    #[error("{used} blocks of the KV cache are in use: {blocks} are too few, try later")]
    KvInUse {
        /// Blocks that running sequences hold.
        used: u32,
        /// Blocks asked for.
        blocks: u32,
    },
}

impl EngineParams {
    /// Whether an engine of these parameters serves every request of up to `max_model_len` tokens,
    /// prompt and answer together. As vLLM does, this refuses a KV cache that is too small for one.
    pub fn check(&self, max_model_len: u32) -> Result<(), ParamsError> {
        at_least("max_model_len", max_model_len.into(), 1)?;
        self.check_values()?;
        match self.kv {
            Some(kv) => check_room(kv, max_model_len),
            None => Ok(()),
        }
    }

    fn check_warm_up(&self) -> Result<(), ParamsError> {
        at_least("warm-up", self.warm_up.decay_ns, 0)?;
        finite("warm-up-factor", self.warm_up.factor)?;
        if self.warm_up.factor < 1.0 {
            return Err(ParamsError::TooSmall {
                field: "warm-up-factor",
                value: self.warm_up.factor.to_string(),
                least: 1,
            });
        }
        match self.law {
            StepLaw::Fixed { .. } if self.warm_up.factor > 1.0 => Err(ParamsError::FixedLaw {
                field: "warm-up-factor",
            }),
            StepLaw::Fixed { .. } | StepLaw::Batched { .. } => Ok(()),
        }
    }

    /// What can be judged without the greatest length of a request.
    pub(super) fn check_values(&self) -> Result<(), ParamsError> {
        at_least("max_num_seqs", self.max_num_seqs.into(), 1)?;
        at_least("max_batched_tokens", self.max_batched_tokens.into(), 1)?;
        if let Some(most) = self.max_waiting {
            at_least("max_waiting", most.into(), 1)?;
        }
        finite("jitter", self.jitter_sigma)?;
        if self.jitter_sigma > MAX_SIGMA {
            return Err(ParamsError::TooLarge {
                field: "jitter",
                value: self.jitter_sigma.to_string(),
                most: MAX_SIGMA as i64,
            });
        }
        for (field, ns) in [
            (
                "the first request's penalty",
                self.penalties.first_request_ns,
            ),
            ("the first shape's penalty", self.penalties.first_shape_ns),
            ("the loading time", self.life.loading_ns),
            ("the time of idling to zero", self.life.idle_to_zero_ns),
            ("the cold start's time", self.life.cold_start_ns),
        ] {
            at_least(field, ns, 0)?;
        }
        self.check_warm_up()?;
        self.check_law()?;
        self.kv.as_ref().map_or(Ok(()), check_blocks)?;
        self.lora.as_ref().map_or(Ok(()), check_lora)?;
        self.speculative.as_ref().map_or(Ok(()), check_drafts)
    }

    fn check_law(&self) -> Result<(), ParamsError> {
        match self.law {
            StepLaw::Batched {
                base_ns,
                per_prefill_token_ns,
                per_sequence_ns,
                per_kv_token_ns,
                per_attention_ns,
            } => {
                at_least("the step's base time", base_ns, 0)?;
                at_least("the time per prefill token", per_prefill_token_ns, 0)?;
                at_least("the time per sequence", per_sequence_ns, 0)?;
                finite("the time per KV token", per_kv_token_ns)?;
                finite("the time per pair of attention", per_attention_ns)
            }
            StepLaw::Fixed { ttft_ns, step_ns } => {
                at_least("ttft", ttft_ns, 0)?;
                at_least("step", step_ns, 1)?;
                self.check_nothing_else()
            }
        }
    }

    /// The fixed law knows slots, a queue and a life; what changes a step's length contradicts it.
    fn check_nothing_else(&self) -> Result<(), ParamsError> {
        let refused = [
            ("a KV cache", self.kv.is_some()),
            ("jitter", self.jitter_sigma != 0.0),
            ("speculative decoding", self.speculative.is_some()),
            ("LoRA slots", self.lora.is_some()),
            (
                "the first request's penalty",
                self.penalties.first_request_ns != 0,
            ),
            (
                "the first shape's penalty",
                self.penalties.first_shape_ns != 0,
            ),
            ("unchunked prefill", !self.chunked_prefill),
        ];
        match refused.into_iter().find(|(_, given)| *given) {
            Some((field, _)) => Err(ParamsError::FixedLaw { field }),
            None => Ok(()),
        }
    }
}

fn check_blocks(kv: &KvParams) -> Result<(), ParamsError> {
    at_least("the KV cache's block size", kv.block_size.into(), 1)?;
    at_least("the KV cache's number of blocks", kv.blocks.into(), 1)?;
    at_most(
        "the KV cache's number of blocks",
        kv.blocks.into(),
        MAX_KV_BLOCKS.into(),
    )
}

fn check_room(kv: KvParams, max_model_len: u32) -> Result<(), ParamsError> {
    let needed = max_model_len.div_ceil(kv.block_size);
    if kv.blocks >= needed {
        return Ok(());
    }
    Err(ParamsError::KvTooSmall {
        tokens: u64::from(kv.blocks) * u64::from(kv.block_size),
        blocks: kv.blocks,
        block_size: kv.block_size,
        max_model_len,
        needed,
    })
}

fn check_lora(lora: &LoraParams) -> Result<(), ParamsError> {
    at_least("the number of LoRA slots", lora.slots.into(), 1)?;
    at_least("the LoRA loading time", lora.load_ns, 0)
}

fn check_drafts(speculative: &Speculative) -> Result<(), ParamsError> {
    let drafted = speculative.acceptance.len();
    at_least("the draft's number of tokens", drafted as i64, 1)?;
    at_most(
        "the draft's number of tokens",
        drafted as i64,
        MAX_DRAFT as i64,
    )?;
    at_least(
        "the time per draft token",
        speculative.per_draft_token_ns,
        0,
    )?;
    let mut positions = speculative.acceptance.iter().zip(1..);
    match positions.find(|(probability, _)| !(0.0..=1.0).contains(*probability)) {
        Some((value, position)) => Err(ParamsError::Acceptance {
            position,
            value: value.to_string(),
        }),
        None => Ok(()),
    }
}

fn at_least(field: &'static str, value: i64, least: i64) -> Result<(), ParamsError> {
    if value >= least {
        return Ok(());
    }
    Err(ParamsError::TooSmall {
        field,
        value: value.to_string(),
        least,
    })
}

fn at_most(field: &'static str, value: i64, most: i64) -> Result<(), ParamsError> {
    if value <= most {
        return Ok(());
    }
    Err(ParamsError::TooLarge {
        field,
        value: value.to_string(),
        most,
    })
}

/// A finite number that is not negative.
fn finite(field: &'static str, value: f64) -> Result<(), ParamsError> {
    if !value.is_finite() {
        return Err(ParamsError::NotFinite {
            field,
            value: value.to_string(),
        });
    }
    if value < 0.0 {
        return Err(ParamsError::TooSmall {
            field,
            value: value.to_string(),
            least: 0,
        });
    }
    Ok(())
}
