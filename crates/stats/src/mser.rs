//! MSER-5: where an initial transient ends.
//!
//! White 1997; White, Cobb and Spratt 2000: of all truncations, take the one that minimises the
//! marginal standard error of the mean of what is left, on means of five observations. On
//! correlated stationary series it cuts falsely, so a cut alone is no finding: confirm it with
//! [`crate::level_shift`].

use crate::error::{StatsError, check_finite};
use crate::long_run_variance::mean;

/// Observations averaged before the search.
pub(crate) const MSER_BATCH: usize = 5;

/// Observations below which no answer is given.
pub(crate) const MSER_MIN_OBSERVATIONS: usize = 100;

/// Batches at the end that no truncation may reach: the criterion is unstable there.
const KEPT_BATCHES: usize = 5;

/// Where the transient ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truncation {
    /// Too few observations to say.
    Undecided {
        /// Observations needed.
        needed: usize,
        /// Observations given.
        have: usize,
    },
    /// Drop the first `observations` (a multiple of five, possibly 0), less than half of all.
    At {
        /// Observations to drop.
        observations: usize,
    },
    /// The minimum lies in the second half: by MSER's own rule no steady state was seen.
    Late {
        /// Observations up to the minimum.
        observations: usize,
    },
}

/// The MSER-5 truncation of a series in time order (equal time bins, say). O(n).
///
/// # Errors
/// `Empty` or `NotFinite`.
pub fn mser5(series: &[f64]) -> Result<Truncation, StatsError> {
    check_finite(series)?;
    let have = series.len();
    if have < MSER_MIN_OBSERVATIONS {
        return Ok(Truncation::Undecided {
            needed: MSER_MIN_OBSERVATIONS,
            have,
        });
    }
    let origin = mean(series);
    let batches: Vec<f64> = series
        .chunks_exact(MSER_BATCH)
        .map(|batch| mean(batch) - origin)
        .collect();
    // From the end: running sum of squares about the running mean (Welford 1962).
    let (mut running_mean, mut squares) = (0.0, 0.0);
    let mut best = (f64::INFINITY, 0);
    for (cut, &value) in batches.iter().enumerate().rev() {
        let left = (batches.len() - cut) as f64;
        let step = value - running_mean;
        running_mean += step / left;
        squares += step * (value - running_mean);
        let criterion = squares / (left * left);
        // `<=`: of equal minima the earliest cut, so that a constant series loses nothing.
        if batches.len() - cut >= KEPT_BATCHES && criterion <= best.0 {
            best = (criterion, cut);
        }
    }
    let observations = best.1 * MSER_BATCH;
    Ok(if 2 * best.1 < batches.len() {
        Truncation::At { observations }
    } else {
        Truncation::Late { observations }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saw(i: usize) -> f64 {
        (i * 37 % 11) as f64 * 0.1
    }

    #[test]
    fn a_planted_transient_is_cut_where_it_ends() {
        let series: Vec<f64> = (0..300)
            .map(|i| saw(i) + if i < 40 { 10.0 } else { 0.0 })
            .collect();
        assert_eq!(mser5(&series), Ok(Truncation::At { observations: 40 }));
    }

    #[test]
    fn a_constant_series_loses_nothing() {
        assert_eq!(mser5(&[3.0; 200]), Ok(Truncation::At { observations: 0 }));
    }

    #[test]
    fn a_change_in_the_second_half_is_late() {
        let series: Vec<f64> = (0..300)
            .map(|i| saw(i) + if i < 200 { 10.0 } else { 0.0 })
            .collect();
        assert_eq!(mser5(&series), Ok(Truncation::Late { observations: 200 }));
    }

    #[test]
    fn short_series_are_undecided() {
        assert_eq!(
            mser5(&[1.0; 99]),
            Ok(Truncation::Undecided {
                needed: 100,
                have: 99
            })
        );
        assert_eq!(mser5(&[]), Err(StatsError::Empty));
        assert!(mser5(&[f64::NAN; 200]).is_err());
    }
}
