//! The empirical distribution function at some points, with a band around the whole of it.
//!
//! The band is Dvoretzky, Kiefer and Wolfowitz's with Massart's constant (Annals of Probability
//! 18(3), 1990): P(sup |F_n - F| > e) <= 2 exp(-2 n e^2). On an effective sample size it is
//! approximate. Does not interpolate: shares are exact at their points.

use crate::error::{StatsError, check_level};
use crate::rank_table::RankTable;

/// A point of the empirical distribution function.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EcdfPoint {
    /// Where, in the unit of the values.
    pub at: f64,
    /// Observations at or below it.
    pub count: u64,
}

/// Half the height of the band of simultaneous coverage `level` on `effective_n` observations, a
/// share; at most 1.
///
/// # Errors
/// `InvalidLevel`; `Empty` for less than one observation.
pub fn band_half_height(effective_n: f64, level: f64) -> Result<f64, StatsError> {
    check_level(level)?;
    if effective_n.is_nan() || effective_n < 1.0 {
        return Err(StatsError::Empty);
    }
    let alpha = 1.0 - level;
    Ok(((2.0 / alpha).ln() / (2.0 * effective_n)).sqrt().min(1.0))
}

/// At most `most` points of ascending values: each is an observation, at evenly spread ranks, with
/// the smallest and the largest finite one.
#[must_use]
pub fn ecdf(sorted: &[f64], most: usize) -> Vec<EcdfPoint> {
    let finite = sorted.partition_point(|x| *x < f64::INFINITY);
    let steps = most.saturating_sub(1).min(finite.saturating_sub(1)).max(1);
    let mut points: Vec<EcdfPoint> = Vec::new();
    for step in 0..=steps {
        let Some(at) = finite
            .checked_sub(1)
            .and_then(|last| sorted.get(last * step / steps))
        else {
            break;
        };
        let count = sorted.partition_point(|x| x <= at) as u64;
        if points.last().is_none_or(|point| point.at < *at) {
            points.push(EcdfPoint { at: *at, count });
        }
    }
    points
}

/// At most `most` points of values that were counted and are not held: the shares are exact, the
/// points are ends of buckets and no observations.
#[must_use]
pub fn ecdf_of_table(table: &RankTable, most: usize) -> Vec<EcdfPoint> {
    let mut points: Vec<EcdfPoint> = Vec::new();
    let mut count = 0;
    let mut next = 1;
    // The first and the last point come on top.
    let step = table.n().div_ceil(most.saturating_sub(2).max(1) as u64);
    for (end, inside) in table.ends().filter(|(end, _)| end.is_finite()) {
        count += inside;
        if count >= next || count == table.n() {
            points.push(EcdfPoint { at: end, count });
            next = count + step;
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    #[test]
    fn band_of_massart() {
        // sqrt(ln(40) / 200), Python: math.sqrt(math.log(2 / 0.05) / (2 * 100)).
        let half = band_half_height(100.0, 0.95).unwrap();
        assert!((half - 0.135_810_151_574_061_95).abs() < 1e-12, "{half}");
        assert_eq!(band_half_height(1.0, 0.95), Ok(1.0));
        assert!(band_half_height(0.5, 0.95).is_err());
    }

    #[test]
    fn few_values_and_ties() {
        let point = |at, count| EcdfPoint { at, count };
        assert_eq!(ecdf(&[], 10), []);
        assert_eq!(ecdf(&[3.0], 10), [point(3.0, 1)]);
        assert_eq!(
            ecdf(&[1.0, 1.0, 2.0, f64::INFINITY], 10),
            [point(1.0, 2), point(2.0, 3)]
        );
    }

    proptest! {
        #[test]
        fn shares_are_exact(mut values in proptest::collection::vec(0_u16..500, 1..300)) {
            values.sort_unstable();
            let sorted: Vec<f64> = values.iter().map(|x| f64::from(*x) / 8.0).collect();
            let mut table = RankTable::default();
            sorted.iter().for_each(|x| table.add(*x, 1));
            for points in [ecdf(&sorted, 20), ecdf_of_table(&table, 20)] {
                prop_assert!(points.len() <= 20 && points.is_sorted_by(|a, b| a.at < b.at));
                for point in &points {
                    let count = sorted.iter().filter(|x| **x <= point.at).count() as u64;
                    prop_assert_eq!(point.count, count);
                }
                prop_assert_eq!(points.last().map(|p| p.count), Some(sorted.len() as u64));
            }
        }
    }
}
