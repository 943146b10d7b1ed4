//! Snapshots for a progress display, read from the workers' live figures.
//!
//! Invariant: nothing but relaxed atomics, the schedule and the process's own clocks is read, by the
//! thread that watches.

use infermeter_client::live::Live;
pub use infermeter_client::live::{FailedBy, Times};
use infermeter_core::clock::{Offset, process_cpu_ns};
use infermeter_core::schedule::{Phase, Schedule, Window};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// One look at a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Time since the run's origin.
    pub elapsed: Offset,
    /// Present phase of the load.
    pub phase: Phase,
    /// A signal has ended sending.
    pub stopping: bool,
    /// Seconds of load that are left; what is still in flight at its end comes on top. Absent where
    /// answers decide and none have come.
    pub left_s: Option<f64>,
    /// Requests that were due by now; absent where answers decide when they are.
    pub due: Option<u64>,
    /// Requests sent.
    pub sent: u64,
    /// Requests sent and not ended.
    pub in_flight: u64,
    /// Requests ended well.
    pub done: u64,
    /// Requests ended otherwise.
    pub failed: u64,
    /// Those by reason, the most frequent first.
    pub failed_by: Vec<FailedBy>,
    /// Chunks received so far.
    pub chunks: u64,
    /// Tokens of a chunk, by what servers reported; absent where none did.
    pub tokens_per_chunk: Option<f64>,
    /// TTFT from send so far.
    pub ttft: Times,
    /// How late requests were sent so far.
    pub send_lag: Times,
    /// CPU time of this process, all threads.
    pub cpu_ns: i64,
}

/// What is looked at.
pub(crate) struct Watched<'a> {
    /// The workers' figures.
    pub lives: &'a [Arc<Live>],
    /// What they send.
    pub schedule: &'a Schedule,
    /// The window as far as it is known.
    pub window: Window,
    /// A signal has ended sending.
    pub stopping: bool,
}

impl Watched<'_> {
    /// Takes a snapshot.
    pub(crate) fn snapshot(&self, elapsed: Offset) -> Snapshot {
        let lives = self.lives;
        let sum = |f: fn(&Live) -> u64| lives.iter().map(|w| f(w)).sum::<u64>();
        let sent = sum(|w| w.sent.load(Ordering::Relaxed));
        let ended = sum(|w| w.ended.load(Ordering::Relaxed));
        let failed = sum(|w| w.failed.load(Ordering::Relaxed));
        let tokens = sum(|w| w.reported_tokens.load(Ordering::Relaxed));
        let of_chunks = sum(|w| w.reported_chunks.load(Ordering::Relaxed));
        Snapshot {
            elapsed,
            phase: self.window.phase_at(elapsed),
            stopping: self.stopping,
            left_s: self.left_s(elapsed, ended),
            due: self.due(elapsed),
            sent,
            in_flight: sent.saturating_sub(ended),
            done: ended.saturating_sub(failed),
            failed,
            failed_by: self.failed_by(),
            chunks: sum(|w| w.chunks.load(Ordering::Relaxed)),
            tokens_per_chunk: (of_chunks > 0).then_some(tokens as f64 / of_chunks as f64),
            ttft: Times::all(lives.iter().map(|w| w.ttft())),
            send_lag: Times::all(lives.iter().map(|w| w.send_lag())),
            cpu_ns: process_cpu_ns(),
        }
    }

    fn failed_by(&self) -> Vec<FailedBy> {
        let mut all: Vec<FailedBy> = Vec::new();
        for failed in self.lives.iter().flat_map(|live| live.failed_by()) {
            match all.iter_mut().find(|known| known.reason == failed.reason) {
                Some(known) => known.count += failed.count,
                None => all.push(failed),
            }
        }
        all.sort_by_key(|failed| std::cmp::Reverse(failed.count));
        all
    }

    fn due(&self, elapsed: Offset) -> Option<u64> {
        match self.schedule {
            Schedule::Open(open) => {
                Some(open.arrivals.partition_point(|due| *due <= elapsed) as u64)
            }
            Schedule::Closed(_) => None,
        }
    }

    /// By the schedule; of a closed loop that sends so many requests, at the pace so far.
    fn left_s(&self, elapsed: Offset, ended: u64) -> Option<f64> {
        let seconds = |ns: i64| ns.max(0) as f64 / 1e9;
        match self.schedule {
            Schedule::Open(open) => Some(seconds(open.window_end.since(elapsed))),
            Schedule::Closed(closed) => {
                let known = self.window.start != Offset(i64::MAX);
                let start = if known {
                    self.window.start
                } else {
                    Offset(closed.warmup_ns)
                };
                let by_time = closed
                    .duration_ns
                    .map(|ns| seconds(start.plus(ns).since(elapsed)));
                let all = closed.requests.map(|n| n + closed.warmup_requests);
                let by_count = all.filter(|_| ended > 0).map(|all| {
                    seconds(elapsed.0) * (all.saturating_sub(ended) as f64) / ended as f64
                });
                match (by_time, by_count) {
                    (Some(time), Some(count)) => Some(time.min(count)),
                    (one, other) => one.or(other),
                }
            }
        }
    }
}
