//! Open loop at a rate, constant or not: arrivals that do not wait for answers.
//!
//! It does not replay traces; [`crate::replay_schedule`] does.
//!
//! Invariant: the result is a function of the parameters and the seed. A profile starts with the
//! measured window.

use crate::arrivals::Arrivals;
use crate::cut::{
    CutError, MAX_ARRIVALS, MAX_DRAIN_ARRIVALS, Phases, TAIL_WITHOUT_END_NS, cut, warm_up_end,
};
use crate::error::ScheduleError;
use crate::renewal::ArrivalProcess;
use crate::varying::VaryingArrivals;
use crate::warmup::WarmupRule;
use infermeter_core::clock::Offset;
use infermeter_core::plan::{RateProfile, Warmup};
use infermeter_core::rate::RateCurve;
use infermeter_core::schedule::OpenSchedule;
use infermeter_core::units::Span;

/// Longest warm-up and window together, seconds: a year.
pub(crate) const MAX_SECONDS: f64 = 366.0 * 86_400.0;

/// Most laps of a profile in a window.
pub(crate) const MAX_LAPS: f64 = 1e8;

/// Requests per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate<'a> {
    /// Always the same, above 0.
    Constant(f64),
    /// As the profile says, from the start of the window; constant before.
    Profile(&'a RateProfile),
}

impl Rate<'_> {
    /// The rate of the warm-up.
    fn warmup(&self) -> f64 {
        match self {
            Self::Constant(rate) => *rate,
            Self::Profile(profile) => profile.warmup_rate(),
        }
    }
}

/// What an open loop is made from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OpenParams<'a> {
    /// Shape of the gaps.
    pub process: ArrivalProcess,
    /// Requests per second.
    pub rate: Rate<'a>,
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
/// `MAX_ARRIVALS` arrivals or more than a year of them, or when none falls into the window.
pub fn open_schedule(params: &OpenParams<'_>, seed: u64) -> Result<OpenSchedule, ScheduleError> {
    let phases = Phases {
        warmup: params.warmup,
        duration: params.duration,
        requests: params.requests,
        drain_max: params.drain_max,
    };
    let cut_at = match params.rate {
        Rate::Constant(rate) => {
            let arrivals = Arrivals::new(params.process, rate, seed)?;
            check(params, &phases, seed)?;
            cut(arrivals, &phases, 0)
        }
        Rate::Profile(profile) => {
            let arrivals = |start| VaryingArrivals::new(params.process, profile, start, seed);
            let warming = arrivals(Offset(i64::MAX))?;
            check(params, &phases, seed)?;
            let start = warm_up_end(warming, &params.warmup).map_err(refused)?;
            let fixed = Phases {
                warmup: ending_at(start),
                ..phases
            };
            cut(arrivals(start)?, &fixed, TAIL_WITHOUT_END_NS)
        }
    };
    cut_at.map_err(refused)
}

fn refused(error: CutError) -> ScheduleError {
    match error {
        CutError::Ended | CutError::NothingMeasured => ScheduleError::NothingMeasured,
        CutError::TooMany => ScheduleError::TooMany {
            expected: (MAX_ARRIVALS + MAX_DRAIN_ARRIVALS) as f64,
        },
    }
}

/// A warm-up that ends at an instant known already.
pub(crate) fn ending_at(start: Offset) -> WarmupRule {
    WarmupRule {
        least: Warmup {
            time: Span(start.0),
            requests: 0,
        },
        at_most: None,
    }
}

/// Refuses what makes no schedule, before anything is made.
fn check(params: &OpenParams<'_>, phases: &Phases, seed: u64) -> Result<(), ScheduleError> {
    phases.check()?;
    if params.duration.is_none() && params.requests.is_none() {
        return Err(ScheduleError::Endless);
    }
    let warm_rate = params.rate.warmup();
    let warmup = &params.warmup;
    let warm_s = warmup
        .least
        .time
        .as_seconds()
        .max(warmup.least.requests as f64 / warm_rate)
        .min(warmup.at_most.map_or(f64::INFINITY, Span::as_seconds));
    let warm = Size {
        seconds: warm_s,
        arrivals: warm_s * warm_rate,
    };
    // What is too large already is not worth asking the profile about.
    check_size(warm)?;
    let window = window_size(params, seed)?;
    check_size(Size {
        seconds: warm.seconds + window.seconds,
        arrivals: warm.arrivals + window.arrivals,
    })
}

/// What is expected of a phase.
#[derive(Debug, Clone, Copy)]
struct Size {
    seconds: f64,
    arrivals: f64,
}

fn check_size(size: Size) -> Result<(), ScheduleError> {
    if size.arrivals > MAX_ARRIVALS as f64 {
        return Err(ScheduleError::TooMany {
            expected: size.arrivals,
        });
    }
    if size.seconds > MAX_SECONDS {
        return Err(ScheduleError::TooLong {
            seconds: size.seconds,
        });
    }
    Ok(())
}

/// The size of the measured window, by expectation.
fn window_size(params: &OpenParams<'_>, seed: u64) -> Result<Size, ScheduleError> {
    let duration_s = params.duration.map_or(f64::INFINITY, Span::as_seconds);
    let requests = params.requests.map_or(f64::INFINITY, |n| n as f64);
    let profile = match params.rate {
        Rate::Constant(rate) => {
            let seconds = duration_s.min(requests / rate);
            let arrivals = seconds * rate;
            return Ok(Size { seconds, arrivals });
        }
        Rate::Profile(profile) => profile,
    };
    if profile.held() == Some(0.0) && params.duration.is_none() {
        return Err(ScheduleError::ProfileEnds);
    }
    if profile.held().is_none() {
        // A rough size first: it bounds the work of the exact one.
        let seconds = duration_s.min(requests / profile.mean());
        let rough = Size {
            seconds,
            arrivals: 0.0,
        };
        check_size(rough)?;
        let laps = seconds / profile.lap().as_seconds();
        if laps > MAX_LAPS {
            return Err(ScheduleError::TooManyLaps { laps });
        }
    }
    let mut curve = RateCurve::new(profile, seed);
    let counted_s = params.requests.map_or(f64::INFINITY, |n| {
        let end = curve.instant(n.min(2 * MAX_ARRIVALS as u64) as f64);
        end.map_or(f64::INFINITY, |ns| Span(ns).as_seconds())
    });
    let seconds = duration_s.min(counted_s);
    let arrivals = curve.expected((seconds.min(2.0 * MAX_SECONDS) * 1e9) as i64);
    let arrivals = if counted_s < duration_s {
        requests
    } else {
        arrivals
    };
    Ok(Size { seconds, arrivals })
}
