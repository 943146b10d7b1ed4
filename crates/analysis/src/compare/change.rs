//! One figure of two sides over rounds: the change from one to the other, with what it rests on.
//!
//! It decides nothing. Invariant: the round is the unit; a round counts where both sides have the
//! figure, and never else.

use super::axis::{Better, Scale};
use crate::CONFIDENCE;
use infermeter_stats::{
    SIGN_FLIP_LIMIT, SIGNED_RANK_LIMIT, equivalence, paired_t, sign_flip, signed_rank,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The error of each one-sided test.
pub const COMPARE_ALPHA: f64 = 0.05;

/// Two sides of one figure in one round.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pair {
    /// Of the first side.
    pub first: f64,
    /// Of the other.
    pub other: f64,
}

/// How a figure changes from the first side to another, over rounds.
///
/// A ratio's logarithms, or a share's differences, are what is tested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PairedChange {
    /// Rounds in which both sides have the figure.
    pub pairs: usize,
    /// Which way is better.
    pub better: Better,
    /// What `estimate` is.
    pub scale: Scale,
    /// Other / first, or other - first: Hodges and Lehmann.
    pub estimate: f64,
    /// Lower bound (Walsh averages); absent where so few rounds give none.
    pub low: Option<f64>,
    /// Upper bound.
    pub high: Option<f64>,
    /// Sample standard deviation of what is tested; absent for one round.
    pub std: Option<f64>,
    /// P-value of the exact signed-rank test, two-sided: the one that decides.
    pub signed_rank_p: f64,
    /// P-value of the paired t test, two-sided.
    pub t_p: Option<f64>,
    /// P-value of the exact permutation test of signs, two-sided; absent above forty rounds.
    pub permutation_p: Option<f64>,
    /// The largest margin that could not be shown: the change lies within every wider one (two one-sided
    /// t tests at 5 %), on the scale of what is tested.
    pub within: Option<f64>,
    /// How much worse the other side is.
    pub worsening: Worsening,
}

/// A change for the worse, one-sided: what a gate looks at. Relative for ratios (0.05 is 5 % worse),
/// absolute for shares; below 0 it is an improvement.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Worsening {
    /// The estimate, relative or in points.
    pub estimate: f64,
    /// The most that is plausible, with 95 % one-sided confidence; absent with under five rounds.
    pub upper: Option<f64>,
    /// The least.
    pub lower: Option<f64>,
    /// One-sided p-value of "not worse", by the exact signed-rank test.
    pub p_value: f64,
}

impl PairedChange {
    /// Of pairs; `None` without any, with more than [`SIGNED_RANK_LIMIT`], and where a ratio's values
    /// are not all above 0.
    pub fn of(pairs: &[Pair], better: Better, scale: Scale) -> Option<Self> {
        if pairs.len() > SIGNED_RANK_LIMIT {
            return None;
        }
        let differences: Option<Vec<f64>> = pairs.iter().map(|pair| pair.tested(scale)).collect();
        let differences = differences?;
        let ranks = signed_rank(&differences, CONFIDENCE).ok()?;
        let t = paired_t(&differences, CONFIDENCE).ok();
        let shown = |x: f64| match scale {
            Scale::Ratio => x.exp(),
            Scale::Difference => x,
        };
        let bounds = equivalence(&differences, 1.0, COMPARE_ALPHA).ok();
        Some(Self {
            pairs: pairs.len(),
            better,
            scale,
            estimate: shown(ranks.estimate),
            low: ranks.interval.low.map(shown),
            high: ranks.interval.high.map(shown),
            std: t.map(|t| t.std),
            signed_rank_p: ranks.p_value,
            t_p: t.map(|t| t.p_value),
            permutation_p: sign_flip(&differences)
                .ok()
                .filter(|_| differences.len() <= SIGN_FLIP_LIMIT),
            within: bounds.map(|b| b.upper.max(-b.lower)),
            worsening: Worsening::of(&differences, better, scale)?,
        })
    }

    /// The estimate on the scale that is tested: a logarithm for a ratio.
    pub fn tested(&self) -> f64 {
        match self.scale {
            Scale::Ratio => self.estimate.ln(),
            Scale::Difference => self.estimate,
        }
    }

    /// A margin (0.03 is 3 %) on the scale that is tested.
    pub fn margin(&self, margin: f64) -> f64 {
        match self.scale {
            Scale::Ratio => margin.ln_1p(),
            Scale::Difference => margin,
        }
    }

    /// Whether the change was shown to lie within a margin.
    pub(crate) fn is_within(&self, margin: f64) -> bool {
        let margin = self.margin(margin);
        self.within.is_some_and(|within| within < margin)
    }

    /// The other side is the better one, by the estimate.
    pub(crate) fn is_improvement(&self) -> bool {
        self.worsening.estimate < 0.0
    }
}

impl Pair {
    /// What is tested of it; `None` for a ratio with a value that is not above 0.
    fn tested(self, scale: Scale) -> Option<f64> {
        let found = match scale {
            Scale::Ratio if self.first <= 0.0 || self.other <= 0.0 => return None,
            Scale::Ratio => (self.other / self.first).ln(),
            Scale::Difference => self.other - self.first,
        };
        found.is_finite().then_some(found)
    }
}

impl Worsening {
    fn of(differences: &[f64], better: Better, scale: Scale) -> Option<Self> {
        let worse: Vec<f64> = match better {
            Better::Lower => differences.to_vec(),
            Better::Higher => differences.iter().map(|d| -d).collect(),
        };
        let ranks = signed_rank(&worse, 1.0 - 2.0 * COMPARE_ALPHA).ok()?;
        let shown = |x: f64| match (scale, better) {
            (Scale::Difference, _) => x,
            (Scale::Ratio, Better::Lower) => x.exp_m1(),
            // A loss of throughput is a share of what there was.
            (Scale::Ratio, Better::Higher) => -(-x).exp_m1(),
        };
        let half = 0.5 * ranks.p_value;
        let ranked = differences.iter().filter(|d| **d != 0.0).count();
        let middle = 0.25 * (ranked * (ranked + 1)) as f64;
        Some(Self {
            estimate: shown(ranks.estimate),
            upper: ranks.interval.high.map(shown),
            lower: ranks.interval.low.map(shown),
            p_value: match ranks.positive_ranks > middle {
                true => half,
                false => 1.0 - half,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(changes: &[f64]) -> Vec<Pair> {
        let pair = |(round, change): (usize, &f64)| {
            let first = 100.0 + round as f64;
            Pair {
                first,
                other: first * change,
            }
        };
        changes.iter().enumerate().map(pair).collect()
    }

    const SLOWER: [f64; 8] = [1.05, 1.06, 1.04, 1.055, 1.045, 1.052, 1.048, 1.05];

    #[test]
    fn a_ratio_with_its_interval_and_every_test() {
        let found = PairedChange::of(&pairs(&SLOWER), Better::Lower, Scale::Ratio).expect("pairs");
        assert!((found.estimate - 1.05).abs() < 0.001, "{found:?}");
        assert!(found.low.expect("eight") > 1.04 && found.high.expect("eight") < 1.06);
        assert_eq!(found.signed_rank_p, 2.0 / 256.0);
        assert_eq!(found.permutation_p, Some(2.0 / 256.0));
        assert!(found.t_p.expect("eight") < 1e-6);
        assert!(!found.is_within(0.03) && found.is_within(0.06));
        assert!(!found.is_improvement());
        let worse = found.worsening;
        assert!((worse.estimate - 0.05).abs() < 0.001 && worse.p_value < 0.005);
        assert!(worse.upper.expect("eight") < 0.06 && worse.lower.expect("eight") > 0.04);
    }

    #[test]
    fn a_throughput_gets_worse_downwards() {
        let fewer = SLOWER.map(|change| 1.0 / change);
        let found = PairedChange::of(&pairs(&fewer), Better::Higher, Scale::Ratio).expect("pairs");
        assert!(
            (found.worsening.estimate - 0.0476).abs() < 0.001,
            "{found:?}"
        );
        assert!(found.worsening.p_value < 0.005 && !found.is_improvement());
        let more = PairedChange::of(&pairs(&SLOWER), Better::Higher, Scale::Ratio).expect("pairs");
        assert!(more.is_improvement() && more.worsening.p_value > 0.99);
    }

    #[test]
    fn shares_are_set_against_each_other_by_difference() {
        let shares = [Pair {
            first: 0.0,
            other: 0.02,
        }; 6];
        let found = PairedChange::of(&shares, Better::Lower, Scale::Difference).expect("pairs");
        assert_eq!((found.estimate, found.signed_rank_p), (0.02, 0.031_25));
        assert_eq!(PairedChange::of(&shares, Better::Lower, Scale::Ratio), None);
        assert_eq!(PairedChange::of(&[], Better::Lower, Scale::Ratio), None);
    }

    #[test]
    fn one_pair_says_little() {
        let found = PairedChange::of(&pairs(&[1.1]), Better::Lower, Scale::Ratio).expect("a pair");
        assert_eq!((found.low, found.high, found.std), (None, None, None));
        assert_eq!((found.signed_rank_p, found.within), (1.0, None));
    }
}
