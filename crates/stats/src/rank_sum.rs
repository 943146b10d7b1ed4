//! Wilcoxon's rank-sum test of two groups, exact, one-sided and two-sided, with the Hodges-Lehmann shift.
//!
//! Exact also under ties: the null distribution is that of the mid-ranks at hand, every choice of the second
//! group among all values alike (a permutation test). One value against many is the same test: it says whether
//! that value lies beyond the order-statistics prediction interval of the others. It decides nothing about
//! which groups may be compared.

use crate::error::{StatsError, check_finite, check_level};
use crate::special::normal_cdf;

/// Most values of a group: the null distribution grows with the cube and more.
pub(crate) const RANK_SUM_LIMIT: usize = 60;

/// The outcome of the test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankSum {
    /// Values of the first group.
    pub first: usize,
    /// Values of the second.
    pub second: usize,
    /// Mann and Whitney's U of the second group: pairs in which its value is the greater, ties half.
    pub u: f64,
    /// Probability of a U this great or greater where the groups do not differ.
    pub p_greater: f64,
    /// Of one this small or smaller.
    pub p_less: f64,
    /// Hodges-Lehmann estimate of how far the second group lies above the first: the median of all
    /// differences.
    pub shift: f64,
    /// The shift is at least this, with the confidence asked for on this side alone; absent where groups so
    /// small bound nothing.
    pub at_least: Option<f64>,
    /// It is at most this, on this side alone.
    pub at_most: Option<f64>,
}

/// Tests whether the second group lies above or below the first (Wilcoxon 1945, Mann and Whitney 1947), and
/// estimates by how much (Hodges and Lehmann 1963); `level` is the confidence of each bound by itself.
///
/// # Errors
/// `Empty`, `NotFinite`, `InvalidLevel`; `TooMany` beyond `RANK_SUM_LIMIT` values of a group.
pub fn rank_sum(first: &[f64], second: &[f64], level: f64) -> Result<RankSum, StatsError> {
    check_finite(first)?;
    check_finite(second)?;
    check_level(level)?;
    if let Some(have) = [first.len(), second.len()]
        .into_iter()
        .find(|n| *n > RANK_SUM_LIMIT)
    {
        return Err(StatsError::TooMany {
            limit: RANK_SUM_LIMIT,
            have,
        });
    }
    let ranks = Ranks::of(first, second);
    let null = null_distribution(&ranks.doubled, second.len());
    let sum = ranks.second as usize;
    let differences = differences(first, second);
    let reach = reach(first.len(), second.len(), level);
    let n = second.len() as f64;
    Ok(RankSum {
        first: first.len(),
        second: second.len(),
        u: ranks.second as f64 / 2.0 - n * (n + 1.0) / 2.0,
        p_greater: null[sum..].iter().sum::<f64>().min(1.0),
        p_less: null[..=sum].iter().sum::<f64>().min(1.0),
        shift: median(&differences),
        at_least: reach.map(|k| differences[k - 1]),
        at_most: reach.map(|k| differences[differences.len() - k]),
    })
}

/// Fewest values of the first group with which a second of `second` values can be told from it at this
/// one-sided error: even the most extreme order has a probability of one in C(first + second, second).
#[must_use]
pub fn least_first(second: usize, error: f64) -> usize {
    let mut orders = 1.0;
    let mut first = 0_usize;
    while 1.0 / orders > error * (1.0 + 1e-12) && first < 100_000 {
        first += 1;
        orders *= (first + second) as f64 / first as f64;
    }
    first
}

/// The probability that a second group of normal values, which lies `effect` standard deviations above the
/// first, is found to lie above it at this one-sided error. Where only the most extreme order tells, exact by
/// quadrature; else from mean and variance of U at that distance, with a correction for its steps (Lehmann
/// 1975).
#[must_use]
pub fn rank_sum_power(first: usize, second: usize, effect: f64, error: f64) -> f64 {
    let Some(reach) = reach(first, second, 1.0 - error) else {
        return 0.0;
    };
    let (n, m) = (first as f64, second as f64);
    if reach == 1 {
        // All of the second group above all of the first, whose greatest lies below the second's least.
        return mean_over_normal(|z| {
            m * normal_cdf(-z).powf(m - 1.0) * normal_cdf(z + effect).powf(n)
        });
    }
    let one = mean_over_normal(|z| normal_cdf(z + effect));
    let two = mean_over_normal(|z| normal_cdf(z + effect).powi(2));
    let pairs = n * m;
    let variance = pairs * (one * (1.0 - one) + (n + m - 2.0) * (two - one * one));
    let least = pairs - (reach - 1) as f64;
    normal_cdf((pairs * one - least + 0.5) / variance.max(1e-9).sqrt())
}

/// The mean of a function of a standard normal variable, by the trapezoidal rule.
fn mean_over_normal(f: impl Fn(f64) -> f64) -> f64 {
    const STEPS: i32 = 400;
    let step = 16.0 / f64::from(STEPS);
    let at = |i: i32| {
        let z = -8.0 + step * f64::from(i);
        (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt() * f(z)
    };
    (0..=STEPS).map(at).sum::<f64>() * step
}

/// Twice the mid-ranks of both groups together.
struct Ranks {
    doubled: Vec<u64>,
    /// The sum of those of the second group.
    second: u64,
}

impl Ranks {
    fn of(first: &[f64], second: &[f64]) -> Self {
        let mut all: Vec<(f64, bool)> = first.iter().map(|x| (*x, false)).collect();
        all.extend(second.iter().map(|x| (*x, true)));
        all.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let mut ranks = Self {
            doubled: Vec::with_capacity(all.len()),
            second: 0,
        };
        for tied in all.chunk_by(|a, b| a.0 == b.0) {
            let (least, most) = (ranks.doubled.len() + 1, ranks.doubled.len() + tied.len());
            let doubled = (least + most) as u64;
            let of_second = tied.iter().filter(|(_, second)| *second).count() as u64;
            ranks.second += doubled * of_second;
            ranks.doubled.extend(tied.iter().map(|_| doubled));
        }
        ranks
    }
}

/// Probability of each sum of the doubled ranks of `chosen` values, all choices alike.
fn null_distribution(doubled: &[u64], chosen: usize) -> Vec<f64> {
    let most = doubled.iter().sum::<u64>() as usize;
    // ways[k][s]: the share of all choices of k among the values so far whose sum is s, times their number
    // over that of all choices in the end. Values are scaled as they grow, so that none overflows.
    let mut ways = vec![vec![0.0; most + 1]; chosen + 1];
    ways[0][0] = 1.0;
    for (seen, rank) in doubled.iter().enumerate() {
        let rank = *rank as usize;
        for k in (1..=chosen.min(seen + 1)).rev() {
            let (fewer, more) = ways.split_at_mut(k);
            let (from, to) = (&fewer[k - 1], &mut more[0]);
            for sum in (rank..=most).rev() {
                to[sum] += from[sum - rank];
            }
        }
    }
    let ways = ways.swap_remove(chosen);
    let all: f64 = ways.iter().sum();
    ways.into_iter().map(|n| n / all).collect()
}

/// Every value of the second group less every one of the first, ascending.
fn differences(first: &[f64], second: &[f64]) -> Vec<f64> {
    let mut all: Vec<f64> = second
        .iter()
        .flat_map(|b| first.iter().map(move |a| b - a))
        .collect();
    all.sort_unstable_by(f64::total_cmp);
    all
}

fn median(sorted: &[f64]) -> f64 {
    let n = sorted.len();
    0.5 * (sorted[(n - 1) / 2] + sorted[n / 2])
}

/// The number of the difference, from below, that bounds the shift: the greatest k with
/// P(U <= k - 1) <= 1 - level where no values are tied. `None` where there is none.
fn reach(first: usize, second: usize, level: f64) -> Option<usize> {
    let ranks: Vec<u64> = (1..=(first + second) as u64).map(|rank| 2 * rank).collect();
    let null = null_distribution(&ranks, second);
    let least = second * (second + 1);
    let mut below = 0.0;
    let tails = null[least..].iter().step_by(2).take_while(|p| {
        below += **p;
        below <= (1.0 - level) * (1.0 + 1e-9)
    });
    let reach = tails.count();
    (reach > 0).then_some(reach)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(first: &[f64], second: &[f64]) -> RankSum {
        rank_sum(first, second, 0.95).unwrap()
    }

    const A: [f64; 8] = [10.2, 9.8, 10.5, 10.1, 9.9, 10.4, 10.0, 10.3];
    const B: [f64; 8] = [10.6, 10.15, 10.9, 10.35, 10.7, 10.05, 10.8, 10.45];

    /// `scipy.stats.mannwhitneyu(B, A, alternative='greater', method='exact')`: 52.0 and 0.018958818958818957;
    /// 'less': 0.9859362859362859; both sides: 0.037917637917637914 (SciPy 1.17.1).
    #[test]
    fn p_values_are_scipys() {
        let found = test(&A, &B);
        assert_eq!((found.first, found.second, found.u), (8, 8, 52.0));
        assert!(
            (found.p_greater - 0.018_958_818_958_818_957).abs() < 1e-14,
            "{found:?}"
        );
        assert!(
            (found.p_less - 0.985_936_285_936_285_9).abs() < 1e-14,
            "{found:?}"
        );
        assert!(
            (2.0 * found.p_greater.min(found.p_less) - 0.037_917_637_917_637_914).abs() < 1e-14
        );
        let turned = test(&B, &A);
        assert!((turned.p_less - found.p_greater).abs() < 1e-14);
    }

    /// With `d = sorted(b - a for a in A for b in B)` in Python, `numpy.median(d)` is 0.35, `d[15]` and
    /// `d[-16]` are 0.05 and 0.6: P(U <= 15) of two groups of eight is at most 0.05, P(U <= 16) is not
    /// (R: `qwilcox(0.05, 8, 8)` is 16).
    #[test]
    fn the_shift_lies_between_its_bounds() {
        let found = test(&A, &B);
        assert!((found.shift - 0.35).abs() < 1e-12);
        assert!((found.at_least.unwrap() - 0.05).abs() < 1e-12);
        assert!((found.at_most.unwrap() - 0.6).abs() < 1e-12);
    }

    /// All `itertools.combinations(range(9), 4)` of the mid-ranks by `scipy.stats.rankdata`: U 15.5,
    /// 0.1349206349206349 at least that, 0.9603174603174603 at most.
    #[test]
    fn ties_are_exact() {
        let found = test(&[1.0, 1.0, 2.0, 3.0, 3.0], &[2.0, 3.0, 3.0, 4.0]);
        assert_eq!((found.u, found.shift), (15.5, 1.0));
        assert!((found.p_greater - 0.134_920_634_920_634_9).abs() < 1e-14);
        assert!((found.p_less - 0.960_317_460_317_460_3).abs() < 1e-14);
        let equal = test(&[1.0; 4], &[1.0; 4]);
        assert_eq!(
            (equal.p_greater, equal.p_less, equal.shift),
            (1.0, 1.0, 0.0)
        );
    }

    /// One value beyond nineteen: a prediction interval of 95 % on one side.
    #[test]
    fn one_against_many() {
        let many: Vec<f64> = (1..=19).map(f64::from).collect();
        let found = test(&many, &[20.0]);
        assert!((found.p_greater - 0.05).abs() < 1e-12);
        assert_eq!((found.at_least, found.at_most), (Some(1.0), Some(19.0)));
        let few = test(&many[..18], &[20.0]);
        assert!(few.p_greater > 0.05 && few.at_least.is_none());
    }

    #[test]
    fn fewest_values_that_can_tell() {
        for (second, error, expect) in [
            (1, 0.05, 19),
            (2, 0.05, 5),
            (3, 0.05, 3),
            (4, 0.05, 3),
            (8, 0.05, 2),
            (1, 0.025, 39),
        ] {
            assert_eq!(least_first(second, error), expect, "{second} at {error}");
        }
    }

    /// Simulated with numpy, 200,000 sets each, `default_rng(1)`: 8 and 8 at an effect of 1.5 standard
    /// deviations 0.845 (exact test at 0.05, one-sided); 3 and 3 at 3 standard deviations 0.888; 19 and 1 at
    /// 2.5 standard deviations 0.722.
    #[test]
    fn power_is_about_right() {
        let check = |first, second, effect, expect: f64| {
            let found = rank_sum_power(first, second, effect, 0.05);
            assert!((found - expect).abs() < 0.02, "{first} {second}: {found}");
        };
        check(8, 8, 1.5, 0.845);
        check(3, 3, 3.0, 0.888);
        check(19, 1, 2.5, 0.722);
        check(18, 1, 9.0, 0.0);
        assert!(rank_sum_power(8, 8, 0.0, 0.05) < 0.055);
    }

    #[test]
    fn defined_cases() {
        assert_eq!(rank_sum(&[], &[1.0], 0.95), Err(StatsError::Empty));
        assert_eq!(rank_sum(&[1.0], &[], 0.95), Err(StatsError::Empty));
        assert!(rank_sum(&[1.0], &[f64::INFINITY], 0.95).is_err());
        assert!(rank_sum(&[1.0], &[1.0], 1.0).is_err());
        assert!(rank_sum(&[1.0; RANK_SUM_LIMIT + 1], &[1.0], 0.95).is_err());
        let one = test(&[1.0], &[2.0]);
        assert_eq!((one.p_greater, one.shift, one.at_least), (0.5, 1.0, None));
        let most = test(&[1.0; RANK_SUM_LIMIT], &[2.0; RANK_SUM_LIMIT]);
        assert!(most.p_greater > 0.0 && most.p_greater < 1e-30);
    }
}
