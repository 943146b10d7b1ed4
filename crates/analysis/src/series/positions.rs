//! The gap by token position, with the intervals that its time blocks give.
//!
//! Percentiles are those of the summary, exact. Bounds are those of the buckets that hold their ranks: at most
//! 1/4096 above the order statistic.

use super::Estimated;
use crate::CONFIDENCE;
use infermeter_metrics::positions::QUANTILES;
use infermeter_metrics::series::pass::BandBlocks;
use serde::Serialize;

/// The gaps of one band of token positions, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
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

pub(super) fn series(bands: &[Option<BandBlocks>]) -> Vec<PositionSeries> {
    let bands = bands.iter().enumerate();
    let bands = bands.filter_map(|(index, band)| Some((index, band.as_ref()?)));
    let bands = bands.filter(|(_, band)| band.table.n() > 0);
    bands
        .map(|(index, band)| {
            let [p50, p90, p99] = QUANTILES.map(|q| {
                let point = band.blocks.point(&band.table, q, CONFIDENCE).ok()??;
                Estimated::of(&point.estimate(|rank| band.table.at_most(rank)))
            });
            PositionSeries {
                first: (1 << index) + 1,
                last: 1 << (index + 1),
                n: band.table.n(),
                p50,
                p90,
                p99,
            }
        })
        .collect()
}
