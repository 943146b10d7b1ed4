//! Objectives: each one judged, and the requests that met them all.

use crate::CONFIDENCE;
use crate::distribution::request_percentiles;
use crate::figure::{Cell, CellGrade, Share};
use crate::percentile::Percentile;
use crate::requests::{share_of, share_on};
use crate::run::Run;
use crate::throughput::Rate;
use crate::token_figures::TokenFigures;
use infermeter_core::run::Window;
use infermeter_core::slo::Slo;
use infermeter_core::text::Word;
use infermeter_metrics::attainment::{SloSeries, attained, slo_series};
use infermeter_metrics::origin::Origin;
use infermeter_metrics::population::{Failures, Population, is_failure};
use infermeter_metrics::request_metric::RequestMetric;
use infermeter_metrics::samples::request_samples;
use infermeter_metrics::throughput::WindowCount;
use infermeter_metrics::token_series::{Group, SeriesId, TokenMetric};
use infermeter_stats::{Plausible, Quantile, SampleSeries};
use serde::{Deserialize, Serialize};

/// Whether an objective is met. The order is that of gravity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SloStatus {
    /// The percentile, failures counted as +infinity, is within the limit.
    Met,
    /// Too few data to tell: no sample of the metric, or neither the percentile is supported nor does
    /// its range lie on one side of the limit.
    Undecided,
    /// The percentile is not within the limit.
    Missed,
}

/// One objective, judged with failures as +infinity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SloLine {
    /// As written: `ttft.p99<500ms`.
    pub objective: String,
    /// The metric's name.
    pub metric: Word,
    /// The percentile.
    pub percentile: Percentile,
    /// The limit, milliseconds.
    pub limit_ms: f64,
    /// Met, missed, or undecided for want of data.
    pub status: SloStatus,
    /// The limit lies inside the range in which the percentile plausibly lies.
    pub straddles: bool,
    /// The sample's order statistic at the percentile, failures as +infinity, milliseconds, whether or
    /// not the sample supports it as a figure; absent among the failures and where nothing is decided.
    pub judged_ms: Option<f64>,
    /// The percentile with failures as +infinity, milliseconds.
    pub cell: Option<Cell>,
    /// Share of the requests that meet this objective on their own.
    pub attainment: Option<Share>,
}

/// The requests that met every objective.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
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
        let judged = self.cell(slo, percentile);
        let settled = judged
            .as_ref()
            .and_then(|(cell, waits)| settled(cell, *waits, limit_ms));
        let cell = judged.map(|(cell, _)| cell);
        let by_value = || by_value(cell.as_ref()?, limit_ms);
        let status = settled.or_else(by_value).unwrap_or(SloStatus::Undecided);
        let met = attained(self.population, slos, self.origin, |other| other == index);
        Some(SloLine {
            objective: slo.to_string(),
            metric: slo.metric.name().into(),
            percentile,
            limit_ms,
            status,
            straddles: cell.is_some() && settled.is_none(),
            judged_ms: cell
                .as_ref()
                .filter(|_| status != SloStatus::Undecided)
                .and_then(|c| c.order_statistic)
                .filter(|ms| ms.is_finite()),
            attainment: cell.as_ref().and_then(|_| share_of(&indicator(&met))),
            cell,
        })
    }

    /// The percentile, failures as +infinity, and how far its bounds carry.
    fn cell(&self, slo: &Slo, percentile: Percentile) -> Option<(Cell, Neighbours)> {
        let failures = Failures::AsInfinity;
        match slo_series(slo.metric) {
            SloSeries::Request(metric) => {
                let samples = request_samples(self.population, metric, self.origin, failures);
                let series = SampleSeries::new(&samples).ok()?;
                let neighbours = match series.correlated() {
                    true => Neighbours::Alike,
                    false => Neighbours::Independent,
                };
                // The table's percentiles, too: what one needs depends on those before it.
                let mut wanted = Percentile::of_plan(&self.run.manifest.plan);
                wanted.push(percentile);
                let cell = request_percentiles(&series, &wanted).remove(&percentile)?;
                Some((cell, neighbours))
            }
            SloSeries::Token(metric) => {
                let cell = self.token_cell(metric, percentile)?;
                Some((cell, Neighbours::Independent))
            }
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

/// Whether neighbouring values depend on each other in a way that the interval sees a part of only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Neighbours {
    /// No, or the interval rests on time blocks.
    Independent,
    /// The series is flagged as correlated.
    Alike,
}

/// The answer where the whole range in which the percentile plausibly lies is on one side of the limit,
/// whether or not the sample supports the percentile as a figure: a few slow requests of a hundred settle
/// that a p99 is missed.
fn settled(cell: &Cell, neighbours: Neighbours, limit_ms: f64) -> Option<SloStatus> {
    let bounds = (cell.low, cell.high);
    let (low, high) = match (neighbours, cell.grade) {
        (Neighbours::Independent, _) | (Neighbours::Alike, CellGrade::Full) => bounds,
        (Neighbours::Alike, grade) => {
            let value = cell.order_statistic?;
            let range = Plausible::of(value, bounds, true);
            let (low, high) = range.map_or(bounds, |range| range.bounds(value));
            // Below ten effective tail samples a queue's worst episodes are not in the sample.
            (low, high.filter(|_| grade != CellGrade::Unsupported))
        }
    };
    if high.is_some_and(|high| high <= limit_ms) {
        return Some(SloStatus::Met);
    }
    let missed = cell.low_is_infinite || low.is_some_and(|low| low > limit_ms);
    missed.then_some(SloStatus::Missed)
}

/// What the percentile itself says where its range holds the limit; nothing where the sample does not
/// support it.
fn by_value(cell: &Cell, limit_ms: f64) -> Option<SloStatus> {
    let supported = cell.grade != CellGrade::Unsupported;
    let value = cell.order_statistic.filter(|_| supported)?;
    Some(match value <= limit_ms {
        true => SloStatus::Met,
        false => SloStatus::Missed,
    })
}

/// The requests that met every objective; absent without objectives or requests, and where an objective
/// has no sample: a request cannot meet what nobody can see.
pub(crate) fn goodput(
    run: &Run,
    population: &Population<'_>,
    (origin, lines): (Origin, &[SloLine]),
    window: Option<Window>,
) -> Option<Goodput> {
    let slos = &run.manifest.plan.slo;
    if slos.is_empty() || lines.iter().any(|line| line.cell.is_none()) {
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
