//! Whether a quantity drifts over a run: Mann-Kendall on ten equal-time batch means.
//!
//! Raw correlated observations fire trend tests in half of all stationary runs; ten batch means
//! at 0.001 hold the false rate to 2 % and find planted shifts of ten standard deviations. Small
//! ramps are missed.

use crate::batches::{batch_means, observed_span};
use crate::error::{StatsError, check_level};
use crate::long_run_variance::mean;
use crate::mann_kendall::mann_kendall;

/// Batches of equal time that the test rests on.
pub const DRIFT_BATCHES: usize = 10;

/// The significance level meant for [`drift`].
pub const DRIFT_ALPHA: f64 = 0.001;

/// The outcome of a drift test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drift {
    /// Kendall's tau-b of the batch means against time.
    pub tau: f64,
    /// Two-sided p-value of the Mann-Kendall test.
    pub p_value: f64,
    /// Significance level that was asked for.
    pub alpha: f64,
    /// Theil-Sen slope of the batch means, in the unit of the values per second.
    pub slope_per_s: f64,
    /// Slope times span over the magnitude of the mean of the batch means; `None` when that mean
    /// is 0.
    pub relative_change: Option<f64>,
    /// The batch means, in time order.
    pub batch_means: [f64; DRIFT_BATCHES],
}

impl Drift {
    /// Whether the trend is significant at `alpha`.
    #[must_use]
    pub fn is_significant(&self) -> bool {
        self.p_value < self.alpha
    }
}

/// Tests `values` at times `at_ns` (any order) for a trend at level `alpha`, over the observed
/// span.
///
/// `None` when the question cannot be put: a span under ten nanoseconds or an empty batch.
///
/// # Errors
/// `Empty`, `NotFinite`, `LengthMismatch`; `InvalidLevel` for `alpha` outside (0, 1).
pub fn drift(values: &[f64], at_ns: &[i64], alpha: f64) -> Result<Option<Drift>, StatsError> {
    check_level(alpha)?;
    let Some(span) = observed_span(at_ns) else {
        return Err(StatsError::Empty);
    };
    let span_s = span.end.abs_diff(span.start) as f64 * 1e-9;
    let batches = match batch_means(values, at_ns, span, DRIFT_BATCHES) {
        Ok(batches) => batches,
        Err(StatsError::InvalidDivision { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut means = [0.0; DRIFT_BATCHES];
    for (slot, batch) in means.iter_mut().zip(&batches) {
        let Some(mean) = batch.mean else {
            return Ok(None);
        };
        *slot = mean;
    }
    let test = mann_kendall(&means)?;
    let slope_per_batch = theil_sen(&means);
    let level = mean(&means).abs();
    Ok(Some(Drift {
        tau: test.tau,
        p_value: test.p_value,
        alpha,
        slope_per_s: slope_per_batch * DRIFT_BATCHES as f64 / span_s,
        relative_change: (level > 0.0).then(|| slope_per_batch * DRIFT_BATCHES as f64 / level),
        batch_means: means,
    }))
}

/// The median of all pairwise slopes per step (Theil 1950; Sen 1968).
fn theil_sen(series: &[f64]) -> f64 {
    let mut slopes = Vec::with_capacity(series.len() * (series.len() - 1) / 2);
    for (i, earlier) in series.iter().enumerate() {
        for (steps, later) in series[i + 1..].iter().enumerate() {
            slopes.push((later - earlier) / (steps + 1) as f64);
        }
    }
    slopes.sort_unstable_by(f64::total_cmp);
    let upper = slopes.len() / 2;
    0.5 * (slopes[(slopes.len() - 1) / 2] + slopes[upper])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(per_s: f64) -> (Vec<f64>, Vec<i64>) {
        let at_ns: Vec<i64> = (0..1000).map(|i| i * 1_000_000_000).collect();
        let values = at_ns
            .iter()
            .map(|&at| 5.0 + per_s * at as f64 * 1e-9 + ((at / 1_000_000_000) % 7) as f64 * 0.1)
            .collect();
        (values, at_ns)
    }

    #[test]
    fn a_ramp_is_found_with_its_slope() {
        let (values, at_ns) = ramp(0.01);
        let drift = drift(&values, &at_ns, DRIFT_ALPHA).unwrap().unwrap();
        assert!(drift.is_significant());
        assert_eq!(drift.tau, 1.0);
        assert!(
            (drift.slope_per_s - 0.01).abs() < 1e-4,
            "{}",
            drift.slope_per_s
        );
        assert!((drift.relative_change.unwrap() - 10.0 / 10.3).abs() < 0.02);
    }

    #[test]
    fn no_ramp_is_no_drift() {
        let (values, at_ns) = ramp(0.0);
        assert!(
            !drift(&values, &at_ns, DRIFT_ALPHA)
                .unwrap()
                .unwrap()
                .is_significant()
        );
        let flat = drift(&[2.0; 50], &at_ns[..50], DRIFT_ALPHA)
            .unwrap()
            .unwrap();
        assert_eq!((flat.tau, flat.p_value, flat.slope_per_s), (0.0, 1.0, 0.0));
    }

    #[test]
    fn undecidable_cases_are_none() {
        assert_eq!(drift(&[1.0; 5], &[0, 1, 2, 3, 4], 0.001), Ok(None));
        assert_eq!(drift(&[1.0; 3], &[0, 50, 1000], 0.001), Ok(None));
        assert_eq!(drift(&[], &[], 0.001), Err(StatsError::Empty));
        assert!(drift(&[f64::INFINITY], &[0], 0.001).is_err());
        assert!(drift(&[1.0], &[0], 0.0).is_err());
    }
}
