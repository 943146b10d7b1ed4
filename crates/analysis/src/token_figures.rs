//! The second and third reading of a run: figures of the token-level series, what arrived inside
//! the window, and how many chunk instants are uncertain.

use crate::CONFIDENCE;
use crate::distribution::points_of;
use crate::figure::{Cell, Mean};
use crate::percentile::Percentile;
use crate::run::Run;
use infermeter_core::run::Window;
use infermeter_core::slo::{Figure, Slo, Statistic};
use infermeter_core::source::RecordSource;
use infermeter_metrics::arrivals::Arrivals;
use infermeter_metrics::attainment::{Objectives, SloSeries, slo_series};
use infermeter_metrics::collect::Collected;
use infermeter_metrics::population::{Failures, Population, is_failure};
use infermeter_metrics::positions::PositionBand;
use infermeter_metrics::readings::{Wanted, WantedRanks, second_reading, third_reading};
use infermeter_metrics::receive::Censoring;
use infermeter_metrics::tally::Tally;
use infermeter_metrics::throughput::Throughput;
use infermeter_metrics::token_series::{Group, SeriesId, TokenMetric};
use infermeter_stats::{BlockPoint, EcdfPoint, batch_effective_n};
use std::collections::BTreeMap;

/// Nanoseconds in the unit of a series (or tokens in a token).
fn unit(metric: TokenMetric) -> f64 {
    match metric {
        TokenMetric::TokensPerChunk => 1.0,
        TokenMetric::ChunkGap
        | TokenMetric::Itl
        | TokenMetric::SmoothedItl
        | TokenMetric::ClientLag => 1e6,
    }
}

/// Figures of one series.
#[derive(Debug, Clone)]
pub(crate) struct TokenFigure {
    pub(crate) n: usize,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) mean: Option<Mean>,
    pub(crate) mean_effective_n: Option<f64>,
    pub(crate) std: Option<f64>,
    pub(crate) ecdf: Vec<EcdfPoint>,
    pub(crate) cells: BTreeMap<Percentile, Cell>,
}

/// What the readings gave.
#[derive(Debug, Clone)]
pub(crate) struct TokenFigures {
    series: BTreeMap<SeriesId, TokenFigure>,
    pub(crate) throughput: Option<Throughput>,
    pub(crate) arrivals: Option<Arrivals>,
    pub(crate) censoring: Censoring,
    /// Gaps by token position.
    pub(crate) positions: Vec<PositionBand>,
}

impl TokenFigures {
    /// Reads the records twice more.
    pub(crate) fn read<S: RecordSource + ?Sized>(
        run: &Run,
        source: &S,
        percentiles: &[Percentile],
        window: Option<Window>,
    ) -> Result<Self, S::Error> {
        let of_objectives = |group| objective_percentiles(run, group, percentiles);
        let asked = |series: &SeriesId| match series.metric {
            TokenMetric::ClientLag => percentiles.to_vec(),
            _ => of_objectives(series.group),
        };
        let wanted: Vec<Wanted> = existing(&run.collected)
            .into_iter()
            .map(|(series, tally)| Wanted {
                series,
                tally,
                quantiles: asked(&series).iter().map(|p| p.quantile()).collect(),
            })
            .collect();
        let second = second_reading(source, &wanted, window)?;
        let points: Vec<Vec<BlockPoint>> = wanted
            .iter()
            .zip(&second.series)
            .map(|(wanted, reading)| {
                let quantiles = wanted.quantiles.iter();
                let point = |q| reading.as_ref()?.point(&wanted.tally, q, CONFIDENCE).ok()?;
                quantiles.filter_map(|q| point(*q)).collect()
            })
            .collect();
        let ranks = wanted.iter().zip(&points).map(|(wanted, points)| {
            let ranks = points.iter().map(BlockPoint::ranks);
            let ranks = ranks.flat_map(|r| [r.low, r.high]).flatten();
            WantedRanks {
                series: wanted.series,
                tally: wanted.tally.clone(),
                ranks: ranks.map(|rank| rank as u64).collect(),
            }
        });
        let ranks: Vec<WantedRanks> = ranks.collect();
        let median_gap = median_gap(&wanted, &points);
        let third = third_reading(source, &ranks, &run.collected, median_gap)?;
        let mut series = BTreeMap::new();
        for (index, wanted) in wanted.iter().enumerate() {
            let Some(reading) = &second.series[index] else {
                continue;
            };
            let tally = &wanted.tally;
            let at_rank = |rank| third.values[index].at_rank(tally.table(), rank);
            let cells = points[index]
                .iter()
                .map(|p| Cell::from(&p.estimate(at_rank)));
            let figure = TokenFigure {
                cells: asked(&wanted.series).into_iter().zip(cells).collect(),
                ..figure(
                    tally,
                    reading.batch_means(unit(wanted.series.metric)),
                    wanted.series,
                )
            };
            series.insert(wanted.series, figure);
        }
        Ok(Self {
            series,
            throughput: second.throughput,
            arrivals: second.arrivals,
            censoring: third.censoring,
            positions: third.positions,
        })
    }

    /// The figures of a series; `None` where it has no value.
    pub(crate) fn of(&self, series: SeriesId) -> Option<&TokenFigure> {
        self.series.get(&series)
    }
}

fn figure(tally: &Tally, batches: Vec<f64>, series: SeriesId) -> TokenFigure {
    let unit = unit(series.metric);
    let (mean, std, n) = (tally.mean(unit), tally.std(unit), tally.n() as usize);
    TokenFigure {
        n,
        std,
        mean_effective_n: std.and_then(|std| batch_effective_n(std, n, &batches)),
        ecdf: points_of(tally.table()),
        min: tally.min(),
        max: tally.max(),
        mean: mean.map(|mean| Mean::of_batches(mean, &batches, CONFIDENCE)),
        cells: BTreeMap::new(),
    }
}

/// The percentiles of every table, and those of the token-level objectives on a group.
fn objective_percentiles(run: &Run, group: Group, percentiles: &[Percentile]) -> Vec<Percentile> {
    let objectives = Objectives::of(&run.manifest);
    let of_tokens = |slo: &Slo| match &slo.of.figure {
        Figure::Latency(latency) if objectives.group(&slo.of) == Some(group) => {
            match (slo_series(latency.metric), latency.statistic) {
                (SloSeries::Token(_), Statistic::Percentile(p)) => Percentile::new(p),
                _ => None,
            }
        }
        _ => None,
    };
    let mut all = percentiles.to_vec();
    all.extend(objectives.slos.iter().filter_map(of_tokens));
    all.sort();
    all.dedup();
    all
}

/// The series that differ from each other and have a value.
fn existing(run: &Collected) -> Vec<(SeriesId, Tally)> {
    let mut all = vec![SeriesId {
        group: Group::All,
        metric: TokenMetric::ClientLag,
        failures: Failures::Excluded,
    }];
    for group in run.groups() {
        let any_failed = population(run, group).records().any(is_failure);
        let mut metrics = vec![TokenMetric::ChunkGap, TokenMetric::TokensPerChunk];
        if !run.one_token_each(group) {
            metrics.extend([TokenMetric::Itl, TokenMetric::SmoothedItl]);
        }
        for metric in metrics {
            let series = |failures| SeriesId {
                group,
                metric,
                failures,
            };
            all.push(series(Failures::Excluded));
            if any_failed && metric != TokenMetric::TokensPerChunk {
                all.push(series(Failures::AsInfinity));
            }
        }
    }
    let tallied = |series| Some((series, run.tally(series)?));
    all.into_iter().filter_map(tallied).collect()
}

/// The measured requests of a group.
pub(crate) fn population(run: &Collected, group: Group) -> Population<'_> {
    let all = Population::of(run);
    match group {
        Group::All => all,
        Group::Class(class) => all.class(class),
    }
}

/// p50 of the chunk gap over all completed requests, milliseconds.
fn median_gap(wanted: &[Wanted], points: &[Vec<BlockPoint>]) -> Option<f64> {
    let gap = SeriesId {
        group: Group::All,
        metric: TokenMetric::ChunkGap,
        failures: Failures::Excluded,
    };
    let index = wanted.iter().position(|w| w.series == gap)?;
    let p50 = Percentile::DEFAULT[0].quantile();
    let place = wanted[index].quantiles.iter().position(|q| *q == p50)?;
    Some(points.get(index)?.get(place)?.value())
}
