//! A run second by second: requests in flight, TTFT, TPOT and the rate of output tokens, from the
//! facts.
//!
//! For questions about time (start-up, drift), never for a reported latency or throughput: the
//! tokens of an answer are spread evenly between its first and its last chunk. Invariant: a second
//! without an arrival has no latency of its own; it keeps that of the second before.

use crate::facts::RequestFacts;
use crate::origin::Origin;
use crate::request_metric::RequestMetric;
use infermeter_core::clock::Offset;
use infermeter_core::record::Outcome;
use infermeter_core::run::Window;
use std::ops::Range;

/// Length of a bin, nanoseconds.
pub const BIN_NS: i64 = 1_000_000_000;

/// With more than this share of seconds without a latency, it has no series.
const MOST_EMPTY: f64 = 0.1;

/// Series of whole seconds, from the first intended instant to the window's end.
#[derive(Debug, Clone, PartialEq)]
pub struct Seconds {
    /// Bins before the window.
    pub warmup: usize,
    /// Time average of the requests in flight in each bin.
    pub in_flight: Vec<f64>,
    /// Mean TTFT of the requests due in each bin, milliseconds; absent where there is no stream or
    /// too many seconds have no arrival.
    pub ttft_ms: Option<Vec<f64>>,
    /// Mean TPOT of the requests due in each bin, milliseconds; absent as above.
    pub tpot_ms: Option<Vec<f64>>,
    /// Output tokens in each bin; absent where an answer's tokens are not known.
    pub output_tokens: Option<Vec<f64>>,
    /// Output tokens asked for by the requests due in each bin: the load as it was drawn.
    pub asked_tokens: Vec<f64>,
}

impl Seconds {
    /// The bins of a run, counted from the window's start in both directions.
    pub fn of(requests: &[RequestFacts], window: Window, origin: Origin) -> Self {
        let first = requests.iter().map(|r| r.intended).min();
        let before = first.map_or(0, |first| window.start.since(first).max(0));
        let warmup = (before / BIN_NS) as usize;
        let inside = (window.end.since(window.start) / BIN_NS) as usize;
        let bins = Bins {
            start: window.start.plus(-(warmup as i64) * BIN_NS),
            n: warmup + inside,
        };
        Self {
            warmup,
            in_flight: bins.in_flight(requests, window.end),
            ttft_ms: bins.latency_ms(requests, RequestMetric::Ttft, origin),
            tpot_ms: bins.latency_ms(requests, RequestMetric::Tpot, origin),
            output_tokens: bins.output_tokens(requests),
            asked_tokens: bins.asked_tokens(requests),
        }
    }
}

/// When each request was inside: from `send_start` to `closed`, nanoseconds since the run's origin;
/// one without `closed` stays to the end of all time.
pub fn stays(requests: &[RequestFacts]) -> Vec<Range<i64>> {
    let stay = |r: &RequestFacts| {
        let start = r.send_start?;
        Some(start.0..r.closed.map_or(i64::MAX, |closed| closed.0))
    };
    requests.iter().filter_map(stay).collect()
}

struct Bins {
    start: Offset,
    n: usize,
}

impl Bins {
    /// Adds `per_bin` over `[from, to)`, each bin by the part of it that is covered.
    fn spread(&self, bins: &mut [f64], from: Offset, to: Offset, per_bin: f64) {
        let end = self.n as i64 * BIN_NS;
        let from = from.since(self.start).clamp(0, end);
        let to = to.since(self.start).clamp(0, end);
        if to <= from {
            return;
        }
        let (first, last) = (from / BIN_NS, (to - 1) / BIN_NS);
        for bin in first..=last {
            let covered = to.min((bin + 1) * BIN_NS) - from.max(bin * BIN_NS);
            bins[bin as usize] += per_bin * covered as f64 / BIN_NS as f64;
        }
    }

    fn index(&self, at: Offset) -> Option<usize> {
        let since = at.since(self.start);
        let index = usize::try_from(since.div_euclid(BIN_NS)).ok()?;
        (index < self.n).then_some(index)
    }

    fn asked_tokens(&self, requests: &[RequestFacts]) -> Vec<f64> {
        let mut bins = vec![0.0; self.n];
        for request in requests.iter().filter(|r| r.send_start.is_some()) {
            if let Some(index) = self.index(request.intended) {
                bins[index] += f64::from(request.requested_output_tokens);
            }
        }
        bins
    }

    fn in_flight(&self, requests: &[RequestFacts], end: Offset) -> Vec<f64> {
        let mut bins = vec![0.0; self.n];
        for request in requests {
            if let Some(start) = request.send_start {
                self.spread(&mut bins, start, request.closed.unwrap_or(end), 1.0);
            }
        }
        bins
    }

    fn latency_ms(
        &self,
        requests: &[RequestFacts],
        metric: RequestMetric,
        origin: Origin,
    ) -> Option<Vec<f64>> {
        let mut sums = vec![(0.0, 0_u32); self.n];
        let completed = requests.iter().filter(|r| r.outcome == Outcome::Completed);
        for request in completed {
            let Some(latency) = metric.value_ms(request, origin) else {
                continue;
            };
            if let Some(index) = self.index(request.intended) {
                sums[index].0 += latency;
                sums[index].1 += 1;
            }
        }
        let empty = sums.iter().filter(|(_, n)| *n == 0).count();
        if self.n == 0 || empty as f64 > MOST_EMPTY * self.n as f64 {
            return None;
        }
        let mean = |(sum, n): &(f64, u32)| (*n > 0).then(|| sum / f64::from(*n));
        let mut before = sums.iter().find_map(mean)?;
        let bins = sums.iter().map(|bin| {
            before = mean(bin).unwrap_or(before);
            before
        });
        Some(bins.collect())
    }

    fn output_tokens(&self, requests: &[RequestFacts]) -> Option<Vec<f64>> {
        let mut bins = vec![0.0; self.n];
        for request in requests {
            let Some(last) = request.last_token() else {
                continue;
            };
            if request.chunks.count == 0 && request.outcome != Outcome::Completed {
                continue;
            }
            let tokens = request.output_token_count()? as f64;
            let first = request.chunks.first.unwrap_or(last);
            let seconds = last.since(first) as f64 / BIN_NS as f64;
            if seconds > 0.0 {
                self.spread(&mut bins, first, last, tokens / seconds);
            } else if let Some(index) = self.index(last) {
                bins[index] += tokens;
            }
        }
        Some(bins)
    }
}

#[cfg(test)]
mod tests {
    use super::{Seconds, stays};
    use crate::fixture::{Run, facts, ms};
    use crate::origin::Origin;

    #[test]
    fn seconds_by_hand() {
        let mut run = Run::open(1.0, 4);
        run.warmup_stream(-2_500, ms(500), ms(1_000), 2)
            .closes_after(0);
        // From 0.5 s: first chunk at 1 s, last at 3 s, 3 tokens in 2 s.
        run.stream(500, ms(500), ms(1_000), 3).closes_after(0);
        let log = run.build();
        let window = log.manifest.window.expect("a window");
        let facts = facts(&log);
        let found = Seconds::of(&facts.requests, window, Origin::Intended);
        assert_eq!(found.warmup, 2);
        assert_eq!(found.in_flight, [1.0, 0.0, 0.5, 1.0, 1.0, 0.0]);
        let tokens = found.output_tokens.expect("counted");
        assert_eq!(tokens, [2.0, 0.0, 0.0, 1.5, 1.5, 0.0]);
        // The first request was due before the first whole second.
        assert_eq!(found.asked_tokens, [0.0, 0.0, 3.0, 0.0, 0.0, 0.0]);
        assert_eq!(found.ttft_ms, None);
        assert_eq!(stays(&facts.requests).len(), 2);
    }

    #[test]
    fn a_second_without_an_arrival_keeps_the_ttft_before() {
        let mut run = Run::open(1.0, 12);
        for at in (0..12).filter(|at| *at != 5) {
            run.stream(at * 1_000, ms(20 + at), ms(10), 2);
        }
        let mut log = run.build();
        let window = log.manifest.window.expect("a window");
        let found = Seconds::of(&facts(&log).requests, window, Origin::Intended);
        let ttft = found.ttft_ms.expect("eleven of twelve");
        assert_eq!(
            (ttft.len(), ttft[4], ttft[5], ttft[6]),
            (12, 24.0, 24.0, 26.0)
        );
        log.records[3].output_tokens = None;
        log.records[3].chunks[0].tokens = infermeter_core::record::Chunk::TOKENS_UNKNOWN;
        let found = Seconds::of(&facts(&log).requests, window, Origin::Intended);
        assert_eq!(found.output_tokens, None);
    }
}
