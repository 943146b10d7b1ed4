//! Quantiles of series whose observations are no sampling unit, from time blocks.
//!
//! Where many observations share one cause (parallel streams that stall together), the variance
//! of the share at or below q comes from counts per time block: the ratio estimator with blocks
//! as clusters (Cochran 1977, section 3.10; Student's t with blocks - 1 degrees of freedom).
//! Blocks that still depend on their neighbours widen it further through the long-run variance of
//! the block residuals. Observations may come in any order; only their time stamps count.

use crate::binomial::independent_ranks;
use crate::block_error::{ShareError, for_unseen};
use crate::error::{StatsError, check_level, check_ordered, check_paired};
use crate::estimate::{Estimate, Grade, Method};
use crate::interval::Interval;
use crate::quantile::Quantile;
use crate::sample::{interval_at, ranks_around};

/// Most blocks that the span may be divided into: 48 days of one-second blocks.
const MAX_BLOCKS: u64 = 1 << 22;

/// Observations with time stamps, sorted and assigned to time blocks once for any number of
/// quantiles.
#[derive(Debug, Clone)]
pub struct BlockSeries<'a> {
    values: &'a [f64],
    sorted: Vec<f64>,
    /// Index into `sizes` of each value's block.
    block_of: Vec<u32>,
    /// Observations in each block that holds any, in time order.
    sizes: Vec<u32>,
}

impl<'a> BlockSeries<'a> {
    /// Blocks of `block_ns` nanoseconds from the earliest time stamp; empty blocks are no units.
    ///
    /// O(n log n) time; 12 bytes a value beside the borrowed input.
    ///
    /// # Errors
    /// `Empty`, `NotANumber`, `LengthMismatch`, `InvalidDivision` for a block length below 1,
    /// `TooManyBlocks` beyond 4,194,304 blocks. Infinite values are allowed.
    pub fn new(values: &'a [f64], at_ns: &[i64], block_ns: i64) -> Result<Self, StatsError> {
        check_ordered(values)?;
        check_paired(values, at_ns)?;
        let (block_of, sizes) = assign_blocks(at_ns, block_ns)?;
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        Ok(Self {
            values,
            sorted,
            block_of,
            sizes,
        })
    }

    /// Time blocks that hold any observation.
    #[must_use]
    pub fn blocks(&self) -> usize {
        self.sizes.len()
    }

    /// The values in ascending order.
    #[must_use]
    pub fn sorted(&self) -> &[f64] {
        &self.sorted
    }

    /// The estimate of `q` with a two-sided interval of nominal coverage `level`.
    ///
    /// The grade counts distinct blocks with a tail observation: ten for indicative, a hundred
    /// for full. With a single block the interval is open on both sides and `effective_n` is 1.
    ///
    /// # Errors
    /// `InvalidLevel`.
    pub fn estimate(&self, q: Quantile, level: f64) -> Result<Estimate, StatsError> {
        check_level(level)?;
        let n = self.values.len();
        let value = self.sorted[q.rank(n) - 1];
        let error = ShareError::of(&self.counts(value), &self.sizes, q.probability(), level);
        let interval = match error {
            None => Interval::open(level),
            Some(error) => {
                let ranks = ranks_around(n, q, error.half_width);
                let ranks = independent_ranks(n, q, level)?.hull(ranks);
                for_unseen(
                    interval_at(&self.sorted, ranks, level),
                    value,
                    q,
                    self.blocks(),
                )
            }
        };
        let tail_blocks = self.tail_blocks(q, value);
        Ok(Estimate {
            quantile: q,
            value,
            interval,
            n,
            effective_n: error.map_or(1.0, |error| error.effective_n),
            // No tail block at all counts as one, so that `needed` stays finite.
            grade: Grade::of_tail(tail_blocks.max(1) as f64, n),
            method: Method::TimeBlocks,
            tail_blocks: Some(tail_blocks),
            blocks: Some(self.blocks()),
        })
    }

    /// Values at or below `value` (below it, where ties reach the end) by block.
    fn counts(&self, value: f64) -> Vec<u32> {
        let counts = self.count_by_block(|x| x <= value);
        if counts == self.sizes {
            return self.count_by_block(|x| x < value);
        }
        counts
    }

    /// Blocks with an observation beyond `value` on the smaller tail's side. Where ties at
    /// `value` reach into the tail, they belong to it.
    fn tail_blocks(&self, q: Quantile, value: f64) -> usize {
        let n = self.sorted.len();
        let rank = q.rank(n);
        let holds = |counts: Vec<u32>| counts.into_iter().filter(|&count| count > 0).count();
        if q.probability() >= 0.5 {
            let beyond = n - self.sorted.partition_point(|&x| x <= value);
            let tied = beyond < n - rank;
            holds(self.count_by_block(|x| x > value || (tied && x == value)))
        } else {
            let beyond = self.sorted.partition_point(|&x| x < value);
            let tied = beyond < rank - 1;
            holds(self.count_by_block(|x| x < value || (tied && x == value)))
        }
    }

    fn count_by_block(&self, holds: impl Fn(f64) -> bool) -> Vec<u32> {
        let mut counts = vec![0; self.sizes.len()];
        for (&value, &block) in self.values.iter().zip(&self.block_of) {
            counts[block as usize] += u32::from(holds(value));
        }
        counts
    }
}

/// The block of each time stamp, numbered in time order without gaps, and the size of each block.
fn assign_blocks(at_ns: &[i64], block_ns: i64) -> Result<(Vec<u32>, Vec<u32>), StatsError> {
    if block_ns < 1 {
        return Err(StatsError::InvalidDivision { length: block_ns });
    }
    let (Some(&first), Some(&last)) = (at_ns.iter().min(), at_ns.iter().max()) else {
        return Err(StatsError::Empty);
    };
    let length = block_ns.unsigned_abs();
    let blocks = (last.abs_diff(first) / length).saturating_add(1);
    if blocks > MAX_BLOCKS {
        return Err(StatsError::TooManyBlocks {
            blocks,
            limit: MAX_BLOCKS,
        });
    }
    let mut block_of: Vec<u32> = at_ns
        .iter()
        .map(|&at| (at.abs_diff(first) / length) as u32)
        .collect();
    let mut occupancy = vec![0_u32; blocks as usize];
    for &block in &block_of {
        occupancy[block as usize] += 1;
    }
    let mut dense = Vec::with_capacity(occupancy.len());
    let mut sizes = Vec::new();
    for &size in &occupancy {
        dense.push(sizes.len() as u32);
        if size > 0 {
            sizes.push(size);
        }
    }
    for block in &mut block_of {
        *block = dense[*block as usize];
    }
    Ok((block_of, sizes))
}

/// One quantile from time blocks; see [`BlockSeries`].
///
/// # Errors
/// Those of [`BlockSeries::new`], and `InvalidLevel`.
pub fn block_quantile_estimate(
    values: &[f64],
    at_ns: &[i64],
    block_ns: i64,
    q: Quantile,
    level: f64,
) -> Result<Estimate, StatsError> {
    BlockSeries::new(values, at_ns, block_ns)?.estimate(q, level)
}
