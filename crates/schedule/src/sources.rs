//! Many independent sources of requests, each with its own rate and gaps, merged into one load.
//!
//! It knows no lengths, and no names: a source is a number.
//!
//! Invariant: the arrivals of a source depend on its own parameters and seed, and on the instant at
//! which the window starts, not on the other sources. Nothing is rescaled to meet a count: the
//! counts of a source vary as those of its process do, and those of the whole as a superposition.

mod arrivals;
mod rate;

use crate::cut::{
    CutError, MAX_ARRIVALS, MAX_DRAIN_ARRIVALS, Phases, TAIL_WITHOUT_END_NS, cut, warm_up_end,
};
use crate::error::ScheduleError;
use crate::open::{MAX_LAPS, MAX_SECONDS, ending_at};
use crate::renewal::ArrivalProcess;
use crate::warmup::WarmupRule;
use arrivals::Merged;
use infermeter_core::clock::Offset;
use infermeter_core::plan::RateProfile;
use infermeter_core::schedule::OpenSchedule;
use infermeter_core::units::Span;
use rate::SourceRate;

/// One source.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Shape of its gaps.
    pub process: ArrivalProcess,
    /// Requests per second over time, before `factor`. Time 0 is the start of the window.
    pub rate: RateProfile,
    /// All its rates are multiplied by this.
    pub factor: f64,
    /// When something else holds: in order of time, none inside another.
    pub windows: Vec<SourceWindow>,
    /// Seed of its gaps.
    pub seed: u64,
}

/// A time in which a source has another rate or other gaps. Other gaps are a process of their own
/// that is stationary from the start of the window; so are the usual ones after it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SourceWindow {
    /// Its start.
    pub from: Span,
    /// Its end; the instant itself lies outside.
    pub to: Span,
    /// Requests per second, before the source's factor; absent: as without the window.
    pub rate: Option<f64>,
    /// Shape of the gaps; absent: the source's own.
    pub process: Option<ArrivalProcess>,
}

/// What merged sources are cut by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SourcesParams {
    /// The warm-up in force; in it each source has the rate of its time 0.
    pub warmup: WarmupRule,
    /// Length of the measured window.
    pub duration: Option<Span>,
    /// Number of measured requests; with `duration`, whichever comes first.
    pub requests: Option<u64>,
    /// Drain arrivals reach this far beyond the window: the request time-out.
    pub drain_max: Span,
}

/// The arrivals of all sources.
#[derive(Debug, Clone, PartialEq)]
pub struct MergedSchedule {
    /// When.
    pub schedule: OpenSchedule,
    /// The source of each arrival.
    pub source_of: Vec<u32>,
}

/// Requests expected of each source in the first `span` of the window.
///
/// # Errors
/// When a profile would repeat too often.
pub fn expected_arrivals(sources: &[Source], span: Span) -> Result<Vec<f64>, ScheduleError> {
    check_laps(sources, span.as_seconds())?;
    let expected = |source: &Source| SourceRate::new(source).expected(span.ns());
    Ok(sources.iter().map(expected).collect())
}

/// Makes the arrivals of all phases.
///
/// # Errors
/// When a parameter is no such thing, when nothing ends the window or no source ever sends, when
/// there would be more than `MAX_ARRIVALS` arrivals or more than a year of them, or when none
/// falls into the window.
pub fn merged_schedule(
    sources: &[Source],
    params: &SourcesParams,
) -> Result<MergedSchedule, ScheduleError> {
    let phases = Phases {
        warmup: params.warmup,
        duration: params.duration,
        requests: params.requests,
        drain_max: params.drain_max,
    };
    phases.check()?;
    check(sources, params)?;
    let warming = Merged::new(sources, None)?.map(|(at, _)| at);
    let start = warm_up_end(warming, &params.warmup).map_err(refused)?;
    let fixed = Phases {
        warmup: ending_at(start),
        ..phases
    };
    let mut source_of = Vec::new();
    let arrivals = Merged::new(sources, Some(start))?.map(|(at, source)| {
        source_of.push(source);
        at
    });
    let schedule = cut(arrivals, &fixed, TAIL_WITHOUT_END_NS).map_err(refused)?;
    source_of.truncate(schedule.arrivals.len());
    Ok(MergedSchedule {
        schedule,
        source_of,
    })
}

fn refused(error: CutError) -> ScheduleError {
    match error {
        CutError::Ended | CutError::NothingMeasured => ScheduleError::NothingMeasured,
        CutError::TooMany => ScheduleError::TooMany {
            expected: (MAX_ARRIVALS + MAX_DRAIN_ARRIVALS) as f64,
        },
    }
}

/// Refuses what makes no schedule, before anything is made.
fn check(sources: &[Source], params: &SourcesParams) -> Result<(), ScheduleError> {
    if params.duration.is_none() && params.requests.is_none() {
        return Err(ScheduleError::Endless);
    }
    let total = |rate: fn(&Source) -> f64| sources.iter().map(rate).sum::<f64>();
    let warm_rate = total(|source| SourceRate::new(source).at_start());
    let warmup = &params.warmup;
    if warm_rate <= 0.0 && warmup.least.requests > 0 && warmup.at_most.is_none() {
        return Err(ScheduleError::SilentWarmup);
    }
    if params.duration.is_none() && total(|source| source.rate.held().unwrap_or(1.0)) <= 0.0 {
        return Err(ScheduleError::SourcesEnd);
    }
    let warm_s = warmup
        .least
        .time
        .as_seconds()
        .max(warmup.least.requests as f64 / warm_rate)
        .min(warmup.at_most.map_or(f64::INFINITY, Span::as_seconds));
    let mean = total(|source| source.factor * source.rate.mean());
    let counted_s = params
        .requests
        .map_or(f64::INFINITY, |n| n as f64 / mean.max(f64::MIN_POSITIVE));
    let window_s = params.duration.map_or(counted_s, Span::as_seconds);
    let seconds = warm_s + window_s;
    if seconds > MAX_SECONDS {
        return Err(ScheduleError::TooLong { seconds });
    }
    let span = Span((window_s * 1e9) as i64);
    let window: f64 = expected_arrivals(sources, span)?.iter().sum();
    let most = params.requests.map_or(f64::INFINITY, |n| n as f64);
    let expected = warm_s * warm_rate + window.min(most);
    if expected > MAX_ARRIVALS as f64 {
        return Err(ScheduleError::TooMany { expected });
    }
    Ok(())
}

/// Random bursts are walked through lap by lap.
fn check_laps(sources: &[Source], seconds: f64) -> Result<(), ScheduleError> {
    let laps = |source: &Source| match source.rate {
        RateProfile::Bursts { .. } => seconds / source.rate.lap().as_seconds(),
        _ => 0.0,
    };
    let laps: f64 = sources.iter().map(laps).sum();
    if laps > MAX_LAPS {
        return Err(ScheduleError::TooManyLaps { laps });
    }
    Ok(())
}

/// An instant and the source of the request that arrives then.
type Arrival = (Offset, u32);
