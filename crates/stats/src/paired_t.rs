//! Student's paired t test, and the test of equivalence that rests on it.
//!
//! It assumes normal differences, which the signed-rank test does not: it is shown beside that test and
//! decides equivalence, where a rank test of the same size would need more pairs than there are.

use crate::error::{StatsError, check_finite, check_level};
use crate::interval::Interval;
use crate::long_run_variance::{Centred, mean};
use crate::special::{student_one_sided_p, student_two_sided};

/// The outcome of a paired t test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedT {
    /// Pairs.
    pub n: usize,
    /// Mean difference.
    pub mean: f64,
    /// Sample standard deviation of the differences.
    pub std: f64,
    /// Two-sided p-value of no difference: 1 where every difference is 0, and 0 where they are equal
    /// to each other and not 0.
    pub p_value: f64,
    /// Interval of the mean difference.
    pub interval: Interval,
}

/// Tests whether the mean of differences is 0 (Student 1908).
///
/// # Errors
/// `Empty`, `NotFinite`, `InvalidLevel`; `TooFew` for one difference.
pub fn paired_t(differences: &[f64], level: f64) -> Result<PairedT, StatsError> {
    check_level(level)?;
    let of = Moments::of(differences)?;
    Ok(PairedT {
        n: differences.len(),
        mean: of.mean,
        std: of.std,
        p_value: (2.0 * of.tail(of.mean.abs())).min(1.0),
        interval: Interval::around(of.mean, student_two_sided(level, of.df) * of.error, level),
    })
}

/// The outcome of two one-sided tests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Equivalence {
    /// p-value of equivalence: the larger of the two one-sided ones.
    pub p_value: f64,
    /// Greatest mean difference that is plausible, one-sided.
    pub upper: f64,
    /// Smallest, one-sided.
    pub lower: f64,
}

/// Tests whether the mean of differences lies inside (-`margin`, `margin`): two one-sided t tests
/// (Schuirmann 1987), each at `alpha`. The bounds are one-sided at 1 - `alpha` each.
///
/// # Errors
/// Those of [`paired_t`].
pub fn equivalence(
    differences: &[f64],
    margin: f64,
    alpha: f64,
) -> Result<Equivalence, StatsError> {
    check_level(alpha)?;
    let of = Moments::of(differences)?;
    let reach = student_two_sided(1.0 - 2.0 * alpha.min(0.499), of.df) * of.error;
    Ok(Equivalence {
        p_value: of.above(-margin).max(of.below(margin)),
        upper: of.mean + reach,
        lower: of.mean - reach,
    })
}

struct Moments {
    mean: f64,
    std: f64,
    error: f64,
    df: f64,
}

impl Moments {
    fn of(differences: &[f64]) -> Result<Self, StatsError> {
        check_finite(differences)?;
        if differences.len() < 2 {
            return Err(StatsError::TooFew { needed: 2, have: 1 });
        }
        let n = differences.len() as f64;
        let std = (Centred::new(differences).sum_of_squares() / (n - 1.0)).sqrt();
        Ok(Self {
            mean: mean(differences),
            std,
            error: std / n.sqrt(),
            df: n - 1.0,
        })
    }

    /// p-value of "the mean is at most `bound`", against more. Here and below, a mean that nothing
    /// spreads is known exactly.
    fn above(&self, bound: f64) -> f64 {
        self.tail(self.mean - bound)
    }

    /// p-value of "the mean is at least `bound`", against less.
    fn below(&self, bound: f64) -> f64 {
        self.tail(bound - self.mean)
    }

    fn tail(&self, distance: f64) -> f64 {
        if self.error > 0.0 {
            return student_one_sided_p(distance / self.error, self.df);
        }
        match distance > 0.0 {
            true => 0.0,
            false => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: [f64; 8] = [0.021, -0.004, 0.013, 0.017, 0.002, -0.009, 0.024, 0.011];

    fn near(found: f64, expect: f64) {
        assert!((found - expect).abs() < 1e-10, "{found} is not {expect}");
    }

    /// SciPy 1.17.1: `r = scipy.stats.ttest_1samp(X, 0)`, `r.pvalue`, `r.confidence_interval(0.95)`,
    /// `numpy.std(X, ddof=1)`.
    #[test]
    fn the_test_is_scipys() {
        let found = paired_t(&X, 0.95).unwrap();
        near(found.mean, 0.009_375_000_000_000_001);
        near(found.std, 0.011_915_625_995_185_603);
        near(found.p_value, 0.061_390_157_905_812_585);
        near(found.interval.low.unwrap(), -0.000_586_712_626_290_010_8);
        near(found.interval.high.unwrap(), 0.019_336_712_626_290_012);
    }

    /// SciPy 1.17.1: `max(ttest_1samp(X, -m, alternative='greater').pvalue, ttest_1samp(X, m,
    /// alternative='less').pvalue)` for m = ln 1.03; the bounds are
    /// `ttest_1samp(X, 0).confidence_interval(0.90)`.
    #[test]
    fn equivalence_is_two_one_sided_tests() {
        let found = equivalence(&X, 1.03_f64.ln(), 0.05).unwrap();
        near(found.p_value, 0.000_993_356_359_302_123_6);
        near(found.lower, 0.001_393_500_360_422_492_8);
        near(found.upper, 0.017_356_499_639_577_506);
        assert!(equivalence(&X, 0.01, 0.05).unwrap().p_value > 0.05);
    }

    #[test]
    fn defined_cases() {
        assert!(paired_t(&[], 0.95).is_err());
        assert!(paired_t(&[1.0], 0.95).is_err());
        assert!(paired_t(&[1.0, f64::NAN], 0.95).is_err());
        assert!(paired_t(&X, 1.0).is_err());
        let none = paired_t(&[0.0; 6], 0.95).unwrap();
        assert_eq!((none.p_value, none.std), (1.0, 0.0));
        assert_eq!(paired_t(&[0.5; 6], 0.95).unwrap().p_value, 0.0);
        assert_eq!(equivalence(&[0.0; 6], 0.03, 0.05).unwrap().p_value, 0.0);
        assert_eq!(equivalence(&[0.5; 6], 0.03, 0.05).unwrap().p_value, 1.0);
    }
}
