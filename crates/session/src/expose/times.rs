//! Times counted by bucket. One thread adds, others read whenever they like.
//!
//! Invariant: neither side waits for the other: relaxed atomics, and no lock.

use infermeter_core::exposition::Histogram;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Upper bounds of buckets.
#[derive(Debug)]
pub(super) struct Bounds {
    /// Seconds, ascending.
    seconds: Vec<f64>,
    /// The greatest time of each bucket, whole nanoseconds.
    most_ns: Vec<i64>,
}

impl Bounds {
    /// From 2^`first` to 2^`last` seconds, so many to a doubling. They are bounds of a native histogram, too
    /// (schema 2 has four to a doubling, schema 1 two), so that a server that makes native histograms of
    /// classic ones moves no value.
    pub fn powers(first: i32, last: i32, to_a_doubling: i32) -> Arc<Self> {
        let powers = first * to_a_doubling..=last * to_a_doubling;
        let seconds: Vec<f64> = powers
            .map(|power| (f64::from(power) / f64::from(to_a_doubling)).exp2())
            .collect();
        let most_ns = seconds.iter().map(|bound| (bound * 1e9) as i64).collect();
        Arc::new(Self { seconds, most_ns })
    }
}

/// Times by bucket.
#[derive(Debug)]
pub(super) struct Times {
    bounds: Arc<Bounds>,
    /// One more than there are bounds.
    counts: Vec<AtomicU64>,
    sum_ns: AtomicI64,
}

impl Times {
    /// None yet.
    pub fn new(bounds: &Arc<Bounds>) -> Self {
        Self {
            bounds: Arc::clone(bounds),
            counts: (0..=bounds.seconds.len())
                .map(|_| AtomicU64::new(0))
                .collect(),
            sum_ns: AtomicI64::new(0),
        }
    }

    /// Adds a time `count` times; a negative one is 0.
    pub fn add(&self, ns: i64, count: u64) {
        let ns = ns.max(0);
        let bucket = self.bounds.most_ns.partition_point(|most| *most < ns);
        self.counts[bucket].fetch_add(count, Ordering::Relaxed);
        let sum = ns.saturating_mul(count as i64);
        self.sum_ns.fetch_add(sum, Ordering::Relaxed);
    }

    /// What is there by now. While somebody adds, the sum may be a time ahead of the counts.
    pub fn read(&self) -> TimesRead<'_> {
        TimesRead {
            bounds: &self.bounds.seconds,
            counts: self
                .counts
                .iter()
                .map(|n| n.load(Ordering::Relaxed))
                .collect(),
            sum_s: self.sum_ns.load(Ordering::Relaxed) as f64 / 1e9,
        }
    }
}

/// Times as they were at one moment.
#[derive(Debug)]
pub(super) struct TimesRead<'a> {
    bounds: &'a [f64],
    counts: Vec<u64>,
    sum_s: f64,
}

impl TimesRead<'_> {
    /// As a page shows it.
    pub fn shown(&self) -> Histogram<'_> {
        Histogram {
            bounds: self.bounds,
            counts: &self.counts,
            sum: self.sum_s,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        // 0.5, 0.707..., 1 and 1.41..., 2 seconds.
        let times = Times::new(&Bounds::powers(-1, 1, 2));
        for ns in [
            -5,
            500_000_000,
            500_000_001,
            1_000_000_000,
            2_000_000_000,
            9_000_000_000,
        ] {
            times.add(ns, 1);
        }
        times.add(800_000_000, 3);
        let read = times.read();
        let shown = read.shown();
        assert_eq!(
            (shown.bounds.first(), shown.bounds.last()),
            (Some(&0.5), Some(&2.0))
        );
        assert_eq!(shown.counts, [2, 1, 4, 0, 1, 1]);
        assert_eq!(shown.count(), 9);
        assert!((shown.sum - 15.400_000_001).abs() < 1e-9, "{}", shown.sum);
    }

    #[test]
    fn bounds_are_powers_of_two_and_their_roots() {
        let bounds = Bounds::powers(-2, 0, 4);
        assert_eq!(bounds.seconds.len(), 9);
        let whole: Vec<f64> = bounds.seconds.iter().step_by(4).copied().collect();
        assert_eq!(whole, [0.25, 0.5, 1.0]);
        for pair in bounds.seconds.windows(2) {
            assert!((pair[1] / pair[0] - 2_f64.powf(0.25)).abs() < 1e-12);
        }
    }
}
