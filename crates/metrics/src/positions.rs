//! The token-position curve: gaps by the place in the answer of the token that ends them, in bands
//! whose width doubles (token 2, 3 to 4, 5 to 8, ...).
//!
//! Holds no gap: the first reading counts, the third finds the values ([`crate::readings`]).
//! Invariant: a record with a chunk of unknown tokens takes no part.

use crate::milliseconds::to_ms;
use infermeter_core::clock::Offset;
use infermeter_core::record::{Outcome, RequestRecord};
use infermeter_core::schedule::Phase;
use infermeter_stats::{Quantile, RankTable, RankValues};

/// The percentiles of the curve.
pub const QUANTILES: [Quantile; 3] = [Quantile::P50, Quantile::P90, Quantile::P99];

/// Gaps by band, counted; band i ends with token 2^(i + 1).
#[derive(Debug, Clone, Default)]
pub struct Positions {
    bands: Vec<RankTable>,
}

/// The gaps of one band.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PositionBand {
    /// First token of the band; the answer's first is 1 and has no gap.
    pub first: u64,
    /// Last token of the band.
    pub last: u64,
    /// Gaps.
    pub n: u64,
    /// Order statistics at [`QUANTILES`], milliseconds.
    pub at: [Option<f64>; 3],
}

/// One gap, at the instant of the chunk that ends it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlacedGap {
    pub(crate) ms: f64,
    pub(crate) at: Offset,
}

/// Calls `f(band, gap)` for each gap of a completed measured request. The place of a chunk is that of
/// its first token.
pub(crate) fn for_each_gap(record: &RequestRecord, mut f: impl FnMut(usize, PlacedGap)) {
    let counts = record.phase == Phase::Measure && record.outcome == Outcome::Completed;
    if !counts || record.chunks.iter().any(|c| c.token_count().is_none()) {
        return;
    }
    let mut before = None;
    let mut tokens = 0_u64;
    for chunk in record.chunks.iter().filter(|c| c.tokens > 0) {
        if let Some(before) = before {
            let gap = PlacedGap {
                ms: to_ms(chunk.at.since(before)),
                at: chunk.at,
            };
            f(band_after(tokens), gap);
        }
        before = Some(chunk.at);
        tokens += u64::from(chunk.tokens);
    }
}

/// The band of a token with so many before it: 1 gives 0, 2 and 3 give 1, 4 to 7 give 2.
fn band_after(tokens: u64) -> usize {
    tokens.checked_ilog2().unwrap_or(0) as usize
}

impl Positions {
    pub(crate) fn take(&mut self, record: &RequestRecord) {
        for_each_gap(record, |band, gap| {
            if self.bands.len() <= band {
                self.bands.resize_with(band + 1, RankTable::default);
            }
            self.bands[band].add(gap.ms, 1);
        });
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        let longer = self.bands.len().max(other.bands.len());
        self.bands.resize_with(longer, RankTable::default);
        let pairs = self.bands.iter_mut().zip(&other.bands);
        pairs.for_each(|(own, other)| own.merge(other));
    }

    /// Counts by size of each band, from the second token on.
    pub fn tables(&self) -> impl Iterator<Item = &RankTable> {
        self.bands.iter()
    }

    /// What a further reading has to look for.
    pub(crate) fn wanted(&self) -> PositionValues {
        let bands = self.bands.iter().map(|table| {
            let ranks = QUANTILES.map(|q| q.rank(table.n() as usize) as u64);
            let located = ranks.iter().filter_map(|rank| table.locate(*rank));
            RankValues::of(located.map(|l| l.bucket).collect())
        });
        PositionValues(bands.collect())
    }

    /// The curve, from what that reading found; bands without a gap are left out.
    pub(crate) fn curve(&self, values: &PositionValues) -> Vec<PositionBand> {
        let bands = self.bands.iter().zip(&values.0).enumerate();
        let bands = bands.filter(|(_, (table, _))| table.n() > 0);
        bands
            .map(|(index, (table, values))| PositionBand {
                first: (1 << index) + 1,
                last: 1 << (index + 1),
                n: table.n(),
                at: QUANTILES.map(|q| values.at_rank(table, q.rank(table.n() as usize) as u64)),
            })
            .collect()
    }
}

/// Values in the buckets wanted, by band.
#[derive(Debug, Clone, Default)]
pub(crate) struct PositionValues(Vec<RankValues>);

impl PositionValues {
    pub(crate) fn is_idle(&self) -> bool {
        self.0.iter().all(RankValues::is_idle)
    }

    pub(crate) fn take(&mut self, record: &RequestRecord) {
        if !self.is_idle() {
            for_each_gap(record, |band, gap| {
                if let Some(values) = self.0.get_mut(band) {
                    values.add(gap.ms, 1);
                }
            });
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        let pairs = self.0.iter_mut().zip(&other.0);
        pairs.for_each(|(own, other)| own.merge(other));
    }
}

#[cfg(test)]
mod tests {
    use super::Positions;
    use crate::fixture::{Run, ms};

    #[test]
    fn bands_double_and_values_are_exact() {
        let mut run = Run::open(1.0, 10);
        run.stream(0, ms(20), ms(10), 9).pause_before(8, ms(5));
        // Chunks of three tokens: their first tokens are 1, 4 and 7.
        run.stream(100, ms(20), ms(30), 3).tokens_per_chunk(3);
        run.stream(200, ms(20), ms(99), 3).without_token_counts();
        let log = run.build();
        let (mut whole, mut rest) = (Positions::default(), Positions::default());
        whole.take(&log.records[1]);
        rest.take(&log.records[0]);
        rest.take(&log.records[2]);
        whole.merge(&rest);
        let mut values = whole.wanted();
        log.records.iter().for_each(|record| values.take(record));
        let curve = whole.curve(&values);
        let found: Vec<_> = curve
            .iter()
            .map(|b| (b.first, b.last, b.n, b.at.map(|v| v.expect("a value"))))
            .collect();
        let expect = vec![
            (2, 2, 1, [10.0, 10.0, 10.0]),
            (3, 4, 3, [10.0, 30.0, 30.0]),
            (5, 8, 5, [10.0, 30.0, 30.0]),
            (9, 16, 1, [15.0, 15.0, 15.0]),
        ];
        assert_eq!(found, expect);
    }
}
