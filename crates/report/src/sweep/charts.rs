//! The charts of a sweep: latency and throughput against load, the frontiers, and what was varied against load.
//!
//! Invariant: several curves are series of one picture, so that they can be held against each other.

use super::{Axis as Levels, SweepView};
use crate::chart::scale::Domain;
use crate::chart::{
    Across, Axis, Cells, Chart, Field, Marks, Point, Range, Reading, Rule, Series, Unit,
};
use crate::document::Mark;
use crate::number::figure;
use infermeter_analysis::{CurveAnswer, FrontierPoint, Level, Mean, SloStatus};

/// What points and intervals are, below a chart whose points are levels.
const OF_LEVELS: &str = "Each point is a level. Intervals are 95 %: of one run its own, of several Student's t over runs.";

/// What is counted at such a point.
const OF_RUNS: &str = "n counts the runs of a level.";

/// A latency against load.
struct Latency {
    slug: &'static str,
    title: &'static str,
    label: &'static str,
    /// The metric's name in objectives.
    metric: &'static str,
    middle: fn(&Level) -> Option<Mean>,
    tail: fn(&Level) -> Option<Mean>,
}

const LATENCIES: [Latency; 3] = [
    Latency {
        slug: "curve",
        title: "Time to first token by load",
        label: "TTFT",
        metric: "ttft",
        middle: |level| level.ttft.p50,
        tail: |level| level.ttft.p99,
    },
    Latency {
        slug: "curve-tpot",
        title: "Time per output token by load",
        label: "TPOT",
        metric: "tpot",
        middle: |level| level.tpot.p50,
        tail: |level| level.tpot.p99,
    },
    Latency {
        slug: "curve-e2e",
        title: "End-to-end time by load",
        label: "E2E",
        metric: "e2e",
        middle: |level| level.e2e.p50,
        tail: |level| level.e2e.p99,
    },
];

/// Every chart of a sweep that has something to show.
pub(super) fn charts(view: &SweepView<'_>) -> Vec<Chart> {
    let [first, others @ ..] = &LATENCIES;
    let mut charts = vec![curve(view, first).at_any_size()];
    charts.extend(others.iter().map(|latency| curve(view, latency)));
    charts.push(throughput(view));
    charts.push(frontier(view, &TAIL).at_any_size());
    charts.push(frontier(view, &USERS));
    charts.push(heat_map(view).at_any_size());
    charts.retain(|chart| !chart.is_empty());
    charts
}

fn load_axis(levels: Levels) -> Axis {
    match levels {
        Levels::Rate => Axis::linear("load asked", Unit::Of("requests/s".to_owned())).holding(0.0),
        Levels::Concurrency => Axis::logarithmic("load", Unit::Of("requests in flight".to_owned())),
    }
}

/// A figure of each level, as a line.
struct Figure<'a> {
    label: &'a str,
    of: fn(&Level) -> Option<Mean>,
    /// Whether its points say if the level meets the objectives.
    judged: bool,
}

impl Figure<'_> {
    fn series(&self, view: &SweepView<'_>, curve: &CurveAnswer) -> Series {
        let mut points = Vec::new();
        let mut missing = false;
        for level in &curve.levels {
            let Some(mean) = (self.of)(level) else {
                missing = true;
                continue;
            };
            points.push(Point {
                n: Some(level.runs as u64),
                label: if self.judged {
                    judged(level)
                } else {
                    String::new()
                },
                after_gap: std::mem::take(&mut missing),
                ..Point::of(Reading::exact(level.load), reading(mean))
            });
        }
        let name = view
            .names
            .get(curve.variant)
            .filter(|_| view.answer.curves.len() > 1);
        Series {
            label: match name {
                Some(name) => format!("{}, {name}", self.label),
                None => self.label.to_owned(),
            },
            marks: Marks::Line(points),
            ..Series::default()
        }
    }
}

fn reading(mean: Mean) -> Reading {
    match (mean.low, mean.high) {
        (None, None) => Reading::exact(mean.value),
        (low, high) => Reading::estimate(mean.value, low, high),
    }
}

/// Whether the objectives are met; nothing where there are none.
fn judged(level: &Level) -> String {
    match level.objectives.is_empty() {
        true => String::new(),
        false => mark(level).symbol().to_owned(),
    }
}

fn mark(level: &Level) -> Mark {
    match level.status {
        SloStatus::Met => Mark::Met,
        SloStatus::Missed => Mark::Missed,
        SloStatus::Undecided => Mark::Undecided,
    }
}

fn curve(view: &SweepView<'_>, latency: &Latency) -> Chart {
    let y = Axis::logarithmic(latency.label, Unit::Milliseconds);
    let mut chart = Chart::new(latency.slug, latency.title, load_axis(view.axis), y);
    let tail = Figure {
        label: &format!("{} p99", latency.label),
        of: latency.tail,
        judged: true,
    };
    let middle = Figure {
        label: &format!("{} p50", latency.label),
        of: latency.middle,
        judged: false,
    };
    for curve in &view.answer.curves {
        chart.series.push(tail.series(view, curve));
        chart.series.push(middle.series(view, curve));
    }
    chart
        .series
        .retain(|series| series.marks != Marks::Line(Vec::new()));
    chart.rules = rules(view, latency.metric);
    chart.said.push(OF_LEVELS.to_owned());
    chart.counted = OF_RUNS.to_owned();
    if chart.series.iter().any(is_labelled) {
        chart
            .said
            .push("✓ the level meets all objectives, ✗ it misses one, ? undecided.".to_owned());
    }
    chart
}

fn is_labelled(series: &Series) -> bool {
    match &series.marks {
        Marks::Line(points) => points.iter().any(|point| !point.label.is_empty()),
        _ => false,
    }
}

/// The objectives of a metric, once each.
fn rules(view: &SweepView<'_>, metric: &str) -> Vec<Rule> {
    let levels = view.answer.curves.iter().flat_map(|curve| &curve.levels);
    let mut rules: Vec<Rule> = Vec::new();
    for objective in levels.flat_map(|level| &level.objectives) {
        let of_it = objective.unit == "ms" && objective.objective.starts_with(metric);
        let known = rules.iter().any(|rule| rule.label == objective.objective);
        if of_it && !known {
            rules.push(Rule {
                across: Across::Y,
                at: objective.limit,
                label: objective.objective.clone(),
            });
        }
    }
    rules
}

/// What the server did at each load; where it stays behind the load, it cannot take it.
fn throughput(view: &SweepView<'_>) -> Chart {
    let levels = || view.answer.curves.iter().flat_map(|curve| &curve.levels);
    let tokens = levels().any(|level| level.output_tokens.is_some());
    let unit = if tokens { "tokens/s" } else { "requests/s" };
    let y = Axis::linear("throughput", Unit::Of(unit.to_owned())).holding(0.0);
    let mut chart = Chart::new("throughput", "Throughput by load", load_axis(view.axis), y);
    let figures = match tokens {
        true => vec![Figure {
            label: "output tokens",
            of: |level| level.output_tokens,
            judged: true,
        }],
        false => vec![
            Figure {
                label: "completed",
                of: |level| level.achieved,
                judged: true,
            },
            Figure {
                label: "goodput",
                of: |level| level.goodput,
                judged: false,
            },
        ],
    };
    for curve in &view.answer.curves {
        chart
            .series
            .extend(figures.iter().map(|figure| figure.series(view, curve)));
    }
    chart
        .series
        .retain(|series| series.marks != Marks::Line(Vec::new()));
    chart.said.push(OF_LEVELS.to_owned());
    chart.counted = OF_RUNS.to_owned();
    chart
}

/// A frontier.
struct Frontier {
    slug: &'static str,
    title: &'static str,
    points: fn(&CurveAnswer) -> &[FrontierPoint],
    x: fn(&SweepView<'_>) -> Axis,
    y: fn() -> Axis,
    /// Both sides of a level.
    of: fn(&Level) -> Option<[Mean; 2]>,
}

const TAIL: Frontier = Frontier {
    slug: "frontier",
    title: "Pareto frontier: throughput against the tail",
    points: |curve| &curve.throughput_and_tail,
    x: |view| {
        let levels = view.answer.curves.iter().flat_map(|curve| &curve.levels);
        let tokens = levels
            .into_iter()
            .any(|level| level.output_tokens.is_some());
        let unit = if tokens { "tokens/s" } else { "requests/s" };
        Axis::linear("throughput", Unit::Of(unit.to_owned())).holding(0.0)
    },
    y: || Axis::logarithmic("TTFT p99", Unit::Milliseconds),
    of: |level| {
        let tail = level.ttft.p99.or(level.e2e.p99)?;
        Some([level.output_tokens.or(level.achieved)?, tail])
    },
};

const USERS: Frontier = Frontier {
    slug: "frontier-users",
    title: "Pareto frontier: tokens per accelerator against tokens per user",
    points: |curve| &curve.gpu_and_user,
    x: |_| Axis::linear("per accelerator", Unit::Of("tokens/s".to_owned())).holding(0.0),
    y: || Axis::linear("per user", Unit::Of("tokens/s".to_owned())).holding(0.0),
    of: |level| Some([level.output_tokens_per_gpu?, level.per_user?]),
};

fn frontier(view: &SweepView<'_>, frontier: &Frontier) -> Chart {
    let mut chart = Chart::new(
        frontier.slug,
        frontier.title,
        (frontier.x)(view),
        (frontier.y)(),
    );
    let mut beaten: Vec<Point> = Vec::new();
    for curve in &view.answer.curves {
        let on_it = (frontier.points)(curve);
        let name = view
            .names
            .get(curve.variant)
            .filter(|_| view.answer.curves.len() > 1);
        chart.series.push(Series {
            label: match name {
                Some(name) => format!("frontier, {name}"),
                None => "frontier".to_owned(),
            },
            marks: Marks::Line(
                on_it
                    .iter()
                    .map(|point| of_frontier(curve, point))
                    .collect(),
            ),
            ..Series::default()
        });
        for level in &curve.levels {
            let is_on_it = on_it.iter().any(|point| point.load == level.load);
            if let (false, Some([x, y])) = (is_on_it, (frontier.of)(level)) {
                beaten.push(Point {
                    label: figure(level.load),
                    n: Some(level.runs as u64),
                    ..Point::of(reading(x), reading(y))
                });
            }
        }
    }
    if chart.is_empty() {
        return chart;
    }
    chart.series.push(Series {
        label: "other levels".to_owned(),
        marks: Marks::Points(beaten),
        ..Series::default()
    });
    chart
        .series
        .retain(|series| series.marks != Marks::Points(Vec::new()));
    chart.said.push(
        "The number at a point is its load. No other level beats those on the frontier in both; ? says that another \
         level is as good within its error. Intervals are 95 %."
            .to_owned(),
    );
    chart
}

fn of_frontier(curve: &CurveAnswer, point: &FrontierPoint) -> Point {
    let knee = curve
        .knee
        .as_ref()
        .is_some_and(|knee| knee.load == point.load);
    let sure = if point.uncertain { " ?" } else { "" };
    let bend = if knee { ", knee" } else { "" };
    let level = curve.levels.iter().find(|level| level.load == point.load);
    Point {
        label: format!("{}{bend}{sure}", figure(point.load)),
        n: level.map(|level| level.runs as u64),
        ..Point::of(reading(point.throughput), reading(point.other))
    }
}

/// What was varied against load: the tail of each level.
fn heat_map(view: &SweepView<'_>) -> Chart {
    let curves = &view.answer.curves;
    if curves.len() < 2 {
        return Chart::default();
    }
    let loads = super::loads(curves);
    let names = curves
        .iter()
        .map(|curve| view.names.get(curve.variant).cloned().unwrap_or_default());
    let title = load_axis(view.axis);
    let x = Axis::categories(
        Domain::of(&title, &[], 1).title,
        loads.iter().map(|load| figure(*load)).collect(),
    );
    let mut chart = Chart::new(
        "heat-map",
        "TTFT p99 by what was varied and load",
        x,
        Axis::categories("", names.collect()),
    );
    let mut cells = Vec::new();
    for (row, curve) in curves.iter().enumerate() {
        for level in &curve.levels {
            let column = loads.iter().position(|load| *load == level.load);
            if let Some((column, mean)) = column.zip(super::tail(level)) {
                cells.push(Field {
                    x: Range::of_category(column),
                    y: Range::of_category(row),
                    value: reading(mean),
                    n: Some(level.runs as u64),
                    label: judged(level),
                });
            }
        }
    }
    chart.series.push(Series {
        label: "TTFT p99".to_owned(),
        marks: Marks::Cells(Cells {
            of: Axis::logarithmic("TTFT p99", Unit::Milliseconds),
            cells,
        }),
        ..Series::default()
    });
    chart.said.push(
        "Stronger is longer; a level that does not support the p99 shows its p50. An empty field was not measured, or \
         its runs carry neither percentile; the levels below say which."
            .to_owned(),
    );
    chart
}
