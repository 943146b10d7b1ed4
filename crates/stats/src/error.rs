//! Why a statistic could not be computed at all.
//!
//! A sample that is merely too small for a figure is not an error: it yields a grade of
//! `Unsupported` or an open interval.

use thiserror::Error;

/// The input is outside the domain of the statistic.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum StatsError {
    /// There are no observations.
    #[error("no observations")]
    Empty,
    /// Fewer observations than the definition itself needs.
    #[error("{have} observations, at least {needed} needed")]
    TooFew {
        /// Observations that the definition needs.
        needed: usize,
        /// Observations given.
        have: usize,
    },
    /// More observations than the method takes.
    #[error("{have} observations, limit {limit}: use batch means")]
    TooMany {
        /// The limit.
        limit: usize,
        /// Observations given.
        have: usize,
    },
    /// An observation is NaN.
    #[error("observation {index} is not a number")]
    NotANumber {
        /// Position in the input.
        index: usize,
    },
    /// An observation is infinite (or NaN) where a moment is asked for.
    #[error("observation {index} is {value}: moments need finite observations")]
    NotFinite {
        /// Position in the input.
        index: usize,
        /// The offending value.
        value: f64,
    },
    /// An observation is below 0 where shares or durations are asked for.
    #[error("observation {index} is {value}: below 0")]
    Negative {
        /// Position in the input.
        index: usize,
        /// The offending value.
        value: f64,
    },
    /// A confidence level or significance level outside (0, 1).
    #[error("level {level} is outside (0, 1)")]
    InvalidLevel {
        /// The level given.
        level: f64,
    },
    /// A quantile probability outside (0, 1).
    #[error("quantile {p} is outside (0, 1)")]
    InvalidQuantile {
        /// The probability given.
        p: f64,
    },
    /// Values and time stamps do not pair up.
    #[error("{values} values but {times} time stamps")]
    LengthMismatch {
        /// Number of values.
        values: usize,
        /// Number of time stamps.
        times: usize,
    },
    /// A block, window, span or batch count that is not positive.
    #[error("time division of {length} is not positive")]
    InvalidDivision {
        /// The length (nanoseconds) or count given.
        length: i64,
    },
    /// The span divided by the block length exceeds the limit on blocks.
    #[error("{blocks} time blocks, limit {limit}: use longer blocks")]
    TooManyBlocks {
        /// Blocks that the span would need.
        blocks: u64,
        /// The limit.
        limit: u64,
    },
    /// Counts that are not `0 <= successes <= trials`, `trials > 0`, finite.
    #[error("{successes} successes of {trials} trials is not a proportion")]
    InvalidCounts {
        /// Successes given (may be an effective, non-integer count).
        successes: f64,
        /// Trials given (may be an effective, non-integer count).
        trials: f64,
    },
}

/// Refuses NaN and an empty slice; infinities pass.
pub(crate) fn check_ordered(samples: &[f64]) -> Result<(), StatsError> {
    if samples.is_empty() {
        return Err(StatsError::Empty);
    }
    match samples.iter().position(|x| x.is_nan()) {
        Some(index) => Err(StatsError::NotANumber { index }),
        None => Ok(()),
    }
}

/// Refuses NaN, infinities and an empty slice.
pub(crate) fn check_finite(samples: &[f64]) -> Result<(), StatsError> {
    if samples.is_empty() {
        return Err(StatsError::Empty);
    }
    match samples.iter().position(|x| !x.is_finite()) {
        Some(index) => Err(StatsError::NotFinite {
            index,
            value: samples[index],
        }),
        None => Ok(()),
    }
}

/// Refuses a level outside (0, 1).
pub(crate) fn check_level(level: f64) -> Result<(), StatsError> {
    if level > 0.0 && level < 1.0 {
        Ok(())
    } else {
        Err(StatsError::InvalidLevel { level })
    }
}

/// Refuses values and time stamps of different lengths.
pub(crate) fn check_paired(values: &[f64], at_ns: &[i64]) -> Result<(), StatsError> {
    if values.len() == at_ns.len() {
        Ok(())
    } else {
        Err(StatsError::LengthMismatch {
            values: values.len(),
            times: at_ns.len(),
        })
    }
}
