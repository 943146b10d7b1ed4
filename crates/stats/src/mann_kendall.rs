//! The Mann-Kendall test for a monotone trend.
//!
//! Mann 1945; Kendall 1975. It assumes independent observations: give it batch means, never a raw
//! correlated series.

use crate::error::{StatsError, check_ordered};
use crate::special::normal_two_sided_p;

/// Largest n whose p-value is computed exactly; beyond it the normal form is good to 1e-3.
const EXACT_UP_TO: usize = 50;

/// The outcome of a two-sided Mann-Kendall test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MannKendall {
    /// Pairs that rise less pairs that fall.
    pub s: i64,
    /// Kendall's tau-b against time, in `[-1, 1]`; 0 when all observations are equal.
    pub tau: f64,
    /// Two-sided p-value; 1 when all observations are equal.
    pub p_value: f64,
    /// Observations.
    pub n: usize,
    /// Whether the p-value is exact (no ties, n <= 50) or from the normal approximation with the
    /// correction for ties and for continuity.
    pub exact: bool,
}

/// Tests `series` (in time order, independent, infinities allowed) for a monotone trend. O(n^2).
///
/// # Errors
/// `Empty`, `NotANumber`; `TooFew` below two observations.
pub fn mann_kendall(series: &[f64]) -> Result<MannKendall, StatsError> {
    check_ordered(series)?;
    let n = series.len();
    if n < 2 {
        return Err(StatsError::TooFew { needed: 2, have: n });
    }
    let s = concordance(series);
    let ties = tie_groups(series);
    let pairs = (n * (n - 1) / 2) as f64;
    let tied_pairs: f64 = ties.iter().map(|&t| t * (t - 1.0) / 2.0).sum();
    if tied_pairs == pairs {
        return Ok(MannKendall {
            s: 0,
            tau: 0.0,
            p_value: 1.0,
            n,
            exact: true,
        });
    }
    let exact = ties.is_empty() && n <= EXACT_UP_TO;
    let p_value = if exact {
        exact_p(n, s)
    } else {
        normal_p(n, s, &ties)
    };
    Ok(MannKendall {
        s,
        tau: s as f64 / (pairs * (pairs - tied_pairs)).sqrt(),
        p_value,
        n,
        exact,
    })
}

fn concordance(series: &[f64]) -> i64 {
    let mut s = 0;
    for (i, earlier) in series.iter().enumerate() {
        for later in &series[i + 1..] {
            s += i64::from(later > earlier) - i64::from(later < earlier);
        }
    }
    s
}

/// Sizes of the groups of equal observations that hold more than one.
fn tie_groups(series: &[f64]) -> Vec<f64> {
    let mut sorted = series.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let sizes = sorted.chunk_by(|a, b| a == b).map(<[f64]>::len);
    sizes
        .filter(|&size| size > 1)
        .map(|size| size as f64)
        .collect()
}

/// P(|S| >= |s|) over all orders: the number of inversions of a random permutation is a sum of
/// independent uniforms on 0..i, i < n.
fn exact_p(n: usize, s: i64) -> f64 {
    let pairs = n * (n - 1) / 2;
    let inversions = (pairs - s.unsigned_abs() as usize) / 2;
    let mut mass = vec![0.0; inversions + 1];
    mass[0] = 1.0;
    for size in 2..=n {
        let mut cumulative = vec![0.0; inversions + 2];
        for (k, &m) in mass.iter().enumerate() {
            cumulative[k + 1] = cumulative[k] + m;
        }
        for (k, m) in mass.iter_mut().enumerate() {
            let from = (k + 1).saturating_sub(size);
            *m = (cumulative[k + 1] - cumulative[from]) / size as f64;
        }
    }
    (2.0 * mass.iter().sum::<f64>()).min(1.0)
}

/// Normal approximation, variance corrected for ties, s moved by one towards zero.
fn normal_p(n: usize, s: i64, ties: &[f64]) -> f64 {
    let term = |t: f64| t * (t - 1.0) * (2.0 * t + 5.0);
    let variance = (term(n as f64) - ties.iter().map(|&t| term(t)).sum::<f64>()) / 18.0;
    normal_two_sided_p((s.unsigned_abs() as f64 - 1.0).max(0.0) / variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strict_rise_of_ten_is_as_rare_as_two_orders_in_ten_factorial() {
        let rise: Vec<f64> = (0..10).map(f64::from).collect();
        let test = mann_kendall(&rise).unwrap();
        assert_eq!((test.s, test.tau, test.exact), (45, 1.0, true));
        assert!((test.p_value - 2.0 / 3_628_800.0).abs() < 1e-18);
    }

    #[test]
    fn defined_cases() {
        assert_eq!(mann_kendall(&[]), Err(StatsError::Empty));
        assert_eq!(
            mann_kendall(&[1.0]),
            Err(StatsError::TooFew { needed: 2, have: 1 })
        );
        assert_eq!(mann_kendall(&[1.0, 2.0]).unwrap().p_value, 1.0);
        let flat = mann_kendall(&[4.0; 10]).unwrap();
        assert_eq!((flat.s, flat.tau, flat.p_value), (0, 0.0, 1.0));
        let infinite = mann_kendall(&[f64::NEG_INFINITY, 0.0, f64::INFINITY]).unwrap();
        assert_eq!(infinite.tau, 1.0);
    }
}
