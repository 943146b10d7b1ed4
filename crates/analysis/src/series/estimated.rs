//! A value for a chart, never without its interval.

use crate::CONFIDENCE;
use crate::figure::Cell;
use infermeter_stats::{Estimate, Quantile, quantile_estimate};
use schemars::JsonSchema;
use serde::Serialize;

/// An estimate with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Estimated {
    /// The value.
    pub value: f64,
    /// Lower bound; absent where the sample gives none.
    pub low: Option<f64>,
    /// Upper bound; absent where the interval is open above.
    pub high: Option<f64>,
}

impl Estimated {
    /// A percentile that the sample carries.
    pub(super) fn of(estimate: &Estimate) -> Option<Self> {
        Self::of_cell(&Cell::from(estimate))
    }

    /// That of a cell; `None` where that has no value.
    pub fn of_cell(cell: &Cell) -> Option<Self> {
        Some(Self {
            value: cell.value?,
            low: cell.low,
            high: cell.high,
        })
    }

    /// A percentile of values of requests in time order, where they carry it.
    pub(super) fn of_values(values: &[f64], quantile: Quantile) -> Option<Self> {
        let estimate = quantile_estimate(values, quantile, CONFIDENCE).ok()?;
        Self::of(&estimate)
    }
}
