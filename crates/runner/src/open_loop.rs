//! Open loop: each worker sends its share of the arrivals at their instants, however many
//! requests are in flight.

use crate::bodies::unsent;
use crate::dependents::Ended;
use crate::shared::Stop;
use crate::worker::{BODY_RETRY_NS, Due, Lookup, RunEnd, Worker, WorkerEnd, is_measured};
use infermeter_core::clock::Offset;
use infermeter_core::record::Reason;
use infermeter_core::schedule::{OpenSchedule, Phase};
use std::io;
use std::sync::atomic::Ordering;

/// Runs a worker to the end of the run. `plan` tells what an unsent request would have asked for.
pub(crate) fn run(
    mut worker: Worker<'_>,
    schedule: &OpenSchedule,
    drain_limit: Offset,
    plan: &Lookup<'_>,
) -> io::Result<WorkerEnd> {
    worker.wait_for_start()?;
    let mut next = worker.index;
    let reason = loop {
        hand_over(&mut worker, schedule);
        let now = worker.turn();
        let stop = worker.shared.stop();
        if stop != Stop::No {
            worker.engine.cancel_waiting(Reason::Interrupted);
        }
        if stop == Stop::Everything || (stop == Stop::Sending && worker.engine.in_flight() == 0) {
            break Reason::Interrupted;
        }
        let settled = worker.is_settled(schedule.window_end);
        let measured_open = worker.shared.measured_open.load(Ordering::Acquire);
        if now >= drain_limit || (settled && measured_open == 0) {
            break Reason::DrainEnded;
        }
        let due = if stop == Stop::No {
            send_due(&mut worker, schedule, &mut next)
        } else {
            None
        };
        worker.poll(now, due)?;
    };
    worker.engine.cancel_all(reason);
    hand_over(&mut worker, schedule);
    let phase_at = |at| schedule.phase_at(at);
    let bodies_late = worker.bodies_late + worker.dependents.bodies_late();
    let end = RunEnd {
        reason,
        window_end: schedule.window_end,
    };
    let (waiting, unfinished) = worker.record_waiting(end, phase_at, plan);
    let arrivals_not_reached = record_rest(&worker, schedule, next, reason, plan);
    let health = worker.health(bodies_late);
    Ok(WorkerEnd {
        health,
        arrivals_not_reached,
        turns_not_reached: waiting,
        unfinished,
    })
}

fn hand_over(worker: &mut Worker<'_>, schedule: &OpenSchedule) {
    let (shared, bodies) = (worker.shared, worker.bodies);
    let now = worker.engine.now();
    worker.hand_over(|record, dependents| {
        let phase_at = |at| schedule.phase_at(at);
        // Counted before its parent is not any more, so that no worker sees the window over.
        let ended = Ended {
            record,
            free_at: record.closed,
        };
        dependents.ended(ended, now, bodies, phase_at, |due| {
            if schedule.phase_at(due) == Phase::Measure {
                shared.measured_open.fetch_add(1, Ordering::AcqRel);
            }
        });
        if is_measured(record) {
            shared.measured_open.fetch_sub(1, Ordering::AcqRel);
        }
    });
}

/// Sends what is due; returns when to look again.
fn send_due(worker: &mut Worker<'_>, schedule: &OpenSchedule, next: &mut usize) -> Option<Offset> {
    loop {
        let now = worker.engine.now();
        worker.dependents.tend(now, worker.bodies);
        let arrival = schedule.arrivals.get(*next).copied();
        let before = arrival.map_or(now, |at| at.min(now));
        if let Some((prepared, intended, answers)) = worker.dependents.take(before) {
            let phase = schedule.phase_at(intended);
            worker.send(prepared, Due { phase, intended }, answers);
            continue;
        }
        let late = worker.dependents.has_late();
        let retry = late.then(|| now.plus(BODY_RETRY_NS));
        let Some(intended) = arrival.filter(|at| *at <= now) else {
            let waits = [arrival, worker.dependents.next_due(), retry];
            return waits.into_iter().flatten().min();
        };
        let Some(prepared) = worker.bodies.take(worker.index) else {
            worker.bodies_late += 1;
            return Some(now.plus(BODY_RETRY_NS));
        };
        let phase = schedule.phase_of(*next);
        worker.send(prepared, Due { phase, intended }, Vec::new());
        *next += worker.count;
    }
}

/// Rows for arrivals of warm-up and window that were not reached; counts those of the drain.
fn record_rest(
    worker: &Worker<'_>,
    schedule: &OpenSchedule,
    next: usize,
    reason: Reason,
    plan: &Lookup<'_>,
) -> u64 {
    let mut drain = 0;
    for index in (next..schedule.arrivals.len()).step_by(worker.count) {
        let phase = schedule.phase_of(index);
        if phase == Phase::Drain {
            drain += 1;
            continue;
        }
        let spec = (plan.spec)(schedule.ids.id(index));
        worker.record_unsent(unsent(&spec, phase, schedule.arrivals[index]), reason);
    }
    drain
}
