//! From what a rung left to its figures.

use super::bystanders::Seen;
use super::join::compare;
use super::spec::Spec;
use super::spoil::spoilt;
use super::spread::spread;
use infermeter_core::certificate::{Cost, Rung, SimulatorSide, Spread};
use infermeter_core::record::{Outcome, RequestRecord};
use infermeter_core::run::{ClientHealth, LoadModel, RunManifest, ThreadHealth, Window};
use infermeter_core::schedule::Phase;
use infermeter_mock::truth::Truth;

/// What a rung left.
#[derive(Debug)]
pub(crate) struct RungRecord {
    /// As `run.json` would have it.
    pub manifest: RunManifest,
    /// One per request.
    pub records: Vec<RequestRecord>,
    /// The simulator's log.
    pub truth: Truth,
    /// What else happened meanwhile.
    pub seen: Seen,
    /// A signal cut it short.
    pub interrupted: bool,
}

/// The figures of a rung.
pub(crate) fn rung(spec: Spec, measured: &RungRecord) -> Rung {
    let manifest = &measured.manifest;
    let records = &measured.records;
    let health = manifest.client_health.clone().unwrap_or_default();
    let found = compare(
        &manifest.run_id,
        manifest.clock,
        records,
        &measured.truth.requests,
    );
    let is_open = manifest.load_model == LoadModel::OpenLoop;
    let per_s = |count: fn(&RequestRecord, Window) -> u64| {
        manifest.window.map_or(0.0, |window| {
            let counted: u64 = records.iter().map(|r| count(r, window)).sum();
            counted as f64 / window.seconds()
        })
    };
    let ceiling = spec.kind().is_ceiling();
    let mut rung = Rung {
        name: spec.to_string(),
        kind: spec.kind(),
        transport: spec.transport,
        asked_per_s: spec.asked_per_s(),
        events_per_s: per_s(events_inside),
        requests_per_s: per_s(completions_inside),
        bytes_per_event: bytes_per_event(&health, records),
        joined: found.joined,
        kernel: found.kernel.filter(|_| !ceiling),
        program: found.program.filter(|_| !ceiling),
        send_lag: is_open.then(|| send_lag(records)).flatten(),
        uncertain_share: found.uncertain_share,
        cost: cost(&health, records),
        simulator: simulator(measured),
        foreign_cores: measured.seen.foreign_cores,
        spoilt: None,
    };
    rung.spoilt = spoilt(&rung, spec, measured.interrupted);
    rung
}

fn events_inside(record: &RequestRecord, window: Window) -> u64 {
    let inside = record.chunks.iter().filter(|c| window.contains(c.at));
    inside.count() as u64
}

fn completions_inside(record: &RequestRecord, window: Window) -> u64 {
    let completed = record.outcome == Outcome::Completed;
    u64::from(completed && record.finished.is_some_and(|at| window.contains(at)))
}

fn events(records: &[RequestRecord]) -> u64 {
    records.iter().map(|r| r.chunks.len() as u64).sum()
}

fn ratio(part: f64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part / whole as f64)
}

fn bytes_per_event(health: &ClientHealth, records: &[RequestRecord]) -> Option<f64> {
    let bytes: u64 = health.threads.iter().map(|t| t.bytes).sum();
    ratio(bytes as f64, events(records))
}

fn send_lag(records: &[RequestRecord]) -> Option<Spread> {
    let measured = records.iter().filter(|r| r.phase == Phase::Measure);
    let lag = |r: &RequestRecord| Some(r.send_start?.since(r.intended) as f64 / 1e3);
    spread(measured.filter_map(lag).collect())
}

fn cost(health: &ClientHealth, records: &[RequestRecord]) -> Cost {
    let cpu_us = health.process_cpu_ns as f64 / 1e3;
    let sent = records.iter().filter(|r| r.send_start.is_some());
    let of_wall = |part: i64, thread: &ThreadHealth| part as f64 / thread.wall_ns.max(1) as f64;
    let threads = health.threads.iter();
    let busy = threads.clone().map(|t| of_wall(t.cpu_ns, t));
    let waits = threads.filter_map(|t| Some(of_wall(t.run_queue_wait_ns?, t)));
    Cost {
        cpu_us_per_event: ratio(cpu_us, events(records)),
        cpu_us_per_request: ratio(cpu_us, sent.count() as u64),
        busiest_thread: busy.max_by(f64::total_cmp),
        run_queue_wait_share: waits.max_by(f64::total_cmp),
    }
}

fn simulator(measured: &RungRecord) -> SimulatorSide {
    let summary = measured.truth.summary.as_ref();
    SimulatorSide {
        busy: measured.seen.mock_busy,
        run_queue_wait_share: measured.seen.mock_wait_share,
        step_lateness_p99_us: summary.map(|s| s.step_lateness_ns.p99 as f64 / 1e3),
        lost_ms: summary.map(|s| s.lost_ns as f64 / 1e6),
    }
}
