//! One more reading of a run, for its charts: gaps, stamps and lags over time, the bounds of a few
//! requests' instants, and the time blocks behind the curve by token position.
//!
//! Made only where somebody wants charts. Memory does not depend on the number of chunks. What falls
//! outside the axis is left out: a record of wild instants makes no chart, and no fault.

use crate::collect::Collected;
use crate::positions::{QUANTILES, for_each_gap};
use crate::readings::BLOCK_NS;
use crate::series::axis::TimeAxis;
use crate::series::spread::Spread;
use crate::token_series::{FIXED, TokenMetric, TokenValue, for_each_value, part_of};
use infermeter_core::clock::Offset;
use infermeter_core::record::{Outcome, RequestRecord};
use infermeter_core::request::RequestId;
use infermeter_core::source::{ChunkFields, RecordSource};
use infermeter_stats::{BlockCounter, RankTable, TimeSpan};
use std::collections::BTreeMap;

/// What is asked of the reading.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// The parts of the time.
    pub axis: TimeAxis,
    /// Which form of the gap is taken: ITL, or the chunk gap where tokens are unknown.
    pub gap: TokenMetric,
    /// Requests whose first and last instants are wanted with their bounds, ascending.
    pub picked: &'a [RequestId],
}

/// An instant that lies between two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Between {
    /// The earliest that it can have been.
    pub low: Offset,
    /// The stamp.
    pub high: Offset,
}

/// First and last chunk of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// The first chunk.
    pub first: Between,
    /// The last one.
    pub last: Between,
}

/// Gaps of one band of token positions, with their time blocks.
#[derive(Debug, Clone)]
pub struct BandBlocks {
    /// Counts by size.
    pub table: RankTable,
    /// Counts by time around the wanted percentiles.
    pub blocks: BlockCounter,
}

/// What the reading gave.
#[derive(Debug, Clone, Default)]
pub struct Pass {
    /// Gaps of completed requests of every phase, by the part in which each ended, nanoseconds.
    pub gaps: Vec<Spread>,
    /// Widths of the chunks' instants (stamp less lower bound), nanoseconds.
    pub widths: Vec<Spread>,
    /// How much later the program had read what the kernel stamped, nanoseconds.
    pub lags: Vec<Spread>,
    /// The requests that were picked and have a chunk.
    pub ends: BTreeMap<RequestId, Ends>,
    /// By band of token positions, from the second token on; absent where a span has more blocks than
    /// can be counted.
    pub bands: Vec<Option<BandBlocks>>,
}

/// Reads a run once more.
///
/// # Errors
/// Those of the source.
pub fn pass<S: RecordSource + ?Sized>(
    source: &S,
    run: &Collected,
    asked: &Asked<'_>,
) -> Result<Pass, S::Error> {
    let blank = Pass::blank(run, asked);
    let fields = ChunkFields {
        kind: false,
        ..ChunkFields::ALL
    };
    let take = |own: &mut Pass, record: &RequestRecord| own.take(record, asked);
    let parts = source.scan(fields, &|| blank.clone(), &take)?;
    let mut whole = blank.clone();
    parts.into_iter().for_each(|part| whole.merge(part));
    Ok(whole)
}

/// Room for the gaps of one band; the table is that of the first reading.
fn band(table: &RankTable, axis: &TimeAxis) -> Option<BandBlocks> {
    let ranks = QUANTILES.map(|q| q.rank(table.n() as usize) as u64);
    let targets = ranks
        .iter()
        .filter_map(|rank| Some(table.locate(*rank)?.bucket));
    let span = TimeSpan {
        first_ns: axis.start.0,
        last_ns: axis.end().plus(-1).0,
    };
    let blocks = BlockCounter::new(span, BLOCK_NS, targets.collect()).ok()?;
    Some(BandBlocks {
        table: table.clone(),
        blocks,
    })
}

impl Pass {
    fn blank(run: &Collected, asked: &Asked<'_>) -> Self {
        let empty = || vec![Spread::default(); asked.axis.parts];
        Self {
            gaps: empty(),
            widths: empty(),
            lags: empty(),
            ends: BTreeMap::new(),
            bands: run
                .positions
                .tables()
                .map(|t| band(t, &asked.axis))
                .collect(),
        }
    }

    fn take(&mut self, record: &RequestRecord, asked: &Asked<'_>) {
        let axis = &asked.axis;
        if record.outcome == Outcome::Completed {
            for_each_value(record, asked.gap, |v| add(&mut self.gaps, axis, v));
        }
        if part_of(record, TokenMetric::ClientLag).is_some() {
            for_each_value(record, TokenMetric::ClientLag, |v| {
                add(&mut self.lags, axis, v);
            });
        }
        for chunk in &record.chunks {
            let part = axis.part(chunk.at);
            if let Some(spread) = part.and_then(|part| self.widths.get_mut(part)) {
                spread.add(chunk.at.since(chunk.lower), 1);
            }
        }
        if asked.picked.binary_search(&record.id).is_ok() {
            self.ends
                .extend(Ends::of(record).map(|ends| (record.id, ends)));
        }
        for_each_gap(record, |band, gap| {
            if let Some(Some(band)) = self.bands.get_mut(band)
                && axis.part(gap.at).is_some()
            {
                band.blocks.add(gap.ms, gap.at.0, 1);
            }
        });
    }

    fn merge(&mut self, other: Self) {
        let both = [
            (&mut self.gaps, &other.gaps),
            (&mut self.widths, &other.widths),
            (&mut self.lags, &other.lags),
        ];
        for (own, other) in both {
            own.iter_mut()
                .zip(other)
                .for_each(|(own, other)| own.merge(other));
        }
        self.ends.extend(other.ends);
        for (own, other) in self.bands.iter_mut().zip(&other.bands) {
            if let (Some(own), Some(other)) = (own, other) {
                own.blocks.merge(&other.blocks);
            }
        }
    }
}

impl Ends {
    fn of(record: &RequestRecord) -> Option<Self> {
        let (first, last) = (record.chunks.first()?, record.chunks.last()?);
        let between = |chunk: &infermeter_core::record::Chunk| Between {
            low: chunk.lower.min(chunk.at),
            high: chunk.at,
        };
        Some(Self {
            first: between(first),
            last: between(last),
        })
    }
}

fn add(spreads: &mut [Spread], axis: &TimeAxis, value: TokenValue) {
    let part = axis.part(Offset(value.at_ns));
    if let Some(spread) = part.and_then(|part| spreads.get_mut(part)) {
        spread.add(value.fixed / FIXED, u64::from(value.count));
    }
}
