//! Conservation against the schedule: what it says must exist is on record, whatever the recorder
//! counted.
//!
//! Exact for the arrivals of an open loop, and for the count that ends a closed loop's window. What
//! answers decide (how many requests a window of time takes, how long a session goes on) has no
//! number of its own: there, those who sent have counted what they handed over.
//!
//! Invariant: nothing the recorder says is relied on, and a run that was cut short accuses nobody of
//! what it did not reach.

use super::party::Party;
use infermeter_core::run::Counted;
use infermeter_core::schedule::{Begins, ClosedSchedule, Phase, PhaseCounts};
use infermeter_metrics::facts::RequestFacts;

/// What of the schedule is missing or too many on record, as text.
pub(super) fn breaches(party: &Party<'_>) -> Vec<String> {
    let counted = party.progress.and_then(|p| p.counted);
    let Some(facts) = party.schedule else {
        return Vec::new();
    };
    let requests = party.requests.iter().copied();
    let of_schedule = match &facts.begins {
        Begins::Arrivals(arrivals) => {
            let roots = requests.filter(|r| r.parent.is_none());
            of_arrivals(by_phase(roots), *arrivals, counted)
        }
        Begins::Slots(closed) => of_slots(party, closed),
    };
    of_schedule
        .into_iter()
        .chain(lost(party, counted))
        .collect()
}

/// What the recorder was given and is not on record.
fn lost(party: &Party<'_>, counted: Option<Counted>) -> Option<String> {
    let on_record = party.requests.len() as u64;
    counted.filter(|c| c.handed_over != on_record).map(|c| {
        let handed_over = c.handed_over;
        format!("{on_record} requests on record, {handed_over} handed to the recorder")
    })
}

fn by_phase<'a>(requests: impl Iterator<Item = &'a RequestFacts>) -> PhaseCounts {
    let mut counts = PhaseCounts::default();
    requests.for_each(|record| counts.add(record.phase));
    counts
}

/// Arrivals of warm-up and window all have a record, sent or not; of the drain, those that the run
/// reached.
fn of_arrivals(begun: PhaseCounts, arrivals: PhaseCounts, counted: Option<Counted>) -> Vec<String> {
    let expected = |phase| match (phase, counted) {
        (Phase::Drain, None) => None,
        (Phase::Drain, Some(c)) => Some(arrivals.drain.saturating_sub(c.arrivals_not_reached)),
        (Phase::Warmup | Phase::Measure, _) => Some(arrivals.of(phase)),
    };
    let phases = [Phase::Warmup, Phase::Measure, Phase::Drain];
    let breach = |phase| {
        let (found, expected) = (begun.of(phase), expected(phase)?);
        let phase = Phase::as_str(phase);
        (found != expected)
            .then(|| format!("{phase}: {found} arrivals on record, {expected} in the schedule"))
    };
    phases.into_iter().filter_map(breach).collect()
}

/// A closed loop whose window a count has ended has so many measured requests, and its warm-up no
/// fewer than asked for, unless that took too long. Turns that were given up have rows and took no
/// place in the order of sending, so with sessions there may be more.
fn of_slots(party: &Party<'_>, closed: &ClosedSchedule) -> Vec<String> {
    let Some(window) = party.window.filter(|_| party.is_whole) else {
        return Vec::new();
    };
    let found = by_phase(party.requests.iter().copied());
    let breach = |phase: Phase, at_least: u64, at_most: u64| {
        let (found, phase) = (found.of(phase), phase.as_str());
        let asked = match found < at_least {
            true => format!("{at_least} at least"),
            false => format!("{at_most} at most"),
        };
        let breach = format!("{phase}: {found} requests on record, {asked} asked for");
        (!(at_least..=at_most).contains(&found)).then_some(breach)
    };
    let warmup = match window.start.0 < closed.warmup_max_ns {
        true => closed.warmup_requests,
        false => 0,
    };
    let length = window.end.since(window.start);
    let by_time = closed
        .duration_ns
        .is_some_and(|duration| length >= duration);
    let measured = closed.requests.and_then(|asked| {
        let least = match by_time {
            true => 0,
            // A worker that comes late to the end of the window finds its request outside.
            false => asked.saturating_sub(workers(party).saturating_sub(1)),
        };
        let most = if closed.stride == 1 { asked } else { u64::MAX };
        breach(Phase::Measure, least, most)
    });
    let warmup = breach(Phase::Warmup, warmup, u64::MAX);
    warmup.into_iter().chain(measured).collect()
}

fn workers(party: &Party<'_>) -> u64 {
    party.health.map_or(1, |health| health.threads.len() as u64)
}
