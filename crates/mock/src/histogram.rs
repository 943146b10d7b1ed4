//! A small histogram of non-negative times with bounded memory.
//!
//! Buckets: 32 to each power of two, so that a quantile is at most 3.2 % above the value it stands
//! for. Exact below 64.

use serde::{Deserialize, Serialize};

const SUB_BITS: u32 = 5;
const SUB: u64 = 1 << SUB_BITS;
const BUCKETS: usize = (65 - SUB_BITS as usize) * SUB as usize;

/// Counts by value.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    count: u64,
    sum: u64,
    max: u64,
}

/// Figures of a set of times, nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Summary {
    /// How many.
    pub count: u64,
    /// Their sum.
    pub sum: u64,
    /// The median, at most 3.2 % too high.
    pub p50: u64,
    /// The 99th percentile, at most 3.2 % too high.
    pub p99: u64,
    /// The largest, exact.
    pub max: u64,
}

impl Histogram {
    pub fn new() -> Self {
        Self {
            counts: vec![0; BUCKETS],
            count: 0,
            sum: 0,
            max: 0,
        }
    }

    /// Adds a time; a negative one counts as 0.
    pub fn add(&mut self, ns: i64) {
        let value = u64::try_from(ns).unwrap_or(0);
        self.counts[bucket(value)] += 1;
        self.count += 1;
        self.sum = self.sum.saturating_add(value);
        self.max = self.max.max(value);
    }

    /// The figures.
    pub fn summary(&self) -> Summary {
        Summary {
            count: self.count,
            sum: self.sum,
            p50: self.quantile(0.5),
            p99: self.quantile(0.99),
            max: self.max,
        }
    }

    /// Upper bound of the bucket that holds the value of rank `ceil(q x count)`; 0 when empty.
    fn quantile(&self, q: f64) -> u64 {
        let rank = (q * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return upper_bound(index).min(self.max);
            }
        }
        0
    }
}

fn bucket(value: u64) -> usize {
    let shift = (64 - value.leading_zeros()).saturating_sub(SUB_BITS + 1);
    (u64::from(shift) * SUB + (value >> shift)) as usize
}

fn upper_bound(index: usize) -> u64 {
    let index = index as u64;
    if index < 2 * SUB {
        return index;
    }
    let shift = index / SUB - 1;
    let top = index - shift * SUB;
    (((u128::from(top) + 1) << shift) - 1) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_what_falls_into_it() {
        for value in (0..5_000).chain([1 << 20, (1 << 40) + 12_345, u64::MAX]) {
            let upper = upper_bound(bucket(value));
            assert!(
                upper >= value && upper as f64 <= value as f64 * 1.032 + 1.0,
                "{value}"
            );
        }
        assert!(bucket(u64::MAX) < BUCKETS);
    }

    #[test]
    fn quantiles_are_close_to_the_exact_ones() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.summary(), Summary::default());
        for value in 1..=10_000 {
            histogram.add(value);
        }
        histogram.add(-5);
        let summary = histogram.summary();
        assert_eq!((summary.count, summary.max), (10_001, 10_000));
        assert!((5_000..5_161).contains(&summary.p50), "{summary:?}");
        assert!((9_900..=10_000).contains(&summary.p99), "{summary:?}");
    }
}
