//! Replay: arrivals at the instants of a trace, its time stretched or shrunk.
//!
//! It draws nothing at random, and reads no file.
//!
//! Invariant: arrival `i` is row `i`, at its offset times the scale, rounded once to whole
//! nanoseconds; at scale 1 the offsets are the trace's own.

use crate::cut::{CutError, Phases, cut};
use crate::error::ScheduleError;
use crate::open::MAX_SECONDS;
use crate::warmup::WarmupRule;
use infermeter_core::clock::Offset;
use infermeter_core::schedule::OpenSchedule;
use infermeter_core::units::Span;

/// What a replay is made from, beside the rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReplayParams {
    /// Offsets are multiplied by this; above 0.
    pub time_scale: f64,
    /// The warm-up in force: the head of the rows.
    pub warmup: WarmupRule,
    /// Length of the measured window; absent: to the last row, or `requests`.
    pub duration: Option<Span>,
    /// Number of measured requests; with `duration`, whichever comes first.
    pub requests: Option<u64>,
    /// Later rows are kept this far beyond the window as drain.
    pub drain_max: Span,
}

/// Makes the arrivals of rows with the given offsets (nanoseconds, from 0, non-decreasing).
///
/// Where the rows end before the window would, it ends one mean gap after the last of them (1 s
/// for a single row), and there is no drain.
///
/// # Errors
/// When a parameter is no such thing, when there is no row or they are not sorted, or when the
/// warm-up leaves no row to measure.
pub fn replay_schedule(
    offsets: &[i64],
    params: &ReplayParams,
) -> Result<OpenSchedule, ScheduleError> {
    let scale = TimeScale::new(params.time_scale)?;
    let phases = Phases {
        warmup: params.warmup,
        duration: params.duration,
        requests: params.requests,
        drain_max: params.drain_max,
    };
    phases.check()?;
    let last = check_rows(offsets)?;
    let length_ns = scale.apply(last);
    let endless = params.duration.is_none() && params.requests.is_none();
    let seconds = Span(length_ns).as_seconds();
    if endless && seconds > MAX_SECONDS {
        return Err(ScheduleError::TooLong { seconds });
    }
    let tail_ns = match i64::try_from(offsets.len() - 1) {
        Ok(gaps @ 1..) => (length_ns / gaps).max(1),
        _ => 1_000_000_000,
    };
    let arrivals = offsets.iter().map(|offset| Offset(scale.apply(*offset)));
    cut(arrivals, &phases, tail_ns).map_err(|error| match error {
        CutError::Ended => ScheduleError::TraceTooShort {
            rows: offsets.len(),
            // Read by people: microseconds would hide the seconds.
            length: Span(length_ns / 1_000_000 * 1_000_000),
            warmup: params.warmup.least,
        },
        CutError::NothingMeasured => ScheduleError::NoRowMeasured,
        CutError::TooMany => ScheduleError::TooMany {
            expected: offsets.len() as f64,
        },
    })
}

/// The last offset of rows that are sorted and start at or after 0.
fn check_rows(offsets: &[i64]) -> Result<i64, ScheduleError> {
    let mut previous = 0;
    for (row, offset) in offsets.iter().enumerate() {
        if *offset < previous {
            return Err(ScheduleError::Unsorted { row });
        }
        previous = *offset;
    }
    offsets.last().copied().ok_or(ScheduleError::EmptyTrace)
}

/// A positive binary floating-point number as the fraction it exactly is: times of a trace are
/// multiplied by it.
#[derive(Debug, Clone, Copy)]
pub struct TimeScale {
    mantissa: i128,
    /// The number is `mantissa * 2^exponent`.
    exponent: i32,
}

impl TimeScale {
    /// The scale as a user gave it.
    ///
    /// # Errors
    /// When it is not above 0 and finite.
    pub fn new(scale: f64) -> Result<Self, ScheduleError> {
        if !(scale.is_normal() && scale > 0.0) {
            return Err(ScheduleError::TimeScale(scale));
        }
        let bits = scale.to_bits();
        let mantissa = i128::from((bits & ((1 << 52) - 1)) | (1 << 52));
        let exponent = ((bits >> 52) & 0x7ff) as i32 - 1_075;
        Ok(Self { mantissa, exponent })
    }

    /// `ns` times the scale, the nearest whole number (halves upwards), at most `i64::MAX`.
    pub fn apply(self, ns: i64) -> i64 {
        let product = i128::from(ns) * self.mantissa;
        let scaled = match self.exponent {
            0.. if product == 0 => 0,
            up @ 0..=10 => product << up,
            0.. => i128::MAX,
            down @ -126..=-1 => (product + (1 << (-down - 1))) >> -down,
            _ => 0,
        };
        i64::try_from(scaled).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{Strategy, proptest};

    fn check(scale: f64, ns: i64, expect: i64) {
        let scale = TimeScale::new(scale).expect("a scale");
        assert_eq!(scale.apply(ns), expect);
    }

    #[test]
    fn scaling_is_exact_beyond_the_precision_of_a_double() {
        check(1.0, 9_007_199_254_740_993, 9_007_199_254_740_993);
        check(0.5, 9_007_199_254_740_993, 4_503_599_627_370_497);
        check(2.0, 4_503_599_627_370_497, 9_007_199_254_740_994);
        check(0.5, 1, 1);
        check(0.25, 1, 0);
        check(1e-30, i64::MAX, 0);
        check(1e-300, i64::MAX, 0);
        check(1e300, 1, i64::MAX);
        check(1e300, 0, 0);
        check(2048.0, 1 << 40, 1 << 51);
    }

    proptest! {
        #[test]
        fn scaling_agrees_with_doubles_where_they_are_exact(
            ns in 0_i64..1_000_000_000_000,
            scale in (1_u32..2_000).prop_map(|n| f64::from(n) / 1_024.0),
        ) {
            let wide = ns as f64 * scale;
            check(scale, ns, (wide + 0.5).floor() as i64);
        }
    }

    #[test]
    fn what_is_no_scale_is_refused() {
        for scale in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-310] {
            assert!(TimeScale::new(scale).is_err(), "{scale}");
        }
    }
}
