//! Open loop at a rate: arrivals that do not wait for answers.
//!
//! It does not replay traces; [`crate::replay_schedule`] does.
//!
//! Invariant: the result is a function of the parameters and the seed.

use crate::arrivals::{ArrivalProcess, Arrivals};
use crate::cut::{CutError, MAX_ARRIVALS, MAX_DRAIN_ARRIVALS, Phases, cut};
use crate::error::ScheduleError;
use crate::warmup::WarmupRule;
use infermeter_core::schedule::OpenSchedule;
use infermeter_core::units::Span;

/// Longest warm-up and window together, seconds: a year.
pub(crate) const MAX_SECONDS: f64 = 366.0 * 86_400.0;

/// What an open loop is made from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OpenParams {
    /// Shape of the gaps.
    pub process: ArrivalProcess,
    /// Requests per second, above 0.
    pub rate: f64,
    /// The warm-up in force.
    pub warmup: WarmupRule,
    /// Length of the measured window.
    pub duration: Option<Span>,
    /// Number of measured requests; with `duration`, whichever comes first.
    pub requests: Option<u64>,
    /// Drain arrivals reach this far beyond the window: the request time-out.
    pub drain_max: Span,
}

/// Makes the arrivals of all phases.
///
/// # Errors
/// When a parameter is no such thing, when nothing ends the window, when there would be more than
/// [`MAX_ARRIVALS`] arrivals or more than a year of them, or when none falls into the window.
pub fn open_schedule(params: &OpenParams, seed: u64) -> Result<OpenSchedule, ScheduleError> {
    let arrivals = Arrivals::new(params.process, params.rate, seed)?;
    let phases = Phases {
        warmup: params.warmup,
        duration: params.duration,
        requests: params.requests,
        drain_max: params.drain_max,
    };
    phases.check()?;
    if params.duration.is_none() && params.requests.is_none() {
        return Err(ScheduleError::Endless);
    }
    check_size(params)?;
    cut(arrivals, &phases, 0).map_err(|error| match error {
        CutError::Ended | CutError::NothingMeasured => ScheduleError::NothingMeasured,
        CutError::TooMany => ScheduleError::TooMany {
            expected: (MAX_ARRIVALS + MAX_DRAIN_ARRIVALS) as f64,
        },
    })
}

/// Refuses what would not fit, by expectation, before anything is made.
fn check_size(params: &OpenParams) -> Result<(), ScheduleError> {
    let counted = |n: u64| n as f64 / params.rate;
    let warmup = &params.warmup;
    let warm_s = warmup
        .least
        .time
        .as_seconds()
        .max(counted(warmup.least.requests))
        .min(warmup.at_most.map_or(f64::INFINITY, Span::as_seconds));
    let window_s = params
        .duration
        .map_or(f64::INFINITY, Span::as_seconds)
        .min(params.requests.map_or(f64::INFINITY, counted));
    let seconds = warm_s + window_s;
    let expected = seconds * params.rate;
    if expected > MAX_ARRIVALS as f64 {
        return Err(ScheduleError::TooMany { expected });
    }
    if seconds > MAX_SECONDS {
        return Err(ScheduleError::TooLong { seconds });
    }
    Ok(())
}
