//! Objectives: each one judged, and the requests that met them all.

use crate::CONFIDENCE;
use crate::distribution::request_cells;
use crate::figure::{Cell, Share};
use crate::percentile::Percentile;
use crate::requests::{share_of, share_on};
use crate::run::Run;
use crate::throughput::Rate;
use crate::token_figures::TokenFigures;
use infermeter_core::run::Window;
use infermeter_core::slo::Slo;
use infermeter_metrics::attainment::{SloSeries, attained, slo_series};
use infermeter_metrics::origin::Origin;
use infermeter_metrics::population::{Failures, Population, is_failure};
use infermeter_metrics::request_metric::RequestMetric;
use infermeter_metrics::samples::request_samples;
use infermeter_metrics::throughput::WindowCount;
use infermeter_metrics::token_series::{Group, SeriesId, TokenMetric};
use infermeter_stats::{Quantile, SampleSeries};
use serde::Serialize;

/// Whether an objective is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SloStatus {
    /// The percentile, failures counted as +infinity, is within the limit.
    Met,
    /// It is not.
    Missed,
    /// There is no sample of this metric.
    NoData,
}

/// One objective, judged with failures as +infinity.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SloLine {
    /// As written: `ttft.p99<500ms`.
    pub objective: String,
    /// The metric's name.
    pub metric: &'static str,
    /// The percentile.
    pub percentile: Percentile,
    /// The limit, milliseconds.
    pub limit_ms: f64,
    /// Tick or cross.
    pub status: SloStatus,
    /// The interval does not decide: the limit lies inside it.
    pub straddles: bool,
    /// What was judged: the sample's order statistic at the percentile, failures as +infinity,
    /// milliseconds, whether or not the sample supports it as a figure; absent among the failures.
    pub judged_ms: Option<f64>,
    /// The percentile with failures as +infinity, milliseconds.
    pub cell: Option<Cell>,
    /// Share of the requests that meet this objective on their own.
    pub attainment: Option<Share>,
}

/// The requests that met every objective.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Goodput {
    /// Share of the measured requests that meet every objective; failures, time-outs and
    /// truncations are misses.
    pub attainment: Share,
    /// Those requests per second of the window; absent without a window.
    pub requests: Option<Rate>,
}

/// Judges each objective of the plan.
pub(crate) fn slo_lines(
    run: &Run,
    population: &Population<'_>,
    origin: Origin,
    figures: &TokenFigures,
) -> Vec<SloLine> {
    let judge = Judge {
        run,
        population,
        origin,
        figures,
    };
    let slos = 0..run.manifest.plan.slo.len();
    slos.filter_map(|index| judge.line(index)).collect()
}

/// What objectives are judged on.
struct Judge<'a> {
    run: &'a Run,
    population: &'a Population<'a>,
    origin: Origin,
    figures: &'a TokenFigures,
}

impl Judge<'_> {
    fn line(&self, index: usize) -> Option<SloLine> {
        let slos = &self.run.manifest.plan.slo;
        let slo = slos.get(index)?;
        let percentile = Percentile::new(slo.percentile)?;
        let limit_ms = slo.limit.ns() as f64 / 1e6;
        let cell = self.cell(slo, percentile);
        let status = match &cell {
            None => SloStatus::NoData,
            Some(cell) if cell.order_statistic <= limit_ms => SloStatus::Met,
            Some(_) => SloStatus::Missed,
        };
        let met = attained(self.population, slos, self.origin, |other| other == index);
        Some(SloLine {
            objective: slo.to_string(),
            metric: slo.metric.name(),
            percentile,
            limit_ms,
            status,
            straddles: cell.as_ref().is_some_and(|c| straddles(c, limit_ms)),
            judged_ms: cell
                .as_ref()
                .map(|c| c.order_statistic)
                .filter(|ms| ms.is_finite()),
            attainment: cell.as_ref().and_then(|_| share_of(&indicator(&met))),
            cell,
        })
    }

    /// The percentile, failures as +infinity.
    fn cell(&self, slo: &Slo, percentile: Percentile) -> Option<Cell> {
        let failures = Failures::AsInfinity;
        match slo_series(slo.metric) {
            SloSeries::Request(metric) => {
                let samples = request_samples(self.population, metric, self.origin, failures);
                request_cells(&samples, &[percentile])?.remove(&percentile)
            }
            SloSeries::Token(metric) => self.token_cell(metric, percentile),
        }
    }

    fn token_cell(&self, metric: TokenMetric, percentile: Percentile) -> Option<Cell> {
        let any_failed = self.population.records().any(is_failure);
        let one_each = self.run.collected.one_token_each(Group::All);
        let series = SeriesId {
            group: Group::All,
            metric: if one_each {
                TokenMetric::ChunkGap
            } else {
                metric
            },
            failures: if any_failed {
                Failures::AsInfinity
            } else {
                Failures::Excluded
            },
        };
        self.figures.of(series)?.cells.get(&percentile).cloned()
    }
}

/// Neither bound settles which side of the limit the percentile lies on.
fn straddles(cell: &Cell, limit_ms: f64) -> bool {
    let surely_met = cell.high.is_some_and(|high| high <= limit_ms);
    let surely_missed = cell.low.is_some_and(|low| low > limit_ms);
    // A lower bound among the failures is +infinity, which a cell shows as absent.
    let lost_in_failures = cell.infinite && cell.low.is_none();
    !(surely_met || surely_missed || lost_in_failures)
}

/// The requests that met every objective; absent without objectives or requests.
pub(crate) fn goodput(
    run: &Run,
    population: &Population<'_>,
    origin: Origin,
    window: Option<Window>,
) -> Option<Goodput> {
    let slos = &run.manifest.plan.slo;
    if slos.is_empty() {
        return None;
    }
    let met = attained(population, slos, origin, |_| true);
    let indicator = indicator(&met);
    let attainment = if met.iter().all(|m| *m) {
        share_on(&indicator, lent_effective_n(slos, population, origin))
    } else {
        share_of(&indicator)
    };
    let requests = window.map(|window| {
        let mut count = WindowCount::new(window);
        for (record, met) in population.judged().zip(&met) {
            count.add(record.intended, f64::from(u8::from(*met)));
        }
        Rate::from(&count)
    });
    Some(Goodput {
        attainment: attainment?,
        requests,
    })
}

fn indicator(met: &[bool]) -> Vec<f64> {
    met.iter().map(|m| f64::from(u8::from(*m))).collect()
}

/// With no miss the indicator has no variance: the smallest effective sample size of the p90
/// indicator over the objectives' metrics stands in (statistics.md, percentiles). A token-level
/// metric lends that of E2E.
fn lent_effective_n(slos: &[Slo], population: &Population<'_>, origin: Origin) -> f64 {
    let of = |slo: &Slo| {
        let metric = match slo_series(slo.metric) {
            SloSeries::Request(metric) => metric,
            SloSeries::Token(_) => RequestMetric::E2e,
        };
        let samples = request_samples(population, metric, origin, Failures::AsInfinity);
        let series = SampleSeries::new(&samples).ok()?;
        let estimate = series.estimate(Quantile::P90, CONFIDENCE).ok()?;
        Some(estimate.effective_n)
    };
    slos.iter()
        .filter_map(of)
        .fold(population.len() as f64, f64::min)
}
