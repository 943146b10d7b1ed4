//! The unit of every latency in a series.

/// Nanoseconds to milliseconds.
pub(crate) fn to_ms(ns: i64) -> f64 {
    ns as f64 / 1e6
}
