//! The simulator's own families, `infermeter_mock_*`, and the usual ones of a process.

use super::buckets::Buckets;
use crate::engine::ReplicaCounts;
use crate::stats::Stats;
use infermeter_core::exposition::Page;

/// What the page says about the simulator itself.
#[derive(Debug)]
pub(crate) struct OwnView<'a> {
    pub stats: &'a Stats,
    pub in_flight: u64,
    pub replicas: ReplicaCounts,
    pub connections: usize,
    pub cpu_s: f64,
    pub started_s: f64,
    /// Resident memory, bytes, where the system tells.
    pub resident_bytes: Option<u64>,
}

/// Writes all families.
pub(super) fn write(page: &mut Page, lateness: &Buckets, burst: &Buckets, own: &OwnView<'_>) {
    counters(page, own.stats);
    ends(page, own.stats);
    let gauges = [
        ("in_flight", "Generations in flight.", own.in_flight),
        (
            "open_connections",
            "Connections open.",
            own.connections as u64,
        ),
    ];
    for (name, help, value) in gauges {
        let name = format!("infermeter_mock_{name}");
        page.gauge(&name, help, [(vec![], value as f64)]);
    }
    let ReplicaCounts {
        ready,
        loading,
        draining,
    } = own.replicas;
    let states = [
        ("ready", ready),
        ("loading", loading),
        ("draining", draining),
    ];
    page.gauge(
        "infermeter_mock_replicas",
        "Replicas by what they do.",
        states.map(|(state, count)| (vec![("state", state)], f64::from(count))),
    );
    page.histogram(
        "infermeter_mock_step_lateness_seconds",
        "First write of a step minus the step's planned end.",
        [(vec![], lateness.shown())],
    );
    page.histogram(
        "infermeter_mock_burst_seconds",
        "First write of a step to the end of its last one.",
        [(vec![], burst.shown())],
    );
    process(page, own);
}

fn counters(page: &mut Page, stats: &Stats) {
    let counters: [(&str, &str, u64); 9] = [
        ("connections", "Connections accepted.", stats.connections),
        (
            "accept_errors",
            "Connections that could not be accepted.",
            stats.accept_errors,
        ),
        ("requests", "Requests of all kinds.", stats.requests),
        (
            "bad_requests",
            "Input that was no acceptable request.",
            stats.bad_requests,
        ),
        (
            "generations",
            "Requests to the generating paths.",
            stats.generations,
        ),
        ("tokens_written", "Visible tokens written.", stats.tokens),
        ("steps", "Engine steps.", stats.steps),
        (
            "faults_injected",
            "Generations that a fault was done to.",
            stats.faults_injected,
        ),
        (
            "config_changes",
            "Changes of parameters while running.",
            stats.config_changes,
        ),
    ];
    for (name, help, value) in counters {
        let name = format!("infermeter_mock_{name}_total");
        page.counter(&name, help, [(vec![], value as f64)]);
    }
}

fn ends(page: &mut Page, stats: &Stats) {
    let ends = [
        ("finished", stats.finished),
        ("refused", stats.refused),
        ("fault", stats.faulted),
        ("disconnect", stats.disconnects),
        ("slow_reader", stats.slow_readers),
    ];
    page.counter(
        "infermeter_mock_generations_ended_total",
        "Generations by how they ended.",
        ends.map(|(end, value)| (vec![("end", end)], value as f64)),
    );
    page.counter(
        "infermeter_mock_lost_seconds_total",
        "Engine time given up because the host was too slow.",
        [(vec![], stats.lost_ns as f64 / 1e9)],
    );
}

fn process(page: &mut Page, own: &OwnView<'_>) {
    page.counter(
        "process_cpu_seconds_total",
        "CPU time of the process, user and system.",
        [(vec![], own.cpu_s)],
    );
    page.gauge(
        "process_start_time_seconds",
        "Start of the process, Unix seconds.",
        [(vec![], own.started_s)],
    );
    if let Some(bytes) = own.resident_bytes {
        page.gauge(
            "process_resident_memory_bytes",
            "Resident memory.",
            [(vec![], bytes as f64)],
        );
    }
}
