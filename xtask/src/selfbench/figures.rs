//! Small arithmetic of the benchmarks.

/// The order statistic at rank ceil(n p); NaN for nothing.
pub fn quantile(values: &[f64], p: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    of_sorted(&sorted, p)
}

/// [`quantile`] of values in ascending order.
pub fn of_sorted(sorted: &[f64], p: f64) -> f64 {
    let rank = ((sorted.len() as f64 * p - 1e-9).ceil() as usize).clamp(1, sorted.len().max(1));
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}

/// The median.
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}
