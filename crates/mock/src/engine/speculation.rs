//! Speculative decoding: how many tokens of a draft are accepted.
//!
//! No model: each position is accepted with its own probability, given that those before it were.
//! Invariant: the draws depend on seed, sequence and position in the answer alone, not on what else
//! runs, nor on how often a sequence was preempted.

use super::law::unit;
use super::{SequenceId, Speculative};
use infermeter_core::seed::splitmix64;

impl Speculative {
    /// Tokens of a draft.
    pub(super) fn draft_tokens(&self) -> u32 {
        self.acceptance.len() as u32
    }

    /// How many of the first `drafted` tokens are accepted, behind `emitted` tokens of a sequence.
    pub(super) fn accepted(&self, seed: u64, id: SequenceId, emitted: u32, drafted: u32) -> u32 {
        let start = splitmix64(splitmix64(seed ^ id.0) ^ u64::from(emitted));
        self.acceptance
            .iter()
            .take(drafted as usize)
            .enumerate()
            .take_while(|(position, probability)| {
                unit(splitmix64(start.wrapping_add(*position as u64))) < **probability
            })
            .count() as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acceptance_is_conditional_by_position() {
        let speculative = Speculative {
            acceptance: vec![0.8, 0.5, 0.25],
            per_draft_token_ns: 0,
        };
        let n = 40_000_u32;
        let mut reached = [0_u32; 4];
        for emitted in 0..n {
            let accepted = speculative.accepted(5, SequenceId(9), emitted, 3);
            for count in &mut reached[..=accepted as usize] {
                *count += 1;
            }
        }
        // 0.8, 0.8 x 0.5, 0.8 x 0.5 x 0.25; standard errors below 0.0025.
        for (count, expected) in reached[1..].iter().zip([0.8, 0.4, 0.1]) {
            let share = f64::from(*count) / f64::from(n);
            assert!((share - expected).abs() < 0.01, "{share} for {expected}");
        }
    }

    #[test]
    fn certainties_are_exact() {
        let certain = |acceptance: Vec<f64>| Speculative {
            acceptance,
            per_draft_token_ns: 0,
        };
        for emitted in 0..1000 {
            let id = SequenceId(u64::from(emitted));
            assert_eq!(certain(vec![1.0; 4]).accepted(1, id, emitted, 4), 4);
            assert_eq!(certain(vec![1.0; 4]).accepted(1, id, emitted, 2), 2);
            assert_eq!(certain(vec![0.0; 4]).accepted(1, id, emitted, 4), 0);
        }
    }
}
