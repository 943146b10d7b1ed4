//! One more reading of a run, for its charts: gaps, stamps and lags over time, the bounds of a few
//! requests' instants, and the time blocks behind the curve by token position.
//!
//! Made only where somebody wants charts. Memory does not depend on the number of chunks. What falls
//! outside the axis is left out: a record of wild instants makes no chart, and no fault.

use crate::collect::Collected;
use crate::positions::{QUANTILES, for_each_gap};
use crate::readings::BLOCK_NS;
use crate::series::axis::TimeAxis;
use crate::series::spreads::Spreads;
use crate::token_series::{FIXED, TokenMetric, TokenValue, for_each_value, part_of};
use infermeter_core::clock::Offset;
use infermeter_core::record::{Outcome, RequestRecord};
use infermeter_core::request::{ClassIndex, RequestId};
use infermeter_core::source::{ChunkFields, RecordSource};
use infermeter_stats::{BlockCounter, Bucket, RankTable, TimeSpan};
use std::collections::BTreeMap;

/// What is asked of the reading.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// The parts of the time.
    pub axis: TimeAxis,
    /// Which form of the gap is taken: ITL, or the chunk gap where tokens are unknown.
    pub gap: TokenMetric,
    /// Classes whose gaps are wanted apart, too.
    pub classes: &'a [ClassIndex],
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

/// What the reading gave.
#[derive(Debug, Clone)]
pub struct Pass {
    /// Gaps of completed requests of every phase, by the part in which each ended, nanoseconds.
    pub gaps: Spreads,
    /// The same of each class that is wanted apart, in the order asked for.
    pub gaps_by_class: Vec<Spreads>,
    /// Widths of the chunks' instants (stamp less lower bound), nanoseconds.
    pub widths: Spreads,
    /// How much later the program had read what the kernel stamped, nanoseconds.
    pub lags: Spreads,
    /// The requests that were picked and have a chunk.
    pub ends: BTreeMap<RequestId, Ends>,
    /// Gaps by band of token positions, from the second token on, counted by time block around the wanted
    /// percentiles; each counts as the end of its bucket in the band's table, so that a band of equal gaps
    /// takes no memory. Absent where a span has more blocks than can be counted.
    pub bands: Vec<Option<BlockCounter>>,
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
    let mut whole = blank;
    parts.into_iter().for_each(|part| whole.merge(part));
    Ok(whole)
}

/// Room for the gaps of one band; the table is that of the first reading.
fn band(table: &RankTable, axis: &TimeAxis) -> Option<BlockCounter> {
    let ranks = QUANTILES.map(|q| q.rank(table.n() as usize) as u64);
    let targets = ranks
        .iter()
        .filter_map(|rank| Some(table.locate(*rank)?.bucket));
    let span = TimeSpan {
        first_ns: axis.start.0,
        last_ns: axis.end().plus(-1).0,
    };
    BlockCounter::new(span, BLOCK_NS, targets.collect()).ok()
}

impl Pass {
    fn blank(run: &Collected, asked: &Asked<'_>) -> Self {
        let tables = run.positions.tables();
        Self {
            gaps: Spreads::new(asked.axis),
            gaps_by_class: vec![Spreads::new(asked.axis); asked.classes.len()],
            widths: Spreads::new(asked.axis),
            lags: Spreads::new(asked.axis),
            ends: BTreeMap::new(),
            bands: tables.map(|table| band(table, &asked.axis)).collect(),
        }
    }

    fn take(&mut self, record: &RequestRecord, asked: &Asked<'_>) {
        if record.outcome == Outcome::Completed {
            let class = asked
                .classes
                .iter()
                .position(|class| *class == record.class);
            let mut apart = class.and_then(|class| self.gaps_by_class.get_mut(class));
            for_each_value(record, asked.gap, |v| {
                add(&mut self.gaps, v);
                if let Some(apart) = &mut apart {
                    add(apart, v);
                }
            });
        }
        if part_of(record, TokenMetric::ClientLag).is_some() {
            for_each_value(record, TokenMetric::ClientLag, |v| add(&mut self.lags, v));
        }
        for chunk in &record.chunks {
            self.widths.add(chunk.at, chunk.at.since(chunk.lower), 1);
        }
        if asked.picked.binary_search(&record.id).is_ok() {
            let ends = Ends::of(record);
            self.ends.extend(ends.map(|ends| (record.id, ends)));
        }
        let inside = asked.axis.start..asked.axis.end();
        for_each_gap(record, |band, gap| {
            if let Some(Some(blocks)) = self.bands.get_mut(band)
                && inside.contains(&gap.at)
            {
                blocks.add(Bucket::of(gap.ms).end(), gap.at.0, 1);
            }
        });
    }

    fn merge(&mut self, other: Self) {
        self.gaps.merge(&other.gaps);
        for (own, other) in self.gaps_by_class.iter_mut().zip(&other.gaps_by_class) {
            own.merge(other);
        }
        self.widths.merge(&other.widths);
        self.lags.merge(&other.lags);
        self.ends.extend(other.ends);
        for (own, other) in self.bands.iter_mut().zip(&other.bands) {
            if let (Some(own), Some(other)) = (own, other) {
                own.merge(other);
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

#[inline]
fn add(spreads: &mut Spreads, value: TokenValue) {
    let at = Offset(value.at_ns);
    spreads.add(at, value.fixed / FIXED, u64::from(value.count));
}
