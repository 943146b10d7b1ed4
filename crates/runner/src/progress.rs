//! Snapshots for a progress display, read from the workers' live figures.
//!
//! Those of several processes become one: counts are added up, and of what can be behind the farthest one counts.
//! Invariant: nothing but relaxed atomics, the schedule and the process's own clocks is read, by the
//! thread that watches.

use infermeter_client::live::Live;
pub use infermeter_client::live::{FailedBy, Times};
use infermeter_core::clock::{Offset, process_cpu_ns};
use infermeter_core::schedule::{Phase, Schedule, Window};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// One look at a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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

impl Snapshot {
    /// Those of processes that share a load, as one. Counts are added; the phase, what is left and the send lag are those
    /// of the one that is the farthest behind. Absent where there is none.
    pub fn together(parts: &[Self]) -> Option<Self> {
        let sum = |of: fn(&Self) -> u64| parts.iter().map(of).sum::<u64>();
        let slowest = parts
            .iter()
            .max_by(|a, b| a.lag_ms().total_cmp(&b.lag_ms()))?;
        Some(Self {
            elapsed: parts.iter().map(|part| part.elapsed).max()?,
            phase: parts.iter().map(|part| part.phase).min()?,
            stopping: parts.iter().any(|part| part.stopping),
            left_s: parts.iter().filter_map(|part| part.left_s).reduce(f64::max),
            due: parts.iter().map(|part| part.due).sum(),
            sent: sum(|part| part.sent),
            in_flight: sum(|part| part.in_flight),
            done: sum(|part| part.done),
            failed: sum(|part| part.failed),
            failed_by: summed(parts.iter().flat_map(|part| part.failed_by.iter().copied())),
            chunks: sum(|part| part.chunks),
            tokens_per_chunk: tokens_per_chunk(parts),
            ttft: Times::all(parts.iter().map(|part| part.ttft.clone())),
            send_lag: slowest.send_lag.clone(),
            cpu_ns: parts.iter().map(|part| part.cpu_ns).sum(),
        })
    }

    /// The same at the end of the load: nothing is under way any more.
    #[must_use]
    pub fn ended(self) -> Self {
        Self {
            phase: Phase::Drain,
            stopping: false,
            left_s: None,
            in_flight: 0,
            ..self
        }
    }

    /// By what processes are compared: a tail where there is one, before that the middle.
    fn lag_ms(&self) -> f64 {
        let shares = [0.99, 0.9, 0.5];
        let lag = shares
            .iter()
            .find_map(|share| self.send_lag.at_share(*share));
        lag.unwrap_or_default()
    }
}

/// What a chunk holds over all parts, each with as many as it has received.
fn tokens_per_chunk(parts: &[Snapshot]) -> Option<f64> {
    let known = parts.iter().filter_map(|part| {
        let chunks = part.chunks as f64;
        Some((part.tokens_per_chunk? * chunks, chunks))
    });
    let (tokens, chunks) = known.fold((0.0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
    (chunks > 0.0).then_some(tokens / chunks)
}

/// Failures by reason, the most frequent first.
fn summed(parts: impl Iterator<Item = FailedBy>) -> Vec<FailedBy> {
    let mut all: Vec<FailedBy> = Vec::new();
    for failed in parts {
        match all.iter_mut().find(|known| known.reason == failed.reason) {
            Some(known) => known.count += failed.count,
            None => all.push(failed),
        }
    }
    all.sort_by_key(|failed| std::cmp::Reverse(failed.count));
    all
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
            failed_by: summed(lives.iter().flat_map(|live| live.failed_by())),
            chunks: sum(|w| w.chunks.load(Ordering::Relaxed)),
            tokens_per_chunk: (of_chunks > 0).then_some(tokens as f64 / of_chunks as f64),
            ttft: Times::all(lives.iter().map(|w| w.ttft())),
            send_lag: Times::all(lives.iter().map(|w| w.send_lag())),
            cpu_ns: process_cpu_ns(),
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_core::record::Reason;

    /// In the middle of a run, with so many requests sent.
    fn part(sent: u64) -> Snapshot {
        Snapshot {
            elapsed: Offset(sent as i64),
            phase: Phase::Measure,
            stopping: false,
            left_s: Some(sent as f64),
            due: Some(sent),
            sent,
            in_flight: 2,
            done: sent - 3,
            failed: 1,
            failed_by: vec![FailedBy {
                reason: Reason::HttpStatus,
                count: 1,
            }],
            chunks: sent,
            tokens_per_chunk: None,
            ttft: Times::default(),
            send_lag: Times::default(),
            cpu_ns: 5,
        }
    }

    /// So many times of about `2^doubling` microseconds each.
    fn times(doubling: usize, n: u64) -> Times {
        let mut counts = vec![0; doubling * 16 + 1];
        counts[doubling * 16] = n;
        serde_json::from_value(counts.into()).expect("counts")
    }

    #[test]
    fn processes_together_have_sent_what_each_has() {
        let parts = [part(10), part(20), part(30)];
        let all = Snapshot::together(&parts).expect("three");
        assert_eq!((all.sent, all.in_flight, all.done), (60, 6, 51));
        assert_eq!((all.failed, all.failed_by[0].count), (3, 3));
        assert_eq!((all.due, all.chunks, all.cpu_ns), (Some(60), 60, 15));
        assert_eq!((all.elapsed, all.left_s), (Offset(30), Some(30.0)));
        assert_eq!(Snapshot::together(&parts[..1]), Some(part(10)));
        assert_eq!(Snapshot::together(&[]), None);
    }

    #[test]
    fn who_is_behind_counts() {
        let early = Snapshot {
            phase: Phase::Warmup,
            left_s: None,
            due: None,
            send_lag: times(4, 200),
            ..part(10)
        };
        let late = Snapshot {
            stopping: true,
            send_lag: times(14, 10),
            tokens_per_chunk: Some(2.0),
            ..part(30)
        };
        let all = Snapshot::together(&[early, late, part(20).ended()]).expect("three");
        assert_eq!((all.phase, all.stopping), (Phase::Warmup, true));
        // What one does not know, nobody knows; what is left is that of those that know.
        assert_eq!((all.due, all.left_s), (None, Some(30.0)));
        assert_eq!(all.send_lag, times(14, 10));
        assert_eq!((all.in_flight, all.sent), (4, 60));
        // Only chunks of which it is known.
        assert_eq!(all.tokens_per_chunk, Some(2.0));
    }

    #[test]
    fn a_snapshot_is_read_as_it_was_written() {
        let whole = Snapshot {
            ttft: times(12, 7),
            tokens_per_chunk: Some(1.25),
            ..part(10)
        };
        let text = serde_json::to_string(&whole).expect("JSON");
        assert_eq!(serde_json::from_str::<Snapshot>(&text).ok(), Some(whole));
    }
}
