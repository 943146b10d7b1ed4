//! Open loop: each worker sends its share of the arrivals at their instants, however many
//! requests are in flight.

use crate::shared::Stop;
use crate::worker::{BODY_RETRY_NS, SelfWatch, Worker, WorkerEnd, is_measured};
use infermeter_core::clock::Offset;
use infermeter_core::record::{Reason, RequestRecord};
use infermeter_core::request::RequestSpec;
use infermeter_core::schedule::{OpenSchedule, Phase};
use std::io;
use std::sync::atomic::Ordering;

/// Runs a worker to the end of the run. `spec` tells what an unsent request would have asked for.
pub(crate) fn run(
    mut worker: Worker<'_>,
    schedule: &OpenSchedule,
    drain_limit: Offset,
    spec: &(dyn Fn(u64) -> RequestSpec + Sync),
) -> io::Result<WorkerEnd> {
    worker.wait_for_start()?;
    let watch = SelfWatch::start();
    let mut next = worker.index;
    let reason = loop {
        hand_over(&mut worker);
        let now = worker.engine.now();
        let stop = worker.shared.stop();
        if stop != Stop::No {
            worker.engine.cancel_waiting(Reason::Interrupted);
        }
        if stop == Stop::Everything || (stop == Stop::Sending && worker.engine.in_flight() == 0) {
            break Reason::Interrupted;
        }
        let measured_open = worker.shared.measured_open.load(Ordering::Acquire);
        if now >= drain_limit || (measured_open == 0 && now >= schedule.window_end) {
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
    hand_over(&mut worker);
    let drain_not_reached = record_rest(&worker, schedule, next, spec);
    let health = watch.into_health(worker.engine.health(), worker.bodies_late);
    Ok(WorkerEnd {
        health,
        drain_not_reached,
    })
}

fn hand_over(worker: &mut Worker<'_>) {
    let shared = worker.shared;
    worker.hand_over(|record| {
        if is_measured(record) {
            shared.measured_open.fetch_sub(1, Ordering::AcqRel);
        }
    });
}

/// Sends what is due; returns when to look again.
fn send_due(worker: &mut Worker<'_>, schedule: &OpenSchedule, next: &mut usize) -> Option<Offset> {
    while let Some(intended) = schedule.arrivals.get(*next).copied() {
        let now = worker.engine.now();
        if intended > now {
            return Some(intended);
        }
        let Some(prepared) = worker.bodies.take(worker.index) else {
            worker.bodies_late += 1;
            return Some(now.plus(BODY_RETRY_NS));
        };
        worker
            .engine
            .send(prepared, schedule.phase_of(*next), intended);
        *next += worker.count;
    }
    None
}

/// Rows for arrivals of warm-up and window that were not reached; counts those of the drain.
fn record_rest(
    worker: &Worker<'_>,
    schedule: &OpenSchedule,
    next: usize,
    spec: &(dyn Fn(u64) -> RequestSpec + Sync),
) -> u64 {
    let mut drain = 0;
    for id in (next..schedule.arrivals.len()).step_by(worker.count) {
        let phase = schedule.phase_of(id);
        if phase == Phase::Drain {
            drain += 1;
            continue;
        }
        let spec = spec(id as u64);
        worker.record_unsent(RequestRecord::unsent(
            spec.id,
            spec.class,
            phase,
            schedule.arrivals[id],
            spec.prompt_tokens,
            spec.output_tokens,
        ));
    }
    drain
}
