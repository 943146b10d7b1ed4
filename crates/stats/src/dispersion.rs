//! How variable a point process is, beside what a Poisson process of the same length would show.

use std::ops::Range;

use crate::error::{StatsError, check_finite};
use crate::long_run_variance::{Centred, mean};

/// Most windows that a span may be divided into.
const MAX_WINDOWS: u64 = 1 << 24;

/// A measure of variability that is 1 for a Poisson process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Variability {
    /// The measure, without unit.
    pub value: f64,
    /// Its standard error if the process were Poisson.
    pub poisson_standard_error: f64,
    /// Gaps or windows that it rests on.
    pub n: usize,
}

impl Variability {
    /// Standard errors away from a Poisson process.
    #[must_use]
    pub fn poisson_deviation(&self) -> f64 {
        (self.value - 1.0) / self.poisson_standard_error
    }
}

/// Coefficient of variation of gaps: sample standard deviation over mean.
///
/// Standard error for exponential gaps: 1 / sqrt(n), by the delta method with central moments
/// 1, 2 and 9. `None` when the mean is not positive.
///
/// # Errors
/// `Empty`, `NotFinite`; `TooFew` below two gaps.
pub fn coefficient_of_variation(gaps: &[f64]) -> Result<Option<Variability>, StatsError> {
    check_finite(gaps)?;
    let n = gaps.len();
    if n < 2 {
        return Err(StatsError::TooFew { needed: 2, have: n });
    }
    let mean = mean(gaps);
    if mean <= 0.0 {
        return Ok(None);
    }
    let std = (Centred::new(gaps).sum_of_squares() / (n - 1) as f64).sqrt();
    let poisson_standard_error = 1.0 / (n as f64).sqrt();
    Ok(Some(Variability {
        value: std / mean,
        poisson_standard_error,
        n,
    }))
}

/// Index of dispersion of counts: variance over mean of the arrivals in each whole window of
/// `span` (Cox and Lewis 1966). A last window that is not whole and arrivals outside are left out.
///
/// Standard error for a Poisson process: sqrt(2 / (windows - 1)), since (windows - 1) times the
/// index is then close to chi-squared. `None` when the windows hold no arrival.
///
/// # Errors
/// `InvalidDivision` for a window below one nanosecond, `TooManyBlocks` beyond 16,777,216
/// windows, `TooFew` below two whole windows.
pub fn index_of_dispersion(
    arrivals_ns: &[i64],
    window_ns: i64,
    span: Range<i64>,
) -> Result<Option<Variability>, StatsError> {
    if window_ns < 1 {
        return Err(StatsError::InvalidDivision { length: window_ns });
    }
    let window = window_ns.unsigned_abs();
    let length = if span.is_empty() {
        0
    } else {
        span.end.abs_diff(span.start)
    };
    let windows = length / window;
    if windows > MAX_WINDOWS {
        return Err(StatsError::TooManyBlocks {
            blocks: windows,
            limit: MAX_WINDOWS,
        });
    }
    let n = windows as usize;
    if n < 2 {
        return Err(StatsError::TooFew { needed: 2, have: n });
    }
    let mut counts = vec![0.0; n];
    for &at in arrivals_ns.iter().filter(|at| span.contains(at)) {
        if let Some(count) = counts.get_mut((at.abs_diff(span.start) / window) as usize) {
            *count += 1.0;
        }
    }
    let mean = mean(&counts);
    if mean <= 0.0 {
        return Ok(None);
    }
    let variance = Centred::new(&counts).sum_of_squares() / (n - 1) as f64;
    let poisson_standard_error = (2.0 / (n - 1) as f64).sqrt();
    Ok(Some(Variability {
        value: variance / mean,
        poisson_standard_error,
        n,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_gaps_do_not_vary() {
        let cv = coefficient_of_variation(&[0.25; 40]).unwrap().unwrap();
        assert_eq!((cv.value, cv.n), (0.0, 40));
        let arrivals: Vec<i64> = (0..100).map(|i| i * 10).collect();
        let index = index_of_dispersion(&arrivals, 100, 0..1000)
            .unwrap()
            .unwrap();
        assert_eq!((index.value, index.n), (0.0, 10));
        assert!((index.poisson_deviation() + (9.0_f64 / 2.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn known_counts() {
        // Counts 1, 3: mean 2, variance 2. The arrival at 25 lies past the last whole window.
        let index = index_of_dispersion(&[0, 10, 11, 12, 25], 10, 0..29)
            .unwrap()
            .unwrap();
        assert_eq!((index.value, index.n), (1.0, 2));
    }

    #[test]
    fn defined_cases() {
        assert_eq!(coefficient_of_variation(&[]), Err(StatsError::Empty));
        let one = coefficient_of_variation(&[1.0]);
        assert_eq!(one, Err(StatsError::TooFew { needed: 2, have: 1 }));
        assert_eq!(coefficient_of_variation(&[0.0, 0.0]), Ok(None));
        assert_eq!(index_of_dispersion(&[], 10, 0..100), Ok(None));
        assert!(index_of_dispersion(&[1], 0, 0..100).is_err());
        assert!(index_of_dispersion(&[1], 10, 0..15).is_err());
        let reversed = Range { start: 100, end: 0 };
        assert!(index_of_dispersion(&[1], 10, reversed).is_err());
        assert!(index_of_dispersion(&[1], 1, i64::MIN..i64::MAX).is_err());
    }
}
