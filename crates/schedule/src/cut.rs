//! Cuts one stream of arrivals into warm-up, measured window and drain.
//!
//! It does not make arrivals; the stream may be endless (a process) or end (a trace).
//!
//! Invariant: the arrivals of the result are a prefix of the stream, unchanged.

use crate::error::ScheduleError;
use crate::warmup::WarmupRule;
use infermeter_core::clock::Offset;
use infermeter_core::schedule::{ArrivalIds, OpenSchedule, Slice};
use infermeter_core::units::Span;

/// Most arrivals in warm-up and measured window together (8 bytes each).
pub(crate) const MAX_ARRIVALS: usize = 50_000_000;

/// Most drain arrivals kept (16 MB): the load then ends early, which only matters when measured
/// requests are still running that long after the window at such a rate.
pub const MAX_DRAIN_ARRIVALS: usize = 2_000_000;

/// Where to cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Phases {
    pub warmup: WarmupRule,
    /// Length of the measured window.
    pub duration: Option<Span>,
    /// Number of measured arrivals.
    pub requests: Option<u64>,
    /// Drain arrivals reach this far beyond the window.
    pub drain_max: Span,
}

impl Phases {
    /// Checks what does not depend on the stream.
    pub fn check(&self) -> Result<(), ScheduleError> {
        if let Some(duration) = self.duration.filter(|d| d.ns() <= 0) {
            return Err(ScheduleError::Duration(duration));
        }
        if self.requests == Some(0) {
            return Err(ScheduleError::Requests);
        }
        if self.warmup.least.time.ns() < 0 {
            return Err(ScheduleError::Warmup(self.warmup.least.time));
        }
        Ok(())
    }
}

/// Why a stream cannot be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CutError {
    /// The stream ended inside the warm-up.
    Ended,
    /// It goes on, but not inside the window.
    NothingMeasured,
    /// It is longer than [`MAX_ARRIVALS`] and [`MAX_DRAIN_ARRIVALS`] together.
    TooMany,
}

/// A stream that remembers what it handed out.
struct Taken<I> {
    source: I,
    arrivals: Vec<Offset>,
}

impl<I: Iterator<Item = Offset>> Taken<I> {
    /// Takes arrivals until one lies at or after `end`, there are `count` in all, or the stream
    /// ends.
    fn until(&mut self, end: Offset, count: usize) -> Result<(), CutError> {
        while self.arrivals.len() < count && self.arrivals.last().is_none_or(|last| *last < end) {
            let Some(next) = self.source.next() else {
                return Ok(());
            };
            if self.arrivals.len() >= MAX_ARRIVALS + MAX_DRAIN_ARRIVALS {
                return Err(CutError::TooMany);
            }
            self.arrivals.push(next);
        }
        Ok(())
    }

    /// Index of the first arrival at or after `at`.
    fn first_from(&self, at: Offset) -> usize {
        self.arrivals.partition_point(|arrival| *arrival < at)
    }
}

const NEVER: Offset = Offset(i64::MAX);

/// The `tail_ns` of a stream whose end is a rate of 0 from there on: the window goes on without
/// arrivals for as long as it was asked to.
pub(crate) const TAIL_WITHOUT_END_NS: i64 = i64::MAX / 4;

/// Where the warm-up of `source` ends: the start of the window.
pub(crate) fn warm_up_end<I: Iterator<Item = Offset>>(
    source: I,
    rule: &WarmupRule,
) -> Result<Offset, CutError> {
    let mut taken = Taken {
        source,
        arrivals: Vec::new(),
    };
    warm_up(&mut taken, rule)
}

/// Cuts `source`. `tail_ns` is how long the last arrival of a stream that ends stands for: the
/// window then reaches that far beyond it.
///
/// The window is half open, `[start, end)`. It starts at the warm-up's time, or 1 ns after the
/// arrival that completes the warm-up's count, whichever is later, or at the warm-up's upper
/// limit. It ends after `duration`, or at the arrival after the last of `requests` (the first of
/// the drain), whichever is earlier: for exponential gaps the count over that length is an
/// unbiased estimate of the rate, which the n-th arrival as the end would miss by 1/n.
///
/// Arrivals at the very instant of the last of `requests` belong to the drain by index, although
/// the window then ends 1 ns after it: the number asked for is kept.
pub(crate) fn cut<I: Iterator<Item = Offset>>(
    source: I,
    phases: &Phases,
    tail_ns: i64,
) -> Result<OpenSchedule, CutError> {
    let mut taken = Taken {
        source,
        arrivals: Vec::new(),
    };
    let window_start = warm_up(&mut taken, &phases.warmup)?;
    let measure_from = taken.first_from(window_start);
    let (drain_from, window_end) = measure(&mut taken, phases, window_start, tail_ns)?;
    let drain_end = window_end.plus(phases.drain_max.ns());
    taken.until(drain_end, drain_from.saturating_add(MAX_DRAIN_ARRIVALS))?;
    let keep = taken
        .first_from(drain_end)
        .min(drain_from.saturating_add(MAX_DRAIN_ARRIVALS))
        .max(drain_from);
    taken.arrivals.truncate(keep);
    taken.arrivals.shrink_to_fit();
    Ok(OpenSchedule {
        arrivals: taken.arrivals,
        ids: ArrivalIds::ALONE,
        measure_from,
        drain_from,
        window_start,
        window_end,
        slice: Slice::WHOLE,
    })
}

/// Takes the warm-up's arrivals and the first after them; the start of the window.
fn warm_up<I: Iterator<Item = Offset>>(
    taken: &mut Taken<I>,
    rule: &WarmupRule,
) -> Result<Offset, CutError> {
    let latest = rule.at_most.map_or(NEVER, |span| Offset(span.ns()));
    let time = Offset(rule.least.time.ns());
    let count = usize::try_from(rule.least.requests).unwrap_or(usize::MAX);
    taken.until(latest, count)?;
    let counted = match count.checked_sub(1) {
        None => Offset::ZERO,
        Some(last) => taken.arrivals.get(last).map_or(latest, |a| a.plus(1)),
    };
    let start = time.max(counted).min(latest);
    taken.until(start, usize::MAX)?;
    Ok(start)
}

/// Takes the measured arrivals and the first after them; its index and the end of the window.
fn measure<I: Iterator<Item = Offset>>(
    taken: &mut Taken<I>,
    phases: &Phases,
    start: Offset,
    tail_ns: i64,
) -> Result<(usize, Offset), CutError> {
    let from = taken.first_from(start);
    let due = phases.duration.map_or(NEVER, |d| start.plus(d.ns()));
    let wanted = phases
        .requests
        .map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
    let last_id = from.saturating_add(wanted);
    taken.until(due, last_id.saturating_add(1))?;
    let to = taken.first_from(due).min(last_id);
    if from == taken.arrivals.len() {
        return Err(CutError::Ended);
    }
    if to == from {
        return Err(CutError::NothingMeasured);
    }
    let last = taken.arrivals[to - 1];
    let end = match taken.arrivals.get(to) {
        Some(next) => due.min(*next).max(last.plus(1)),
        None => due.min(last.plus(tail_ns)),
    };
    Ok((to, end))
}
