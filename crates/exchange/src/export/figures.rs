//! Every figure of a run as rows: metric, origin, statistic, value and bounds.
//!
//! Computes none. Invariant: a figure that the sample does not carry has no value, and keeps its interval.

use infermeter_analysis::{Cell, CellGrade, Distribution, Mean, Percentiles, Rate, Share, Summary};
use infermeter_metrics::origin::Origin;

/// A figure.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figure {
    pub(crate) metric: &'static str,
    /// What a latency is counted from; absent where that is no question.
    pub(crate) origin: Option<Origin>,
    /// `mean`, `p99` and the like; `rate` and `share` of what is no distribution.
    pub(crate) statistic: String,
    /// Failures counted as infinite latencies.
    pub(crate) with_failures: bool,
    pub(crate) unit: &'static str,
    pub(crate) value: Option<f64>,
    pub(crate) low: Option<f64>,
    pub(crate) high: Option<f64>,
    pub(crate) n: Option<u64>,
    pub(crate) effective_n: Option<f64>,
    /// How far the sample carries it; empty where that is not asked.
    pub(crate) grade: &'static str,
}

impl Figure {
    fn plain(series: Series, statistic: &str, value: Option<f64>, n: usize) -> Self {
        Self {
            metric: series.metric,
            origin: series.origin,
            statistic: statistic.to_owned(),
            with_failures: false,
            unit: series.unit,
            value,
            low: None,
            high: None,
            n: Some(n as u64),
            effective_n: None,
            grade: "",
        }
    }
}

/// What a row is about.
#[derive(Clone, Copy)]
struct Series {
    metric: &'static str,
    origin: Option<Origin>,
    unit: &'static str,
}

/// All figures of a summary, in the order of its tables.
pub(crate) fn of(summary: &Summary) -> Vec<Figure> {
    let mut rows = Vec::new();
    for (series, distribution) in distributions(summary) {
        rows.extend(of_distribution(series, distribution));
    }
    rows.extend(rates(summary));
    rows.extend(shares(summary));
    rows
}

fn distributions(summary: &Summary) -> Vec<(Series, &Distribution)> {
    let (latency, client) = (&summary.latency, &summary.client);
    let by_origin = [
        ("ttft", &latency.ttft),
        ("ttfo", &latency.ttfo),
        ("ntpot", &latency.ntpot),
        ("e2e", &latency.e2e),
    ];
    let ms = |metric, origin| Series {
        metric,
        origin,
        unit: "ms",
    };
    let both = by_origin.into_iter().flat_map(|(metric, of)| {
        Origin::ALL.map(|origin| (ms(metric, Some(origin)), of.from(origin)))
    });
    let tokens = Series {
        metric: "tokens_per_chunk",
        origin: None,
        unit: "tokens",
    };
    let plain = [
        ("tpot", &latency.tpot),
        ("tpot_after_first_chunk", &latency.tpot_after_first_chunk),
        ("itl", &latency.itl),
        ("chunk_gap", &latency.chunk_gap),
        ("smoothed_itl", &latency.smoothed_itl),
        ("first_byte", &latency.first_byte),
        ("connect", &latency.connect),
        ("tls", &latency.tls),
        ("send_lag", &client.send_lag),
        ("client_lag", &client.client_lag),
    ];
    let plain = plain.map(|(metric, of)| (ms(metric, None), of.as_ref()));
    let all = both
        .chain(plain)
        .chain([(tokens, latency.tokens_per_chunk.as_ref())]);
    all.filter_map(|(series, of)| Some((series, of?))).collect()
}

fn of_distribution(series: Series, of: &Distribution) -> Vec<Figure> {
    let plain = |statistic, value| Figure::plain(series, statistic, value, of.n);
    let mut rows = vec![
        Figure {
            effective_n: of.mean_effective_n,
            ..mean(series, of.mean, of.n)
        },
        plain("std", of.std),
        plain("min", Some(of.min)),
        plain("max", Some(of.max)),
    ];
    rows.extend(percentiles(series, &of.percentiles));
    let with = of
        .with_failures
        .iter()
        .flat_map(|cells| percentiles(series, cells));
    rows.extend(with.map(|row| Figure {
        with_failures: true,
        ..row
    }));
    rows
}

fn mean(series: Series, of: Option<Mean>, n: usize) -> Figure {
    Figure {
        low: of.and_then(|m| m.low),
        high: of.and_then(|m| m.high),
        ..Figure::plain(series, "mean", of.map(|m| m.value), n)
    }
}

fn percentiles(series: Series, of: &Percentiles) -> Vec<Figure> {
    let row = |(percentile, cell): (&infermeter_analysis::Percentile, &Cell)| Figure {
        low: cell.low,
        high: cell.high,
        effective_n: Some(cell.effective_n),
        grade: grade(cell.grade),
        value: cell.value.or(cell.infinite.then_some(f64::INFINITY)),
        ..Figure::plain(series, &percentile.to_string(), None, cell.n)
    };
    of.iter().map(row).collect()
}

fn grade(of: CellGrade) -> &'static str {
    match of {
        CellGrade::Full => "full",
        CellGrade::Indicative => "indicative",
        CellGrade::Unsupported => "unsupported",
    }
}

fn rates(summary: &Summary) -> Vec<Figure> {
    let Some(of) = &summary.throughput else {
        return Vec::new();
    };
    let goodput = summary.goodput.as_ref().and_then(|g| g.requests);
    let all: [(&'static str, Option<Rate>); 7] = [
        ("output_throughput", of.output_tokens),
        ("input_throughput", of.input_tokens),
        ("total_throughput", of.total_tokens),
        ("request_throughput", Some(of.requests)),
        ("output_throughput_per_gpu", of.output_tokens_per_gpu),
        ("request_throughput_per_gpu", of.requests_per_gpu),
        ("goodput", goodput),
    ];
    let row = |(metric, rate): (&'static str, Option<Rate>)| {
        let rate = rate?;
        let series = Series {
            metric,
            origin: None,
            unit: "1/s",
        };
        Some(Figure {
            low: rate.low,
            high: rate.high,
            n: Some(rate.count.max(0.0) as u64),
            ..Figure::plain(series, "rate", Some(rate.per_s), 0)
        })
    };
    all.into_iter().filter_map(row).collect()
}

fn shares(summary: &Summary) -> Vec<Figure> {
    let all: [(&'static str, Option<Share>); 2] = [
        ("error_rate", summary.requests.failed),
        ("attainment", summary.goodput.map(|g| g.attainment)),
    ];
    let row = |(metric, share): (&'static str, Option<Share>)| {
        let share = share?;
        let series = Series {
            metric,
            origin: None,
            unit: "",
        };
        Some(Figure {
            low: share.low,
            high: share.high,
            effective_n: Some(share.effective_n),
            ..Figure::plain(series, "share", Some(share.value), share.n)
        })
    };
    all.into_iter().filter_map(row).collect()
}
