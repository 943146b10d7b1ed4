//! What the worker threads of a client did, all together.
//!
//! Judges nothing. Invariant: what a kernel or an early version did not tell is absent.

use infermeter_core::run::{ClientHealth, IoBackend, ThreadHealth};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// CPU time that two clocks, read one after the other, may show beyond what there was.
const CPU_SLACK: f64 = 1.05;

/// Sums and extremes over the worker threads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThreadTotals {
    /// Worker threads.
    pub threads: usize,
    /// Cores that the process may use.
    pub cores: u32,
    /// What they received with.
    pub io: IoBackend,
    /// CPU time of the process / wall time: cores kept busy, at most those it may use. Absent where the
    /// two were not taken over the same time (records of early versions).
    pub cores_busy: Option<f64>,
    /// CPU time / wall time of the busiest thread, at most 1.
    pub busiest_thread: Option<f64>,
    /// Time runnable but not running / wall time, of the worst thread.
    pub run_queue_wait_share: Option<f64>,
    /// Peak resident memory, bytes.
    pub peak_rss_bytes: Option<u64>,
    /// Reads that returned bytes.
    pub reads: u64,
    /// Of those, without a kernel stamp.
    pub reads_without_stamp: u64,
    /// Bytes received.
    pub bytes: u64,
    /// The same per second of the whole run, warm-up and drain included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_bytes_per_s: Option<f64>,
    /// Bytes sent per second of the whole run, of TLS as they were on the wire; absent of records from before
    /// they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_bytes_per_s: Option<f64>,
    /// io_uring: times a receive had to be started again for want of a buffer.
    pub buffers_out: u64,
    /// Connections opened.
    pub connections_opened: u64,
    /// Idle connections dropped.
    pub connections_discarded: u64,
    /// Answers whose body did not end.
    pub bodies_without_end: u64,
    /// Connections used for one answer because the server closes each then.
    pub connections_single_use: u64,
    /// Times a request was due before its body was ready.
    pub bodies_late: u64,
    /// Times a request waited because of the cap on connections.
    pub waits_for_cap: u64,
    /// Greatest jump of the real-time clock, milliseconds.
    pub clock_step_ms: f64,
    /// Times in which a thread stood still, the warm-up included, of the thread with most of them.
    pub gaps: u64,
    /// The longest, milliseconds.
    pub longest_gap_ms: f64,
}

/// Those of a client, or of several as one.
pub(crate) fn totals(health: &ClientHealth) -> ThreadTotals {
    let threads = &health.threads;
    let sum = |f: fn(&ThreadHealth) -> u64| threads.iter().map(f).sum();
    let wall_ns = threads.iter().map(|t| t.wall_ns).max().filter(|w| *w > 0);
    let of_wall = |part: i64, t: &ThreadHealth| part as f64 / t.wall_ns.max(1) as f64;
    let waits = threads
        .iter()
        .filter_map(|t| Some(of_wall(t.run_queue_wait_ns?, t)));
    let steps = threads.iter().map(|t| t.clock_step_ns.abs());
    let per_s = |bytes: u64| Some(bytes as f64 / (wall_ns? as f64 / 1e9));
    let sent: Option<u64> = threads.iter().map(|t| t.bytes_sent).sum();
    let longest_gap = threads.iter().map(|t| t.gaps.longest_ns).max();
    ThreadTotals {
        threads: threads.len(),
        cores: health.cores,
        io: health.io,
        cores_busy: wall_ns.and_then(|wall| {
            let cores = f64::from(health.cores);
            let busy = health.process_cpu_ns as f64 / wall as f64;
            (busy <= CPU_SLACK * cores).then_some(busy.min(cores))
        }),
        busiest_thread: threads
            .iter()
            .map(|t| of_wall(t.cpu_ns, t).min(1.0))
            .max_by(f64::total_cmp),
        run_queue_wait_share: waits.max_by(f64::total_cmp),
        peak_rss_bytes: health.peak_rss_bytes,
        reads: sum(|t| t.reads),
        reads_without_stamp: sum(|t| t.reads_without_stamp),
        received_bytes_per_s: per_s(sum(|t| t.bytes)),
        sent_bytes_per_s: sent.filter(|_| !threads.is_empty()).and_then(per_s),
        bytes: sum(|t| t.bytes),
        buffers_out: sum(|t| t.buffers_out),
        connections_opened: sum(|t| t.connections_opened),
        connections_discarded: sum(|t| t.connections_discarded),
        bodies_without_end: sum(|t| t.bodies_without_end),
        connections_single_use: sum(|t| t.connections_single_use),
        bodies_late: sum(|t| t.bodies_late),
        waits_for_cap: sum(|t| t.waits_for_cap),
        clock_step_ms: steps.max().unwrap_or(0) as f64 / 1e6,
        gaps: threads.iter().map(|t| t.gaps.count).max().unwrap_or(0),
        longest_gap_ms: longest_gap.unwrap_or(0) as f64 / 1e6,
    }
}
