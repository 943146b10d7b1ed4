//! What is told of a bench: each configuration, its figures at each load, and which of them no other beats.
//!
//! Invariant: a configuration that was not measured stands among the others with its reason.

use crate::chart::{Axis as ChartAxis, Chart, Marks, Point, Reading, Series, Unit};
use crate::document::{Block, Cell, Column, Document, Entries, Section, Table, Tone};
use crate::number::{figure, interval, percent, spaced, time};
use infermeter_analysis::bench::{BenchFigure, BenchPoint, BenchPoints};
use infermeter_analysis::cold_start::ColdPhase;
use infermeter_analysis::{Axis, Scale};
use infermeter_core::number::counted;
use infermeter_core::text::inert;

/// Longest name of a configuration in a chart, bytes.
const NAME: usize = 60;
/// Figures that the table shows.
const SHOWN: [&str; 6] = [
    "output_tokens_per_s",
    "ttft.p50",
    "ttft.p99",
    "tpot.p50",
    "e2e.p50",
    "failed",
];

/// A configuration, as far as a document tells it.
#[derive(Debug, Clone)]
pub struct BenchConfiguration<'a> {
    /// Its number, from 1.
    pub number: usize,
    /// What it has of its own.
    pub name: String,
    /// The command that served it.
    pub command: &'a str,
    /// Starts that were measured.
    pub measured: usize,
    /// Starts that there were.
    pub starts: usize,
    /// From the command to the first answer, milliseconds, of each start that has it.
    pub ready_ms: Vec<f64>,
    /// Phases of its last start.
    pub phases: &'a [ColdPhase],
    /// The answer of each measurement in a line, where it has one.
    pub answers: Vec<String>,
    /// Why starts of it were not measured.
    pub whys: Vec<&'a str>,
    /// How its server says it is configured.
    pub config_lines: &'a [String],
}

/// What is told.
#[derive(Debug, Clone)]
pub struct BenchView<'a> {
    /// Every configuration.
    pub configurations: Vec<BenchConfiguration<'a>>,
    /// Their figures.
    pub points: &'a BenchPoints,
    /// What could not be tested, and why.
    pub untested: Option<&'a str>,
    /// The comparison with the first, where one was made.
    pub comparison: Option<Document>,
}

/// What is told of a bench.
pub fn of_bench(view: &BenchView<'_>) -> Document {
    let mut document = Document::titled(format!(
        "{} side by side",
        counted(view.configurations.len() as u64, "configuration")
    ));
    document.answers = vec![bench_line(view)];
    document.push(configurations(view));
    document.push(figures(view));
    document.push(Section::new("").with(frontier(view)));
    if let Some(comparison) = &view.comparison {
        document.verdict.clone_from(&comparison.verdict);
        for section in &comparison.sections {
            document.push(section.clone());
        }
    }
    let untested = view.untested.unwrap_or_default();
    document.push(Section::new("Not tested").with(Block::Text(Tone::Plain, untested.to_owned())));
    document.push(setup(view));
    document
}

/// All of it in a line.
pub fn bench_line(view: &BenchView<'_>) -> String {
    let all = view.configurations.len();
    let measured = view
        .configurations
        .iter()
        .filter(|one| one.measured > 0)
        .count();
    let best: Vec<String> = view
        .configurations
        .iter()
        .filter(|one| {
            let own = |point: &&BenchPoint| point.configuration == one.number;
            view.points
                .points
                .iter()
                .filter(own)
                .any(|point| point.on_frontier)
        })
        .map(|one| one.name.clone())
        .collect();
    let by = view
        .points
        .frontier_of
        .map_or_else(String::new, |axis| axis.to_string());
    let said = match (measured, best.is_empty()) {
        (0, _) => {
            return format!(
                "None of {} could be measured",
                counted(all as u64, "configuration")
            );
        }
        (_, true) => "no latency is known of all of them: measure longer for a frontier".to_owned(),
        (_, false) => format!(
            "no other has more tokens/s and a lower {by} than {}",
            infermeter_core::text::listed(&best)
        ),
    };
    format!(
        "{measured} of {} measured; {said}",
        counted(all as u64, "configuration")
    )
}

fn configurations(view: &BenchView<'_>) -> Section {
    let columns = ["measured", "first answer after"].map(Column::right);
    let mut columns: Vec<Column> = columns.into_iter().collect();
    columns.push(Column::left("answer"));
    let mut table = Table::new("", columns);
    let mut whys = Entries::default();
    for one in &view.configurations {
        let ready = one.ready_ms.iter().copied();
        let (low, high) = (ready.clone().reduce(f64::min), ready.reduce(f64::max));
        let ready = low.zip(high).map(|(low, high)| match one.ready_ms.len() {
            1 => time(low),
            _ => format!("{} to {}", time(low), time(high)),
        });
        let answer = match (one.answers.first(), one.measured) {
            (Some(answer), _) => Cell::of(answer.lines().next().unwrap_or_default()),
            (None, 0) => Cell::noted("not measured"),
            (None, _) => Cell::of(""),
        };
        let cells = vec![
            Cell::of(format!("{}/{}", one.measured, one.starts)),
            Cell::or_dash(ready),
            answer,
        ];
        table.row(&one.name, cells);
        for why in &one.whys {
            whys.all(&one.name, why.lines().map(str::to_owned));
        }
    }
    Section::new("Configurations").with(table).with(whys)
}

fn figures(view: &BenchView<'_>) -> Section {
    let axes: Vec<Axis> = SHOWN.iter().filter_map(|name| name.parse().ok()).collect();
    let mut columns = vec![Column::left("load")];
    columns.extend(axes.iter().map(|axis| Column::right(axis.to_string())));
    columns.push(Column::right("runs"));
    columns.push(Column::left("verdict"));
    columns.push(Column::left("frontier"));
    let mut table = Table::new("", columns);
    for point in &view.points.points {
        let mut cells = vec![Cell::of(&point.load)];
        cells.extend(axes.iter().map(|axis| {
            let found = point.figures.iter().find(|figure| figure.axis == *axis);
            found.map_or_else(|| Cell::noted("-"), cell)
        }));
        cells.push(Cell::of(match point.invalid {
            0 => point.runs.to_string(),
            invalid => format!("{} (+{invalid} Invalid)", point.runs),
        }));
        cells.push(Cell::of(point.verdict.as_str()));
        cells.push(Cell::of(if point.on_frontier { "on it" } else { "" }));
        table.row(name_of(view, point.configuration), cells);
    }
    let said = "Medians over rounds, with the least and the greatest in brackets; Invalid runs are in no figure. On the \
                frontier is what no other beats in tokens/s and latency.";
    Section::new("Measured")
        .with(table)
        .with(Block::Text(Tone::Aside, said.to_owned()))
}

fn cell(found: &BenchFigure) -> Cell {
    let written = |value: f64| match (found.axis.scale(), found.axis.unit()) {
        (Scale::Difference, _) => percent(value),
        (Scale::Ratio, "ms") => time(value),
        (Scale::Ratio, _) => figure(value),
    };
    Cell {
        interval: (found.n > 1)
            .then(|| interval(Some(written(found.min)), Some(written(found.max)))),
        ..Cell::of(written(found.median))
    }
}

fn name_of<'a>(view: &'a BenchView<'_>, configuration: usize) -> &'a str {
    let found = view
        .configurations
        .iter()
        .find(|one| one.number == configuration);
    found.map_or("?", |one| one.name.as_str())
}

/// Throughput against the latency that the frontier is of.
fn frontier(view: &BenchView<'_>) -> Chart {
    let throughput: Option<Axis> = "output_tokens_per_s".parse().ok();
    let (Some(throughput), Some(tail)) = (throughput, view.points.frontier_of) else {
        return Chart::default();
    };
    let x = ChartAxis::linear("output", Unit::Of("tokens/s".to_owned())).holding(0.0);
    let y = ChartAxis::linear(tail.to_string(), Unit::Milliseconds).holding(0.0);
    let mut chart = Chart::new("bench-frontier", "Throughput against latency", x, y);
    let reading = |point: &BenchPoint, axis: Axis| {
        let found = point.figures.iter().find(|figure| figure.axis == axis)?;
        Some(match found.n {
            1 => Reading::exact(found.median),
            _ => Reading::estimate(found.median, Some(found.min), Some(found.max)),
        })
    };
    let of = |one: &BenchConfiguration<'_>| {
        let own = view
            .points
            .points
            .iter()
            .filter(|point| point.configuration == one.number);
        let points = own.filter_map(|point| {
            Some(Point {
                n: Some(point.runs),
                label: if point.on_frontier {
                    "on it".to_owned()
                } else {
                    String::new()
                },
                ..Point::of(reading(point, throughput)?, reading(point, tail)?)
            })
        });
        Series {
            label: inert(&one.name, NAME),
            marks: Marks::Points(points.collect()),
            ..Series::default()
        }
    };
    chart.series = view.configurations.iter().map(of).collect();
    chart.said.push(spaced(
        "A point is a configuration at a load, its bars the least and the greatest over rounds. Down and to the right is \
         better.",
    ));
    chart
}

fn setup(view: &BenchView<'_>) -> Section {
    let mut entries = Entries::default();
    for one in &view.configurations {
        entries.add(&one.name, one.command);
        let phases = one
            .phases
            .iter()
            .filter_map(|phase| Some(format!("{} {}", phase.phase, time(phase.took_ms?))));
        let phases: Vec<String> = phases.collect();
        if !phases.is_empty() {
            entries.more(format!("phases: {}", phases.join(", ")));
        }
        for line in one.config_lines.iter().take(2) {
            entries.more(format!("log: {}", inert(line, 300)));
        }
    }
    Section::new("Commands").with(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Format, Screen};
    use infermeter_core::finding::Verdict;

    fn point(configuration: usize, on_frontier: bool) -> BenchPoint {
        let figure = |name: &str, median: f64| BenchFigure {
            axis: name.parse().expect("a figure"),
            median,
            min: median,
            max: median * 1.5,
            n: 2,
        };
        BenchPoint {
            configuration,
            load: "10 requests/s".to_owned(),
            runs: 2,
            invalid: 1,
            verdict: Verdict::Valid,
            figures: vec![
                figure("output_tokens_per_s", 1_200.0),
                figure("ttft.p99", 80.0),
            ],
            on_frontier,
        }
    }

    fn configuration<'a>(number: usize, name: &str, whys: Vec<&'a str>) -> BenchConfiguration<'a> {
        BenchConfiguration {
            number,
            name: name.to_owned(),
            command: "serve",
            measured: 2 - whys.len(),
            starts: 2,
            ready_ms: vec![1_500.0, 1_600.0],
            phases: &[],
            answers: Vec::new(),
            whys,
            config_lines: &[],
        }
    }

    #[test]
    fn one_that_did_not_start_stands_among_the_others() {
        let points = BenchPoints {
            points: vec![point(1, true), point(2, false)],
            frontier_of: "ttft.p99".parse().ok(),
        };
        let view = BenchView {
            configurations: vec![
                configuration(1, "seqs=64", Vec::new()),
                configuration(2, "seqs=128", vec!["it ended by itself\n  out of memory"]),
            ],
            points: &points,
            untested: Some("one round"),
            comparison: None,
        };
        let text = Format::Terminal.render(&of_bench(&view), Screen::default());
        for said in [
            "seqs=64",
            "seqs=128",
            "out of memory",
            "one round",
            "on it",
            "+1 Invalid",
            "2/2",
        ] {
            assert!(text.contains(said), "no `{said}` in {text}");
        }
        assert!(
            bench_line(&view).contains("lower ttft.p99 than seqs=64"),
            "{}",
            bench_line(&view)
        );
        let page = Format::Html.render(&of_bench(&view), Screen::default());
        assert!(page.contains("bench-frontier"));
    }
}
