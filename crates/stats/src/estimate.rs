//! A quantile together with everything needed to judge it.

use std::fmt;

use crate::interval::Interval;
use crate::quantile::Quantile;

/// Effective tail samples (or tail blocks) below which a quantile is unsupported.
///
/// Ten exceedances leave a relative standard error of about 1 / sqrt(10) = 32 % on the tail
/// probability; fewer and the figure is an anecdote.
pub const INDICATIVE_TAIL: f64 = 10.0;

/// Effective tail samples (or tail blocks) for the top grade: 10 % on the tail probability.
pub(crate) const FULL_TAIL: f64 = 100.0;

/// p99 over p50 beyond which the median says nothing of the tail.
pub const HEAVY_TAIL: f64 = 10.0;

/// How far the sample carries the figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grade {
    /// The tail is too thin: the value is not to be printed as a figure.
    Unsupported {
        /// Observations needed for ten effective tail samples (or tail blocks) at the dependence
        /// seen in this sample.
        needed: usize,
        /// Observations given.
        have: usize,
    },
    /// At least 10 effective tail samples: printable, with its interval.
    Indicative,
    /// At least 100 effective tail samples.
    Full,
}

impl Grade {
    /// The grade of `tail` effective tail samples (or blocks) among `have` observations.
    pub(crate) fn of_tail(tail: f64, have: usize) -> Self {
        // The slack absorbs 100 * (1 - 0.9) = 9.999999999999998.
        let reached = tail + 1e-9;
        if reached >= FULL_TAIL {
            Self::Full
        } else if reached >= INDICATIVE_TAIL {
            Self::Indicative
        } else {
            let needed = (have as f64 * INDICATIVE_TAIL / tail - 1e-6).ceil() as usize;
            Self::Unsupported {
                needed: needed.max(have + 1),
                have,
            }
        }
    }

    /// Whether the value may be printed as a figure.
    #[must_use]
    pub fn is_supported(self) -> bool {
        !matches!(self, Self::Unsupported { .. })
    }
}

/// How an interval was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Order statistics at exact binomial ranks: the sample behaves as independent.
    ExactRanks,
    /// Order statistics at ranks widened by the long-run variance of the exceedance indicator.
    EffectiveRanks,
    /// Order statistics at ranks from the variance between time blocks (ratio estimator).
    TimeBlocks,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ExactRanks => "exact binomial ranks",
            Self::EffectiveRanks => "ranks on the effective sample size",
            Self::TimeBlocks => "ranks from time blocks",
        })
    }
}

/// A quantile of a sample, with its interval, counts, grade and method.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Which quantile.
    pub quantile: Quantile,
    /// The order statistic x_(ceil(n p)), in the unit of the samples. It exists even when the
    /// grade is `Unsupported`; read the grade first.
    pub value: f64,
    /// Confidence interval for the quantile, in the unit of the samples.
    pub interval: Interval,
    /// Observations.
    pub n: usize,
    /// Independent observations of equal information, in `[1, n]`.
    pub effective_n: f64,
    /// How far the sample carries the value.
    pub grade: Grade,
    /// How the interval was made.
    pub method: Method,
    /// Distinct time blocks that hold a tail sample; only for `Method::TimeBlocks`.
    pub tail_blocks: Option<usize>,
    /// Time blocks that hold any sample; only for `Method::TimeBlocks`.
    pub blocks: Option<usize>,
}

/// How far the truth may lie from a value, as a share of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plausible {
    /// 0.2 for 20 % lower; `None` where the sample gives no bound.
    pub lower: Option<f64>,
    /// 1.0 for 100 % higher; `None` where the sample gives no bound.
    pub higher: Option<f64>,
}

/// How much wider than the interval the plausible range of a thin and correlated series is, on the
/// logarithmic scale. The interval of a figure of one run at 85 % load of a 64-slot server held the truth
/// in 77 to 83 % of the cases (1,000 to 10,000 requests), twice the width in 90 to 94 %, this in 92 to 97 %
/// (`cargo xtask coverage one-run`).
const THIN_WIDENING: f64 = 2.5;

impl Estimate {
    /// The range in which the truth plausibly lies, as far as one run can know: the interval, as
    /// distances from the value. Where the series is `correlated` and has fewer than a hundred
    /// effective tail samples, episodes as long as the run move the value, which the interval sees a
    /// part of; then `THIN_WIDENING` times as wide.
    ///
    /// `None` unless the value is positive and finite.
    #[must_use]
    pub fn plausible(&self, correlated: bool) -> Option<Plausible> {
        let thin = correlated && self.grade != Grade::Full;
        Plausible::of(self.value, self.interval.low, self.interval.high, thin)
    }
}

impl Plausible {
    /// The range around `value` from the ends of its interval; `thin` where the series is
    /// correlated and has fewer than `FULL_TAIL` effective tail samples ([`Estimate::plausible`]).
    ///
    /// `None` unless the value is positive and finite.
    #[must_use]
    pub fn of(value: f64, low: Option<f64>, high: Option<f64>, thin: bool) -> Option<Self> {
        if !(value > 0.0 && value.is_finite()) {
            return None;
        }
        let widening = if thin { THIN_WIDENING } else { 1.0 };
        let share = |bound: f64| (bound.max(0.0) / value).powf(widening) - 1.0;
        Some(Self {
            lower: low.map(|low| -share(low)),
            higher: high.filter(|h| h.is_finite()).map(share),
        })
    }

    /// The bounds around `value`.
    #[must_use]
    pub fn bounds(&self, value: f64) -> (Option<f64>, Option<f64>) {
        (
            self.lower.map(|lower| value * (1.0 - lower)),
            self.higher.map(|higher| value * (1.0 + higher)),
        )
    }

    /// Whether the range around `value` holds `truth`; an open side bounds nothing.
    #[must_use]
    pub fn holds(&self, value: f64, truth: f64) -> bool {
        let ratio = truth / value - 1.0;
        self.lower.is_none_or(|lower| -lower <= ratio)
            && self.higher.is_none_or(|higher| ratio <= higher)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grades_at_their_thresholds() {
        let grade = |n: usize, q: Quantile| Grade::of_tail(n as f64 * q.tail(), n);
        assert_eq!(grade(1000, Quantile::P99), Grade::Indicative);
        assert_eq!(
            grade(999, Quantile::P99),
            Grade::Unsupported {
                needed: 1000,
                have: 999
            }
        );
        assert_eq!(grade(10_000, Quantile::P99), Grade::Full);
        assert_eq!(grade(10_000, Quantile::P999), Grade::Indicative);
        assert_eq!(grade(100_000, Quantile::P999), Grade::Full);
        assert_eq!(grade(100, Quantile::P90), Grade::Indicative);
        assert_eq!(
            grade(99, Quantile::P90),
            Grade::Unsupported {
                needed: 100,
                have: 99
            }
        );
        assert_eq!(grade(20, Quantile::P50), Grade::Indicative);
        assert_eq!(
            grade(1, Quantile::P50),
            Grade::Unsupported {
                needed: 20,
                have: 1
            }
        );
    }

    #[test]
    fn plausible_is_the_interval_as_shares_of_the_value() {
        let estimate = |value, high| Estimate {
            quantile: Quantile::P99,
            value,
            interval: Interval {
                low: Some(8.0),
                high,
                level: 0.95,
            },
            n: 1000,
            effective_n: 100.0,
            grade: Grade::Indicative,
            method: Method::EffectiveRanks,
            tail_blocks: None,
            blocks: None,
        };
        let range = estimate(10.0, Some(20.0)).plausible(false).unwrap();
        assert!((range.lower.unwrap() - 0.2).abs() < 1e-12);
        assert_eq!(range.higher, Some(1.0));
        assert_eq!(estimate(10.0, None).plausible(false).unwrap().higher, None);
        let infinite = estimate(10.0, Some(f64::INFINITY)).plausible(false);
        assert_eq!(infinite.unwrap().higher, None);
        assert_eq!(estimate(0.0, Some(1.0)).plausible(false), None);
        // One effective tail sample: wider, in proportion to what the sample shows.
        let thin = estimate(10.0, Some(11.0)).plausible(true).unwrap();
        assert!((thin.higher.unwrap() - (1.1_f64.powf(2.5) - 1.0)).abs() < 1e-12);
        assert!((thin.lower.unwrap() - (1.0 - 0.8_f64.powf(2.5))).abs() < 1e-12);
        assert!(thin.holds(10.0, 12.6) && thin.holds(10.0, 5.8));
        assert!(!thin.holds(10.0, 12.8) && !thin.holds(10.0, 5.6));
        let (low, high) = thin.bounds(10.0);
        assert!((5.6..5.8).contains(&low.unwrap()) && (12.6..12.8).contains(&high.unwrap()));
        let open = estimate(10.0, None).plausible(true).unwrap();
        assert_eq!(open.higher, None);
        assert_eq!(estimate(f64::INFINITY, None).plausible(false), None);
    }

    #[test]
    fn needed_scales_with_the_dependence_seen() {
        // 2000 observations worth 500: p99 needs 1000 effective, that is 4000.
        let grade = Grade::of_tail(500.0 * 0.01, 2000);
        assert_eq!(
            grade,
            Grade::Unsupported {
                needed: 4000,
                have: 2000
            }
        );
    }
}
