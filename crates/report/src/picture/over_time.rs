//! TTFT and the gap between tokens over time.

use super::Pictured;
use super::timed::{
    chart, dots, estimate, extremes, latency_axis, line, points, reading, said_of_count,
    said_of_parts, values,
};
use crate::by_class::class_name;
use crate::chart::{Band, Bounds, Chart, Marks, Point, Reach, Reading, Series};
use infermeter_analysis::series::{ClassParts, RunSeries, TimePart};
use infermeter_analysis::{Distribution, Percentile};
use infermeter_core::number::{count, counted};
use infermeter_core::request::ClassIndex;
use infermeter_metrics::origin::Origin;

/// Both charts.
pub(super) fn charts(of: &Pictured<'_>) -> Vec<Chart> {
    vec![ttft(of), gaps(of)]
}

/// Where a latency is counted from, in words.
pub(super) fn from(origin: Origin) -> &'static str {
    match origin {
        Origin::Intended => "from the instant when a request was due",
        Origin::Send => "from the send",
    }
}

fn ttft(of: &Pictured<'_>) -> Chart {
    let series = of.series;
    let parts = &series.ttft;
    let y = latency_axis("TTFT", values(parts));
    let mut chart = chart("ttft-over-time", "TTFT over time", of, y);
    chart.series = match series.ttft_each.is_empty() {
        true => estimated(series, parts),
        false => each(of),
    };
    if series.ttft_each.is_empty() {
        chart
            .series
            .extend(series.ttft_by_class.iter().map(|class| median(of, class)));
    }
    chart.said.push(format!(
        "TTFT {} of {}, of completed requests of every phase{}.",
        from(series.origin),
        said_of_count(parts, "requests"),
        failed(parts),
    ));
    chart.said.extend(said_of_apart(of, &series.ttft_by_class));
    match series.ttft_each.is_empty() {
        true => {
            chart.said.push(said_of_parts(series));
            chart.said.push(
                "Median and p99 are exact order statistics with 95 % intervals on the effective sample \
                 size, drawn where the requests of a part carry them."
                    .to_owned(),
            );
        }
        false => chart.said.push(
            "Each request is a point; where several chunks shared a read, the first token came between the \
             ends of the bar."
                .to_owned(),
        ),
    }
    chart
}

/// That not every class is shown apart.
fn said_of_apart(of: &Pictured<'_>, apart: &[ClassParts]) -> Option<String> {
    let shown = apart.len();
    (shown > 0 && of.manifest.classes.len() > shown)
        .then(|| format!("Shown apart are the {shown} classes with the most requests."))
}

fn failed(parts: &[TimePart]) -> String {
    match parts.iter().map(|part| part.failed).sum() {
        0 => String::new(),
        n => format!("; {} failed and have none", counted(n, "request")),
    }
}

/// Every request where they are few: those of the classes with the most requests apart.
fn each(of: &Pictured<'_>) -> Vec<Series> {
    let series = of.series;
    let apart: Vec<ClassIndex> = series
        .ttft_by_class
        .iter()
        .map(|class| class.class)
        .collect();
    let of_class = |class: &ClassIndex| Series {
        class: Some(name_of(of, *class)),
        ..points_of(series, "each request", |c| c == *class)
    };
    let mut all: Vec<Series> = apart.iter().map(of_class).collect();
    let others = match apart.is_empty() {
        true => "each request",
        false => "each request of other classes",
    };
    all.push(points_of(series, others, |class| !apart.contains(&class)));
    all.retain(|series| series.n != Some(0));
    all
}

fn points_of(series: &RunSeries, label: &str, is: impl Fn(ClassIndex) -> bool) -> Series {
    let points = series.ttft_each.iter().filter(|point| is(point.class));
    let points = points.map(|point| {
        let y = match point.least_ms < point.ms {
            true => Reading::censored(point.ms, Some(point.least_ms), Some(point.ms)),
            false => Reading::exact(point.ms),
        };
        Point::of(Reading::exact(point.at_s), y)
    });
    let points: Vec<Point> = points.collect();
    Series {
        label: label.to_owned(),
        n: Some(points.len() as u64),
        marks: Marks::Points(points),
        ..Series::default()
    }
}

/// The median of a class with its interval.
fn median(of: &Pictured<'_>, class: &ClassParts) -> Series {
    let points = points(of.series, &class.parts, |p| p.p50.map(estimate));
    Series {
        class: Some(name_of(of, class.class)),
        ..line("median with its interval", points)
    }
}

fn name_of(of: &Pictured<'_>, class: ClassIndex) -> String {
    let name = of.manifest.classes.get(usize::from(class));
    name.map_or_else(|| class.to_string(), |name| class_name(name))
}

/// Median with its interval, p99, and the extremes.
pub(super) fn estimated(series: &RunSeries, parts: &[TimePart]) -> Vec<Series> {
    let greatest = points(series, parts, |p| p.greatest.map(Reading::exact));
    let mut all = vec![Series {
        band: Some(extremes(series, parts)),
        ..dots("greatest of each part", greatest)
    }];
    let p99 = points(series, parts, |p| p.p99.map(estimate));
    let p50 = points(series, parts, |p| p.p50.map(estimate));
    let lines = [
        ("p99 with its interval", p99),
        ("median with its interval", p50),
    ];
    all.extend(drawn(lines));
    all
}

/// Lines that have a point.
fn drawn(lines: [(&'static str, Vec<Point>); 2]) -> impl Iterator<Item = Series> {
    let any = lines.into_iter().filter(|(_, points)| !points.is_empty());
    any.map(|(label, points)| line(label, points))
}

/// Percentiles of what came in each part, and the extremes.
pub(super) fn described(series: &RunSeries, parts: &[TimePart]) -> Vec<Series> {
    let greatest = points(series, parts, |p| p.greatest.map(Reading::exact));
    let mut all = vec![Series {
        band: Some(extremes(series, parts)),
        ..dots("greatest of each part", greatest)
    }];
    let p99 = points(series, parts, |p| p.p99.map(reading));
    let p50 = points(series, parts, |p| p.p50.map(reading));
    all.extend(drawn([("p99", p99), ("median", p50)]));
    all
}

fn gaps(of: &Pictured<'_>) -> Chart {
    let series = of.series;
    let latency = &of.summary.latency;
    let (name, noun, whole) = match &*series.gap {
        "itl" => ("ITL", "tokens", latency.itl.as_ref()),
        _ => ("Chunk gap", "chunks", latency.chunk_gap.as_ref()),
    };
    let y = latency_axis(name, values(&series.gaps));
    let mut chart = chart("itl-over-time", &format!("{name} over time"), of, y);
    chart.series = described(series, &series.gaps);
    let of_class = |class: &ClassParts| Series {
        class: Some(name_of(of, class.class)),
        ..line(
            "median",
            points(series, &class.parts, |p| p.p50.map(reading)),
        )
    };
    chart
        .series
        .extend(series.gaps_by_class.iter().map(of_class));
    for percent in [50.0, 99.0] {
        chart
            .series
            .extend(whole.and_then(|whole| window(of, whole, percent)));
    }
    let n = series.gaps.iter().map(|part| part.n).sum();
    chart.said.push(format!(
        "{} between {noun} of completed requests of every phase, at the instant of the later one.",
        match n {
            1 => "1 gap".to_owned(),
            n => format!("{} gaps", count(n)),
        }
    ));
    chart.said.extend(said_of_apart(of, &series.gaps_by_class));
    chart.said.push(said_of_parts(series));
    chart.said.push(
        "A part's median and p99 describe what came in it, at most 1/64 too great. Estimates are the \
         percentiles of the whole window, with 95 % intervals from time blocks of a second."
            .to_owned(),
    );
    chart
}

/// A percentile of the whole window, with its interval.
fn window(of: &Pictured<'_>, whole: &Distribution, percent: f64) -> Option<Series> {
    let percentile = Percentile::new(percent)?;
    let cell = whole.cell(percentile)?;
    let y = Reading::estimate(cell.value?, cell.low, cell.high);
    let ends = [0.0, of.summary.window_s?];
    let bounds = Bounds {
        low: cell.low,
        high: cell.high,
    };
    Some(Series {
        label: format!("{percentile} of the window"),
        n: Some(whole.n as u64),
        marks: Marks::Line(ends.map(|x| Point::of(Reading::exact(x), y)).to_vec()),
        band: Some(Band {
            label: "95 % interval".to_owned(),
            reaches: ends.map(|x| Reach { x, y: bounds }).to_vec(),
        }),
        ..Series::default()
    })
}
