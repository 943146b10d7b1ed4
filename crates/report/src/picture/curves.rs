//! Sweeps in one picture: throughput and latency by load, of several settings, engines or load models.
//!
//! Curves of an open and of a closed loop stand over the same axis: the requests per second that an open loop
//! asks for, and those that a closed loop gets, since it asks for no more. What lies between the two at one rate
//! is what a closed loop hides.

use crate::chart::{Across, Axis, Chart, Marks, Point, Reading, Rule, Series, Unit};
use infermeter_analysis::{CurveAnswer, Level, Mean, MiddleAndTail};
use infermeter_core::number::counted;
use infermeter_core::run::LoadModel;
use infermeter_core::text::inert;

/// Longest name of a curve in a chart, bytes.
const NAME: usize = 60;

/// A curve with what it is of.
#[derive(Debug, Clone, Copy)]
pub struct NamedCurve<'a> {
    /// The setting or engine; may be empty where there is one.
    pub name: &'a str,
    /// Open or closed loop.
    pub load_model: LoadModel,
    /// Its levels and what they say.
    pub curve: &'a CurveAnswer,
}

/// A latency of a level.
struct Metric {
    slug: &'static str,
    name: &'static str,
    of: fn(&Level) -> &MiddleAndTail,
}

const METRICS: [Metric; 3] = [
    Metric {
        slug: "curve-ttft",
        name: "TTFT",
        of: |level| &level.ttft,
    },
    Metric {
        slug: "curve-itl",
        name: "ITL",
        of: |level| &level.itl,
    },
    Metric {
        slug: "curve-e2e",
        name: "E2E",
        of: |level| &level.e2e,
    },
];

/// Latencies over requests per second, a chart each, then output tokens over load.
pub fn curves(all: &[NamedCurve<'_>]) -> Vec<Chart> {
    let mut charts: Vec<Chart> = METRICS.iter().map(|metric| latency(metric, all)).collect();
    charts.push(throughput(all));
    charts
}

fn latency(metric: &Metric, all: &[NamedCurve<'_>]) -> Chart {
    let x = Axis::linear("rate", Unit::Of("requests/s".to_owned())).holding(0.0);
    let y = Axis::logarithmic(metric.name, Unit::Milliseconds);
    let title = format!("{} by rate", metric.name);
    let mut chart = Chart::new(metric.slug, title, x, y);
    for named in all {
        let percentiles: [(&str, fn(&MiddleAndTail) -> Option<Mean>); 2] =
            [("p50", |m| m.p50), ("p99", |m| m.p99)];
        for (percentile, of) in percentiles {
            let point = |level: &Level| Some((rate(named, level)?, of((metric.of)(level))?));
            let points = points(named.curve, point);
            if !points.is_empty() {
                chart.series.push(series(named, Some(percentile), points));
            }
        }
    }
    chart.rules = limits(metric, all);
    chart.said.push(said(all));
    chart.said.push(
        "A point is a level, at the rate that an open loop asked for or a closed loop got; bars are 95 % intervals of both figures: of a run where a level has one, over runs \
         where it has several. A percentile that no run supports has no point."
            .to_owned(),
    );
    if all.iter().any(|c| c.load_model == LoadModel::ClosedLoop) {
        chart.said.push(
            "In a closed loop a request waits for the answer before it, so its latency is counted from the send \
             and the queue in front of it is not seen: compare the curves at the same rate."
                .to_owned(),
        );
    }
    chart
}

fn throughput(all: &[NamedCurve<'_>]) -> Chart {
    let x = Axis::linear("load asked for", Unit::Number).holding(0.0);
    let y = Axis::linear("output", Unit::Of("tokens/s".to_owned())).holding(0.0);
    let mut chart = Chart::new("curve-throughput", "Output tokens by load", x, y);
    for named in all {
        let points = points(named.curve, |level| {
            Some((exact(level.load), level.output_tokens?))
        });
        if !points.is_empty() {
            chart.series.push(series(named, None, points));
        }
    }
    chart.said.push(said(all));
    chart.said.push(
        "Load is requests per second in an open loop, slots in a closed one. Bars are 95 % intervals.".to_owned(),
    );
    chart
}

/// The rate of a level: asked for in an open loop, reached in a closed one.
fn rate(named: &NamedCurve<'_>, level: &Level) -> Option<Mean> {
    match named.load_model {
        LoadModel::OpenLoop => Some(exact(level.load)),
        LoadModel::ClosedLoop => level.achieved,
    }
}

fn exact(value: f64) -> Mean {
    Mean {
        value,
        low: None,
        high: None,
    }
}

/// A point a level, in the order of x.
fn points(curve: &CurveAnswer, of: impl Fn(&Level) -> Option<(Mean, Mean)>) -> Vec<Point> {
    let point = |level: &Level| {
        let (x, y) = of(level)?;
        Some(Point {
            n: Some(level.runs as u64),
            ..Point::of(reading(x), reading(y))
        })
    };
    let mut points: Vec<Point> = curve.levels.iter().filter_map(point).collect();
    points.sort_by(|a, b| a.x.value.total_cmp(&b.x.value));
    points
}

fn reading(mean: Mean) -> Reading {
    match (mean.low, mean.high) {
        (None, None) => Reading::exact(mean.value),
        (low, high) => Reading::estimate(mean.value, low, high),
    }
}

fn series(named: &NamedCurve<'_>, percentile: Option<&str>, points: Vec<Point>) -> Series {
    let model = match named.load_model {
        LoadModel::OpenLoop => "open loop",
        LoadModel::ClosedLoop => "closed loop",
    };
    let name = inert(named.name, NAME);
    let parts = [percentile.unwrap_or(""), &name, model];
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    Series {
        label: parts.collect::<Vec<_>>().join(", "),
        n: Some(points.iter().filter_map(|p| p.n).sum()),
        marks: Marks::Line(points),
        ..Series::default()
    }
}

fn said(all: &[NamedCurve<'_>]) -> String {
    let runs: usize = all
        .iter()
        .flat_map(|c| &c.curve.levels)
        .map(|level| level.runs)
        .sum();
    format!(
        "{} of {}; counts are runs of a level.",
        counted(runs as u64, "run"),
        counted(all.len() as u64, "curve")
    )
}

/// The limits of the objectives on this latency, each once.
fn limits(metric: &Metric, all: &[NamedCurve<'_>]) -> Vec<Rule> {
    let levels = all.iter().flat_map(|c| &c.curve.levels);
    let objectives = levels.flat_map(|level| &level.objectives);
    let name = metric.name.to_lowercase();
    let of_it = objectives.filter(|o| o.objective.starts_with(&name) && &*o.unit == "ms");
    let mut rules: Vec<Rule> = Vec::new();
    for objective in of_it {
        if rules.iter().all(|rule| rule.label != objective.objective) {
            rules.push(Rule {
                across: Across::Y,
                at: objective.limit,
                label: objective.objective.clone(),
            });
        }
    }
    rules
}
