//! What a simulator has done: counters for its user and its tests.

use crate::engine::{Fleet, Gauges};
use crate::histogram::{Histogram, Summary};
use crate::truth::{RequestEnd, TruthSummary};

/// Counters of one run of the simulator.
///
/// Conservation, once it has stopped: `generations` = `finished` + `refused` + `faulted` +
/// `disconnects` + `slow_readers` + `stopped`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Stats {
    /// Connections accepted.
    pub connections: u64,
    /// Connections that could not be accepted.
    pub accept_errors: u64,
    /// Requests of all kinds.
    pub requests: u64,
    /// What was no request (garbage, oversized).
    pub bad_requests: u64,
    /// Of these, for want of room for all unfinished requests.
    pub unserved_refusals: u64,
    /// Requests to the generating paths.
    pub generations: u64,
    /// Generations answered to their end.
    pub finished: u64,
    /// Generations answered by an error status or a page.
    pub refused: u64,
    /// Of these, generations that found the queue full.
    pub queue_refusals: u64,
    /// Of these, generations that came while the engine was not there.
    pub not_ready: u64,
    /// Generations that a fault was done to, whether it cut them or not.
    pub faults_injected: u64,
    /// Changes of parameters while running.
    pub config_changes: u64,
    /// Connections closed because they were idle.
    pub idle_closed: u64,
    /// Connections whose TLS handshake or records failed.
    pub tls_errors: u64,
    /// Generations cut by a fault.
    pub faulted: u64,
    /// Generations whose client went away.
    pub disconnects: u64,
    /// Generations whose client read too slowly.
    pub slow_readers: u64,
    /// Generations in flight at the stop.
    pub stopped: u64,
    /// Visible tokens written.
    pub tokens: u64,
    /// Spans that a receiver took, once the simulator has stopped.
    pub spans_sent: u64,
    /// Spans that none took, once the simulator has stopped.
    pub spans_lost: u64,
    /// Engine steps.
    pub steps: u64,
    /// Engine time given up because this host was too slow, nanoseconds; more than 0 means that
    /// the simulated engine was slower than its law.
    pub lost_ns: i64,
    /// Most generations in flight at once, queued ones included.
    pub max_in_flight: u64,
    /// Load of the engine over time.
    pub gauges: Gauges,
    /// First write of a step minus its planned end, nanoseconds.
    pub step_lateness_ns: Summary,
    /// First write of a step to the end of its last one, nanoseconds.
    pub burst_ns: Summary,
}

impl Stats {
    pub(crate) fn count_end(&mut self, end: RequestEnd) {
        let counter = match end {
            RequestEnd::Finished => &mut self.finished,
            RequestEnd::Refused => &mut self.refused,
            RequestEnd::Fault => &mut self.faulted,
            RequestEnd::Disconnect => &mut self.disconnects,
            RequestEnd::SlowReader => &mut self.slow_readers,
            RequestEnd::Stopped => &mut self.stopped,
        };
        *counter += 1;
    }

    pub(crate) fn truth_summary(&self) -> TruthSummary {
        TruthSummary {
            generations: self.generations,
            max_in_flight: self.max_in_flight,
            max_running: self.gauges.running.max(),
            steps: self.steps,
            lost_ns: self.lost_ns,
            tokens: self.tokens,
            queue_refusals: self.queue_refusals,
            step_lateness_ns: self.step_lateness_ns,
            burst_ns: self.burst_ns,
        }
    }
}

/// Counters while they grow.
#[derive(Debug)]
pub(crate) struct Counting {
    pub stats: Stats,
    pub in_flight: u64,
    pub step_lateness: Histogram,
    pub burst: Histogram,
}

impl Counting {
    pub fn new() -> Self {
        Self {
            stats: Stats::default(),
            in_flight: 0,
            step_lateness: Histogram::new(),
            burst: Histogram::new(),
        }
    }

    /// A generation has begun.
    pub fn begin(&mut self) {
        self.in_flight += 1;
        self.stats.max_in_flight = self.stats.max_in_flight.max(self.in_flight);
    }

    /// A generation that had begun has ended.
    pub fn end(&mut self, end: RequestEnd) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.stats.count_end(end);
    }

    /// The figures so far.
    pub fn snapshot(&self, engine: &Fleet) -> Stats {
        Stats {
            gauges: *engine.gauges(),
            lost_ns: engine.lost_ns(),
            step_lateness_ns: self.step_lateness.summary(),
            burst_ns: self.burst.summary(),
            ..self.stats
        }
    }
}
