//! Quantiles from time blocks without the observations: what [`crate::BlockSeries`] gives, from
//! counts per block.
//!
//! After [`crate::RankTable`] has placed the ranks, one reading fills a [`BlockCounter`]: per block
//! the observations between the wanted buckets, and the observations inside them. Then the order
//! statistics, their effective sample sizes and the ranks of their intervals are known exactly.
//! The values at those ranks need one more reading ([`crate::RankValues`]).

use crate::binomial::{Ranks, independent_ranks};
use crate::block_error::{ShareError, for_unseen};
use crate::counted::Counted;
use crate::error::{StatsError, check_level};
use crate::estimate::{Estimate, Grade, Method};
use crate::interval::Interval;
use crate::quantile::Quantile;
use crate::rank_table::{Bucket, RankTable, key, value_of};
use crate::sample::ranks_around;

/// Most blocks that the span may be divided into: 48 days of one-second blocks.
const MAX_BLOCKS: u64 = 1 << 22;

/// Counts per time block around the buckets of the wanted ranks.
#[derive(Debug, Clone)]
pub struct BlockCounter {
    first_ns: i64,
    block_ns: i64,
    /// The wanted buckets, ascending.
    targets: Vec<Bucket>,
    /// Per block and number of targets below a value: values in no target's bucket.
    between: Vec<u32>,
    /// Per target: values in its bucket, by key and block.
    inside: Vec<Counted<(u64, u32)>>,
    /// Block of the value before, and where it begins: neighbours share blocks.
    last: (usize, i64),
}

/// From the earliest to the latest time stamp of a series, nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeSpan {
    /// The earliest.
    pub first_ns: i64,
    /// The latest.
    pub last_ns: i64,
}

impl BlockCounter {
    /// Blocks of `block_ns` nanoseconds over the series' span; `targets` are the buckets of the
    /// wanted ranks.
    ///
    /// # Errors
    /// `InvalidDivision` for a block length below 1 or no span, `TooManyBlocks` beyond 4,194,304.
    pub fn new(
        span: TimeSpan,
        block_ns: i64,
        mut targets: Vec<Bucket>,
    ) -> Result<Self, StatsError> {
        let TimeSpan { first_ns, last_ns } = span;
        if block_ns < 1 || last_ns < first_ns {
            return Err(StatsError::InvalidDivision { length: block_ns });
        }
        let blocks = last_ns.abs_diff(first_ns) / block_ns.unsigned_abs() + 1;
        if blocks > MAX_BLOCKS {
            return Err(StatsError::TooManyBlocks {
                blocks,
                limit: MAX_BLOCKS,
            });
        }
        targets.sort_unstable();
        targets.dedup();
        Ok(Self {
            first_ns,
            block_ns,
            between: vec![0; blocks as usize * (targets.len() + 1)],
            inside: vec![Counted::default(); targets.len()],
            targets,
            last: (0, first_ns),
        })
    }

    /// Counts a value `count` times. Its time stamp lies in the span.
    #[inline]
    pub fn add(&mut self, value: f64, at_ns: i64, count: u32) {
        let into = at_ns.wrapping_sub(self.last.1);
        if into < 0 || into >= self.block_ns {
            let block = at_ns.abs_diff(self.first_ns) / self.block_ns.unsigned_abs();
            self.last = (block as usize, self.first_ns + block as i64 * self.block_ns);
        }
        let bucket = Bucket::of(value);
        let mut below = 0;
        let mut own = false;
        for target in &self.targets {
            below += usize::from(*target < bucket);
            own |= *target == bucket;
        }
        let block = self.last.0;
        if own {
            let place = (key(value), block as u32);
            self.inside[below].add(place, u64::from(count));
        } else if let Some(n) = self
            .between
            .get_mut(block * (self.targets.len() + 1) + below)
        {
            *n += count;
        }
    }

    /// Adds what another counter of the same span and targets has counted.
    pub fn merge(&mut self, other: &Self) {
        let between = self.between.iter_mut().zip(&other.between);
        between.for_each(|(own, other)| *own += other);
        for (own, other) in self.inside.iter_mut().zip(&other.inside) {
            own.merge(other);
        }
    }

    /// The estimate of `q` but for the values of its bounds; `None` where the bucket of its rank
    /// was no target. `table` has counted the same values.
    ///
    /// # Errors
    /// `InvalidLevel`; `Empty`.
    pub fn point(
        &self,
        table: &RankTable,
        q: Quantile,
        level: f64,
    ) -> Result<Option<BlockPoint>, StatsError> {
        check_level(level)?;
        let n = table.n() as usize;
        if n == 0 {
            return Err(StatsError::Empty);
        }
        let rank = q.rank(n);
        let located = table.locate(rank as u64);
        let target = located.and_then(|l| self.targets.binary_search(&l.bucket).ok());
        let (Some(located), Some(target)) = (located, target) else {
            return Ok(None);
        };
        let Some(found) = self.key_at(target, rank as u64 - located.before) else {
            return Ok(None);
        };
        let counts = self.counts(target, found);
        let blocks = counts.sizes.len();
        let error = ShareError::of(&counts.at_or_below(), &counts.sizes, q.probability(), level);
        let ranks = match error {
            None => Ranks {
                low: None,
                high: None,
            },
            Some(error) => {
                let ranks = ranks_around(n, q, error.half_width);
                independent_ranks(n, q, level)?.hull(ranks)
            }
        };
        Ok(Some(BlockPoint {
            quantile: q,
            value: value_of(found),
            n,
            effective_n: error.map_or(1.0, |error| error.effective_n),
            ranks,
            tail_blocks: counts.tail_blocks(q, n),
            blocks,
            level,
        }))
    }

    /// Key of the `rank`-th value inside a target's bucket.
    fn key_at(&self, target: usize, rank: u64) -> Option<u64> {
        let mut before = 0;
        for ((key, _), count) in self.inside[target].in_order().iter() {
            before += count;
            if before >= rank {
                return Some(*key);
            }
        }
        None
    }

    /// Counts per block that holds any observation, around the value of `key` in a target's bucket.
    fn counts(&self, target: usize, key: u64) -> BlockCounts {
        let bins = self.targets.len() + 1;
        let blocks = self.between.len() / bins;
        let mut counts = BlockCounts {
            sizes: vec![0; blocks],
            below: vec![0; blocks],
            equal: vec![0; blocks],
        };
        for (block, between) in self.between.chunks_exact(bins).enumerate() {
            counts.sizes[block] = between.iter().sum();
            counts.below[block] = between[..=target].iter().sum();
        }
        for (other, inside) in self.inside.iter().enumerate() {
            for ((value, block), count) in inside.in_order().iter() {
                let (block, count) = (*block as usize, *count as u32);
                counts.sizes[block] += count;
                let before = other < target || (other == target && *value < key);
                counts.below[block] += if before { count } else { 0 };
                let same = other == target && *value == key;
                counts.equal[block] += if same { count } else { 0 };
            }
        }
        counts.without_empty_blocks()
    }
}

/// Observations per block around a value, in time order; no block is empty.
struct BlockCounts {
    sizes: Vec<u32>,
    below: Vec<u32>,
    equal: Vec<u32>,
}

impl BlockCounts {
    fn without_empty_blocks(self) -> Self {
        let kept = |counts: &[u32]| -> Vec<u32> {
            let pairs = counts.iter().zip(&self.sizes);
            pairs
                .filter(|(_, size)| **size > 0)
                .map(|(c, _)| *c)
                .collect()
        };
        Self {
            below: kept(&self.below),
            equal: kept(&self.equal),
            sizes: kept(&self.sizes),
        }
    }

    /// Values at or below the value (below it, where ties reach the end) by block.
    fn at_or_below(&self) -> Vec<u32> {
        let pairs = self.below.iter().zip(&self.equal);
        let counts: Vec<u32> = pairs.map(|(below, equal)| below + equal).collect();
        match counts == self.sizes {
            true => self.below.clone(),
            false => counts,
        }
    }

    /// Blocks with an observation beyond the value on the smaller tail's side. Where ties at the
    /// value reach into the tail, they belong to it.
    fn tail_blocks(&self, q: Quantile, n: usize) -> usize {
        let rank = q.rank(n);
        let blocks = self.sizes.iter().zip(&self.below).zip(&self.equal);
        let blocks = blocks.map(|((size, below), equal)| (size - below - equal, below, equal));
        let upper = q.probability() >= 0.5;
        let tail = |(above, below, _): &(u32, &u32, &u32)| if upper { *above } else { **below };
        let beyond: u64 = blocks.clone().map(|b| u64::from(tail(&b))).sum();
        let wanted = if upper { n - rank } else { rank - 1 };
        let tied = beyond < wanted as u64;
        blocks.filter(|b| tail(b) > 0 || (tied && *b.2 > 0)).count()
    }
}

/// An [`Estimate`] whose bounds are ranks still.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockPoint {
    quantile: Quantile,
    value: f64,
    n: usize,
    effective_n: f64,
    ranks: Ranks,
    tail_blocks: usize,
    blocks: usize,
    level: f64,
}

impl BlockPoint {
    /// Ranks of the interval's bounds.
    #[must_use]
    pub fn ranks(&self) -> Ranks {
        self.ranks
    }

    /// The order statistic.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.value
    }

    /// The estimate; `at_rank` knows the order statistics of [`Self::ranks`].
    #[must_use]
    pub fn estimate(&self, at_rank: impl Fn(u64) -> Option<f64>) -> Estimate {
        let bound = |rank: Option<usize>| rank.and_then(|rank| at_rank(rank as u64));
        let ranks = Interval {
            low: bound(self.ranks.low),
            high: bound(self.ranks.high),
            level: self.level,
        };
        let interval = for_unseen(ranks, self.value, self.quantile, self.blocks);
        Estimate {
            quantile: self.quantile,
            value: self.value,
            interval,
            n: self.n,
            effective_n: self.effective_n,
            // No tail block at all counts as one, so that `needed` stays finite.
            grade: Grade::of_tail(self.tail_blocks.max(1) as f64, self.n),
            method: Method::TimeBlocks,
            tail_blocks: Some(self.tail_blocks),
            blocks: Some(self.blocks),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::BlockSeries;
    use crate::rank_table::RankValues;
    use proptest::prelude::{prop_assert_eq, proptest};

    fn span(first_ns: i64, last_ns: i64) -> TimeSpan {
        TimeSpan { first_ns, last_ns }
    }

    const LEVEL: f64 = 0.95;

    fn quantiles() -> Vec<Quantile> {
        let p = [0.01, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999];
        p.into_iter()
            .filter_map(|p| Quantile::new(p).ok())
            .collect()
    }

    /// All readings over values with time stamps, in two parts each.
    fn by_readings(values: &[f64], at_ns: &[i64], block_ns: i64) -> Vec<Estimate> {
        let half = values.len() / 2;
        let parts = [0..half, half..values.len()];
        let mut table = RankTable::default();
        for part in parts.clone() {
            let mut own = RankTable::default();
            part.for_each(|i| own.add(values[i], 1));
            table.merge(&own);
        }
        let locate = |rank: usize| table.locate(rank as u64).map(|l| l.bucket);
        let n = values.len();
        let targets: Vec<_> = quantiles()
            .iter()
            .filter_map(|q| locate(q.rank(n)))
            .collect();
        let span = span(*at_ns.iter().min().unwrap(), *at_ns.iter().max().unwrap());
        let blank = BlockCounter::new(span, block_ns, targets).unwrap();
        let mut counter = blank.clone();
        for part in parts.clone() {
            let mut own = blank.clone();
            part.for_each(|i| own.add(values[i], at_ns[i], 1));
            counter.merge(&own);
        }
        let points: Vec<BlockPoint> = quantiles()
            .iter()
            .map(|q| counter.point(&table, *q, LEVEL).unwrap().unwrap())
            .collect();
        let ranks = points.iter().flat_map(|p| [p.ranks.low, p.ranks.high]);
        let mut bounds = RankValues::of(ranks.flatten().filter_map(locate).collect());
        values.iter().for_each(|x| bounds.add(*x, 1));
        let at_rank = |rank| bounds.at_rank(&table, rank);
        points.iter().map(|p| p.estimate(at_rank)).collect()
    }

    proptest! {
        #[test]
        fn the_same_as_with_every_value_held(
            small in proptest::collection::vec((0_u16..60, 0_i64..2_000), 1..400),
            scale in 1_i64..100,
            failures in 0_usize..20,
        ) {
            let mut values: Vec<f64> = small.iter().map(|(x, _)| f64::from(*x) / 7.0).collect();
            let at_ns: Vec<i64> = small.iter().map(|(_, at)| at - 700).collect();
            let failed = values.len().saturating_sub(failures);
            values[failed..].fill(f64::INFINITY);
            let series = BlockSeries::new(&values, &at_ns, scale).unwrap();
            let held: Result<Vec<_>, _> =
                quantiles().iter().map(|q| series.estimate(*q, LEVEL)).collect();
            prop_assert_eq!(by_readings(&values, &at_ns, scale), held.unwrap());
        }
    }

    #[test]
    fn refuses_what_block_series_refuses() {
        let too_many = BlockCounter::new(span(0, i64::MAX - 1), 1, Vec::new());
        assert!(matches!(too_many, Err(StatsError::TooManyBlocks { .. })));
        let none = BlockCounter::new(span(0, 1), 0, Vec::new());
        assert!(matches!(none, Err(StatsError::InvalidDivision { .. })));
        let empty = BlockCounter::new(span(0, 1), 1, Vec::new()).unwrap();
        let point = empty.point(&RankTable::default(), Quantile::P50, LEVEL);
        assert_eq!(point, Err(StatsError::Empty));
    }
}
