//! Arrivals under a rate profile: a renewal process of rate 1, mapped through the inverse of the
//! expected number of arrivals.
//!
//! It knows no phases; the instant at which the profile starts is given.
//!
//! Invariant: before the start the rate is constant, from there on it is the profile's, and the gaps
//! of the renewal process run on across it. An arrival is where the expected number first reaches
//! the sum of its gaps; nothing is rescaled to meet a count. For exponential gaps this is the
//! inhomogeneous Poisson process (Cinlar, Introduction to Stochastic Processes, 1975, ch. 4.7); for
//! others the modulated renewal process with that intensity (Gerhardt and Nelson, INFORMS Journal on
//! Computing 21(4), 2009).

use crate::error::ScheduleError;
use crate::renewal::{ArrivalProcess, Renewal};
use infermeter_core::clock::Offset;
use infermeter_core::plan::RateProfile;
use infermeter_core::rate::RateCurve;

/// The instants of an arrival process under a profile. They end where the profile's rate stays 0.
#[derive(Debug, Clone)]
pub struct VaryingArrivals {
    renewal: Renewal,
    /// Rate before the profile starts, per nanosecond.
    before_per_ns: f64,
    start: Offset,
    /// Arrivals expected before `start`.
    before: f64,
    curve: RateCurve,
    /// Sum of the gaps; the part below 1 apart, so that the sum loses nothing.
    whole: f64,
    part: f64,
    last: Offset,
}

impl VaryingArrivals {
    /// The arrivals of `process` under `profile`, which starts at `start`; before it the rate is
    /// the profile's rate of the warm-up.
    ///
    /// # Errors
    /// When the coefficient of variation is out of range.
    pub fn new(
        process: ArrivalProcess,
        profile: &RateProfile,
        start: Offset,
        seed: u64,
    ) -> Result<Self, ScheduleError> {
        let before_per_ns = profile.warmup_rate() / 1e9;
        Ok(Self {
            renewal: Renewal::new(process, seed)?,
            before_per_ns,
            start,
            before: before_per_ns * start.0.max(0) as f64,
            curve: RateCurve::new(profile, seed),
            whole: 0.0,
            part: 0.0,
            last: Offset::ZERO,
        })
    }
}

impl Iterator for VaryingArrivals {
    type Item = Offset;

    fn next(&mut self) -> Option<Offset> {
        let sum = self.part + self.renewal.gap();
        self.whole += sum.floor();
        self.part = sum - sum.floor();
        let reached = self.whole + self.part;
        let at = if reached < self.before {
            Offset((reached / self.before_per_ns).round() as i64)
        } else {
            // Differences of whole parts first: they are exact.
            let beyond = (self.whole - self.before) + self.part;
            self.start.plus(self.curve.instant(beyond)?)
        };
        self.last = self.last.max(at);
        Some(self.last)
    }
}
