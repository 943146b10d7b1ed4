//! What went on over time, second by second, from one snapshot to the next.
//!
//! Invariant: memory is bounded. When there are too many points, neighbours become one, which keeps the
//! greater tail.

use infermeter_runner::progress::Snapshot;

/// Points that are kept.
const MOST: usize = 512;
/// Seconds of a point, at first.
const EVERY_S: f64 = 1.0;

/// A piece of time.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Point {
    /// Its end, seconds from the run's origin.
    pub at_s: f64,
    /// Requests sent per second.
    pub sent_per_s: f64,
    /// Requests ended well per second.
    pub done_per_s: f64,
    /// Tokens per second: chunks, times what a chunk held so far.
    pub tokens_per_s: f64,
    /// Requests in flight at its end.
    pub in_flight: f64,
    /// TTFT from send, milliseconds, of requests that ended in it.
    pub ttft_p50: Option<f64>,
    /// The same; absent below a hundred requests.
    pub ttft_p99: Option<f64>,
    /// Cores that the client was busy on.
    pub cores: f64,
}

/// Points in order.
#[derive(Debug)]
pub(super) struct Series {
    every_s: f64,
    points: Vec<Point>,
    since: Option<Snapshot>,
}

impl Default for Series {
    fn default() -> Self {
        Self {
            every_s: EVERY_S,
            points: Vec::new(),
            since: None,
        }
    }
}

impl Series {
    #[cfg(any(feature = "live", test))]
    pub(super) fn points(&self) -> &[Point] {
        &self.points
    }

    /// Tokens per second of the last whole point; absent before there is one.
    pub(super) fn tokens_per_s(&self) -> Option<f64> {
        self.points.last().map(|point| point.tokens_per_s)
    }

    /// A look at the run.
    pub(super) fn add(&mut self, now: &Snapshot) {
        let Some(since) = &self.since else {
            self.since = Some(now.clone());
            return;
        };
        let seconds = now.elapsed.since(since.elapsed) as f64 / 1e9;
        if seconds < self.every_s {
            return;
        }
        self.points.push(point(since, now, seconds));
        self.since = Some(now.clone());
        if self.points.len() >= MOST {
            self.points = self.points.chunks(2).map(joined).collect();
            self.every_s *= 2.0;
        }
    }
}

fn point(since: &Snapshot, now: &Snapshot, seconds: f64) -> Point {
    let per_s = |before: u64, after: u64| after.saturating_sub(before) as f64 / seconds;
    let ttft = now.ttft.since(&since.ttft);
    Point {
        at_s: now.elapsed.0 as f64 / 1e9,
        sent_per_s: per_s(since.sent, now.sent),
        done_per_s: per_s(since.done, now.done),
        tokens_per_s: per_s(since.chunks, now.chunks) * now.tokens_per_chunk.unwrap_or(1.0),
        in_flight: now.in_flight as f64,
        ttft_p50: ttft.at_share(0.5),
        ttft_p99: ttft.at_share(0.99),
        cores: (now.cpu_ns - since.cpu_ns).max(0) as f64 / 1e9 / seconds,
    }
}

/// Neighbours of equal length as one.
fn joined(pair: &[Point]) -> Point {
    let last = pair.last().copied().unwrap_or_default();
    let mean = |of: fn(&Point) -> f64| pair.iter().map(of).sum::<f64>() / pair.len() as f64;
    let most = |of: fn(&Point) -> Option<f64>| pair.iter().filter_map(of).reduce(f64::max);
    Point {
        sent_per_s: mean(|p| p.sent_per_s),
        done_per_s: mean(|p| p.done_per_s),
        tokens_per_s: mean(|p| p.tokens_per_s),
        cores: mean(|p| p.cores),
        ttft_p50: most(|p| p.ttft_p50),
        ttft_p99: most(|p| p.ttft_p99),
        ..last
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::progress::line::tests::snapshot;
    use infermeter_core::clock::Offset;

    /// A run that goes on evenly for so many seconds.
    pub(in crate::progress) fn even(seconds: i64) -> Series {
        let mut series = Series::default();
        for second in 0..=seconds {
            series.add(&Snapshot {
                elapsed: Offset(second * 1_000_000_000),
                sent: second as u64 * 10,
                chunks: second as u64 * 400,
                cpu_ns: second * 500_000_000,
                ..snapshot()
            });
        }
        series
    }

    #[test]
    fn rates_are_of_whole_seconds() {
        let mut series = Series::default();
        for tenth in 0..=25_i64 {
            series.add(&Snapshot {
                elapsed: Offset(tenth * 100_000_000),
                sent: tenth as u64,
                chunks: tenth as u64 * 40,
                ..snapshot()
            });
        }
        let points = series.points();
        assert_eq!(points.len(), 2);
        assert_eq!((points[1].at_s, points[1].sent_per_s), (2.0, 10.0));
        assert_eq!(series.tokens_per_s(), Some(400.0));
    }

    #[test]
    fn hours_take_no_more_room_than_minutes() {
        let series = even(40_000);
        assert!(series.points().len() < MOST);
        let rates = series.points().iter().map(|p| p.sent_per_s);
        assert!(rates.into_iter().all(|rate| (rate - 10.0).abs() < 1e-9));
        assert_eq!(series.points().last().map(|p| p.cores), Some(0.5));
    }
}
