//! From a sample of errors to its own order statistics.

use infermeter_core::certificate::Spread;
use infermeter_stats::{Quantile, order_statistic};

/// Values below which a sample has no 99th percentile: none would lie beyond it.
const MIN_FOR_P99: usize = 100;

/// Order statistics of values in microseconds; `None` for nothing.
pub(crate) fn spread(mut values_us: Vec<f64>) -> Option<Spread> {
    values_us.sort_unstable_by(f64::total_cmp);
    let at = |p: f64| order_statistic(&values_us, Quantile::new(p).ok()?);
    let max_us = *values_us.last()?;
    Some(Spread {
        n: values_us.len() as u64,
        p50_us: at(0.5)?,
        p99_us: at(0.99).filter(|_| values_us.len() >= MIN_FOR_P99),
        max_us,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_sample_has_no_p99() {
        assert_eq!(spread(Vec::new()), None);
        let few = spread((1..=99).rev().map(f64::from).collect()).expect("values");
        assert_eq!((few.p50_us, few.p99_us, few.max_us), (50.0, None, 99.0));
        let many = spread((1..=200).map(f64::from).collect()).expect("values");
        assert_eq!((many.n, many.p99_us), (200, Some(198.0)));
    }
}
