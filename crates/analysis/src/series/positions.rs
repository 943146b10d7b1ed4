//! The gap by token position, with the intervals that its time blocks give.
//!
//! Percentiles are those of the summary, exact. Bounds are those of the buckets that hold their ranks: at most
//! 1/4096 above the order statistic.

use super::Estimated;
use crate::CONFIDENCE;
use crate::positions::PositionGaps;
use infermeter_metrics::positions::{Positions, QUANTILES};
use infermeter_stats::BlockCounter;
use schemars::JsonSchema;
use serde::Serialize;

/// The gaps of one band of token positions, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct PositionSeries {
    /// First token of the band; an answer's first is 1 and has no gap.
    pub first: u64,
    /// Its last token.
    pub last: u64,
    /// Gaps.
    pub n: u64,
    /// The median, where enough time blocks carry it.
    pub p50: Option<Estimated>,
    /// The 90th percentile.
    pub p90: Option<Estimated>,
    /// The 99th percentile.
    pub p99: Option<Estimated>,
}

pub(super) fn series(
    tables: &Positions,
    bands: &[Option<BlockCounter>],
    exact: &[PositionGaps],
) -> Vec<PositionSeries> {
    let bands = tables
        .tables()
        .zip(bands)
        .filter(|(table, _)| table.n() > 0);
    let bands = bands.zip(exact);
    bands
        .filter_map(|((table, blocks), exact)| {
            let blocks = blocks.as_ref()?;
            let [p50, p90, p99] = QUANTILES.map(|q| {
                let point = blocks.point(table, q, CONFIDENCE).ok()??;
                Estimated::of(&point.estimate(|rank| table.at_most(rank)))
            });
            Some(PositionSeries {
                first: exact.first,
                last: exact.last,
                n: exact.n,
                p50: at(p50, exact.p50),
                p90: at(p90, exact.p90),
                p99: at(p99, exact.p99),
            })
        })
        .collect()
}

/// The estimate at the exact value, which lies in the same bucket.
fn at(estimated: Option<Estimated>, exact: Option<f64>) -> Option<Estimated> {
    let (estimated, value) = estimated.zip(exact)?;
    Some(Estimated {
        value,
        low: estimated.low.map(|low| low.min(value)),
        high: estimated.high,
    })
}
