//! The distribution of one metric: percentiles, mean, extremes, and the form with failures.

use crate::CONFIDENCE;
use crate::figure::{Cell, Mean};
use crate::limits::ECDF_POINTS;
use crate::percentile::Percentile;
use crate::token_figures::TokenFigure;
use infermeter_core::text::Word;
use infermeter_metrics::readings::{BATCHES, BLOCK_NS};
use infermeter_metrics::token_series::TimedSamples;
use infermeter_stats::{
    BlockSeries, EcdfPoint, SampleSeries, band_half_height, batch_means, ecdf, observed_span,
    summarise,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Cells by percentile.
pub type Percentiles = BTreeMap<Percentile, Cell>;

/// What one observation of a series is. Series of different weights are different populations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// A session.
    Session,
}

/// The distribution of one metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Distribution {
    /// Unit of every value: `ms` or `tokens`.
    pub unit: Word,
    /// What one observation is.
    pub weight: Weight,
    /// Observations.
    pub n: usize,
    /// Arithmetic mean with its interval; of values of requests only where they are worth at least ten
    /// independent ones.
    pub mean: Option<Mean>,
    /// Values that the mean needs, at the dependence seen; only where it is absent for want of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_needed: Option<usize>,
    /// Independent observations whose mean would be as precise.
    pub mean_effective_n: Option<f64>,
    /// Sample standard deviation; absent for one observation.
    pub std: Option<f64>,
    /// Smallest observation.
    pub min: f64,
    /// Largest observation.
    pub max: f64,
    /// p99 / p50; absent where one of them is, or p50 is 0.
    pub tail_ratio: Option<f64>,
    /// ESS / n < 0.5 at p50, p90 or p99: requests share a queue. Absent for token-level series,
    /// which are never taken as independent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlated: Option<bool>,
    /// Percentiles over successes.
    pub percentiles: Percentiles,
    /// Percentiles with each failure as +infinity; absent where nothing failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with_failures: Option<Percentiles>,
    /// The distribution function of the successes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ecdf: Option<Ecdf>,
}

/// An empirical distribution function with its band of 95 % simultaneous coverage (Dvoretzky,
/// Kiefer and Wolfowitz, on the smallest effective sample size of the percentiles).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ecdf {
    /// Points, ascending: exact shares at these values.
    pub at: Vec<f64>,
    /// Share of the observations at or below each.
    pub share: Vec<f64>,
    /// The band reaches this far below and above each share.
    pub band: f64,
}

impl Ecdf {
    fn of(points: &[EcdfPoint], n: usize, cells: &Percentiles) -> Option<Self> {
        let effective = cells.values().map(|cell| cell.effective_n);
        let effective = effective.fold(n as f64, f64::min);
        Some(Self {
            at: points.iter().map(|p| p.at).collect(),
            share: points.iter().map(|p| p.count as f64 / n as f64).collect(),
            band: band_half_height(effective, CONFIDENCE).ok()?,
        })
    }
}

/// p99 / p50 of cells that have both.
fn tail_ratio(cells: &Percentiles) -> Option<f64> {
    let of = |percent: f64| cells.get(&Percentile::new(percent)?)?.value;
    let (p50, p99) = (of(50.0)?, of(99.0)?);
    (p50 > 0.0).then(|| p99 / p50)
}

impl Distribution {
    /// From values of requests in time order; `None` without values.
    pub(crate) fn of_requests(samples: &[f64], wanted: &[Percentile]) -> Option<Self> {
        let series = SampleSeries::new(samples).ok()?;
        let summary = summarise(samples, CONFIDENCE).ok();
        let percentiles = request_percentiles(&series, wanted);
        let points = ecdf(series.sorted(), ECDF_POINTS);
        Some(Self {
            unit: "ms".into(),
            weight: Weight::Request,
            n: samples.len(),
            mean: summary
                .filter(|s| s.mean_needs().is_none())
                .map(|s| Mean::new(s.mean, s.mean_interval)),
            mean_needed: summary.and_then(|s| s.mean_needs()),
            mean_effective_n: summary.map(|s| s.effective_n),
            std: summary.and_then(|s| s.std),
            tail_ratio: tail_ratio(&percentiles),
            ecdf: Ecdf::of(&points, samples.len(), &percentiles),
            min: *series.sorted().first()?,
            max: *series.sorted().last()?,
            correlated: Some(series.correlated()),
            percentiles,
            with_failures: None,
        })
    }

    /// Of a token-level series that was read; `unit` is `ms` or `tokens`.
    pub(crate) fn of_series(
        figure: &TokenFigure,
        unit: &'static str,
        weight: Weight,
        wanted: &[Percentile],
    ) -> Self {
        let percentiles = cells_of(figure, wanted);
        Self {
            unit: unit.into(),
            weight,
            n: figure.n,
            mean: figure.mean,
            mean_needed: None,
            mean_effective_n: figure.mean_effective_n,
            std: figure.std,
            tail_ratio: tail_ratio(&percentiles),
            ecdf: Ecdf::of(&figure.ecdf, figure.n, &percentiles),
            min: figure.min,
            max: figure.max,
            correlated: None,
            percentiles,
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
        let percentiles = block_percentiles(&series, wanted);
        let moments = summarise(&samples.values, CONFIDENCE).ok();
        Some(Self {
            unit: "ms".into(),
            weight,
            n: samples.values.len(),
            mean: mean_by_batches(samples),
            mean_needed: None,
            mean_effective_n: moments.map(|s| s.effective_n),
            std: moments.and_then(|s| s.std),
            tail_ratio: tail_ratio(&percentiles),
            ecdf: None,
            min: *series.sorted().first()?,
            max: *series.sorted().last()?,
            correlated: None,
            percentiles,
            with_failures: None,
        })
    }

    /// The cell of one percentile.
    pub fn cell(&self, percentile: Percentile) -> Option<&Cell> {
        self.percentiles.get(&percentile)
    }

    /// The order statistic of this sample at a percentile, whatever its grade: for checks of what
    /// happened, not for figures. A summary that was read has none.
    pub fn order_statistic(&self, percentile: Percentile) -> Option<f64> {
        self.cell(percentile).and_then(|c| c.order_statistic)
    }
}

/// Percentiles of values of requests (failures may be +infinity).
pub(crate) fn request_percentiles(series: &SampleSeries<'_>, wanted: &[Percentile]) -> Percentiles {
    let cell = |p: &Percentile| {
        let estimate = series.estimate(p.quantile(), CONFIDENCE).ok()?;
        Some((*p, Cell::from(&estimate)))
    };
    let mut cells = wanted.iter().filter_map(cell).collect();
    outwards(&mut cells);
    cells
}

/// A percentile further out never needs less than one nearer to the median: dependence is estimated for
/// each on its own, and a slow wave moves the median more than the tail. A sample in which not even the
/// median stands has no tail.
fn outwards(cells: &mut Percentiles) {
    let median = Percentile::DEFAULT[0];
    let above = cells.range_mut(median..).map(|(_, cell)| cell);
    above.fold(None, Cell::needing_at_least);
    let below = cells.range_mut(..=median).rev().map(|(_, cell)| cell);
    below.fold(None, Cell::needing_at_least);
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
