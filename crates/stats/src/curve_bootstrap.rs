//! The interval of a figure of a curve (its knee, say), from the errors of the curve's points.
//!
//! Parametric: each point is drawn anew on the logarithmic scale with its own relative error. It knows no
//! error of the curve's shape, so it says how steady the figure is and not whether it means anything.

use crate::error::{StatsError, check_finite, check_level};
use crate::interval::Interval;
use crate::random::SplitMix;
use statrs::distribution::{ContinuousCDF, Normal};

/// Where fewer of the resamples have the figure, it has no interval.
const HAVE_IT: f64 = 0.9;

/// A curve whose points are known with errors.
#[derive(Debug, Clone, Copy)]
pub struct UncertainCurve<'a> {
    /// The points' values, above 0.
    pub values: &'a [f64],
    /// Relative standard error of each.
    pub errors: &'a [f64],
}

/// The percentile interval of `figure` over `resamples` curves. Open on both sides where more than a tenth of
/// them have no such figure.
///
/// # Errors
/// `InvalidLevel`; `NotFinite`; `LengthMismatch`; `Negative` where a value is not above 0; `TooFew` for no
/// resamples.
pub fn bootstrap_curve(
    curve: UncertainCurve<'_>,
    level: f64,
    resamples: usize,
    figure: &dyn Fn(&[f64]) -> Option<f64>,
) -> Result<Interval, StatsError> {
    check_level(level)?;
    check(curve)?;
    if resamples == 0 {
        return Err(StatsError::TooFew { needed: 1, have: 0 });
    }
    let (normal, mut random) = (Normal::standard(), SplitMix(1));
    let mut drawn =
        |value: &f64, error: &f64| value * (error * normal.inverse_cdf(random.inside())).exp();
    let mut found: Vec<f64> = (0..resamples)
        .filter_map(|_| {
            let points = curve.values.iter().zip(curve.errors);
            figure(
                &points
                    .map(|(value, error)| drawn(value, error))
                    .collect::<Vec<f64>>(),
            )
        })
        .collect();
    if (found.len() as f64) < HAVE_IT * resamples as f64 {
        return Ok(Interval::open(level));
    }
    found.sort_unstable_by(f64::total_cmp);
    let tail = 0.5 * (1.0 - level);
    let at = |share: f64| found[((found.len() - 1) as f64 * share).round() as usize];
    Ok(Interval {
        low: Some(at(tail)),
        high: Some(at(1.0 - tail)),
        level,
    })
}

fn check(curve: UncertainCurve<'_>) -> Result<(), StatsError> {
    check_finite(curve.values)?;
    check_finite(curve.errors)?;
    if curve.values.len() != curve.errors.len() {
        return Err(StatsError::LengthMismatch {
            values: curve.values.len(),
            times: curve.errors.len(),
        });
    }
    match curve.values.iter().position(|value| *value <= 0.0) {
        Some(index) => Err(StatsError::Negative {
            index,
            value: curve.values[index],
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(errors: &[f64], figure: &dyn Fn(&[f64]) -> Option<f64>) -> Interval {
        let values = vec![10.0; errors.len()];
        let curve = UncertainCurve {
            values: &values,
            errors,
        };
        bootstrap_curve(curve, 0.95, 4_000, figure).expect("an interval")
    }

    #[test]
    fn a_points_own_error_comes_back() {
        let first = |values: &[f64]| values.first().copied();
        let found = interval(&[0.1], &first);
        // exp(+-1.96 * 0.1)
        let (low, high) = (found.low.expect("low"), found.high.expect("high"));
        assert!((low / 10.0 - 0.822).abs() < 0.015, "{low}");
        assert!((high / 10.0 - 1.217).abs() < 0.02, "{high}");
        let exact = interval(&[0.0], &first);
        assert_eq!((exact.low, exact.high), (Some(10.0), Some(10.0)));
    }

    #[test]
    fn a_figure_that_is_often_absent_has_no_interval() {
        let seldom = |values: &[f64]| (values[0] > 10.0).then_some(1.0);
        let found = interval(&[0.1], &seldom);
        assert_eq!((found.low, found.high), (None, None));
        let curve = UncertainCurve {
            values: &[0.0],
            errors: &[0.1],
        };
        assert!(bootstrap_curve(curve, 0.95, 10, &|_| None).is_err());
    }
}
