//! Whether a quantity drifts over a run: Mann-Kendall on ten equal-time batch means.
//!
//! Raw correlated observations fire trend tests in half of all stationary runs; ten batch means
//! at 0.001 hold the false rate to 2 % and find planted shifts of ten standard deviations. Small
//! ramps are missed.

use crate::batches::{batch_means, observed_span};
use crate::error::{StatsError, check_level};
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
    /// Change over the span. Of batch means above 0, the Theil-Sen line through their logarithms: last
    /// end over first, less 1, so never below -1. Else the slope times the span over the largest
    /// magnitude of a batch mean, cut at 1 either way; `None` when all are 0.
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
    Ok(Some(Drift {
        tau: test.tau,
        p_value: test.p_value,
        alpha,
        slope_per_s: slope_per_batch * DRIFT_BATCHES as f64 / span_s,
        relative_change: relative_change(&means),
        batch_means: means,
    }))
}

fn relative_change(means: &[f64; DRIFT_BATCHES]) -> Option<f64> {
    let over_span = |series: &[f64]| theil_sen(series) * DRIFT_BATCHES as f64;
    if means.iter().all(|mean| *mean > 0.0) {
        return Some(over_span(&means.map(f64::ln)).exp_m1());
    }
    let largest = means
        .iter()
        .fold(0.0, |largest: f64, m| largest.max(m.abs()));
    (largest > 0.0).then(|| (over_span(means) / largest).clamp(-1.0, 1.0))
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
        // From 5.3 to 15.3, straight; the line through the logarithms ends lower.
        let change = drift.relative_change.unwrap();
        assert!((1.5..2.2).contains(&change), "{change}");
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

    /// Nothing that is above 0 falls by more than all of it.
    #[test]
    fn a_fall_is_never_more_than_all() {
        let at_ns: Vec<i64> = (0..1000).collect();
        let change = |value: fn(i64) -> f64| {
            let values: Vec<f64> = at_ns.iter().map(|at| value(*at)).collect();
            let drift = drift(&values, &at_ns, DRIFT_ALPHA).unwrap().unwrap();
            assert!(drift.is_significant());
            drift.relative_change.unwrap()
        };
        // The slope times the span is twice the mean.
        let to_zero = change(|at| (1000 - at) as f64);
        assert!((-1.0..-0.8).contains(&to_zero), "{to_zero}");
        let steep = change(|at| 1e6 * (-0.02 * at as f64).exp());
        assert!((-1.0..-0.99).contains(&steep), "{steep}");
        let with_zeros = change(|at| (900 - at).max(0) as f64);
        assert!((-1.0..-0.9).contains(&with_zeros), "{with_zeros}");
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
