//! Whether a positive sample pools two populations that lie clearly apart.
//!
//! Everything is on the logarithms: two modes at 50 and 500 ms are as far apart as at 0.5 and 5 s.
//! Three things must hold. One mode is rejected (Hartigan's dip) at the size that the sample is worth
//! when neighbours are alike, so that a slow wave is no second mode. The dip is deep enough to matter,
//! so that a ripple in a million values is none. And the best cut in two (Otsu 1979, IEEE Transactions
//! on Systems, Man and Cybernetics 9(1)) leaves parts of some size whose medians lie apart.
//!
//! It does not say how many modes there are beyond one, nor why.

use crate::dip::dip;
use crate::error::{StatsError, check_finite};
use crate::indicator::Indicator;

/// Observations below which a sample has no shape to speak of.
pub const SHAPE_OBSERVATIONS: usize = 100;
/// Dip below which a second mode does not matter.
pub(crate) const LEAST_DIP: f64 = 0.02;
/// Share of the variance of the logarithms that the cut explains, at least. A normal law gives 0.64,
/// a uniform one 0.75 (Otsu 1979).
pub(crate) const LEAST_EXPLAINED: f64 = 0.75;
/// Share of the smaller part, at least.
pub(crate) const SMALLER_MODE: f64 = 0.05;
/// Ratio of the parts' medians, at least.
pub(crate) const MODES_APART: f64 = 2.0;

/// Two populations in one sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TwoModes {
    /// The lower part is up to and including this value.
    pub cut: f64,
    /// Medians of both parts.
    pub medians: (f64, f64),
    /// Share of the smaller part.
    pub smaller: f64,
    /// Share of the variance of the logarithms that the cut explains.
    pub explained: f64,
    /// The dip of the logarithms.
    pub dip: f64,
    /// Independent observations that the sample is worth.
    pub effective_n: f64,
}

/// The two populations of a sample in time order; `None` where there is one, or fewer than
/// [`SHAPE_OBSERVATIONS`] values, or a value is not positive. O(n log n).
///
/// # Errors
/// `Empty` or `NotFinite`.
pub fn two_modes(samples_in_time_order: &[f64]) -> Result<Option<TwoModes>, StatsError> {
    check_finite(samples_in_time_order)?;
    let enough = samples_in_time_order.len() >= SHAPE_OBSERVATIONS;
    if !enough || samples_in_time_order.iter().any(|x| *x <= 0.0) {
        return Ok(None);
    }
    let mut sorted = samples_in_time_order.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let logs: Vec<f64> = sorted.iter().map(|x| x.ln()).collect();
    let Some(split) = best_split(&logs) else {
        return Ok(None);
    };
    let n = sorted.len();
    let below = split.below;
    let medians = (sorted[(below - 1) / 2], sorted[below + (n - below) / 2]);
    let smaller = below.min(n - below) as f64 / n as f64;
    // The cheap conditions first: most samples fail one of them.
    let apart = split.explained > LEAST_EXPLAINED
        && smaller >= SMALLER_MODE
        && medians.1 >= MODES_APART * medians.0;
    if !apart {
        return Ok(None);
    }
    let found = dip(&logs)?;
    let cut = sorted[below - 1];
    let effective_n = effective_n(samples_in_time_order, &sorted, cut);
    let two = found.statistic >= LEAST_DIP && found.rejects_one_mode(effective_n);
    Ok(two.then_some(TwoModes {
        cut,
        medians,
        smaller,
        explained: split.explained,
        dip: found.statistic,
        effective_n,
    }))
}

/// The smallest effective sample size among the indicators of the cut and the quartiles: the dip is a
/// distance between distribution functions, and these are where it can be.
fn effective_n(samples: &[f64], sorted: &[f64], cut: f64) -> f64 {
    let n = sorted.len();
    let at = [cut, sorted[n / 4], sorted[n / 2], sorted[3 * n / 4]];
    let worth = at.map(|q| {
        let long_run = Indicator::at_or_below(samples, q).long_run();
        long_run.map_or(n as f64, |l| l.effective_n(n))
    });
    worth.into_iter().fold(n as f64, f64::min)
}

/// A cut of an ascending sample in two.
struct Split {
    /// Observations below it.
    below: usize,
    /// Share of the variance between the parts.
    explained: f64,
}

/// The cut with the greatest variance between its parts (Otsu 1979), never between equal values;
/// `None` where all are equal.
fn best_split(sorted: &[f64]) -> Option<Split> {
    let n = sorted.len() as f64;
    let mean = sorted.iter().sum::<f64>() / n;
    let variance = sorted.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    let mut low = 0.0;
    let mut best: Option<(f64, usize)> = None;
    for (below, pair) in (1..).zip(sorted.windows(2)) {
        low += pair[0] - mean;
        if pair[0] == pair[1] {
            continue;
        }
        // The deviations of both parts add up to 0.
        let share = below as f64 / n;
        let between = (low / n).powi(2) / (share * (1.0 - share));
        if best.is_none_or(|(most, _)| between > most) {
            best = Some((between, below));
        }
    }
    let (between, below) = best?;
    Some(Split {
        below,
        explained: between / variance,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Uniform numbers in (0, 1) that look random and are the same everywhere.
    fn unit(i: u32) -> f64 {
        let mut z = u64::from(i).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// About normal: the sum of twelve uniforms less 6.
    fn normal(i: u32) -> f64 {
        (0..12).map(|k| unit(12 * i + k)).sum::<f64>() - 6.0
    }

    fn lognormal(n: u32, sigma: f64) -> Vec<f64> {
        (1..=n).map(|i| 60.0 * (sigma * normal(i)).exp()).collect()
    }

    /// Lognormal values, of which a share, at random places, are `times` as large.
    fn mixture(n: u32, sigma: f64, share: f64, times: f64) -> Vec<f64> {
        let values = lognormal(n, sigma).into_iter().zip(1..);
        values
            .map(|(x, i)| {
                if unit(i + 7_000_000) < share {
                    x * times
                } else {
                    x
                }
            })
            .collect()
    }

    /// A normal law gives 2 / pi, a uniform one 3 / 4 (Otsu 1979).
    #[test]
    fn what_a_cut_explains_of_known_laws() {
        let explained = |mut values: Vec<f64>| {
            values.sort_unstable_by(f64::total_cmp);
            best_split(&values).expect("varies").explained
        };
        let uniform = explained((1..=4_000).map(unit).collect());
        assert!((uniform - 0.75).abs() < 0.01, "{uniform}");
        let of_normal = explained((1..=4_000).map(normal).collect());
        assert!(
            (of_normal - 2.0 / std::f64::consts::PI).abs() < 0.015,
            "{of_normal}"
        );
        let two = explained([vec![1.0; 30], vec![2.0; 10]].concat());
        assert!((two - 1.0).abs() < 1e-12, "{two}");
    }

    #[test]
    fn two_populations_are_described() {
        let found = two_modes(&mixture(2_000, 0.3, 0.25, 8.0)).unwrap();
        let found = found.expect("two modes");
        assert!((found.smaller - 0.25).abs() < 0.03, "{found:?}");
        assert!((found.medians.0 / 60.0 - 1.0).abs() < 0.05, "{found:?}");
        assert!((found.medians.1 / 480.0 - 1.0).abs() < 0.05, "{found:?}");
        assert!(found.medians.0 < found.cut && found.cut < found.medians.1);
        assert!(found.dip > 0.05 && found.effective_n > 1_000.0, "{found:?}");
        // A tenth is enough where there is enough of it.
        let tenth = mixture(2_000, 0.2, 0.1, 10.0);
        assert!(two_modes(&tenth).unwrap().is_some());
    }

    #[test]
    fn one_population_is_not_split() {
        for sigma in [0.1, 0.5, 1.5] {
            assert_eq!(two_modes(&lognormal(5_000, sigma)), Ok(None));
        }
        let flat: Vec<f64> = (1..=5_000).map(|i| 1.0 + 99.0 * unit(i)).collect();
        assert_eq!(two_modes(&flat), Ok(None));
        let exponential: Vec<f64> = (1..=5_000).map(|i| -unit(i).ln()).collect();
        assert_eq!(two_modes(&exponential), Ok(None));
    }

    #[test]
    fn a_difference_that_does_not_matter_is_none() {
        // Modes at 1 and 1.7, told apart with certainty.
        assert_eq!(two_modes(&mixture(20_000, 0.05, 0.5, 1.7)), Ok(None));
        // One value in fifty lies far out.
        assert_eq!(two_modes(&mixture(20_000, 0.1, 0.02, 10.0)), Ok(None));
    }

    #[test]
    fn a_slow_wave_is_no_second_mode() {
        let wave = |period: usize| -> Vec<f64> {
            let slow = |i: usize| {
                if (i / period).is_multiple_of(2) {
                    1.0
                } else {
                    8.0
                }
            };
            let values = lognormal(2_000, 0.3).into_iter().enumerate();
            values.map(|(i, x)| x * slow(i)).collect()
        };
        assert_eq!(two_modes(&wave(500)), Ok(None));
        assert!(two_modes(&wave(1)).unwrap().is_some());
    }

    #[test]
    fn defined_cases() {
        assert_eq!(two_modes(&[]), Err(StatsError::Empty));
        assert!(two_modes(&[1.0, f64::INFINITY]).is_err());
        assert_eq!(two_modes(&[5.0; 500]), Ok(None));
        let alternating: Vec<f64> = (0..100)
            .map(|i| if i % 2 == 0 { 1.0 } else { 10.0 })
            .collect();
        let found = two_modes(&alternating).unwrap().expect("two values");
        assert_eq!(
            (found.cut, found.medians, found.smaller),
            (1.0, (1.0, 10.0), 0.5)
        );
        assert_eq!(two_modes(&alternating[..99]), Ok(None));
        let mut with_zero = alternating;
        with_zero[0] = 0.0;
        assert_eq!(two_modes(&with_zero), Ok(None));
    }
}
