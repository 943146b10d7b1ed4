//! Whether the two halves of a run lie on different levels, by ten equal-time batch means.
//!
//! Welch's test on raw correlated observations fires in 67 to 83 % of stationary runs at 85 % load;
//! on ten batch means at 0.001 it keeps its level.

use crate::batches::{batch_means, observed_span};
use crate::error::{StatsError, check_level};
use crate::long_run_variance::{Centred, mean};
use crate::special::student_two_sided;

/// Batches of each half.
const HALF: usize = 5;

/// The outcome of a comparison of halves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Halves {
    /// Mean of the first five batch means.
    pub first: f64,
    /// Mean of the last five.
    pub second: f64,
    /// Second less first, over the magnitude of their mean; `None` when that is 0.
    pub relative: Option<f64>,
    /// Student's t with equal variances, eight degrees of freedom; `None` where nothing varies
    /// inside the halves.
    pub t: Option<f64>,
    /// Whether the halves differ at the level asked for.
    pub significant: bool,
}

/// Compares the halves of the observed span of `values` at times `at_ns` (any order) at level
/// `alpha`. `None` when the question cannot be put: a span under ten nanoseconds or an empty batch.
///
/// # Errors
/// `Empty`, `NotFinite`, `LengthMismatch`; `InvalidLevel` for `alpha` outside (0, 1).
pub fn halves(values: &[f64], at_ns: &[i64], alpha: f64) -> Result<Option<Halves>, StatsError> {
    check_level(alpha)?;
    let Some(span) = observed_span(at_ns) else {
        return Err(StatsError::Empty);
    };
    let batches = match batch_means(values, at_ns, span, 2 * HALF) {
        Ok(batches) => batches,
        Err(StatsError::InvalidDivision { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let means: Option<Vec<f64>> = batches.iter().map(|batch| batch.mean).collect();
    Ok(means.map(|means| compare(&means, alpha)))
}

fn compare(means: &[f64], alpha: f64) -> Halves {
    let (before, after) = means.split_at(HALF);
    let (first, second) = (mean(before), mean(after));
    let squares = Centred::new(before).sum_of_squares() + Centred::new(after).sum_of_squares();
    let freedom = (2 * HALF - 2) as f64;
    let error = (squares / freedom * 2.0 / HALF as f64).sqrt();
    let centre = 0.5 * (first + second);
    let difference = second - first;
    Halves {
        first,
        second,
        relative: (centre != 0.0).then(|| difference / centre.abs()),
        t: (error > 0.0).then(|| difference / error),
        significant: difference.abs() > student_two_sided(1.0 - alpha, freedom) * error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.ttest_ind([4, 6, 5, 9, 7], [1, 3, 2, 5, 4]).statistic`: 2.8736848324283986
    #[test]
    fn the_t_of_ten_batches_is_scipys() {
        let means = [1.0, 3.0, 2.0, 5.0, 4.0, 4.0, 6.0, 5.0, 9.0, 7.0];
        let at_ns: Vec<i64> = (0..10).collect();
        let found = halves(&means, &at_ns, 0.05).unwrap().unwrap();
        assert!(
            (found.t.unwrap() - 2.873_684_832_428_398_6).abs() < 1e-12,
            "{:?}",
            found.t
        );
        assert!(found.significant);
        assert!(!halves(&means, &at_ns, 0.001).unwrap().unwrap().significant);
        assert!((found.relative.unwrap() - 3.2 / 4.6).abs() < 1e-12);
    }

    #[test]
    fn defined_cases() {
        assert_eq!(halves(&[], &[], 0.001), Err(StatsError::Empty));
        assert_eq!(halves(&[1.0; 3], &[0, 50, 1000], 0.001), Ok(None));
        assert_eq!(halves(&[1.0; 5], &[0, 1, 2, 3, 4], 0.001), Ok(None));
        assert!(halves(&[f64::INFINITY], &[0], 0.001).is_err());
        assert!(halves(&[1.0], &[0], 1.0).is_err());
        let at_ns: Vec<i64> = (0..10).collect();
        let flat = halves(&[0.0; 10], &at_ns, 0.001).unwrap().unwrap();
        assert_eq!(
            (flat.t, flat.relative, flat.significant),
            (None, None, false)
        );
        let step: Vec<f64> = at_ns
            .iter()
            .map(|at| f64::from(u8::from(*at >= 5)))
            .collect();
        assert!(halves(&step, &at_ns, 0.001).unwrap().unwrap().significant);
    }
}
