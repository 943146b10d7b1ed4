//! Arrivals at a constant rate: an endless, non-decreasing stream of instants.
//!
//! It knows no phases and no end; [`crate::varying`] has rates that change.
//!
//! Invariant: the stream is stationary from offset 0, so that the expected number of arrivals in
//! any interval of length T that is placed without looking at the arrivals is rate x T. Same seed,
//! same instants; the last nanosecond rests on the platform's `ln`, `exp` and `pow`.

use crate::error::ScheduleError;
use crate::renewal::{ArrivalProcess, Renewal};
use infermeter_core::clock::Offset;

/// The instants of an arrival process, without end.
#[derive(Debug, Clone)]
pub struct Arrivals {
    renewal: Renewal,
    mean_gap_ns: f64,
    whole_ns: i64,
    /// Below 1: what the sum of gaps has beyond `whole_ns`. Keeping it apart keeps the sum exact
    /// to well under a nanosecond over any number of arrivals.
    part_ns: f64,
}

impl Arrivals {
    /// The arrivals of `process` at `rate` requests per second.
    ///
    /// # Errors
    /// When the rate is not above 0 and finite, or the coefficient of variation out of range.
    pub fn new(process: ArrivalProcess, rate: f64, seed: u64) -> Result<Self, ScheduleError> {
        if !(rate.is_finite() && rate > 0.0) {
            return Err(ScheduleError::Rate(rate));
        }
        Ok(Self {
            renewal: Renewal::new(process, seed)?,
            mean_gap_ns: 1e9 / rate,
            whole_ns: 0,
            part_ns: 0.0,
        })
    }

    /// The next instant.
    fn advance(&mut self) -> Offset {
        let sum = self.part_ns + self.renewal.gap() * self.mean_gap_ns;
        let whole = sum.floor();
        self.part_ns = sum - whole;
        self.whole_ns = self.whole_ns.saturating_add(whole as i64);
        let rounded = self.whole_ns.saturating_add(i64::from(self.part_ns >= 0.5));
        Offset(rounded)
    }
}

impl Iterator for Arrivals {
    type Item = Offset;

    fn next(&mut self) -> Option<Offset> {
        Some(self.advance())
    }
}
