//! Bootstrap intervals: BCa for means and ratios of independent pairs, circular blocks for the rate
//! of a dependent series.
//!
//! For small samples; beyond 100,000 observations batch means say the same for less. Never for one
//! quantile: the jackknife that BCa needs is not consistent there. Random numbers come from the seed
//! alone (splitmix64: Steele, Lea and Flood 2014), so results repeat.

use statrs::distribution::{ContinuousCDF, Normal};

use crate::block_length::block_length;
use crate::error::{StatsError, check_finite, check_level};
use crate::interval::Interval;
use crate::long_run_variance::mean;
use crate::random::SplitMix;

/// Most observations that are resampled.
const MOST: usize = 100_000;

/// The bias-corrected and accelerated interval (Efron 1987) of the mean of independent `values`.
///
/// Open on both sides for one value; of no width where nothing varies.
///
/// # Errors
/// `Empty`; `NotFinite`; `InvalidLevel`; `TooMany` beyond 100,000 values; `TooFew` for no
/// resamples.
pub fn bootstrap_mean(
    values: &[f64],
    level: f64,
    resamples: usize,
    seed: u64,
) -> Result<Interval, StatsError> {
    let ones = vec![1.0; values.len()];
    bootstrap_ratio(values, &ones, level, resamples, seed)
}

/// The same for the ratio of the sums of independent pairs (`tops[i]`, `bottoms[i]`), such as
/// work over seconds of each job.
///
/// # Errors
/// Those of [`bootstrap_mean`]; `LengthMismatch`; `Negative` for a bottom below 0; `NotFinite`
/// where all bottoms are 0.
pub fn bootstrap_ratio(
    tops: &[f64],
    bottoms: &[f64],
    level: f64,
    resamples: usize,
    seed: u64,
) -> Result<Interval, StatsError> {
    check_level(level)?;
    check(tops, resamples)?;
    check_pairs(tops, bottoms)?;
    let n = tops.len();
    let whole = Sums::of(tops, bottoms, 0..n);
    if n == 1 {
        return Ok(Interval::open(level));
    }
    let mut random = SplitMix(seed);
    let mut ratios: Vec<f64> = (0..resamples)
        .map(|_| Sums::of(tops, bottoms, (0..n).map(|_| random.below(n))).ratio())
        .collect();
    ratios.sort_unstable_by(f64::total_cmp);
    let left_out: Vec<f64> = (0..n)
        .map(|i| whole.without(tops[i], bottoms[i]).ratio())
        .collect();
    Ok(bca(&ratios, whole.ratio(), &left_out, level))
}

/// The interval of the mean of a dependent series in time order, by resampling blocks of the
/// series closed to a circle (Politis and Romano 1992); percentile form.
///
/// Meant for counts or sums in equal time cells: the mean over cells is the rate, and its
/// randomness includes that of the count. Blocks of the length of Politis and White. Open on both
/// sides below eight cells.
///
/// # Errors
/// Those of [`bootstrap_mean`].
pub fn block_bootstrap_mean(
    cells: &[f64],
    level: f64,
    resamples: usize,
    seed: u64,
) -> Result<Interval, StatsError> {
    check_level(level)?;
    check(cells, resamples)?;
    let n = cells.len();
    let Ok(length) = block_length(cells) else {
        return Ok(Interval::open(level));
    };
    let length = (length.circular.round() as usize).clamp(1, n);
    let origin = mean(cells);
    let ahead = circular_sums(cells, origin, length);
    // Whole blocks and a part of one, so that each resample has n cells.
    let (whole, rest) = (n / length, n % length);
    let ahead_rest = circular_sums(cells, origin, rest);
    let mut random = SplitMix(seed);
    let mut means: Vec<f64> = (0..resamples)
        .map(|_| {
            let blocks: f64 = (0..whole).map(|_| ahead[random.below(n)]).sum();
            origin + (blocks + ahead_rest[random.below(n)]) / n as f64
        })
        .collect();
    means.sort_unstable_by(f64::total_cmp);
    let tail = 0.5 * (1.0 - level);
    Ok(Interval {
        low: Some(at_share(&means, tail)),
        high: Some(at_share(&means, 1.0 - tail)),
        level,
    })
}

/// Sum of the `length` deviations from each cell on, around the circle.
fn circular_sums(cells: &[f64], origin: f64, length: usize) -> Vec<f64> {
    let n = cells.len();
    let at = |i: usize| cells[i % n] - origin;
    (0..n)
        .map(|start| (start..start + length).map(at).sum())
        .collect()
}

fn check(values: &[f64], resamples: usize) -> Result<(), StatsError> {
    check_finite(values)?;
    if resamples == 0 {
        return Err(StatsError::TooFew { needed: 1, have: 0 });
    }
    if values.len() > MOST {
        return Err(StatsError::TooMany {
            limit: MOST,
            have: values.len(),
        });
    }
    Ok(())
}

fn check_pairs(tops: &[f64], bottoms: &[f64]) -> Result<(), StatsError> {
    check_finite(bottoms)?;
    if tops.len() != bottoms.len() {
        return Err(StatsError::LengthMismatch {
            values: tops.len(),
            times: bottoms.len(),
        });
    }
    if let Some(index) = bottoms.iter().position(|b| *b < 0.0) {
        let value = bottoms[index];
        return Err(StatsError::Negative { index, value });
    }
    if bottoms.iter().all(|b| *b == 0.0) {
        let value = f64::NAN;
        return Err(StatsError::NotFinite { index: 0, value });
    }
    Ok(())
}

/// A numerator and a denominator.
#[derive(Debug, Clone, Copy)]
struct Sums {
    top: f64,
    bottom: f64,
}

impl Sums {
    fn of(tops: &[f64], bottoms: &[f64], at: impl Iterator<Item = usize>) -> Self {
        let add = |sums: Self, i: usize| Self {
            top: sums.top + tops[i],
            bottom: sums.bottom + bottoms[i],
        };
        at.fold(
            Self {
                top: 0.0,
                bottom: 0.0,
            },
            add,
        )
    }

    fn without(self, top: f64, bottom: f64) -> Self {
        Self {
            top: self.top - top,
            bottom: self.bottom - bottom,
        }
    }

    /// Top over bottom; infinite where a resample took only empty bottoms.
    fn ratio(self) -> f64 {
        if self.bottom > 0.0 {
            self.top / self.bottom
        } else {
            f64::INFINITY
        }
    }
}

/// Efron 1987, with the bias from the share of resamples below the estimate (half of those equal to
/// it) and the acceleration from the jackknife.
fn bca(sorted: &[f64], estimate: f64, left_out: &[f64], level: f64) -> Interval {
    let below = sorted.partition_point(|x| *x < estimate);
    let up_to = sorted.partition_point(|x| *x <= estimate);
    let share = 0.5 * (below + up_to) as f64 / sorted.len() as f64;
    let normal = Normal::standard();
    let bias = normal.inverse_cdf(share);
    let acceleration = acceleration(left_out);
    let end = |tail: f64| {
        let z = bias + normal.inverse_cdf(tail);
        at_share(sorted, normal.cdf(bias + z / (1.0 - acceleration * z)))
    };
    let tail = 0.5 * (1.0 - level);
    if bias.is_infinite() {
        // All resamples on one side: nothing to correct by.
        return Interval {
            low: Some(at_share(sorted, tail)),
            high: Some(at_share(sorted, 1.0 - tail)),
            level,
        };
    }
    Interval {
        low: Some(end(tail)),
        high: Some(end(1.0 - tail)),
        level,
    }
}

/// A sixth of the skewness of the jackknife's influence; 0 where nothing varies.
fn acceleration(left_out: &[f64]) -> f64 {
    let centre = mean(left_out);
    let (squares, cubes) = left_out.iter().fold((0.0, 0.0), |(squares, cubes), x| {
        let d = centre - x;
        (squares + d * d, cubes + d * d * d)
    });
    if squares > 0.0 {
        cubes / (6.0 * squares * squares.sqrt())
    } else {
        0.0
    }
}

/// The order statistic at a share of the resamples: rank ceil(share * (resamples + 1)), clipped.
fn at_share(sorted: &[f64], share: f64) -> f64 {
    let rank = (share * (sorted.len() + 1) as f64).round();
    let last = sorted.len() as f64;
    sorted[(rank.clamp(1.0, last) as usize) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skewed_sample_moves_the_interval_up() {
        let values: Vec<f64> = (1..=40).map(|i| (f64::from(i) * 0.1).exp()).collect();
        let interval = bootstrap_mean(&values, 0.95, 2_000, 1).unwrap();
        let centre = mean(&values);
        let (low, high) = (interval.low.unwrap(), interval.high.unwrap());
        assert!(high - centre > centre - low, "{low} {centre} {high}");
        assert_eq!(interval, bootstrap_mean(&values, 0.95, 2_000, 1).unwrap());
    }

    #[test]
    fn defined_cases() {
        assert_eq!(bootstrap_mean(&[], 0.95, 99, 1), Err(StatsError::Empty));
        assert_eq!(
            bootstrap_mean(&[3.0], 0.95, 99, 1),
            Ok(Interval::open(0.95))
        );
        let flat = bootstrap_mean(&[3.0, 3.0], 0.95, 99, 1).unwrap();
        assert_eq!((flat.low, flat.high), (Some(3.0), Some(3.0)));
        assert!(bootstrap_mean(&[1.0, 2.0], 0.95, 0, 1).is_err());
        assert!(bootstrap_mean(&[1.0, f64::INFINITY], 0.95, 9, 1).is_err());
        assert!(bootstrap_mean(&vec![1.0; MOST + 1], 0.95, 9, 1).is_err());
        assert!(bootstrap_ratio(&[1.0], &[1.0, 2.0], 0.95, 9, 1).is_err());
        assert!(bootstrap_ratio(&[1.0, 2.0], &[1.0, -2.0], 0.95, 9, 1).is_err());
        assert!(bootstrap_ratio(&[1.0, 2.0], &[0.0, 0.0], 0.95, 9, 1).is_err());
        let short = block_bootstrap_mean(&[1.0; 7], 0.95, 99, 1);
        assert_eq!(short, Ok(Interval::open(0.95)));
        let flat = block_bootstrap_mean(&[2.0; 30], 0.95, 99, 1).unwrap();
        assert_eq!(flat.width(), Some(0.0));
    }

    #[test]
    fn blocks_widen_the_interval_of_a_dependent_series() {
        let slow: Vec<f64> = (0..600).map(|i| f64::from(i / 20 * 7_919 % 31)).collect();
        let blocks = block_bootstrap_mean(&slow, 0.95, 1_000, 3).unwrap();
        let alone = bootstrap_mean(&slow, 0.95, 1_000, 3).unwrap();
        assert!(blocks.width().unwrap() > 2.0 * alone.width().unwrap());
        assert!(blocks.contains(mean(&slow)));
    }
}
