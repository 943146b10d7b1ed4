//! Wilcoxon's signed-rank test of paired differences, exact, with the Hodges-Lehmann estimate.
//!
//! Exact also under ties: the null distribution is that of the mid-ranks at hand, each with either sign
//! at probability one half. It decides nothing about which pairs may be compared.

use crate::error::{StatsError, check_finite, check_level};
use crate::interval::Interval;

/// Most differences: the null distribution and the Walsh averages grow with the square and more.
pub const SIGNED_RANK_LIMIT: usize = 200;

/// The outcome of the test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignedRank {
    /// Differences.
    pub n: usize,
    /// Sum of the ranks of those above 0, among those that are not 0.
    pub positive_ranks: f64,
    /// Two-sided p-value; 1 where all differences are 0.
    pub p_value: f64,
    /// Hodges-Lehmann estimate: the median of the Walsh averages.
    pub estimate: f64,
    /// Interval of the estimate from the ordered Walsh averages: at least the level asked for, where
    /// differences are symmetric about their centre. Open on both sides where so few differences
    /// give none (five at 95 %).
    pub interval: Interval,
}

/// Tests whether differences are centred on 0 (Wilcoxon 1945; zeros are left out, as he did), and
/// estimates their centre (Hodges and Lehmann 1963; zeros stay in).
///
/// # Errors
/// `Empty`, `NotFinite`, `InvalidLevel`; `TooMany` beyond `SIGNED_RANK_LIMIT`.
pub fn signed_rank(differences: &[f64], level: f64) -> Result<SignedRank, StatsError> {
    check_finite(differences)?;
    check_level(level)?;
    let n = differences.len();
    if n > SIGNED_RANK_LIMIT {
        return Err(StatsError::TooMany {
            limit: SIGNED_RANK_LIMIT,
            have: n,
        });
    }
    let ranks = doubled_ranks(differences);
    let positive: u64 = ranks.iter().filter(|(up, _)| *up).map(|(_, r)| r).sum();
    let null = null_distribution(ranks.iter().map(|(_, r)| *r));
    let walsh = walsh_averages(differences);
    let middle = walsh.len() / 2;
    Ok(SignedRank {
        n,
        positive_ranks: positive as f64 / 2.0,
        p_value: two_sided(&null, positive as usize),
        estimate: if walsh.len() % 2 == 1 {
            walsh[middle]
        } else {
            0.5 * (walsh[middle - 1] + walsh[middle])
        },
        interval: walsh_interval(&walsh, n, level),
    })
}

/// Twice the mid-rank of each difference that is not 0, and whether it lies above 0.
fn doubled_ranks(differences: &[f64]) -> Vec<(bool, u64)> {
    let mut sorted: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    sorted.sort_unstable_by(|a, b| a.abs().total_cmp(&b.abs()));
    let mut ranks = Vec::with_capacity(sorted.len());
    for tied in sorted.chunk_by(|a, b| a.abs() == b.abs()) {
        let (first, last) = (ranks.len() + 1, ranks.len() + tied.len());
        let doubled = (first + last) as u64;
        ranks.extend(tied.iter().map(|d| (*d > 0.0, doubled)));
    }
    ranks
}

/// Probability of each sum of the doubled ranks that get the sign plus.
pub(crate) fn null_distribution(ranks: impl Iterator<Item = u64>) -> Vec<f64> {
    let mut distribution = vec![1.0];
    for rank in ranks {
        let rank = rank as usize;
        let mut next = vec![0.0; distribution.len() + rank];
        for (sum, p) in distribution.iter().enumerate() {
            next[sum] += 0.5 * p;
            next[sum + rank] += 0.5 * p;
        }
        distribution = next;
    }
    distribution
}

/// Probability of a sum at least as far from the middle.
fn two_sided(null: &[f64], sum: usize) -> f64 {
    let far = sum.min(null.len() - 1 - sum);
    let tail: f64 = null[..=far].iter().sum();
    (2.0 * tail).min(1.0)
}

/// Means of all pairs, each with itself too, ascending.
fn walsh_averages(differences: &[f64]) -> Vec<f64> {
    let mut walsh = Vec::with_capacity(differences.len() * (differences.len() + 1) / 2);
    for (i, a) in differences.iter().enumerate() {
        walsh.extend(differences[i..].iter().map(|b| a.midpoint(*b)));
    }
    walsh.sort_unstable_by(f64::total_cmp);
    walsh
}

/// Between the k-th Walsh average from below and from above, k the least sum whose probability
/// reaches half the error.
fn walsh_interval(walsh: &[f64], n: usize, level: f64) -> Interval {
    let null = null_distribution((1..=n as u64).map(|rank| 2 * rank));
    let mut below = 0.0;
    let mut k = 0;
    for p in null.iter().step_by(2) {
        below += p;
        if below >= 0.5 * (1.0 - level) {
            break;
        }
        k += 1;
    }
    Interval {
        low: (k > 0).then(|| walsh[k - 1]),
        high: (k > 0).then(|| walsh[walsh.len() - k]),
        level,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(differences: &[f64]) -> SignedRank {
        signed_rank(differences, 0.95).unwrap()
    }

    /// `scipy.stats.wilcoxon(x, method='exact')`: statistic 6.0 (the smaller sum, of 55),
    /// p 0.02734375 (SciPy 1.17.1).
    #[test]
    fn the_p_value_is_scipys() {
        let x = [0.4, -0.1, 0.9, 1.3, 0.2, -0.6, 1.7, 0.8, 2.1, 0.5];
        let found = test(&x);
        assert_eq!((found.n, found.positive_ranks), (10, 49.0));
        assert!((found.p_value - 0.027_343_75).abs() < 1e-12, "{found:?}");
    }

    /// Estimate and interval as R's `wilcox.test(x, conf.int = TRUE, exact = TRUE)` defines them:
    /// with `w = sorted((a + b) / 2 for each pair)` in Python, `numpy.median(w)` is 0.7, and
    /// `w[8]`, `w[-9]` are 0.15 and 1.3, 9 the least q with P(W <= q) >= 0.025.
    #[test]
    fn the_estimate_lies_in_its_interval() {
        let x = [0.4, -0.1, 0.9, 1.3, 0.2, -0.6, 1.7, 0.8, 2.1, 0.5];
        let found = test(&x);
        assert!((found.estimate - 0.7).abs() < 1e-12);
        assert!((found.interval.low.unwrap() - 0.15).abs() < 1e-12);
        assert!((found.interval.high.unwrap() - 1.3).abs() < 1e-12);
    }

    /// All 2^8 signs of the mid-ranks, by `itertools.product`: 13.28125 % of the sums lie as far
    /// from their middle as 29.5.
    #[test]
    fn ties_and_zeros() {
        let found = test(&[1.0, 1.0, -1.0, 2.0, 3.0, -2.0, 0.0, 4.0, 4.0]);
        assert_eq!((found.positive_ranks, found.p_value), (29.5, 0.132_812_5));
    }

    #[test]
    fn five_differences_cannot_decide_and_six_can() {
        let five = test(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!((five.p_value, five.estimate), (0.0625, 3.0));
        assert_eq!((five.interval.low, five.interval.high), (None, None));
        let six = test(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!((six.p_value, six.estimate), (0.031_25, 3.5));
        assert_eq!(
            (six.interval.low, six.interval.high),
            (Some(1.0), Some(6.0))
        );
    }

    #[test]
    fn defined_cases() {
        assert_eq!(signed_rank(&[], 0.95), Err(StatsError::Empty));
        assert!(signed_rank(&[f64::INFINITY], 0.95).is_err());
        assert!(signed_rank(&[1.0], 1.0).is_err());
        assert!(signed_rank(&[1.0; SIGNED_RANK_LIMIT + 1], 0.95).is_err());
        let none = test(&[0.0; 8]);
        assert_eq!((none.p_value, none.estimate), (1.0, 0.0));
        let one = test(&[2.5]);
        assert_eq!((one.p_value, one.estimate), (1.0, 2.5));
        let most = test(&[1.0; SIGNED_RANK_LIMIT]);
        assert!(most.p_value > 0.0 && most.p_value < 1e-50);
    }
}
