//! From the work of a step to its length.
//!
//! The law itself is a sum of linear terms; jitter is a factor of mean 1 on it; what is paid once
//! (first request, first shape) is added behind the jitter. Invariant: the length is a function of
//! parameters, seed, number of the step and work alone.

use super::{EngineParams, StepLaw};
use infermeter_core::seed::splitmix64;

/// What a step does.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Work {
    /// Prompt tokens computed.
    pub prefill_tokens: u64,
    /// Sequences served.
    pub sequences: u64,
    /// Tokens in the cache of the sequences served, when the step begins.
    pub kv_tokens: u64,
    /// Pairs of a prompt token computed and a token before it.
    pub pairs: u64,
    /// Draft tokens verified.
    pub draft_tokens: u64,
    /// Adapters loaded.
    pub adapter_loads: u64,
}

impl Work {
    /// Prompt tokens from position `computed` on.
    pub fn add_prefill(&mut self, computed: u32, tokens: u32) {
        let (computed, tokens) = (u64::from(computed), u64::from(tokens));
        self.prefill_tokens += tokens;
        let within = tokens.saturating_mul(tokens.saturating_sub(1)) / 2;
        let before = computed.saturating_mul(tokens);
        self.pairs = self.pairs.saturating_add(before.saturating_add(within));
    }

    /// The length of a step with this work by the law, nanoseconds. The fixed law has none.
    pub fn length_ns(&self, params: &EngineParams) -> i64 {
        let StepLaw::Batched {
            base_ns,
            per_prefill_token_ns,
            per_sequence_ns,
            per_kv_token_ns,
            per_attention_ns,
        } = params.law
        else {
            return 0;
        };
        let times = |count: u64, each_ns: i64| (count as i64).saturating_mul(each_ns);
        let per_draft_ns = params
            .speculative
            .as_ref()
            .map_or(0, |speculative| speculative.per_draft_token_ns);
        base_ns
            .saturating_add(times(self.prefill_tokens, per_prefill_token_ns))
            .saturating_add(times(self.sequences, per_sequence_ns))
            .saturating_add(times(self.draft_tokens, per_draft_ns))
            .saturating_add((self.kv_tokens as f64 * per_kv_token_ns).round() as i64)
            .saturating_add((self.pairs as f64 * per_attention_ns).round() as i64)
    }
}

/// The lognormal factor of mean 1 on step number `step`.
pub(super) fn jitter(sigma: f64, seed: u64, step: u64) -> f64 {
    if sigma <= 0.0 {
        return 1.0;
    }
    let base = splitmix64(seed ^ 0x6a69_7474_6572).wrapping_add(step.wrapping_mul(2));
    // Box and Muller 1958; the first draw lies in (0, 1].
    let u = 1.0 - unit(splitmix64(base));
    let v = unit(splitmix64(base.wrapping_add(1)));
    let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
    (sigma * normal - sigma * sigma / 2.0).exp()
}

/// A draw as a number in [0, 1).
pub(super) fn unit(draw: u64) -> f64 {
    (draw >> 11) as f64 / (1_u64 << 53) as f64
}

/// What was paid already of what is paid once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Warmth {
    stepped: bool,
    /// Bit `b` of entry `a`: the shape with `a` bits of prefill tokens and `b` of sequences.
    shapes: [u64; 65],
}

impl Warmth {
    /// Nothing is warm.
    pub fn cold() -> Self {
        Self {
            stepped: false,
            shapes: [0; 65],
        }
    }

    /// What a step with this work pays now, nanoseconds; it is warm for it afterwards.
    pub fn pay(&mut self, work: &Work, params: &EngineParams) -> i64 {
        let mut penalty_ns = 0_i64;
        if !std::mem::replace(&mut self.stepped, true) {
            penalty_ns = params.penalties.first_request_ns;
        }
        let shapes = &mut self.shapes[bucket(work.prefill_tokens)];
        let bit = 1_u64 << bucket(work.sequences).min(63);
        if *shapes & bit == 0 {
            *shapes |= bit;
            penalty_ns = penalty_ns.saturating_add(params.penalties.first_shape_ns);
        }
        let load_ns = params.lora.map_or(0, |lora| lora.load_ns);
        penalty_ns.saturating_add(load_ns.saturating_mul(work.adapter_loads as i64))
    }
}

/// The exponent of the least power of two that is not below `count`, plus 1; 0 for none.
fn bucket(count: u64) -> usize {
    if count == 0 {
        return 0;
    }
    (65 - (count - 1).leading_zeros() as usize).min(64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_powers_of_two() {
        let buckets = [0, 1, 2, 3, 4, 5, 8, 9].map(bucket);
        assert_eq!(buckets, [0, 1, 2, 3, 3, 4, 4, 5]);
        assert_eq!(bucket(u64::MAX), 64);
    }

    #[test]
    fn pairs_add_up_over_chunks() {
        let mut whole = Work::default();
        whole.add_prefill(0, 1000);
        assert_eq!(whole.pairs, 499_500);
        let mut chunks = Work::default();
        for (computed, tokens) in [(0, 300), (300, 1), (301, 699)] {
            chunks.add_prefill(computed, tokens);
        }
        assert_eq!(chunks, whole);
    }

    #[test]
    fn jitter_has_mean_one_and_the_sigma_asked_for() {
        let n = 100_000_u64;
        let sigma = 0.3;
        let factors: Vec<f64> = (0..n).map(|step| jitter(sigma, 7, step)).collect();
        let mean = factors.iter().sum::<f64>() / n as f64;
        let logs = factors.iter().map(|factor| factor.ln());
        let centre = -sigma * sigma / 2.0;
        let spread = (logs.map(|x| (x - centre).powi(2)).sum::<f64>() / n as f64).sqrt();
        // Standard errors: 0.001 and 0.0007.
        assert!((mean - 1.0).abs() < 0.005, "{mean}");
        assert!((spread - sigma).abs() < 0.004, "{spread}");
        assert_eq!(jitter(sigma, 7, 3).to_bits(), jitter(sigma, 7, 3).to_bits());
        assert_ne!(jitter(sigma, 7, 3).to_bits(), jitter(sigma, 8, 3).to_bits());
        assert_eq!(jitter(0.0, 7, 3).to_bits(), 1.0_f64.to_bits());
    }
}
