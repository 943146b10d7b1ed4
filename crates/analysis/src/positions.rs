//! The token-position curve as figures: percentiles of the gap in each band of positions.
//!
//! No intervals: it shows a shape. Invariant: a percentile with fewer than
//! [`limits::POSITION_TAIL`] gaps beyond it has no value.

use crate::limits;
use infermeter_metrics::positions::{PositionBand, QUANTILES};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Gaps of the tokens of one band of positions, over completed measured requests.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PositionGaps {
    /// First token of the band; the answer's first is 1 and has no gap.
    pub first: u64,
    /// Last token of the band.
    pub last: u64,
    /// Gaps, one for each chunk whose first token lies in the band.
    pub n: u64,
    /// Their median, milliseconds; absent with too few.
    pub p50: Option<f64>,
    /// Their p90, milliseconds.
    pub p90: Option<f64>,
    /// Their p99, milliseconds.
    pub p99: Option<f64>,
}

impl From<&PositionBand> for PositionGaps {
    fn from(band: &PositionBand) -> Self {
        let supported = |index: usize| {
            let n = band.n as usize;
            let beyond = n - QUANTILES[index].rank(n);
            band.at[index].filter(|_| beyond >= limits::POSITION_TAIL)
        };
        Self {
            first: band.first,
            last: band.last,
            n: band.n,
            p50: supported(0),
            p90: supported(1),
            p99: supported(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::summary::summarize_log;
    use infermeter_metrics::fixture::{Run, ms};

    #[test]
    fn a_thin_tail_has_no_value() {
        let mut run = Run::open(10.0, 20);
        for i in 0..200 {
            run.stream(i * 100, ms(60), ms(10), 4);
        }
        let curve = summarize_log(&run.build()).1.token_positions;
        let found: Vec<_> = curve.iter().map(|b| (b.first, b.last, b.n)).collect();
        assert_eq!(found, vec![(2, 2, 200), (3, 4, 400)]);
        assert_eq!((curve[0].p50, curve[0].p90), (Some(10.0), Some(10.0)));
        assert_eq!(curve[0].p99, None);
    }
}
