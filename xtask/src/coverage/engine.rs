//! The engine simulator in virtual time as a source of runs.
//!
//! The preset `llama-70b-8xh100` under Poisson arrivals of prompts of 220 tokens and answers of
//! 160 (lognormal, sigma 0.8). Its capacity is measured, not assumed: the request rate of a closed
//! loop with more users than the engine runs at once. Invariant: the load goes on until every
//! measured request has ended.

use infermeter_core::record::RequestRecord;
use infermeter_core::schedule::Phase;
use infermeter_mock::Preset;
use infermeter_mock::engine::{EngineParams, EngineRequest, Fleet};
use infermeter_mock::virtual_time::{
    Answered, ClosedLoop, Lognormal, OpenLoop, Source, run as run_virtually, run_to_records,
};
use std::ops::Range;

/// The engine of every run.
pub const PRESET: &str = "llama-70b-8xh100";

/// Load before the first measured request, nanoseconds.
pub const WARMUP_NS: i64 = 60_000_000_000;

/// Users of the closed loop that measures the capacity: twice the engine's sequences.
const USERS: u32 = 1_024;

/// Requests of that loop, and how many of them end before the measurement begins.
const CLOSED: (usize, usize) = (30_000, 6_000);

/// An engine with its capacity.
#[derive(Debug, Clone)]
pub struct Simulator {
    params: EngineParams,
    /// Requests per second.
    pub capacity_per_s: f64,
}

/// How much of a run is measured, from the end of the warm-up on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// So many requests.
    Requests(u64),
    /// The requests that arrive within so many seconds.
    Seconds(i64),
}

/// What one run of the engine saw, in order of arrival.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Run {
    /// Arrival to first token, seconds.
    pub ttft_s: Vec<f64>,
    /// Arrival to last token, seconds.
    pub e2e_s: Vec<f64>,
}

fn arrivals(rate_per_s: f64, seed: u64) -> OpenLoop {
    let lengths = |mean| Lognormal { mean, sigma: 0.8 };
    OpenLoop::new(rate_per_s, lengths(220.0), lengths(160.0), seed)
}

impl Simulator {
    /// The engine of [`PRESET`], with fewer sequences at once where asked for, and its capacity.
    ///
    /// # Errors
    /// When there is no such preset.
    pub fn new(max_num_seqs: Option<u32>) -> anyhow::Result<Self> {
        let params = Preset::parse(PRESET)?.engine;
        Ok(Self::of(EngineParams {
            max_num_seqs: max_num_seqs.unwrap_or(params.max_num_seqs),
            ..params
        }))
    }

    /// An engine with its capacity from a closed loop.
    fn of(params: EngineParams) -> Self {
        let mut ends = Vec::new();
        let requests = arrivals(1.0, 0).take(CLOSED.0);
        run_virtually(
            &mut Fleet::new(params.clone(), 1),
            &mut ClosedLoop::new(USERS, 0, requests.map(|(_, request)| request)),
            |answered| ends.push(answered.ended_ns()),
        );
        // The last users find no further request: the rate is taken before that.
        let (first, last) = (CLOSED.1, CLOSED.0 - CLOSED.1);
        let seconds = (ends[last] - ends[first]) as f64 / 1e9;
        Self {
            params,
            capacity_per_s: (last - first) as f64 / seconds,
        }
    }

    /// Gaps between the tokens of the measured requests, seconds, and the instants at which they
    /// end, nanoseconds; by request.
    pub fn gaps(&self, seed: u64, extent: Extent, load: f64) -> (Vec<f64>, Vec<i64>) {
        let mut gaps = (Vec::new(), Vec::new());
        self.answers(seed, extent, load, |answered| {
            for pair in answered.bursts.windows(2) {
                gaps.0.push((pair[1].at_ns - pair[0].at_ns) as f64 / 1e9);
                gaps.1.push(pair[1].at_ns);
            }
        });
        gaps
    }

    /// Latencies of the measured requests at `load` times the capacity.
    pub fn run(&self, seed: u64, extent: Extent, load: f64) -> Run {
        let mut answers: Vec<(u64, i64, i64)> = Vec::new();
        self.answers(seed, extent, load, |answered| {
            if let Some(ttft_ns) = answered.ttft_ns() {
                let e2e_ns = answered.ended_ns() - answered.arrived_ns;
                answers.push((answered.id.0, ttft_ns, e2e_ns));
            }
        });
        answers.sort_unstable();
        let seconds = |ns: i64| ns as f64 / 1e9;
        Run {
            ttft_s: answers.iter().map(|a| seconds(a.1)).collect(),
            e2e_s: answers.iter().map(|a| seconds(a.2)).collect(),
        }
    }

    /// `each` hears of every measured request, in order of ends.
    fn answers(&self, seed: u64, extent: Extent, load: f64, mut each: impl FnMut(&Answered)) {
        let mut source = UntilEnded::new(arrivals(load * self.capacity_per_s, seed), extent);
        let measured = source.measured.clone();
        let mut fleet = Fleet::new(self.params.clone(), 1);
        run_virtually(&mut fleet, &mut source, |answered| {
            if measured.contains(&answered.id.0) {
                each(answered);
            }
        });
    }

    /// Records of every request, in order of arrival, as a client without lag would note them.
    pub fn records(&self, seed: u64, extent: Extent, load: f64) -> Vec<RequestRecord> {
        let mut source = UntilEnded::new(arrivals(load * self.capacity_per_s, seed), extent);
        let measured = source.measured.clone();
        let mut fleet = Fleet::new(self.params.clone(), 1);
        run_to_records(&mut fleet, &mut source, |answered| match answered.id.0 {
            id if id < measured.start => Phase::Warmup,
            id if id < measured.end => Phase::Measure,
            _ => Phase::Drain,
        })
    }
}

impl Extent {
    /// The ids of the measured requests of a load.
    fn measured(self, load: OpenLoop) -> Range<u64> {
        let mut load = load.skip_while(|(at_ns, _)| *at_ns < WARMUP_NS).peekable();
        let first = load.peek().map_or(0, |(_, request)| request.id.0);
        let count = match self {
            Self::Requests(count) => count,
            Self::Seconds(seconds) => {
                let end_ns = WARMUP_NS + seconds * 1_000_000_000;
                load.take_while(|(at_ns, _)| *at_ns < end_ns).count() as u64
            }
        };
        first..first + count
    }
}

/// An open loop that ends with the last measured request.
struct UntilEnded {
    load: OpenLoop,
    next: Option<(i64, EngineRequest)>,
    measured: Range<u64>,
    left: u64,
}

impl UntilEnded {
    /// Which requests are measured is a function of the load alone.
    fn new(load: OpenLoop, extent: Extent) -> Self {
        let measured = extent.measured(load.clone());
        Self {
            load,
            next: None,
            left: measured.end - measured.start,
            measured,
        }
    }
}

impl Source for UntilEnded {
    fn next_ns(&mut self) -> Option<i64> {
        if self.left == 0 {
            return None;
        }
        if self.next.is_none() {
            self.next = self.load.next();
        }
        self.next.as_ref().map(|(at_ns, _)| *at_ns)
    }

    fn take(&mut self) -> Option<EngineRequest> {
        self.next.take().map(|(_, request)| request)
    }

    fn ended(&mut self, answered: &Answered) {
        self.left -= u64::from(self.measured.contains(&answered.id.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_measured_requests_are_those_asked_for() {
        let simulator = Simulator::new(Some(64)).expect("a preset");
        // About 64 / (160 tokens of 37 ms and 0.3 s of prefill in company), requests per second.
        let capacity = simulator.capacity_per_s;
        assert!((9.0..13.0).contains(&capacity), "{capacity}");
        let run = simulator.run(3, Extent::Requests(200), 0.5);
        assert_eq!((run.ttft_s.len(), run.e2e_s.len()), (200, 200));
        assert_eq!(run, simulator.run(3, Extent::Requests(200), 0.5));
        assert!(
            run.ttft_s
                .iter()
                .zip(&run.e2e_s)
                .all(|(ttft, e2e)| ttft <= e2e)
        );
        let records = simulator.records(3, Extent::Seconds(20), 0.5);
        let measured = records.iter().filter(|r| r.phase == Phase::Measure);
        let window = WARMUP_NS..WARMUP_NS + 20_000_000_000;
        let inside = records.iter().filter(|r| window.contains(&r.intended.0));
        let measured: Vec<u64> = measured.map(|r| r.id).collect();
        assert_eq!(measured, inside.map(|r| r.id).collect::<Vec<u64>>());
        assert!(records.iter().any(|r| r.phase == Phase::Drain));
    }
}
