//! How well arrivals are known: how many chunk instants are censored.
//!
//! Client lag is a token-level series ([`crate::token_series::TokenMetric::ClientLag`]).

use crate::milliseconds::to_ms;
use infermeter_core::record::{RequestRecord, StampSource};
use infermeter_core::schedule::Phase;
use infermeter_stats::{Bucket, RankTable, RankValues};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A chunk instant is uncertain where its width passes max(this, a tenth of the median gap), ms.
const LEAST_BOUND_MS: f64 = 1.0;
/// Share of the median chunk gap in that bound.
const BOUND_OF_MEDIAN_GAP: f64 = 0.1;

/// Chunk instants known only to lie between two stamps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Censoring {
    /// Chunks of measured requests, whatever their outcome.
    pub chunks: u64,
    /// Those that are not the last byte of their read: their width is above 0.
    pub censored: u64,
    /// Those whose width is above [`Self::bound_ms`].
    pub uncertain: u64,
    /// `uncertain` / `chunks`; absent without chunks.
    pub uncertain_share: Option<f64>,
    /// max(1 ms, 10 % of the median chunk gap), milliseconds.
    pub bound_ms: f64,
    /// The greatest width (stamp - lower bound), milliseconds; absent without chunks.
    pub widest_ms: Option<f64>,
}

/// Widths (stamp - lower bound) of the measured requests' chunk instants, counted.
#[derive(Debug, Clone, Default)]
pub struct Widths {
    chunks: u64,
    /// Those above 0, nanoseconds.
    table: RankTable,
    widest_ns: i64,
}

impl Widths {
    pub(crate) fn add(&mut self, record: &RequestRecord) {
        let imported = record.stamp_source == Some(StampSource::Imported);
        if record.phase != Phase::Measure || imported {
            return;
        }
        self.chunks += record.chunks.len() as u64;
        for_each_width(record, |width| {
            self.table.add(width as f64, 1);
            self.widest_ns = self.widest_ns.max(width);
        });
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.chunks += other.chunks;
        self.table.merge(&other.table);
        self.widest_ns = self.widest_ns.max(other.widest_ns);
    }

    /// The bucket in which a further reading has to tell widths from the bound; `None` where none
    /// lies so near.
    pub(crate) fn near(&self, median_gap_ms: Option<f64>) -> Option<Bucket> {
        let bound = bound_ns(bound_ms(median_gap_ms)) as f64;
        let (_, near) = self.table.beyond(bound);
        (near > 0).then(|| Bucket::of(bound))
    }

    /// The counts, with the widths near the bound from a further reading. `median_gap_ms` is the
    /// p50 of the chunk gap, where there is one.
    pub(crate) fn censoring(&self, median_gap_ms: Option<f64>, near: &RankValues) -> Censoring {
        let bound_ms = bound_ms(median_gap_ms);
        let bound = bound_ns(bound_ms) as f64;
        let uncertain = self.table.beyond(bound).0 + near.above(bound);
        let any = self.chunks > 0;
        Censoring {
            chunks: self.chunks,
            censored: self.table.n(),
            uncertain,
            uncertain_share: any.then(|| uncertain as f64 / self.chunks as f64),
            bound_ms,
            widest_ms: any.then(|| to_ms(self.widest_ns)),
        }
    }
}

fn bound_ms(median_gap_ms: Option<f64>) -> f64 {
    LEAST_BOUND_MS.max(median_gap_ms.unwrap_or(0.0) * BOUND_OF_MEDIAN_GAP)
}

fn bound_ns(bound_ms: f64) -> i64 {
    (bound_ms * 1e6) as i64
}

/// Calls out the widths above 0, nanoseconds.
pub(crate) fn for_each_width(record: &RequestRecord, each: impl FnMut(i64)) {
    let widths = record.chunks.iter().map(|c| c.at.since(c.lower));
    widths.filter(|width| *width > 0).for_each(each);
}

#[cfg(test)]
mod tests {
    use super::{Censoring, Widths, for_each_width};
    use crate::fixture::{Run, ms};
    use infermeter_core::run::RunLog;
    use infermeter_stats::RankValues;

    fn censoring(log: &RunLog, median_gap_ms: f64) -> Censoring {
        let mut widths = Widths::default();
        log.records.iter().for_each(|r| widths.add(r));
        let mut near = RankValues::of(widths.near(Some(median_gap_ms)).into_iter().collect());
        for record in &log.records {
            for_each_width(record, |width| near.add(width as f64, 1));
        }
        widths.censoring(Some(median_gap_ms), &near)
    }

    #[test]
    fn widths_above_the_bound_are_uncertain() {
        let mut run = Run::open(1.0, 10);
        run.stream(0, ms(20), ms(50), 5);
        let mut log = run.build();
        let chunks = &mut log.records[0].chunks;
        chunks[1].lower = chunks[1].at.plus(-ms(4));
        chunks[2].lower = chunks[2].at.plus(-ms(6));
        // Beside the bound of 5 ms, in its bucket.
        chunks[3].lower = chunks[3].at.plus(-ms(5));
        chunks[4].lower = chunks[4].at.plus(-ms(5) - 1);
        let found = censoring(&log, 50.0);
        assert_eq!((found.chunks, found.censored, found.uncertain), (5, 4, 2));
        assert_eq!((found.bound_ms, found.widest_ms), (5.0, Some(6.0)));
        assert_eq!(found.uncertain_share, Some(0.4));
        let tight = censoring(&log, 2.0);
        assert_eq!((tight.bound_ms, tight.uncertain), (1.0, 4));
    }
}
