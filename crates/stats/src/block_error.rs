//! How well a share over time blocks is known, and the interval of a quantile that rests on it.
//!
//! Dependence that lasts as long as the window cannot be seen in it: the load's own ups and downs last
//! as long as answers do. So the variance between blocks (Cochran 1977, section 3.10, with the
//! long-run variance of the residuals) is held against that of ten groups of blocks, and the interval of
//! few blocks is wider than its ranks by a factor that simulations gave. Invariant: the factor tends
//! to 1 as blocks grow many.

use crate::interval::Interval;
use crate::long_run_variance::Centred;
use crate::quantile::Quantile;
use crate::special::student_two_sided;

/// Groups of consecutive blocks whose variance holds what lasts for longer than a block.
const GROUPS: usize = 10;

/// How much wider than its ranks the interval of 15 blocks is, less 1, and how fast that falls with more
/// blocks: 5 at 15, 2.1 at 60, 1.3 at 300. The ranks alone held the p50 and p75 of ITL in 60 to 81, 79 to
/// 86 and 82 to 88 % of runs of so many seconds (`cargo xtask coverage tokens`).
const UNSEEN: f64 = 4.0;
const UNSEEN_BLOCKS: f64 = 15.0;
const UNSEEN_POWER: f64 = 0.9;

/// Tail probability below which less and less is unseen: what is rare follows the load's slow waves less.
const UNSEEN_TAIL: f64 = 0.1;

/// What blocks tell of the share of values at or below a quantile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ShareError {
    /// Independent values of equal information, in `[1, n]`.
    pub(crate) effective_n: f64,
    /// Half the width of the share's interval.
    pub(crate) half_width: f64,
}

impl ShareError {
    /// From the values at or below the quantile and all values of each block, in time order, of `n`
    /// values; `None` below two blocks. `p` is the quantile's probability.
    pub(crate) fn of(counts: &[u32], sizes: &[u32], p: f64, level: f64) -> Option<Self> {
        let blocks = sizes.len();
        if blocks < 2 {
            return None;
        }
        let sum = |counts: &[u32]| counts.iter().map(|&c| u64::from(c)).sum::<u64>() as f64;
        let n = sum(sizes);
        let mean = sum(counts) / n;
        let residuals: Vec<f64> = counts
            .iter()
            .zip(sizes)
            .map(|(&count, &size)| f64::from(count) - mean * f64::from(size))
            .collect();
        let centred = Centred::new(&residuals);
        let between = variance_of_sum(&residuals) * centred.inflation() / (n * n);
        let groups = GROUPS.min(blocks);
        let mut grouped = vec![0.0; groups];
        for (block, residual) in residuals.iter().enumerate() {
            grouped[block * groups / blocks] += residual;
        }
        let slow = variance_of_sum(&grouped) / (n * n);
        let independent = mean * (1.0 - mean);
        let effective = |variance: f64| match variance <= independent / n {
            true => n,
            false => (independent / variance).max(1.0),
        };
        let half = |variance, units: usize| {
            let t = student_two_sided(level, (units - 1) as f64);
            t * (p * (1.0 - p) / effective(variance)).sqrt()
        };
        Some(Self {
            effective_n: effective(between.max(slow)),
            half_width: half(between, blocks).max(half(slow, groups)),
        })
    }
}

/// Variance of the sum of independent residuals that add up to 0.
fn variance_of_sum(residuals: &[f64]) -> f64 {
    let n = residuals.len() as f64;
    residuals.iter().map(|r| r * r).sum::<f64>() * n / (n - 1.0)
}

/// The interval at the ranks, wider for what so few blocks cannot show: below the value on the
/// logarithmic scale, so that it stays above 0. It may reach past the greatest value seen: that is the
/// greatest of these blocks, and no bound of a quantile over other ones.
pub(crate) fn for_unseen(ranks: Interval, value: f64, q: Quantile, blocks: usize) -> Interval {
    let few = (UNSEEN_BLOCKS / blocks.max(1) as f64).powf(UNSEEN_POWER);
    let factor = 1.0 + UNSEEN * few * (q.tail() / UNSEEN_TAIL).min(1.0);
    let straight = |bound: f64| value + factor * (bound - value);
    let wider = |bound: f64| match bound {
        _ if !(bound.is_finite() && value.is_finite()) || bound == value => bound,
        low if (0.0..value).contains(&low) => value * (low / value).powf(factor),
        _ => straight(bound),
    };
    Interval {
        low: ranks.low.map(wider),
        high: ranks.high.map(wider),
        ..ranks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_blocks_widen_and_many_do_not() {
        let ranks = Interval {
            low: Some(9.0),
            high: Some(12.0),
            level: 0.95,
        };
        let p50 = |ranks, value, blocks| for_unseen(ranks, value, Quantile::P50, blocks);
        let fifteen = p50(ranks, 10.0, 15);
        assert!((fifteen.low.unwrap() - 10.0 * 0.9_f64.powi(5)).abs() < 1e-9);
        assert_eq!(fifteen.high, Some(20.0));
        let p99 = for_unseen(ranks, 10.0, Quantile::P99, 15);
        assert!((p99.high.unwrap() - 12.8).abs() < 1e-9);
        let day = p50(ranks, 10.0, 86_400);
        assert!((day.high.unwrap() - 12.0).abs() < 0.01);
        let from_zero = Interval {
            low: Some(0.0),
            ..ranks
        };
        let zero = p50(from_zero, 0.0, 15);
        assert_eq!((zero.low, zero.high), (Some(0.0), Some(60.0)));
        let failures = Interval {
            high: Some(f64::INFINITY),
            low: None,
            level: 0.95,
        };
        assert_eq!(p50(failures, 10.0, 15), failures);
    }

    /// Fifteen blocks of values up to 12: the quantile of other blocks may lie above all of them.
    #[test]
    fn the_greatest_value_seen_is_no_bound() {
        let greatest = 12.0;
        let ranks = |high| Interval {
            low: Some(9.0),
            high: Some(high),
            level: 0.95,
        };
        let wider = for_unseen(ranks(greatest), 10.0, Quantile::P50, 15);
        assert_eq!(wider.high, Some(10.0 + 5.0 * (greatest - 10.0)));
        // Without any spread there is nothing to widen, and a rank beyond the sample stays open.
        let same = for_unseen(ranks(10.0), 10.0, Quantile::P50, 15);
        assert_eq!(same.high, Some(10.0));
    }

    /// Blocks alike in pairs of five: the groups see what the blocks' own lags see in part.
    #[test]
    fn slow_dependence_widens() {
        let sizes = vec![100; 60];
        let fast: Vec<u32> = (0..60).map(|i| 50 + i * 7 % 11).collect();
        let slow: Vec<u32> = (0..60)
            .map(|i| if i / 15 % 2 == 0 { 45 } else { 65 })
            .collect();
        let error = |counts: &[u32]| ShareError::of(counts, &sizes, 0.5, 0.95).unwrap();
        let (fast, slow) = (error(&fast), error(&slow));
        assert!(slow.half_width > 5.0 * fast.half_width, "{fast:?} {slow:?}");
        assert!(slow.effective_n < 200.0, "{slow:?}");
        assert_eq!(ShareError::of(&[1], &[2], 0.5, 0.95), None);
    }
}
