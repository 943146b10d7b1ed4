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
pub const FULL_TAIL: f64 = 100.0;

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
