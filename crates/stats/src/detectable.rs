//! What a number of pairs can find: the smallest effect, and the pairs that an effect needs.
//!
//! Effects are in standard deviations of a pair's difference. The formula is that of the paired t test;
//! the power of the exact signed-rank test, which is a step function of few values at these sizes, is
//! counted over simulated normal differences.
//!
//! Invariant: the same arguments give the same answer (the draws have a fixed seed), and more effect
//! never has less power.

use crate::error::{StatsError, check_level};
use crate::random::SplitMix;
use crate::signed_rank::{SIGNED_RANK_LIMIT, null_distribution};
use crate::special::{chi_squared_quantile, normal_cdf, student_two_sided};

/// Simulated samples: a power is known to 0.8 percentage points.
const DRAWS: usize = 4_000;

/// Seed of the draws. Any would do; that it is fixed makes the same plan say the same.
const SEED: u64 = 0x5eed;

/// Steps of halving: from 64 standard deviations to less than 0.001.
const HALVINGS: usize = 17;

/// The effect that is looked for lies below this many standard deviations.
const GREATEST_EFFECT: f64 = 64.0;

/// Least pairs with which a two-sided rank or permutation test can reach `alpha` at all: all differences
/// of one sign have a p-value of 2^(1-n).
#[must_use]
pub fn least_pairs(alpha: f64) -> usize {
    (1..=SIGNED_RANK_LIMIT)
        .find(|n| 0.5_f64.powi(*n as i32 - 1) <= alpha)
        .unwrap_or(SIGNED_RANK_LIMIT)
}

/// The smallest effect that a paired t test of `n` pairs finds with probability `power`, in standard
/// deviations: (t_(1-alpha/2) + t_power) / sqrt(n).
///
/// # Errors
/// `TooFew` below two pairs; `InvalidLevel` for an `alpha` or `power` outside (0, 1).
pub fn detectable_by_t(n: usize, alpha: f64, power: f64) -> Result<f64, StatsError> {
    check_level(alpha)?;
    check_level(power)?;
    if n < 2 {
        return Err(StatsError::TooFew { needed: 2, have: n });
    }
    let df = (n - 1) as f64;
    let quantile = |p: f64| {
        let t = student_two_sided((2.0 * p - 1.0).abs().max(1e-12), df);
        t.copysign(p - 0.5)
    };
    Ok((quantile(1.0 - 0.5 * alpha) + quantile(power)) / (n as f64).sqrt())
}

/// The most that the standard deviation of normal values plausibly is, one-sided at `level`, where `n` of
/// them have `std`: std sqrt((n - 1) / the chi-squared quantile of 1 - level).
///
/// # Errors
/// `TooFew` below two values; `InvalidLevel`.
pub fn spread_upper_bound(std: f64, n: usize, level: f64) -> Result<f64, StatsError> {
    check_level(level)?;
    if n < 2 {
        return Err(StatsError::TooFew { needed: 2, have: n });
    }
    let df = (n - 1) as f64;
    Ok(std * (df / chi_squared_quantile(1.0 - level, df)).sqrt())
}

/// The power of the exact signed-rank test at one number of pairs.
#[derive(Debug, Clone)]
pub struct SignedRankPower {
    n: usize,
    /// Greatest smaller rank sum that rejects; absent where none does.
    critical: Option<usize>,
    draws: Vec<f64>,
}

impl SignedRankPower {
    /// Of `n` pairs, two-sided at `alpha`.
    ///
    /// # Errors
    /// `InvalidLevel`; `TooFew` for none; `TooMany` beyond [`SIGNED_RANK_LIMIT`].
    pub fn new(n: usize, alpha: f64) -> Result<Self, StatsError> {
        check_level(alpha)?;
        if n == 0 {
            return Err(StatsError::TooFew { needed: 1, have: 0 });
        }
        if n > SIGNED_RANK_LIMIT {
            return Err(StatsError::TooMany {
                limit: SIGNED_RANK_LIMIT,
                have: n,
            });
        }
        let mut random = SplitMix(SEED ^ n as u64);
        Ok(Self {
            n,
            critical: critical(n, alpha),
            draws: (0..DRAWS * n).map(|_| random.normal()).collect(),
        })
    }

    /// The chance that an effect of so many standard deviations is found, in its own direction.
    #[must_use]
    pub fn at(&self, effect: f64) -> f64 {
        let Some(critical) = self.critical else {
            return 0.0;
        };
        let samples = self.draws.chunks_exact(self.n);
        let found = samples.filter(|sample| lower_ranks(sample, effect.abs()) <= critical);
        found.count() as f64 / DRAWS as f64
    }

    /// The smallest effect that is found with probability `power`, in standard deviations; absent where
    /// no effect is.
    #[must_use]
    pub fn detectable(&self, power: f64) -> Option<f64> {
        self.critical?;
        let (mut low, mut high) = (0.0, GREATEST_EFFECT);
        for _ in 0..HALVINGS {
            let middle = 0.5 * (low + high);
            match self.at(middle) >= power {
                true => high = middle,
                false => low = middle,
            }
        }
        Some(high)
    }
}

/// The greatest rank sum k with 2 P(W <= k) <= alpha.
fn critical(n: usize, alpha: f64) -> Option<usize> {
    let null = null_distribution((1..=n as u64).map(|rank| 2 * rank));
    let mut below = 0.0;
    let rejecting = null.iter().step_by(2).take_while(|p| {
        below += **p;
        2.0 * below <= alpha
    });
    rejecting.count().checked_sub(1)
}

/// The sum of the ranks of the differences below 0, of normal draws moved up by `effect`.
fn lower_ranks(draws: &[f64], effect: f64) -> usize {
    let mut moved: Vec<f64> = draws.iter().map(|draw| draw + effect).collect();
    moved.sort_unstable_by(|a, b| a.abs().total_cmp(&b.abs()));
    let ranks = (1..).zip(&moved);
    ranks.filter(|(_, d)| **d < 0.0).map(|(rank, _)| rank).sum()
}

/// The fewest pairs, at most `most`, with which the signed-rank test finds an effect with probability
/// `power`; absent where more are needed.
///
/// # Errors
/// Those of [`SignedRankPower::new`].
pub fn pairs_to_detect(
    effect: f64,
    alpha: f64,
    power: f64,
    most: usize,
) -> Result<Option<usize>, StatsError> {
    let enough = |n: usize| Ok(SignedRankPower::new(n, alpha)?.at(effect) >= power);
    least(least_pairs(alpha), most.min(SIGNED_RANK_LIMIT), enough)
}

/// The fewest pairs, at most `most`, with which two one-sided t tests at `alpha` each show with
/// probability `power` that a true difference of `difference` lies within `margin`, at the standard
/// deviation `std`; absent where more are needed. The spread counts as known.
///
/// # Errors
/// `InvalidLevel`.
pub fn pairs_to_show_equivalence(
    difference: f64,
    margin: f64,
    std: f64,
    alpha: f64,
    power: f64,
    most: usize,
) -> Result<Option<usize>, StatsError> {
    check_level(alpha)?;
    check_level(power)?;
    if difference.abs() >= margin {
        return Ok(None);
    }
    let enough = |n: usize| {
        let error = std / (n as f64).sqrt();
        let reach = student_two_sided(1.0 - 2.0 * alpha.min(0.499), (n - 1) as f64);
        let upper = normal_cdf((margin - difference) / error - reach);
        let lower = normal_cdf(reach - (margin + difference) / error);
        Ok(upper - lower >= power)
    };
    least(2, most, enough)
}

/// The least n from `first` to `most` that is enough, where more is never less; by doubling steps, then
/// halving.
fn least(
    first: usize,
    most: usize,
    enough: impl Fn(usize) -> Result<bool, StatsError>,
) -> Result<Option<usize>, StatsError> {
    if first > most || !enough(most)? {
        return Ok(None);
    }
    let (mut short, mut long) = (first - 1, first);
    while long < most && !enough(long)? {
        (short, long) = (long, (2 * long).min(most));
    }
    while long - short > 1 {
        let middle = short.midpoint(long);
        match enough(middle)? {
            true => long = middle,
            false => short = middle,
        }
    }
    Ok(Some(long))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_rounds_are_those_of_the_design() {
        let least = |metrics: f64| least_pairs(0.05 / metrics);
        assert_eq!([1.0, 2.0, 3.0].map(least), [6, 7, 7]);
        assert_eq!([4.0, 5.0, 6.0].map(least), [8, 8, 8]);
        assert_eq!(least(12.0), 9);
    }

    /// SciPy 1.17.1: `(t.ppf(0.975, 7) + t.ppf(0.8, 7)) / sqrt(8)`.
    #[test]
    fn the_formula_is_scipys() {
        let found = detectable_by_t(8, 0.05, 0.8).unwrap();
        assert!((found - 1.152_815_240_448_928).abs() < 1e-9, "{found}");
        assert!(detectable_by_t(1, 0.05, 0.8).is_err());
        assert!(detectable_by_t(8, 0.05, 1.0).is_err());
    }

    /// SciPy 1.17.1: `sqrt(2 / chi2.ppf(0.2, 2))`.
    #[test]
    fn the_bound_of_a_spread_is_scipys() {
        let found = spread_upper_bound(1.0, 3, 0.8).unwrap();
        assert!((found - 2.116_936_494).abs() < 1e-6, "{found}");
        assert!(spread_upper_bound(1.0, 1, 0.8).is_err());
    }

    /// With 8 pairs at 0.05 / 6 only eight equal signs reject: the power at 2.44 standard deviations
    /// is 0.5 erfc(-2.44 / sqrt 2) ^ 8, 94.3 %.
    #[test]
    fn the_power_is_that_of_equal_signs_where_only_they_reject() {
        let power = SignedRankPower::new(8, 0.05 / 6.0).unwrap();
        assert!((power.at(2.44) - 0.943).abs() < 0.012, "{}", power.at(2.44));
        assert!(power.at(0.0) < 0.008);
        let effect = power.detectable(0.8).unwrap();
        // 0.8 ^ (1/8) is the normal's 1.92.
        assert!((effect - 1.92).abs() < 0.06, "{effect}");
        let five = SignedRankPower::new(5, 0.05).unwrap();
        assert_eq!((five.at(9.0), five.detectable(0.5)), (0.0, None));
    }

    #[test]
    fn more_pairs_find_smaller_effects() {
        let needed = |effect: f64| pairs_to_detect(effect, 0.05, 0.8, 200).unwrap();
        assert_eq!(needed(9.0), Some(6));
        let half = needed(0.5).unwrap();
        // The t test needs 34 (G*Power), the ranks 3/pi less efficiently.
        assert!((34..=38).contains(&half), "{half}");
        assert_eq!(needed(0.01), None);
        let same = |difference, std| {
            pairs_to_show_equivalence(difference, 0.03, std, 0.05, 0.8, 200).unwrap()
        };
        assert!(same(0.0, 0.02).unwrap() <= 8);
        assert!(same(0.01, 0.02).unwrap() > same(0.0, 0.02).unwrap());
        assert_eq!(same(0.03, 0.02), None);
        assert_eq!(same(0.029, 0.5), None);
    }
}
