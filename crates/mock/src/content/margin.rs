//! How likely a token was, beside those that might have come instead of it.
//!
//! No model runs: the numbers are drawn from what makes the text, so that equal texts have equal ones. Mostly the first
//! token is far ahead; at a few places two are nearly tied, and there numeric noise may decide. Invariant: the
//! probabilities of the tokens given add up to less than 1, the most likely first.

use crate::length::open_unit;
use crate::text::Ahead;
use infermeter_core::seed::splitmix64;

/// One token of so many is nearly tied with another.
pub(crate) const NEAR_TIE_EVERY: u64 = 32;

/// Smallest and largest margin of a near tie, and of any other token, thousandths of a nat.
const NEAR_MNAT: u64 = 4;
const NEAR_SPREAD_MNAT: u64 = 60;
const WIDE_MNAT: u64 = 1_500;
const WIDE_SPREAD_MNAT: u64 = 5_000;

/// Of a token that could hardly have been another, thousandths of a nat.
const SURE_MNAT: u32 = 9_000;

/// From each token behind the second to the next, thousandths of a nat.
const STEP_MNAT: u32 = 900;

/// The distance between a token and the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Margin {
    /// Between the first two, thousandths of a nat.
    mnat: u32,
    /// What else might have come, where words are said.
    ahead: Option<Ahead>,
}

impl Margin {
    /// Of a token that could hardly have been another.
    pub fn wide() -> Self {
        Self {
            mnat: SURE_MNAT,
            ahead: None,
        }
    }

    /// Of a word.
    pub fn of(ahead: Ahead) -> Self {
        let spread = ahead.draw >> 20;
        let mnat = match ahead.draw % NEAR_TIE_EVERY {
            0 => NEAR_MNAT + spread % NEAR_SPREAD_MNAT,
            _ => WIDE_MNAT + spread % WIDE_SPREAD_MNAT,
        };
        Self {
            mnat: mnat as u32,
            ahead: Some(ahead),
        }
    }

    /// The first two are nearly tied.
    pub fn is_near_tie(self) -> bool {
        u64::from(self.mnat) < NEAR_MNAT + NEAR_SPREAD_MNAT
    }

    /// The token of a rank above 0, where there is one.
    pub fn rival(self, rank: usize) -> Option<&'static str> {
        self.ahead.map(|ahead| ahead.word(rank))
    }

    /// The logarithm of the probability of the token of a rank, 0 for the one that is said; nats.
    pub fn logprob(self, rank: usize) -> f64 {
        let margin = f64::from(self.mnat) / 1e3;
        // All others behind the second together are as likely as one that is a step behind it.
        let step = f64::from(STEP_MNAT) / 1e3;
        let rest = (-margin).exp() * (1.0 + 1.0 / (step.exp() - 1.0));
        let first = -rest.ln_1p();
        match rank {
            0 => first,
            rank => first - margin - step * (rank - 1) as f64,
        }
    }
}

/// A number in (0, 1] for a place of a text.
pub(super) fn draw(key: u64, place: u32) -> f64 {
    open_unit(splitmix64(
        key.wrapping_add(splitmix64(u64::from(place) + 1)),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Speech;

    #[test]
    fn near_ties_are_few_and_probabilities_stay_below_one() {
        let mut speech = Speech::of(4);
        let (mut near, tokens) = (0, 20_000);
        for _ in 0..tokens {
            let margin = Margin::of(speech.ahead());
            near += u32::from(margin.is_near_tie());
            let all: f64 = (0..20).map(|rank| margin.logprob(rank).exp()).sum();
            assert!(all < 1.0, "{all}");
            let told = (margin.logprob(0) - margin.logprob(1)) * 1e3;
            assert!((told - f64::from(margin.mnat)).abs() < 1e-6);
            speech.next_word();
        }
        // 625 expected, with a standard deviation of 25.
        assert!((520..730).contains(&near), "{near}");
        assert!(!Margin::wide().is_near_tie());
        assert!(Margin::wide().logprob(0) > -0.001);
    }
}
