//! How long an answer is when nothing but the end token stops it.
//!
//! A greedy model gives the same answer to the same prompt: the length is a function of the seed
//! and the prompt, not of the order of arrivals.

use crate::engine::Finish;
use infermeter_core::plan::Bounds;
use infermeter_core::seed::splitmix64;

/// Median answer, tokens, the end token included: the `chat` class of the workloads.
const MEDIAN_TOKENS: f64 = 200.0;

/// Sigma of the lognormal, as in the workload classes.
const SIGMA: f64 = 0.8;

/// Shortest natural answer: one visible token and the end token.
const SHORTEST: u32 = 2;

/// Tokens and end of one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AnswerLength {
    /// Generated tokens, the end token included.
    pub tokens: u32,
    /// How it ends.
    pub finish: Finish,
}

impl AnswerLength {
    /// So many tokens, all with a text: the limit ends it.
    pub fn full(tokens: u32) -> Self {
        Self {
            tokens,
            finish: Finish::Length,
        }
    }

    /// So many tokens with a text, and the end token behind them.
    pub fn stopped(visible: u32) -> Self {
        Self {
            tokens: visible.saturating_add(1),
            finish: Finish::Stop,
        }
    }

    /// Tokens with a text.
    pub fn visible(self) -> u32 {
        match self.finish {
            Finish::Length => self.tokens,
            Finish::Stop => self.tokens.saturating_sub(1),
        }
    }
}

/// The answer's length: `natural` but within `bounds`; exactly the greatest when the end token is
/// ignored.
pub(crate) fn answer_length(natural: u32, bounds: Bounds, ignores_end: bool) -> AnswerLength {
    // The end token comes after the least number of others at the earliest.
    let natural = natural.max(bounds.min.saturating_add(1));
    if ignores_end || natural > bounds.max {
        return AnswerLength::full(bounds.max);
    }
    AnswerLength {
        tokens: natural,
        finish: Finish::Stop,
    }
}

/// A model's own length of the answer of a key, tokens, the end token included: lognormal. `brevity`: of a model that
/// says so much of it, 0 to 1.
pub(crate) fn natural_tokens(key: u64, brevity: f64) -> u32 {
    let length = brevity * MEDIAN_TOKENS * (SIGMA * standard_normal(key)).exp();
    (length.round() as u32).max(SHORTEST)
}

/// A standard normal deviate of a key (Box and Muller 1958).
fn standard_normal(key: u64) -> f64 {
    let radius = (-2.0 * open_unit(splitmix64(key)).ln()).sqrt();
    let angle = std::f64::consts::TAU * open_unit(splitmix64(key ^ 0x616e_676c_6500_0001));
    radius * angle.cos()
}

/// A number in (0, 1] from 53 random bits.
pub(crate) fn open_unit(bits: u64) -> f64 {
    ((bits >> 11) + 1) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn natural_lengths_have_the_stated_median_and_spread() {
        let mut lengths: Vec<u32> = (0..20_001).map(|key| natural_tokens(key, 1.0)).collect();
        lengths.sort_unstable();
        let median = f64::from(lengths[10_000]);
        assert!((median / MEDIAN_TOKENS - 1.0).abs() < 0.03, "{median}");
        // One sigma above the median is the 84.13th percentile.
        let upper = f64::from(lengths[16_827]);
        assert!(
            (upper / (MEDIAN_TOKENS * SIGMA.exp()) - 1.0).abs() < 0.05,
            "{upper}"
        );
    }

    fn bounds(min: u32, max: u32) -> Bounds {
        Bounds { min, max }
    }

    #[test]
    fn limits_hold_and_the_end_can_be_ignored() {
        for key in 0..2_000 {
            let natural = natural_tokens(key, 1.0);
            let length = answer_length(natural, bounds(50, 300), false);
            match length.finish {
                Finish::Stop => assert!((51..=300).contains(&length.tokens)),
                Finish::Length => assert_eq!(length.tokens, 300),
            }
            let ignoring = answer_length(natural, bounds(0, 300), true);
            assert_eq!((ignoring.tokens, ignoring.finish), (300, Finish::Length));
            let plain = answer_length(natural, bounds(0, u32::MAX), false);
            assert_eq!((plain.tokens, plain.visible()), (natural, natural - 1));
            assert!(natural_tokens(key, 0.5) <= natural);
        }
    }
}
