//! The distribution of one metric: percentiles, mean, extremes, and the form with failures.

use crate::CONFIDENCE;
use crate::figure::{Cell, Mean};
use crate::percentile::Percentile;
use crate::token_figures::TokenFigure;
use infermeter_metrics::readings::{BATCHES, BLOCK_NS};
use infermeter_metrics::token_series::TimedSamples;
use infermeter_stats::{BlockSeries, SampleSeries, batch_means, observed_span, summarise};
use serde::Serialize;
use std::collections::BTreeMap;

/// Cells by percentile.
pub type Percentiles = BTreeMap<Percentile, Cell>;

/// What one observation of a series is. Series of different weights are different populations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// A request.
    Request,
    /// A chunk.
    Chunk,
    /// A token.
    Token,
    /// A read from a socket.
    Read,
}

/// The distribution of one metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Distribution {
    /// Unit of every value: `ms` or `tokens`.
    pub unit: &'static str,
    /// What one observation is.
    pub weight: Weight,
    /// Observations.
    pub n: usize,
    /// Arithmetic mean with its interval.
    pub mean: Option<Mean>,
    /// Smallest observation.
    pub min: f64,
    /// Largest observation.
    pub max: f64,
    /// ESS / n < 0.5 at p50, p90 or p99: requests share a queue. Absent for token-level series,
    /// which are never taken as independent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlated: Option<bool>,
    /// Percentiles over successes.
    pub percentiles: Percentiles,
    /// Percentiles with each failure as +infinity; absent where nothing failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with_failures: Option<Percentiles>,
}

impl Distribution {
    /// From values of requests in time order; `None` without values.
    pub(crate) fn of_requests(samples: &[f64], wanted: &[Percentile]) -> Option<Self> {
        let series = SampleSeries::new(samples).ok()?;
        let mean = summarise(samples, CONFIDENCE).ok();
        Some(Self {
            unit: "ms",
            weight: Weight::Request,
            n: samples.len(),
            mean: mean.map(|s| Mean::new(s.mean, s.mean_interval)),
            min: *series.sorted().first()?,
            max: *series.sorted().last()?,
            correlated: Some(series.correlated()),
            percentiles: request_percentiles(&series, wanted),
            with_failures: None,
        })
    }

    /// Of a token-level series that was read; `unit` is `ms` or `tokens`.
    pub(crate) fn of_series(
        figure: &TokenFigure,
        (unit, weight): (&'static str, Weight),
        wanted: &[Percentile],
    ) -> Self {
        Self {
            unit,
            weight,
            n: figure.n,
            mean: figure.mean,
            min: figure.min,
            max: figure.max,
            correlated: None,
            percentiles: cells_of(figure, wanted),
            with_failures: None,
        }
    }

    /// From values with their instants that are held; `None` without values.
    pub(crate) fn of_instants(
        samples: &TimedSamples,
        weight: Weight,
        wanted: &[Percentile],
    ) -> Option<Self> {
        let series = BlockSeries::new(&samples.values, &samples.at_ns, BLOCK_NS).ok()?;
        Some(Self {
            unit: "ms",
            weight,
            n: samples.values.len(),
            mean: mean_by_batches(samples),
            min: *series.sorted().first()?,
            max: *series.sorted().last()?,
            correlated: None,
            percentiles: block_percentiles(&series, wanted),
            with_failures: None,
        })
    }

    /// The cell of one percentile.
    pub fn cell(&self, percentile: Percentile) -> Option<&Cell> {
        self.percentiles.get(&percentile)
    }

    /// The order statistic of this sample at a percentile, whatever its grade: for checks of what
    /// happened, not for figures.
    pub fn order_statistic(&self, percentile: Percentile) -> Option<f64> {
        self.cell(percentile).map(|c| c.order_statistic)
    }
}

/// Percentiles of values of requests (failures may be +infinity).
pub(crate) fn request_percentiles(series: &SampleSeries<'_>, wanted: &[Percentile]) -> Percentiles {
    let cell = |p: &Percentile| {
        let estimate = series.estimate(p.quantile(), CONFIDENCE).ok()?;
        Some((*p, Cell::from(&estimate)))
    };
    wanted.iter().filter_map(cell).collect()
}

/// Percentiles of values with instants.
fn block_percentiles(series: &BlockSeries<'_>, wanted: &[Percentile]) -> Percentiles {
    let cell = |p: &Percentile| {
        let estimate = series.estimate(p.quantile(), CONFIDENCE).ok()?;
        Some((*p, Cell::from(&estimate)))
    };
    wanted.iter().filter_map(cell).collect()
}

/// [`request_percentiles`] of unsorted samples; `None` without samples.
pub(crate) fn request_cells(samples: &[f64], wanted: &[Percentile]) -> Option<Percentiles> {
    let series = SampleSeries::new(samples).ok()?;
    Some(request_percentiles(&series, wanted))
}

/// The wanted cells of a token-level series.
pub(crate) fn cells_of(figure: &TokenFigure, wanted: &[Percentile]) -> Percentiles {
    let cells = figure.cells.iter();
    let cells = cells.filter(|(percentile, _)| wanted.contains(percentile));
    cells.map(|(p, cell)| (*p, cell.clone())).collect()
}

fn mean_by_batches(samples: &TimedSamples) -> Option<Mean> {
    let span = observed_span(&samples.at_ns)?;
    let n = samples.values.len() as f64;
    let mean = samples.values.iter().sum::<f64>() / n;
    let batches = batch_means(&samples.values, &samples.at_ns, span, BATCHES).ok();
    let means: Vec<f64> = batches
        .unwrap_or_default()
        .iter()
        .filter_map(|b| b.mean)
        .collect();
    Some(Mean::of_batches(mean, &means, CONFIDENCE))
}
