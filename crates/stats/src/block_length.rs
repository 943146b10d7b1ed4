//! How long blocks must be for resampling a dependent series.
//!
//! Politis and White 2004 (Econometric Reviews 23(1)) with the correction of Patton, Politis and
//! White 2009. Their flat-top window sums autocovariances up to twice the last lag that is
//! significantly correlated.

use crate::error::{StatsError, check_finite};
use crate::long_run_variance::{AutocovarianceSource, Centred};

/// Correlations within this many times sqrt(log10(n) / n) of 0 are small (the paper's c).
const SMALL: f64 = 2.0;

/// Consecutive small correlations that end the search: the paper's max(5, sqrt(log10 n)), which is
/// 5 for every series that fits into memory.
const RUN: usize = 5;

/// Optimal mean block lengths, in observations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockLength {
    /// For the stationary bootstrap.
    pub stationary: f64,
    /// For the circular bootstrap.
    pub circular: f64,
}

/// The block lengths that minimise the mean squared error of the bootstrapped variance of the mean
/// of `series`, in time order. At least 1 each; at most min(3 sqrt(n), n / 3). 1 where nothing
/// varies.
///
/// # Errors
/// `NotFinite`; `TooFew` below eight observations; `Empty`.
pub fn block_length(series: &[f64]) -> Result<BlockLength, StatsError> {
    check_finite(series)?;
    let n = series.len();
    if n < 8 {
        return Err(StatsError::TooFew { needed: 8, have: n });
    }
    let centred = Centred::new(series);
    let variance = centred.autocovariance(0);
    if variance == 0.0 {
        return Ok(BlockLength {
            stationary: 1.0,
            circular: 1.0,
        });
    }
    let size = n as f64;
    let most_lags = (size.sqrt().ceil() as usize + RUN).min(n - 1);
    let covariances: Vec<f64> = (0..=most_lags).map(|k| centred.autocovariance(k)).collect();
    let window = (2 * last_significant(&covariances, n))
        .min(most_lags)
        .max(1);
    // Flat-top: 1 up to half the window, then down to 0.
    let weight = |k: usize| (2.0 * (1.0 - k as f64 / window as f64)).clamp(0.0, 1.0);
    let lags = 1..=window;
    let tilt: f64 = lags
        .clone()
        .map(|k| 2.0 * weight(k) * k as f64 * covariances[k])
        .sum();
    let long_run = covariances[0] + lags.map(|k| 2.0 * weight(k) * covariances[k]).sum::<f64>();
    let length = |denominator: f64| {
        let optimum = (2.0 * tilt * tilt / denominator * size).cbrt();
        let most = (3.0 * size.sqrt()).min(size / 3.0).ceil();
        if optimum.is_nan() {
            1.0
        } else {
            optimum.clamp(1.0, most)
        }
    };
    let square = long_run * long_run;
    Ok(BlockLength {
        stationary: length(2.0 * square),
        circular: length(4.0 / 3.0 * square),
    })
}

/// The first lag of a run of small correlations: one past the paper's, so that an independent
/// series has a window too. Without such a run the last lag that is not small.
fn last_significant(covariances: &[f64], n: usize) -> usize {
    let size = n as f64;
    let bound = SMALL * (size.log10() / size).sqrt();
    let small: Vec<bool> = covariances[1..]
        .iter()
        .map(|c| (c / covariances[0]).abs() < bound)
        .collect();
    let run = small.windows(RUN).position(|run| run.iter().all(|s| *s));
    let last = || small.iter().rposition(|s| !s);
    run.or_else(last).map_or(1, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_memory_needs_longer_blocks() {
        let noise = |i: u32| f64::from(i.wrapping_add(1).wrapping_mul(2_654_435_761) >> 7 & 1_023);
        let slow: Vec<f64> = (0..2_000).map(|i| noise(i / 40)).collect();
        let fast: Vec<f64> = (0..2_000).map(|i| noise(i * i)).collect();
        let of = |series: &[f64]| block_length(series).unwrap().circular;
        assert!(of(&slow) > 3.0 * of(&fast), "{} {}", of(&slow), of(&fast));
    }

    #[test]
    fn defined_cases() {
        assert_eq!(block_length(&[]), Err(StatsError::Empty));
        let few = block_length(&[1.0; 7]);
        assert_eq!(few, Err(StatsError::TooFew { needed: 8, have: 7 }));
        assert_eq!(block_length(&[4.0; 9]).unwrap().stationary, 1.0);
        assert!(block_length(&[f64::INFINITY; 9]).is_err());
        let short = block_length(&[1.0, 5.0, 2.0, 4.0, 3.0, 3.5, 2.5, 9.0]).unwrap();
        assert!((1.0..=3.0).contains(&short.circular));
    }
}
