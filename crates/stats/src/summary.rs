//! Mean with an interval that holds under dependence, spread and extremes.

use crate::error::{StatsError, check_finite, check_level};
use crate::interval::Interval;
use crate::long_run_variance::{Centred, mean};
use crate::special::student_two_sided;

/// Effective observations below which a mean is not to be printed.
const MEAN_EFFECTIVE: f64 = 10.0;

/// Moments and extremes of a sample; all in the unit of the samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// Observations, at least 1.
    pub n: usize,
    /// Independent observations of equal information about the mean, in `[1, n]`.
    pub effective_n: f64,
    /// Arithmetic mean.
    pub mean: f64,
    /// Interval for the mean: Student's t with ESS - 1 (at least 1) degrees of freedom on
    /// std / sqrt(ESS), on the logarithmic scale where no observation is below 0. Open on both sides for one observation; of no width when nothing varies.
    pub mean_interval: Interval,
    /// Sample standard deviation (n - 1 in the divisor); `None` for one observation.
    pub std: Option<f64>,
    /// Smallest observation.
    pub min: f64,
    /// Largest observation.
    pub max: f64,
}

impl Summary {
    /// Observations that a mean with an interval needs at the dependence seen; `None` where these are
    /// enough. Ten effective ones: below, Student's t says little more than that nothing is known.
    #[must_use]
    pub fn mean_needs(&self) -> Option<usize> {
        let needed = self.n as f64 * MEAN_EFFECTIVE / self.effective_n;
        let enough = self.effective_n + 1e-9 >= MEAN_EFFECTIVE;
        (!enough).then(|| (needed.ceil() as usize).max(self.n + 1))
    }
}

/// Summarises samples in time order.
///
/// # Errors
/// `Empty`; `NotFinite`, since a mean with infinities says nothing; `InvalidLevel`.
pub fn summarise(samples_in_time_order: &[f64], level: f64) -> Result<Summary, StatsError> {
    check_finite(samples_in_time_order)?;
    check_level(level)?;
    let n = samples_in_time_order.len();
    let centred = Centred::new(samples_in_time_order);
    let centre = mean(samples_in_time_order);
    let effective_n = centred.effective_n();
    let std = (n > 1).then(|| (centred.sum_of_squares() / (n - 1) as f64).sqrt());
    let fold = |pick: fn(f64, f64) -> f64| {
        samples_in_time_order
            .iter()
            .copied()
            .fold(samples_in_time_order[0], pick)
    };
    let min = fold(f64::min);
    let mean_interval = match std {
        None => Interval::open(level),
        Some(std) => {
            let t = student_two_sided(level, (effective_n - 1.0).max(1.0));
            let half_width = t * std / effective_n.sqrt();
            match min < 0.0 {
                true => Interval::around(centre, half_width, level),
                false => Interval::above_zero(centre, half_width, level),
            }
        }
    };
    Ok(Summary {
        n,
        effective_n,
        mean: centre,
        mean_interval,
        std,
        min,
        max: fold(f64::max),
    })
}
