//! Whether the head of a series lies on another level than the rest, by batch means.
//!
//! The confirmation that a truncation point needs before it may be reported. The scale is the
//! spread of ten batch means of the rest, so correlation within a batch is accounted for.

use crate::error::{StatsError, check_finite};
use crate::long_run_variance::{Centred, mean};
use crate::special::student_two_sided;

/// Batches of the rest.
const BATCHES: usize = 10;

/// Two-sided level of t(0.9995, 9), 4.78.
const LEVEL: f64 = 0.999;

/// A head compared with the rest of its series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LevelShift {
    /// Mean of the head less mean of the rest.
    pub difference: f64,
    /// Standard error of the difference, from ten batch means of the rest; the head counts as
    /// the number of such batches that it would fill.
    pub standard_error: f64,
    /// Difference over the magnitude of the mean of the rest; `None` when that is 0.
    pub relative: Option<f64>,
    /// Whether the difference exceeds t(0.9995, 9) standard errors.
    pub significant: bool,
}

/// Compares `head` with `rest`, adjacent pieces of one series of equal time bins.
///
/// Batches hold an equal number of bins; the oldest bins of `rest` that do not fill a batch are
/// left out.
///
/// # Errors
/// `Empty`, `NotFinite`; `TooFew` when `rest` has fewer than ten bins.
pub(crate) fn level_shift(head: &[f64], rest: &[f64]) -> Result<LevelShift, StatsError> {
    check_finite(head)?;
    check_finite(rest)?;
    let size = rest.len() / BATCHES;
    if size == 0 {
        return Err(StatsError::TooFew {
            needed: BATCHES,
            have: rest.len(),
        });
    }
    let whole = &rest[rest.len() - size * BATCHES..];
    let means: Vec<f64> = whole.chunks_exact(size).map(mean).collect();
    let variance = Centred::new(&means).sum_of_squares() / (BATCHES - 1) as f64;
    let head_batches = head.len() as f64 / size as f64;
    let standard_error = (variance * (1.0 / BATCHES as f64 + 1.0 / head_batches)).sqrt();
    let level = mean(whole);
    let difference = mean(head) - level;
    let critical = student_two_sided(LEVEL, (BATCHES - 1) as f64);
    Ok(LevelShift {
        difference,
        standard_error,
        relative: (level != 0.0).then(|| difference / level.abs()),
        significant: difference.abs() > critical * standard_error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cold_start_is_significant_and_noise_is_not() {
        let rest: Vec<f64> = (0..200)
            .map(|i| 10.0 + (i * 37 % 11) as f64 * 0.1)
            .collect();
        let cold = level_shift(&[20.0; 20], &rest).unwrap();
        assert!(cold.significant);
        assert!((cold.relative.unwrap() - 0.905).abs() < 0.01);
        let same = level_shift(&rest[..20], &rest[20..]).unwrap();
        assert!(!same.significant);
    }

    #[test]
    fn defined_cases() {
        assert_eq!(level_shift(&[], &[1.0; 10]), Err(StatsError::Empty));
        let few = level_shift(&[1.0], &[1.0; 9]);
        assert_eq!(
            few,
            Err(StatsError::TooFew {
                needed: 10,
                have: 9
            })
        );
        let flat = level_shift(&[1.0], &[1.0; 10]).unwrap();
        assert!(!flat.significant);
        assert_eq!((flat.difference, flat.standard_error), (0.0, 0.0));
    }
}
