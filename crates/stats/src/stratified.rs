//! Two large groups compared within strata, by ranks: the stratified rank-sum test of van Elteren (1960), and the
//! Hodges-Lehmann shift of large groups.
//!
//! With one stratum it is the test of Wilcoxon (1945) and of Mann and Whitney (1947). By the normal approximation with the
//! variance of the mid-ranks at hand, without correction for continuity: for groups of 30 and more. For small ones
//! [`crate::rank_sum`] is exact. Invariant: a stratum of one group alone says nothing.

use crate::error::{StatsError, check_finite};
use crate::special::normal_cdf;

/// Values of each group that the shift of large ones is taken of.
const SHIFT_VALUES: usize = 500;

/// The outcome of the test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StratifiedRankSum {
    /// Values of the first group in strata that have both.
    pub first: usize,
    /// Values of the second.
    pub second: usize,
    /// Standard deviations by which the second group lies above the first; 0 where all values are tied.
    pub z: f64,
    /// Probability of a z this small or smaller where the groups do not differ.
    pub p_less: f64,
    /// Of one this great or greater.
    pub p_greater: f64,
}

/// Tests whether the second group of each stratum lies above or below the first. A stratum weighs by 1 / (n + 1), with n its
/// values.
///
/// # Errors
/// `NotFinite`; `Empty` where no stratum has both groups.
pub fn stratified_rank_sum(
    strata: &[(Vec<f64>, Vec<f64>)],
) -> Result<StratifiedRankSum, StatsError> {
    let (mut first, mut second, mut above, mut variance) = (0, 0, 0.0, 0.0);
    for (a, b) in strata
        .iter()
        .filter(|(a, b)| !a.is_empty() && !b.is_empty())
    {
        check_finite(a)?;
        check_finite(b)?;
        let stratum = Stratum::of(a, b);
        let weight = 1.0 / ((a.len() + b.len()) as f64 + 1.0);
        above += weight * stratum.above;
        variance += weight * weight * stratum.variance;
        first += a.len();
        second += b.len();
    }
    if first == 0 {
        return Err(StatsError::Empty);
    }
    let z = match variance > 0.0 {
        true => above / variance.sqrt(),
        false => 0.0,
    };
    Ok(StratifiedRankSum {
        first,
        second,
        z,
        p_less: normal_cdf(z),
        p_greater: normal_cdf(-z),
    })
}

/// The rank sum of a second group.
struct Stratum {
    /// Less what it is expected to be.
    above: f64,
    variance: f64,
}

impl Stratum {
    fn of(first: &[f64], second: &[f64]) -> Self {
        let mut all: Vec<(f64, bool)> = first.iter().map(|x| (*x, false)).collect();
        all.extend(second.iter().map(|x| (*x, true)));
        all.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let (n, m) = (first.len() as f64, second.len() as f64);
        let whole = n + m;
        let (mut seen, mut sum, mut ties) = (0.0, 0.0, 0.0);
        for tied in all.chunk_by(|a, b| a.0 == b.0) {
            let size = tied.len() as f64;
            let of_second = tied.iter().filter(|(_, second)| *second).count() as f64;
            sum += of_second * (seen + (size + 1.0) / 2.0);
            ties += size * size * size - size;
            seen += size;
        }
        let spread = (whole + 1.0) - ties / (whole * (whole - 1.0).max(1.0));
        Self {
            above: sum - m * (whole + 1.0) / 2.0,
            variance: n * m / 12.0 * spread,
        }
    }
}

/// Hodges and Lehmann's estimate of how far the second group lies above the first: the median of all differences. Of groups
/// of more than 500 values, each is represented by 500 of its order statistics at even distances. `None` where a group is
/// empty. Both ascending.
pub fn shift_of(first: &[f64], second: &[f64]) -> Option<f64> {
    let (first, second) = (thinned(first), thinned(second));
    let pairs = second.iter().flat_map(|b| first.iter().map(move |a| b - a));
    let mut differences: Vec<f64> = pairs.collect();
    let n = differences.len();
    if n == 0 {
        return None;
    }
    differences.sort_unstable_by(f64::total_cmp);
    Some(0.5 * (differences[(n - 1) / 2] + differences[n / 2]))
}

fn thinned(sorted: &[f64]) -> Vec<f64> {
    let n = sorted.len();
    if n <= SHIFT_VALUES {
        return sorted.to_vec();
    }
    let place = |i: usize| (2 * i + 1) * n / (2 * SHIFT_VALUES);
    (0..SHIFT_VALUES).map(|i| sorted[place(i)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-9, "{value} {expected}");
    }

    /// The groups of `rank_sum`'s tests: U 52 of an expected 32, variance 8 * 8 * 17 / 12.
    #[test]
    fn one_stratum_is_the_rank_sum_test() {
        let first = vec![10.2, 9.8, 10.5, 10.1, 9.9, 10.4, 10.0, 10.3];
        let second = vec![10.6, 10.15, 10.9, 10.35, 10.7, 10.05, 10.8, 10.45];
        let found = stratified_rank_sum(&[(first, second)]).unwrap();
        close(found.z, 20.0 / f64::sqrt(8.0 * 8.0 * 17.0 / 12.0));
        assert!((found.p_greater - 0.017_85).abs() < 1e-4, "{found:?}");
    }

    /// U 15.5 of an expected 10; ties of 2, 2 and 4 among 9: variance 20 / 12 * (10 - 72 / 72).
    #[test]
    fn ties_take_from_the_variance() {
        let found =
            stratified_rank_sum(&[(vec![1.0, 1.0, 2.0, 3.0, 3.0], vec![2.0, 3.0, 3.0, 4.0])]);
        close(found.unwrap().z, 5.5 / f64::sqrt(15.0));
    }

    /// By hand: stratum {1} and {2}: rank 2, expected 1.5, variance 1/4; stratum {1, 2} and {3}: rank 3, expected 2,
    /// variance 2/3. Weights 1/3 and 1/4.
    #[test]
    fn strata_weigh_by_their_size() {
        let strata = [(vec![1.0], vec![2.0]), (vec![1.0, 2.0], vec![3.0])];
        let found = stratified_rank_sum(&strata).unwrap();
        let variance = 0.25 / 9.0 + (2.0 / 3.0) / 16.0;
        close(found.z, (0.5 / 3.0 + 1.0 / 4.0) / f64::sqrt(variance));
        assert_eq!((found.first, found.second), (3, 2));
        close(found.p_less + found.p_greater, 1.0);
    }

    /// Two classes with lengths of their own, the longer one more frequent in the second group: no difference within either.
    #[test]
    fn another_mix_is_no_difference() {
        let class =
            |n: usize, base: f64| (0..n).map(|i| base + (i % 10) as f64).collect::<Vec<f64>>();
        let strata = [
            (class(90, 0.0), class(10, 0.0)),
            (class(10, 100.0), class(90, 100.0)),
        ];
        let found = stratified_rank_sum(&strata).unwrap();
        assert!(found.z.abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn defined_cases() {
        assert_eq!(stratified_rank_sum(&[]), Err(StatsError::Empty));
        assert_eq!(
            stratified_rank_sum(&[(vec![1.0], vec![])]),
            Err(StatsError::Empty)
        );
        assert!(stratified_rank_sum(&[(vec![1.0], vec![f64::INFINITY])]).is_err());
        let tied = stratified_rank_sum(&[(vec![1.0; 5], vec![1.0; 5])]).unwrap();
        assert_eq!((tied.z, tied.p_less), (0.0, 0.5));
        assert_eq!(shift_of(&[], &[1.0]), None);
        assert_eq!(shift_of(&[1.0, 2.0], &[2.0, 3.0]), Some(1.0));
        let many = |from: f64| {
            (0..20_000)
                .map(|i| from + f64::from(i))
                .collect::<Vec<f64>>()
        };
        close(shift_of(&many(0.0), &many(7.0)).unwrap(), 7.0);
    }
}
