//! The interval of a mean from batch means: for series whose observations are no sampling unit.
//!
//! Does not test whether the batches are independent; ten batches of equal time are meant, which
//! are far longer than what the correlation of a queue lasts.

use crate::interval::Interval;
use crate::long_run_variance::{Centred, mean};
use crate::special::student_two_sided;

/// The interval around `value`, the mean of a whole series: Student's t with batches - 1 degrees of
/// freedom on the standard error of the batches' means, on the logarithmic scale where none of them is
/// below 0. Open on both sides for fewer than two
/// batches; of no width where the batches are equal.
#[must_use]
pub fn batch_mean_interval(value: f64, batch_means: &[f64], level: f64) -> Interval {
    if batch_means.len() < 2 {
        return Interval::open(level);
    }
    let n = batch_means.len() as f64;
    let error = batch_standard_error(batch_means).unwrap_or_default();
    let half_width = student_two_sided(level, n - 1.0) * error;
    match batch_means.iter().all(|mean| *mean >= 0.0) {
        true => Interval::above_zero(value, half_width, level),
        false => Interval::around(value, half_width, level),
    }
}

/// The standard error of the mean of a whole series: that of its batches' means. `None` for fewer
/// than two batches.
#[must_use]
pub fn batch_standard_error(batch_means: &[f64]) -> Option<f64> {
    let n = batch_means.len() as f64;
    let squares = Centred::new(batch_means).sum_of_squares();
    (batch_means.len() > 1).then(|| (squares / (n - 1.0) / n).sqrt())
}

/// Independent observations whose mean would be as precise as this series': variance / (variance of
/// the batches' means / batches), in `[1, n]`. `None` for fewer than two batches.
#[must_use]
pub fn batch_effective_n(std: f64, n: usize, batch_means: &[f64]) -> Option<f64> {
    if batch_means.len() < 2 {
        return None;
    }
    let batches = batch_means.len() as f64;
    let centre = mean(batch_means);
    let squares: f64 = batch_means.iter().map(|b| (b - centre).powi(2)).sum();
    let of_mean = squares / (batches - 1.0) / batches;
    if of_mean <= 0.0 {
        return Some(n as f64);
    }
    Some((std * std / of_mean).clamp(1.0, n as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // Mean 2, standard deviation 1, n = 3: t(0.975, 2) = 4.302653, half-width 2.484138.
        // On the logarithmic scale a factor of exp(2.484138 / 2).
        let interval = batch_mean_interval(2.0, &[1.0, 2.0, 3.0], 0.95);
        assert!(
            (interval.high.unwrap() - 6.925_54).abs() < 1e-4,
            "{interval:?}"
        );
        assert!(
            (interval.low.unwrap() - 0.577_57).abs() < 1e-4,
            "{interval:?}"
        );
        // A series with values below 0 has no such scale: mean 0, the same half-width.
        let signed = batch_mean_interval(0.0, &[-1.0, 0.0, 1.0], 0.95);
        assert!((signed.high.unwrap() - 2.484_138).abs() < 1e-5);
        assert!((signed.low.unwrap() + 2.484_138).abs() < 1e-5);
        assert_eq!(batch_mean_interval(2.0, &[2.0], 0.95), Interval::open(0.95));
        let error = batch_standard_error(&[1.0, 2.0, 3.0]).unwrap();
        assert!((error - (1.0_f64 / 3.0).sqrt()).abs() < 1e-15);
        assert_eq!(batch_standard_error(&[2.0]), None);
        // Variance of the mean 1 / 3; of one observation 4: worth 12.
        assert_eq!(batch_effective_n(2.0, 100, &[1.0, 2.0, 3.0]), Some(12.0));
        assert_eq!(batch_effective_n(2.0, 5, &[1.0, 2.0, 3.0]), Some(5.0));
        assert_eq!(batch_effective_n(2.0, 5, &[1.0, 1.0]), Some(5.0));
        assert_eq!(batch_effective_n(2.0, 5, &[1.0]), None);
    }
}
