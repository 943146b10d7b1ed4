//! Closed loop: a fixed number of slots, each sending its next request when the previous answer
//! closed (or failed). Latency is self-throttled, and labelled so.
//!
//! With sessions a slot is a user: it goes through the turns of a session, pauses, and begins the
//! next one.
//!
//! Nobody knows beforehand when a phase ends: that depends on the answers. Each request's phase is
//! decided when it is sent, by whichever worker sends it, from its number in the order of sending and
//! its due instant. What the workers agree on stands in three atomics that only ever move one way, so
//! that the order in which they look does not matter:
//! - `measure_from`, the number of the first measured request, is set once, by the first worker that
//!   finds the warm-up over. The others go by it from then on.
//! - `window_start` and `window_end` only fall. Slots wait for different times, so the request with the
//!   lower number need not be the one that was due first.
//!
//! Invariant: of the numbers from `measure_from` on, exactly as many are measured as the plan counts,
//! and the window has the due instants of all of them.

use crate::dependents::Ended;
use crate::shared::{Shared, Stop};
use crate::worker::{BODY_RETRY_NS, Due, Lookup, RunEnd, Worker, WorkerEnd, is_measured};
use infermeter_client::prepared::Prepared;
use infermeter_core::clock::Offset;
use infermeter_core::record::{Reason, RequestRecord};
use infermeter_core::schedule::{ClosedSchedule, Phase};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A slot whose request failed for what the next one meets, too (TLS, a resource of the client), waits this
/// long.
const HOPELESS_PAUSE_NS: i64 = 100_000_000;

/// Runs a worker to the end of the run; `timeout_ns` bounds the drain.
pub(crate) fn run(
    mut worker: Worker<'_>,
    schedule: &ClosedSchedule,
    timeout_ns: i64,
    plan: &Lookup<'_>,
) -> io::Result<WorkerEnd> {
    worker.wait_for_start()?;
    let slots = worker.part.share(schedule.slots.into());
    let mut free: VecDeque<Offset> = (0..slots).map(|_| Offset::ZERO).collect();
    let reason = loop {
        hand_over(&mut worker, &mut free);
        let now = worker.turn();
        let stop = worker.shared.stop();
        if stop != Stop::No {
            worker.engine.cancel_waiting(Reason::Interrupted);
        }
        if stop == Stop::Everything || (stop == Stop::Sending && worker.engine.in_flight() == 0) {
            break Reason::Interrupted;
        }
        if is_over(&mut worker, schedule, now, timeout_ns) {
            break Reason::DrainEnded;
        }
        let due = if stop == Stop::No {
            send_free(&mut worker, schedule, &mut free)
        } else {
            None
        };
        worker.poll(now, due)?;
    };
    worker.engine.cancel_all(reason);
    hand_over(&mut worker, &mut free);
    let bodies_late = worker.bodies_late + worker.dependents.bodies_late();
    let shared = worker.shared;
    let window_end = Offset(shared.window_end.load(Ordering::Acquire));
    let end = RunEnd {
        reason,
        // Slots have no schedule: after a signal only what was due already counts as not sent.
        window_end: window_end.min(worker.engine.now()),
    };
    let (waiting, unfinished) = worker.record_waiting(end, |at| phase_at(shared, at), plan);
    let health = worker.health(bodies_late);
    Ok(WorkerEnd {
        health,
        arrivals_not_reached: 0,
        turns_not_reached: waiting,
        unfinished,
    })
}

fn hand_over(worker: &mut Worker<'_>, free: &mut VecDeque<Offset>) {
    let (shared, bodies) = (worker.shared, worker.bodies);
    let now = worker.engine.now();
    let connects_from = worker.engine.connects_from();
    worker.hand_over(|record, dependents| {
        if is_measured(record) {
            shared.measured_open.fetch_sub(1, Ordering::AcqRel);
        }
        let free_at = free_at(record, connects_from);
        let pause = match record.turn {
            None => Some(0),
            Some(_) => {
                let ended = Ended { record, free_at };
                dependents.ended(ended, now, bodies, |at| phase_at(shared, at), |_| {})
            }
        };
        // Soonest first: a slot that pauses does not hold up the others.
        if let Some(pause) = pause {
            let intended = free_at.unwrap_or(now).plus(pause);
            let place = free.partition_point(|other| *other <= intended);
            free.insert(place, intended);
        }
    });
}

/// A slot's next request is due when its answer closed; after a failure not before a connection may
/// be opened, so that slots do not spin on a server that is not there.
fn free_at(record: &RequestRecord, connects_from: Option<Offset>) -> Option<Offset> {
    let closed = record.closed?;
    let Some(error) = &record.error else {
        return Some(closed);
    };
    let closed = match error.reason {
        Reason::LocalResource | Reason::PortsExhausted | Reason::TlsFailed => {
            closed.plus(HOPELESS_PAUSE_NS)
        }
        _ => closed,
    };
    Some(connects_from.map_or(closed, |at| at.max(closed)))
}

/// The window has ended and every measured request has its record, or the drain took too long.
fn is_over(
    worker: &mut Worker<'_>,
    schedule: &ClosedSchedule,
    now: Offset,
    timeout_ns: i64,
) -> bool {
    let Some(end) = window_end(worker.shared, schedule, now).filter(|end| now >= *end) else {
        return false;
    };
    let settled = worker.is_settled(end);
    // A turn that was due inside the window and waits for its body is yet to be sent.
    let first_due = worker.dependents.first_due();
    let unsent = first_due.is_some_and(|at| at < end);
    let open = worker.shared.measured_open.load(Ordering::Acquire) > 0;
    (settled && !open && !unsent) || now >= end.plus(timeout_ns)
}

/// The end of the window, once it is known.
fn window_end(shared: &Shared, schedule: &ClosedSchedule, now: Offset) -> Option<Offset> {
    if let Some(duration) = schedule.duration_ns {
        let start = shared.window_start.load(Ordering::Acquire);
        if start != i64::MAX && now.0 >= start.saturating_add(duration) {
            shared
                .window_end
                .fetch_min(start + duration, Ordering::AcqRel);
        }
    }
    let end = shared.window_end.load(Ordering::Acquire);
    (end != i64::MAX).then_some(Offset(end))
}

/// Sends on every free slot that is due; returns when to look again.
fn send_free(
    worker: &mut Worker<'_>,
    schedule: &ClosedSchedule,
    free: &mut VecDeque<Offset>,
) -> Option<Offset> {
    loop {
        let now = worker.engine.now();
        worker.dependents.tend(now, worker.bodies);
        if let Some((prepared, intended, answers)) = worker.dependents.take(now) {
            send(worker, schedule, prepared, intended, answers);
            continue;
        }
        let slot = free.front().copied();
        let late = worker.dependents.has_late();
        let retry = late.then(|| now.plus(BODY_RETRY_NS));
        let Some(intended) = slot.filter(|at| *at <= now) else {
            let waits = [slot, worker.dependents.next_due(), retry];
            return waits.into_iter().flatten().min();
        };
        let Some(prepared) = worker.bodies.take(0) else {
            worker.bodies_late += 1;
            return Some(now.plus(BODY_RETRY_NS));
        };
        free.pop_front();
        send(worker, schedule, prepared, intended, Vec::new());
    }
}

fn send(
    worker: &mut Worker<'_>,
    schedule: &ClosedSchedule,
    prepared: Prepared,
    intended: Offset,
    answers: Vec<Arc<str>>,
) {
    let shared = worker.shared;
    // Without sessions bodies come in the order of their ids.
    let number = match schedule.stride {
        1 => schedule.slice.in_slice(prepared.spec.id),
        _ => shared.sequence.fetch_add(1, Ordering::AcqRel),
    };
    // Counted before the decision and taken back after it. The other way round another worker could
    // look in between, find the window over and nothing open, and end a run that still sends.
    shared.measured_open.fetch_add(1, Ordering::AcqRel);
    let phase = phase_of(shared, schedule, number, intended);
    if phase != Phase::Measure {
        shared.measured_open.fetch_sub(1, Ordering::AcqRel);
    }
    worker.send(prepared, Due { phase, intended }, answers);
}

/// The phase of something that takes no place in the order of sending.
fn phase_at(shared: &Shared, at: Offset) -> Phase {
    if at.0 < shared.window_start.load(Ordering::Acquire) {
        Phase::Warmup
    } else if at.0 < shared.window_end.load(Ordering::Acquire) {
        Phase::Measure
    } else {
        Phase::Drain
    }
}

/// The phase of the `number`th request in order of sending, intended at `intended`; opens and closes
/// the window.
fn phase_of(shared: &Shared, schedule: &ClosedSchedule, number: u64, intended: Offset) -> Phase {
    let from = shared.measure_from.load(Ordering::Acquire);
    if from == u64::MAX {
        let warm = intended.0 >= schedule.warmup_ns && number >= schedule.warmup_requests;
        if !warm && intended.0 < schedule.warmup_max_ns {
            return Phase::Warmup;
        }
        // Several workers may find the warm-up over at once. One wins; those that lose are judged below
        // like everybody after, and may well be warm-up: their numbers can be lower than the winner's.
        if shared
            .measure_from
            .compare_exchange(u64::MAX, number, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
        {
            shared.window_start.fetch_min(intended.0, Ordering::AcqRel);
            return Phase::Measure;
        }
    }
    let from = shared.measure_from.load(Ordering::Acquire);
    if number < from {
        return Phase::Warmup;
    }
    match schedule.requests {
        Some(n) if number - from >= n => {
            shared.window_end.fetch_min(intended.0, Ordering::AcqRel);
            return Phase::Drain;
        }
        // The measured requests are counted by number: the window takes in the earliest of them. Where
        // time ends the window instead, its start is fixed, and what was due before is warm-up.
        Some(_) => {
            shared.window_start.fetch_min(intended.0, Ordering::AcqRel);
        }
        None if intended.0 < shared.window_start.load(Ordering::Acquire) => return Phase::Warmup,
        None => {}
    }
    let start = shared.window_start.load(Ordering::Acquire);
    let past = |duration: i64| intended.0 >= start.saturating_add(duration);
    if schedule.duration_ns.is_some_and(past) {
        Phase::Drain
    } else {
        Phase::Measure
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_core::schedule::Slice;

    fn schedule(requests: Option<u64>, duration_ns: Option<i64>) -> ClosedSchedule {
        ClosedSchedule {
            slots: 2,
            stride: 1,
            slice: Slice::WHOLE,
            warmup_ns: 100,
            warmup_requests: 3,
            warmup_max_ns: 1_000,
            duration_ns,
            requests,
        }
    }

    #[test]
    fn warm_up_ends_when_time_and_count_have_passed() {
        let shared = Shared::new(0);
        let s = schedule(Some(2), None);
        let phases: Vec<Phase> = [(0, 0), (1, 0), (2, 200), (3, 210), (4, 220), (5, 230)]
            .map(|(id, at)| phase_of(&shared, &s, id, Offset(at)))
            .to_vec();
        let (w, m, d) = (Phase::Warmup, Phase::Measure, Phase::Drain);
        assert_eq!(phases, [w, w, w, m, m, d]);
        assert_eq!(shared.window_start.load(Ordering::Relaxed), 210);
        assert_eq!(shared.window_end.load(Ordering::Relaxed), 230);
    }

    #[test]
    fn warm_up_ends_at_its_maximum() {
        let shared = Shared::new(0);
        let s = schedule(None, Some(50));
        assert_eq!(phase_of(&shared, &s, 0, Offset(999)), Phase::Warmup);
        assert_eq!(phase_of(&shared, &s, 1, Offset(1_000)), Phase::Measure);
        assert_eq!(phase_of(&shared, &s, 2, Offset(1_049)), Phase::Measure);
        assert_eq!(phase_of(&shared, &s, 3, Offset(1_050)), Phase::Drain);
    }

    #[test]
    fn the_end_of_a_window_of_time_is_known_when_it_has_passed() {
        let shared = Shared::new(0);
        let s = schedule(None, Some(50));
        phase_of(&shared, &s, 5, Offset(1_000));
        assert_eq!(window_end(&shared, &s, Offset(1_049)), None);
        assert_eq!(phase_at(&shared, Offset(999)), Phase::Warmup);
        assert_eq!(window_end(&shared, &s, Offset(1_060)), Some(Offset(1_050)));
        assert_eq!(phase_at(&shared, Offset(1_049)), Phase::Measure);
        assert_eq!(phase_at(&shared, Offset(1_050)), Phase::Drain);
    }
}
