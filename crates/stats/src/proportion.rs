//! A proportion with its exact interval, also on effective (non-integer) counts.

use crate::error::{StatsError, check_level};
use crate::interval::Interval;
use crate::special::inverse_incomplete_beta;

/// A share of successes, with its counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProportionEstimate {
    /// Successes divided by trials, in `[0, 1]`.
    pub value: f64,
    /// Clopper-Pearson interval on the effective counts; both sides are bounded, by 0 and 1 at
    /// the ends.
    pub interval: Interval,
    /// Successes.
    pub successes: usize,
    /// Trials.
    pub n: usize,
    /// Trials that the interval rests on, in `[1, n]`.
    pub effective_n: f64,
}

/// The Clopper-Pearson interval of `successes` among `trials` (Clopper and Pearson 1934; beta
/// form, so that non-integer effective counts are allowed).
///
/// # Errors
/// `InvalidCounts` unless `0 <= successes <= trials` and `trials > 0`, finite; `InvalidLevel`.
pub fn clopper_pearson(successes: f64, trials: f64, level: f64) -> Result<Interval, StatsError> {
    check_level(level)?;
    if !(trials.is_finite() && trials > 0.0 && (0.0..=trials).contains(&successes)) {
        return Err(StatsError::InvalidCounts { successes, trials });
    }
    let tail = 0.5 * (1.0 - level);
    let failures = trials - successes;
    let low = if successes == 0.0 {
        0.0
    } else {
        inverse_incomplete_beta(successes, failures + 1.0, tail)
    };
    let high = if failures == 0.0 {
        1.0
    } else {
        // 1 - I^{-1}(failures, successes + 1; tail): the small tail keeps its digits.
        1.0 - inverse_incomplete_beta(failures, successes + 1.0, tail)
    };
    Ok(Interval {
        low: Some(low),
        high: Some(high),
        level,
    })
}

/// The share of successes with an interval on `effective_n` trials (clipped to `[1, n]`).
///
/// Give `n` as f64 for independent trials. Where there are no misses, the miss indicator has no
/// variance of its own; then pass the effective sample size of a related series, such as
/// [`crate::SampleSeries::effective_n`] at p90.
///
/// # Errors
/// `InvalidCounts` when there are no trials, more successes than trials, or `effective_n` is
/// NaN; `InvalidLevel`.
pub fn proportion_estimate(
    successes: usize,
    n: usize,
    effective_n: f64,
    level: f64,
) -> Result<ProportionEstimate, StatsError> {
    if n == 0 || successes > n || effective_n.is_nan() {
        let (successes, trials) = (successes as f64, (n as f64).min(effective_n));
        return Err(StatsError::InvalidCounts { successes, trials });
    }
    let effective_n = effective_n.clamp(1.0, n as f64);
    let value = successes as f64 / n as f64;
    let interval = clopper_pearson(value * effective_n, effective_n, level)?;
    Ok(ProportionEstimate {
        value,
        interval,
        successes,
        n,
        effective_n,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_and_all_successes_are_bounded_by_zero_and_one() {
        let none = clopper_pearson(0.0, 10.0, 0.95).unwrap();
        // 1 - 0.025^(1/10)
        assert_eq!(none.low, Some(0.0));
        assert!((none.high.unwrap() - (1.0 - 0.025_f64.powf(0.1))).abs() < 1e-12);
        let all = clopper_pearson(10.0, 10.0, 0.95).unwrap();
        assert_eq!(all.high, Some(1.0));
        assert!((all.low.unwrap() - 0.025_f64.powf(0.1)).abs() < 1e-12);
    }

    #[test]
    fn impossible_counts_are_refused() {
        for (successes, trials) in [(1.0, 0.0), (2.0, 1.0), (-1.0, 5.0), (f64::NAN, 5.0)] {
            let result = clopper_pearson(successes, trials, 0.95);
            assert!(matches!(result, Err(StatsError::InvalidCounts { .. })));
        }
        assert!(proportion_estimate(0, 0, 1.0, 0.95).is_err());
        assert!(proportion_estimate(3, 2, 2.0, 0.95).is_err());
        assert!(proportion_estimate(1, 2, f64::NAN, 0.95).is_err());
    }

    #[test]
    fn dependence_widens_the_interval() {
        let independent = proportion_estimate(990, 1000, 1000.0, 0.95).unwrap();
        let dependent = proportion_estimate(990, 1000, 100.0, 0.95).unwrap();
        assert_eq!(independent.value, dependent.value);
        assert!(dependent.interval.width() > independent.interval.width());
        assert!(dependent.interval.contains(0.99));
    }
}
