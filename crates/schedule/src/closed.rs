//! Closed loop: a number of slots, each sending its next request when the last one closed.
//!
//! It places nothing in time: that depends on the answers.

use crate::error::ScheduleError;
use crate::warmup::WarmupRule;
use infermeter_core::schedule::{ClosedSchedule, Slice};
use infermeter_core::units::Span;

/// Most slots.
pub(crate) const MAX_SLOTS: u32 = 1_000_000;

/// Stands for "no upper limit" of the warm-up: 73 years, which can be added to any instant of a
/// run without overflow.
const NO_LIMIT_NS: i64 = i64::MAX / 4;

/// What a closed loop is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClosedParams {
    /// Concurrent slots; with sessions, users.
    pub slots: u32,
    /// Ids of a session; 1 where requests stand alone.
    pub stride: u64,
    /// The warm-up in force.
    pub warmup: WarmupRule,
    /// Length of the measured window.
    pub duration: Option<Span>,
    /// Number of measured requests; with `duration`, whichever comes first.
    pub requests: Option<u64>,
}

/// Checks the parameters of a closed loop.
///
/// # Errors
/// When a parameter is no such thing, or nothing ends the window.
pub fn closed_schedule(params: &ClosedParams) -> Result<ClosedSchedule, ScheduleError> {
    if !(1..=MAX_SLOTS).contains(&params.slots) {
        return Err(ScheduleError::Slots(params.slots));
    }
    let phases = crate::cut::Phases {
        warmup: params.warmup,
        duration: params.duration,
        requests: params.requests,
        drain_max: Span(0),
    };
    phases.check()?;
    if params.duration.is_none() && params.requests.is_none() {
        return Err(ScheduleError::Endless);
    }
    Ok(ClosedSchedule {
        slots: params.slots,
        stride: params.stride,
        slice: Slice::WHOLE,
        warmup_ns: params.warmup.least.time.ns(),
        warmup_requests: params.warmup.least.requests,
        warmup_max_ns: params.warmup.at_most.map_or(NO_LIMIT_NS, Span::ns),
        duration_ns: params.duration.map(Span::ns),
        requests: params.requests,
    })
}
