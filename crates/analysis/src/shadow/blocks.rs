//! Consecutive pairs in blocks: how long they must be, and what a block says of a figure.
//!
//! It tests nothing. Invariant: all blocks have equally many pairs, in order of time; the pairs that fill no block are
//! the newest, and wait for more.

use super::{BlocksTold, ShadowFigure, ShadowPair};
use crate::compare::{Pair, Scale};
use infermeter_stats::{SIGNED_RANK_LIMIT, block_length, rank_correlation};

/// Fewest pairs of a block: the median of fewer is that of one pair.
const LEAST_PAIRS: usize = 5;

/// Neighbouring blocks whose rank correlation lies beyond this many times 1 / sqrt(blocks) depend on each other: the
/// usual bound of a correlogram.
const CORRELATED: f64 = 2.0;

/// Pairs that say how long blocks must be, the newest: autocovariances of more take longer than they are worth.
const SAMPLED: usize = 20_000;

/// Pairs in blocks.
pub(super) struct Blocks<'a> {
    blocks: Vec<&'a [ShadowPair]>,
    pairs_each: usize,
}

impl<'a> Blocks<'a> {
    /// At least so many blocks; absent where the pairs do not make as many.
    ///
    /// A block begins at the length that Politis and White ask for, and becomes longer as long as neighbours are
    /// correlated and enough blocks stay.
    pub(super) fn of(pairs: &'a [ShadowPair], least: usize) -> Option<Self> {
        let most = pairs.len() / least.max(1);
        if most < LEAST_PAIRS {
            return None;
        }
        let sample = &pairs[pairs.len().saturating_sub(SAMPLED)..];
        let latencies = [ShadowFigure::Ttft, ShadowFigure::Tpot, ShadowFigure::E2e];
        let asked = latencies.iter().filter_map(|figure| {
            let series: Vec<f64> = sample
                .iter()
                .filter_map(|p| log_ratio(p, *figure))
                .collect();
            Some(block_length(&series).ok()?.circular.ceil() as usize)
        });
        let asked = asked.max().unwrap_or(LEAST_PAIRS);
        let fewest = pairs.len().div_ceil(SIGNED_RANK_LIMIT);
        let mut blocks = Self::each(pairs, asked.max(LEAST_PAIRS).max(fewest).min(most));
        while blocks.is_correlated() && blocks.pairs_each < most {
            blocks = Self::each(pairs, (blocks.pairs_each * 2).min(most));
        }
        Some(blocks)
    }

    fn each(pairs: &'a [ShadowPair], pairs_each: usize) -> Self {
        let mut blocks: Vec<&[ShadowPair]> = pairs.chunks_exact(pairs_each).collect();
        blocks.truncate(SIGNED_RANK_LIMIT);
        Self { blocks, pairs_each }
    }

    /// What each block says of a figure; blocks without it are left out. Of ratios it is the median, set against 1.
    pub(super) fn values(&self, figure: ShadowFigure) -> Vec<Pair> {
        let of_block = |block: &&[ShadowPair]| match figure.scale() {
            Scale::Ratio => {
                let mut ratios: Vec<f64> =
                    block.iter().filter_map(|p| log_ratio(p, figure)).collect();
                Some(Pair {
                    first: 1.0,
                    other: middle(&mut ratios)?.exp(),
                })
            }
            Scale::Difference => {
                let share = |of: fn(&ShadowPair) -> bool| {
                    block.iter().filter(|pair| of(pair)).count() as f64 / block.len() as f64
                };
                Some(Pair {
                    first: share(|pair| !pair.primary.completed),
                    other: share(|pair| !pair.shadow.completed),
                })
            }
        };
        self.blocks.iter().filter_map(of_block).collect()
    }

    /// The pairs of all of them.
    pub(super) fn pairs(&self) -> impl Iterator<Item = &'a ShadowPair> {
        self.blocks.iter().copied().flatten()
    }

    pub(super) fn told(&self) -> BlocksTold {
        let span = |block: &&[ShadowPair]| {
            let (first, last) = (block.first()?, block.last()?);
            Some((last.at_ns - first.at_ns) as f64 / 1e9)
        };
        let mut spans: Vec<f64> = self.blocks.iter().filter_map(span).collect();
        BlocksTold {
            count: self.blocks.len(),
            pairs_each: self.pairs_each,
            seconds: middle(&mut spans).unwrap_or(0.0),
            correlation: self.correlation(),
        }
    }

    /// Neighbours depend on each other.
    pub(super) fn is_correlated(&self) -> bool {
        let bound = CORRELATED / (self.blocks.len() as f64).sqrt();
        self.correlation().is_some_and(|r| r > bound)
    }

    /// The greatest rank correlation of neighbouring blocks over the latencies.
    fn correlation(&self) -> Option<f64> {
        let figures = [ShadowFigure::Ttft, ShadowFigure::Tpot, ShadowFigure::E2e];
        let of = |figure: &ShadowFigure| {
            let values: Vec<f64> = self.values(*figure).iter().map(|pair| pair.other).collect();
            let behind = values.get(1..)?;
            let before = values.get(..values.len() - 1)?;
            rank_correlation(before, behind).ok()?
        };
        figures.iter().filter_map(of).reduce(f64::max)
    }
}

/// The logarithm of shadow over primary; absent where a side lacks it, or it is not above 0.
fn log_ratio(pair: &ShadowPair, figure: ShadowFigure) -> Option<f64> {
    let (primary, shadow) = (figure.of(&pair.primary)?, figure.of(&pair.shadow)?);
    (primary > 0.0 && shadow > 0.0).then(|| (shadow / primary).ln())
}

/// The median; absent of nothing.
pub(super) fn middle(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let half = values.len() / 2;
    let upper = *values.get(half)?;
    Some(match values.len() % 2 {
        1 => upper,
        _ => 0.5 * (values[half - 1] + upper),
    })
}
