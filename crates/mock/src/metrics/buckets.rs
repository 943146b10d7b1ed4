//! Histograms with the bucket bounds of a metrics page: fixed arrays, a few nanoseconds to fill.

use infermeter_core::exposition::Histogram;

/// Seconds, as vLLM's histogram of the time to the first token has them.
pub(crate) const FIRST_TOKEN: &[f64] = &[
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    20.0, 40.0, 80.0, 160.0, 640.0, 2560.0,
];

/// Seconds between tokens.
pub(crate) const INTER_TOKEN: &[f64] = &[
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0,
    40.0, 80.0,
];

/// Seconds of a request or of one of its phases.
pub(crate) const REQUEST: &[f64] = &[
    0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0,
    480.0, 960.0, 1920.0, 7680.0,
];

/// Tokens of a step.
pub(crate) const ITERATION: &[f64] = &[
    1.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16384.0,
];

/// Preemptions of a request.
pub(crate) const PREEMPTIONS: &[f64] = &[1.0, 2.0, 3.0, 4.0, 5.0, 10.0, 20.0];

/// Answers asked for by a request.
pub(crate) const CHOICES: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0];

/// Seconds of a delay of the simulator's own.
pub(crate) const LATENESS: &[f64] = &[
    0.000_005, 0.000_01, 0.000_02, 0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01,
    0.02, 0.05, 0.1, 0.2, 0.5,
];

/// 1, 2, 5, 10, ... up to `most`: token counts of requests.
pub(crate) fn token_bounds(most: u32) -> Vec<f64> {
    let decades = (0..10).map(|power| 10_f64.powi(power));
    decades
        .flat_map(|decade| [decade, 2.0 * decade, 5.0 * decade])
        .take_while(|bound| *bound <= f64::from(most))
        .collect()
}

/// A histogram. Values are whole numbers of its unit: nanoseconds for times, pieces for counts.
#[derive(Debug, Clone)]
pub(crate) struct Buckets {
    bounds: Vec<f64>,
    edges: Vec<i64>,
    counts: Vec<u64>,
    sum: i128,
    unit: f64,
}

impl Buckets {
    /// Of times; bounds in seconds.
    pub fn of_times(bounds: &[f64]) -> Self {
        Self::new(bounds, 1e9)
    }

    /// Of counts.
    pub fn of_counts(bounds: &[f64]) -> Self {
        Self::new(bounds, 1.0)
    }

    fn new(bounds: &[f64], unit: f64) -> Self {
        Self {
            bounds: bounds.to_vec(),
            edges: bounds.iter().map(|b| (b * unit).round() as i64).collect(),
            counts: vec![0; bounds.len() + 1],
            sum: 0,
            unit,
        }
    }

    /// Adds a value, nanoseconds or pieces; a negative one counts as 0.
    pub fn add(&mut self, value: i64) {
        let value = value.max(0);
        let bucket = self.edges.partition_point(|edge| *edge < value);
        self.counts[bucket] += 1;
        self.sum += i128::from(value);
    }

    /// As a page shows it: sums in seconds or pieces.
    pub fn shown(&self) -> Histogram<'_> {
        Histogram {
            bounds: &self.bounds,
            counts: &self.counts,
            sum: self.sum as f64 / self.unit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let mut times = Buckets::of_times(&[0.001, 0.01]);
        for ns in [-5, 1_000_000, 1_000_001, 10_000_000, 11_000_000] {
            times.add(ns);
        }
        let shown = times.shown();
        assert_eq!(shown.bounds, [0.001, 0.01]);
        assert_eq!(shown.counts, [2, 2, 1]);
        assert!((shown.sum - 0.023_000_001).abs() < 1e-12);
    }

    #[test]
    fn token_bounds_end_at_the_longest_request() {
        assert_eq!(token_bounds(40), [1.0, 2.0, 5.0, 10.0, 20.0]);
        assert_eq!(token_bounds(50).last(), Some(&50.0));
        assert_eq!(token_bounds(131_072).last(), Some(&100_000.0));
    }
}
