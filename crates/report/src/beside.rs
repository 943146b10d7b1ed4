//! Several sweeps in one picture: latency by rate, of several settings, engines or load models.
//!
//! Curves of an open and of a closed loop stand over the same axis: the requests per second that an open loop
//! asks for, and those that a closed loop gets, since it asks for no more. What lies between the two at one rate
//! is what a closed loop hides. Decides nothing: whether sides differ is asked by `infermeter compare`.

use crate::chart::{Across, Axis, Chart, Marks, Point, Reading, Rule, Series, Unit};
use crate::document::{Block, Cell, Column, Document, Section, Table, Tone};
use crate::number::{TimeUnit, figure, interval};
use crate::sweep::{Axis as Levels, SweepView};
use infermeter_analysis::{CurveAnswer, Level, Mean, MiddleAndTail};
use infermeter_core::number::counted;
use infermeter_core::run::LoadModel;
use infermeter_core::text::inert;

/// Longest name of a curve in a chart, bytes.
const NAME: usize = 60;

/// A sweep with the name that it has beside others.
#[derive(Debug, Clone)]
pub struct NamedSweep<'a> {
    /// What it is of: an engine, a setting, a directory.
    pub name: &'a str,
    /// What it says.
    pub view: SweepView<'a>,
}

/// One curve of one sweep.
struct NamedCurve<'a> {
    name: String,
    load_model: LoadModel,
    curve: &'a CurveAnswer,
}

/// A percentile of a latency, where a level has it.
type OfLatency = fn(&MiddleAndTail) -> Option<Mean>;

const PERCENTILES: [(&str, OfLatency); 2] = [("p50", |m| m.p50), ("p99", |m| m.p99)];

/// A latency of a level.
struct Metric {
    slug: &'static str,
    name: &'static str,
    of: fn(&Level) -> &MiddleAndTail,
}

const METRICS: [Metric; 3] = [
    Metric {
        slug: "sweeps-ttft",
        name: "TTFT",
        of: |level| &level.ttft,
    },
    Metric {
        slug: "sweeps-itl",
        name: "ITL",
        of: |level| &level.itl,
    },
    Metric {
        slug: "sweeps-e2e",
        name: "E2E",
        of: |level| &level.e2e,
    },
];

/// What is told of sweeps beside each other.
pub fn of_sweeps(sweeps: &[NamedSweep<'_>]) -> Document {
    let all: Vec<NamedCurve<'_>> = sweeps.iter().flat_map(curves_of).collect();
    let mut document = Document::titled("Sweeps beside each other");
    let charts = METRICS.iter().map(|metric| latency(metric, &all));
    let mut section = charts.fold(Section::new("Latency by rate"), Section::with);
    let tables = METRICS.iter().map(|metric| (metric, table(metric, &all)));
    for (metric, table) in tables.filter(|(_, table)| !table.rows.is_empty()) {
        section.push(Block::Heading(format!("{} by rate", metric.name)));
        section.push(table);
    }
    section.push(Block::Text(Tone::Aside, NOT_A_COMPARISON.to_owned()));
    document.push(section);
    document
}

/// What a reader must not take the picture for.
const NOT_A_COMPARISON: &str = "Sweeps that were measured one after the other differ by the time in between as well: \
    `infermeter compare` alternates its sides and says whether they differ.";

fn curves_of<'a>(sweep: &NamedSweep<'a>) -> Vec<NamedCurve<'a>> {
    let answer = sweep.view.answer;
    let load_model = match sweep.view.axis {
        Levels::Rate => LoadModel::OpenLoop,
        Levels::Concurrency => LoadModel::ClosedLoop,
    };
    let curve = |curve: &'a CurveAnswer| {
        let own = sweep.view.names.get(curve.variant);
        let own = own.filter(|_| answer.curves.len() > 1);
        NamedCurve {
            name: match own {
                Some(own) => format!("{} {}", inert(sweep.name, NAME), inert(own, NAME)),
                None => inert(sweep.name, NAME),
            },
            load_model,
            curve,
        }
    };
    answer.curves.iter().map(curve).collect()
}

/// A row a level of any curve, by rate, with p50 and p99.
fn table(metric: &Metric, all: &[NamedCurve<'_>]) -> Table {
    let columns = ["p50", "p99", "runs"].map(Column::right);
    let mut table = Table::new("requests/s", columns.to_vec());
    let levels = all.iter().flat_map(|named| {
        let levels = named.curve.levels.iter();
        levels.filter_map(move |level| Some((rate(named, level)?.value, named, level)))
    });
    let mut levels: Vec<_> = levels.collect();
    levels.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (rate, named, level) in levels {
        let found = (metric.of)(level);
        let largest = found.p99.or(found.p50).map_or(0.0, |mean| mean.value);
        let unit = TimeUnit::fitting(largest);
        let cell = |mean: Option<Mean>| {
            mean.map_or_else(
                || Cell::noted("-"),
                |mean| Cell {
                    interval: Some(interval(
                        mean.low.map(|ms| unit.write(ms)),
                        mean.high.map(|ms| unit.write(ms)),
                    )),
                    ..Cell::of(unit.write(mean.value))
                },
            )
        };
        let label = format!("{}, {} ({})", figure(rate), label_of(named), unit.symbol());
        let runs = Cell::of(level.runs.to_string());
        table.row(label, vec![cell(found.p50), cell(found.p99), runs]);
    }
    table
}

fn latency(metric: &Metric, all: &[NamedCurve<'_>]) -> Chart {
    let x = Axis::linear("rate", Unit::Of("requests/s".to_owned())).holding(0.0);
    let y = Axis::logarithmic(metric.name, Unit::Milliseconds);
    let title = format!("{} by rate", metric.name);
    let mut chart = Chart::new(metric.slug, title, x, y);
    for named in all {
        for (percentile, of) in PERCENTILES {
            let point = |level: &Level| Some((rate(named, level)?, of((metric.of)(level))?));
            let points = points(named.curve, point);
            if !points.is_empty() {
                chart.series.push(series(named, percentile, points));
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

/// The rate of a level: asked for in an open loop, reached in a closed one.
fn rate(named: &NamedCurve<'_>, level: &Level) -> Option<Mean> {
    match named.load_model {
        LoadModel::OpenLoop => Some(exact(level.load)),
        LoadModel::ClosedLoop | LoadModel::Imported | LoadModel::Observed => level.achieved,
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

/// `vLLM, open loop`.
fn label_of(named: &NamedCurve<'_>) -> String {
    let model = match named.load_model {
        LoadModel::OpenLoop => "open loop",
        LoadModel::ClosedLoop => "closed loop",
        LoadModel::Imported => "imported",
        LoadModel::Observed => "observed",
    };
    format!("{}, {model}", named.name)
}

fn series(named: &NamedCurve<'_>, percentile: &str, points: Vec<Point>) -> Series {
    Series {
        label: format!("{percentile}, {}", label_of(named)),
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
