//! Closed loop: a fixed number of slots, each sending its next request when the previous answer
//! closed (or failed). Latency is self-throttled, and labelled so.

use crate::shared::{Shared, Stop};
use crate::worker::{BODY_RETRY_NS, SelfWatch, Worker, WorkerEnd, is_measured, share};
use infermeter_core::clock::Offset;
use infermeter_core::record::{Reason, RequestRecord};
use infermeter_core::schedule::{ClosedSchedule, Phase};
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::Ordering;

/// A slot whose connection was refused waits this long: no storm against a dead target.
const REFUSED_PAUSE_NS: i64 = 100_000_000;

/// Runs a worker to the end of the run; `timeout_ns` bounds the drain.
pub(crate) fn run(
    mut worker: Worker<'_>,
    schedule: &ClosedSchedule,
    timeout_ns: i64,
) -> io::Result<WorkerEnd> {
    worker.wait_for_start()?;
    let watch = SelfWatch::start();
    let slots = share(schedule.slots as usize, worker.index, worker.count);
    let mut free: VecDeque<Offset> = (0..slots).map(|_| Offset::ZERO).collect();
    let reason = loop {
        hand_over(&mut worker, &mut free);
        let now = worker.engine.now();
        let stop = worker.shared.stop();
        if stop != Stop::No {
            worker.engine.cancel_waiting(Reason::Interrupted);
        }
        if stop == Stop::Everything || (stop == Stop::Sending && worker.engine.in_flight() == 0) {
            break Reason::Interrupted;
        }
        if is_over(worker.shared, schedule, now, timeout_ns) {
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
    let health = watch.into_health(worker.engine.health(), worker.bodies_late);
    Ok(WorkerEnd {
        health,
        drain_not_reached: 0,
    })
}

fn hand_over(worker: &mut Worker<'_>, free: &mut VecDeque<Offset>) {
    let shared = worker.shared;
    let now = worker.engine.now();
    worker.hand_over(|record| {
        if is_measured(record) {
            shared.measured_open.fetch_sub(1, Ordering::AcqRel);
        }
        // Soonest first: a slot that pauses does not hold up the others.
        let intended = next_intended(record, now);
        let place = free.partition_point(|other| *other <= intended);
        free.insert(place, intended);
    });
}

/// A slot's next request is due when its answer closed.
fn next_intended(record: &RequestRecord, now: Offset) -> Offset {
    let closed = record.closed.unwrap_or(now);
    let refused = record.error.as_ref().is_some_and(|e| {
        matches!(
            e.reason,
            Reason::ConnectFailed | Reason::TlsFailed | Reason::LocalResource
        )
    });
    if refused {
        closed.plus(REFUSED_PAUSE_NS)
    } else {
        closed
    }
}

/// The window has ended and every measured request has its record, or the drain took too long.
fn is_over(shared: &Shared, schedule: &ClosedSchedule, now: Offset, timeout_ns: i64) -> bool {
    if let Some(duration) = schedule.duration_ns {
        let start = shared.window_start.load(Ordering::Acquire);
        if start != i64::MAX && now.0 >= start.saturating_add(duration) {
            shared
                .window_end
                .fetch_min(start + duration, Ordering::AcqRel);
        }
    }
    let end = shared.window_end.load(Ordering::Acquire);
    if end == i64::MAX || now.0 < end {
        return false;
    }
    shared.measured_open.load(Ordering::Acquire) <= 0 || now.0 >= end.saturating_add(timeout_ns)
}

/// Sends on every free slot that is due; returns when to look again.
fn send_free(
    worker: &mut Worker<'_>,
    schedule: &ClosedSchedule,
    free: &mut VecDeque<Offset>,
) -> Option<Offset> {
    while let Some(intended) = free.front().copied() {
        let now = worker.engine.now();
        if intended > now {
            return Some(intended);
        }
        let Some(prepared) = worker.bodies.take(0) else {
            worker.bodies_late += 1;
            return Some(now.plus(BODY_RETRY_NS));
        };
        free.pop_front();
        // Counted before the decision, so that no worker sees the window over too early.
        worker.shared.measured_open.fetch_add(1, Ordering::AcqRel);
        let phase = phase_of(worker.shared, schedule, prepared.spec.id, intended);
        if phase != Phase::Measure {
            worker.shared.measured_open.fetch_sub(1, Ordering::AcqRel);
        }
        worker.engine.send(prepared, phase, intended);
    }
    None
}

/// The phase of request `id`, intended at `intended`; opens and closes the window.
fn phase_of(shared: &Shared, schedule: &ClosedSchedule, id: u64, intended: Offset) -> Phase {
    let from = shared.measure_from.load(Ordering::Acquire);
    if from == u64::MAX {
        let warm = intended.0 >= schedule.warmup_ns && id >= schedule.warmup_requests;
        if !warm && intended.0 < schedule.warmup_max_ns {
            return Phase::Warmup;
        }
        if shared
            .measure_from
            .compare_exchange(u64::MAX, id, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
        {
            shared.window_start.fetch_min(intended.0, Ordering::AcqRel);
            return Phase::Measure;
        }
    }
    let from = shared.measure_from.load(Ordering::Acquire);
    if id < from {
        return Phase::Warmup;
    }
    match schedule.requests {
        Some(n) if id - from >= n => {
            shared.window_end.fetch_min(intended.0, Ordering::AcqRel);
            return Phase::Drain;
        }
        // The measured requests are counted by id: the window takes in the earliest of them.
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

    fn schedule(requests: Option<u64>, duration_ns: Option<i64>) -> ClosedSchedule {
        ClosedSchedule {
            slots: 2,
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
    fn the_window_is_over_when_its_requests_have_ended() {
        let shared = Shared::new(0);
        let s = schedule(None, Some(50));
        phase_of(&shared, &s, 5, Offset(1_000));
        shared.measured_open.store(1, Ordering::Relaxed);
        assert!(!is_over(&shared, &s, Offset(1_060), 500));
        assert!(is_over(&shared, &s, Offset(1_560), 500));
        shared.measured_open.store(0, Ordering::Relaxed);
        assert!(is_over(&shared, &s, Offset(1_060), 500));
    }
}
