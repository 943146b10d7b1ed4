//! The quantile as a type, and the exact order statistic that stands for it.
//!
//! No interpolation: the p-quantile of n observations is x_(ceil(n p)), the smallest observation
//! with at least a share p of the sample at or below it (Hyndman and Fan 1996, definition 1).

use std::fmt;

use crate::error::StatsError;

/// A probability strictly between 0 and 1 that names a quantile.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Quantile(f64);

impl Quantile {
    /// The median.
    pub const P50: Self = Self(0.5);
    /// The 90th percentile.
    pub const P90: Self = Self(0.9);
    /// The 95th percentile.
    pub const P95: Self = Self(0.95);
    /// The 99th percentile.
    pub const P99: Self = Self(0.99);
    /// The 99.9th percentile.
    pub const P999: Self = Self(0.999);

    /// The quantile at probability `p`.
    ///
    /// # Errors
    /// `InvalidQuantile` unless `0 < p < 1` (NaN included).
    pub fn new(p: f64) -> Result<Self, StatsError> {
        if p > 0.0 && p < 1.0 {
            Ok(Self(p))
        } else {
            Err(StatsError::InvalidQuantile { p })
        }
    }

    /// The probability, in (0, 1).
    #[must_use]
    pub fn probability(self) -> f64 {
        self.0
    }

    /// The probability of the smaller tail, min(p, 1 - p), in (0, 0.5].
    #[must_use]
    pub fn tail(self) -> f64 {
        self.0.min(1.0 - self.0)
    }

    /// The conventional name: `p50`, `p99`, `p99.9`.
    #[must_use]
    pub fn label(self) -> String {
        // Nine decimals of a percent remove the noise of p * 100 without hiding a real digit.
        let percent = format!("{:.9}", self.0 * 100.0);
        format!("p{}", percent.trim_end_matches('0').trim_end_matches('.'))
    }

    /// The 1-based rank ceil(n p) in a sample of `n >= 1`, within `[1, n]`.
    ///
    /// n p is guarded against rounding (0.07 * 100 is 7.000000000000001 in binary) by 1e-9, or
    /// four units in the last place where those are larger.
    #[must_use]
    pub fn rank(self, n: usize) -> usize {
        let exact = n as f64 * self.0;
        let guard = (exact * 4.0 * f64::EPSILON).max(1e-9);
        ((exact - guard).ceil().max(1.0) as usize).min(n.max(1))
    }
}

impl fmt::Display for Quantile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label())
    }
}

/// The order statistic x_(ceil(n p)) of an ascending slice; `None` when it is empty.
///
/// Infinities are ordinary values. The slice must be sorted and free of NaN (asserted in debug
/// builds only).
#[must_use]
pub fn order_statistic(sorted: &[f64], q: Quantile) -> Option<f64> {
    debug_assert!(
        sorted.is_sorted(),
        "order_statistic needs an ascending slice"
    );
    if sorted.is_empty() {
        None
    } else {
        Some(sorted[q.rank(sorted.len()) - 1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_carry_no_binary_noise() {
        let labels: Vec<String> = [0.5, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.07, 0.29]
            .map(|p| Quantile::new(p).unwrap().label())
            .into();
        assert_eq!(
            labels,
            ["p50", "p90", "p95", "p99", "p99.9", "p99.99", "p7", "p29"]
        );
    }

    #[test]
    fn probabilities_outside_the_open_unit_interval_are_refused() {
        for p in [0.0, 1.0, -0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(matches!(
                Quantile::new(p),
                Err(StatsError::InvalidQuantile { .. })
            ));
        }
    }

    /// Every percentile of every multiple of 1000 up to 10^7 has the integer rank.
    #[test]
    fn rank_is_exact_where_n_p_is_an_integer() {
        for n in [1000_usize, 7000, 123_000, 9_999_000, 10_000_000] {
            for mille in 1..1000 {
                let q = Quantile::new(mille as f64 / 1000.0).unwrap();
                assert_eq!(q.rank(n), n * mille / 1000, "n {n} p {mille}/1000");
            }
        }
    }

    #[test]
    fn rank_stays_inside_the_sample() {
        for n in 1..50 {
            assert_eq!(Quantile::P999.rank(n), n);
            assert_eq!(Quantile::new(1e-12).unwrap().rank(n), 1);
        }
    }

    #[test]
    fn order_statistic_of_small_samples() {
        assert_eq!(order_statistic(&[], Quantile::P50), None);
        assert_eq!(order_statistic(&[3.0], Quantile::P99), Some(3.0));
        assert_eq!(order_statistic(&[1.0, 2.0], Quantile::P50), Some(1.0));
        assert_eq!(
            order_statistic(&[1.0, f64::INFINITY], Quantile::P90),
            Some(f64::INFINITY)
        );
    }
}
