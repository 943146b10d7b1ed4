//! What all charts over time share: one axis, the phases and standstills behind it, and how parts of the time
//! become marks.

use super::Pictured;
use crate::chart::{
    Axis, Band, Bounds, Chart, Marks, Point, Range, Reach, Reading, Series, Shade, ShadeKind, Unit,
};
use crate::number::span;
use infermeter_analysis::series::{Estimated, RunSeries, TimePart};
use infermeter_core::number::count;
use infermeter_core::schedule::Phase;

/// Greatest over least beyond which an axis of latencies is logarithmic.
const WIDE: f64 = 30.0;

/// A chart over the run's time.
pub(super) fn chart(slug: &str, title: &str, of: &Pictured<'_>, y: Axis) -> Chart {
    let series = of.series;
    let label = match series.from_window {
        true => "time since the window's start",
        false => "time since the first request",
    };
    let x = Axis::linear(label, Unit::Seconds);
    let x = x.holding(series.start_s).holding(series.end_s);
    let mut chart = Chart::new(slug, title, x, y);
    chart.shades = shades(series);
    chart
}

/// Phases that are not measured, and what stood still.
fn shades(series: &RunSeries) -> Vec<Shade> {
    let outside = series.phases.iter().filter(|p| p.phase != Phase::Measure);
    let phases = outside.map(|phase| Shade {
        kind: ShadeKind::Phase,
        x: Range::new(phase.from_s, phase.to_s),
        label: match phase.phase {
            Phase::Warmup => "warm-up",
            Phase::Measure | Phase::Drain => "drain",
        }
        .to_owned(),
    });
    let still = series.still.iter().map(|still| Shade {
        kind: ShadeKind::Stall,
        x: Range::new(still.from_s, still.to_s),
        label: still.said.clone(),
    });
    phases.chain(still).collect()
}

/// An axis of latencies, logarithmic where values differ much.
pub(super) fn latency_axis(label: &str, values: impl Iterator<Item = f64>) -> Axis {
    let mut least = f64::INFINITY;
    let mut greatest = 0.0_f64;
    for value in values {
        least = least.min(value);
        greatest = greatest.max(value);
    }
    match least > 0.0 && greatest > WIDE * least {
        true => Axis::logarithmic(label, Unit::Milliseconds),
        false => Axis::linear(label, Unit::Milliseconds).holding(0.0),
    }
}

/// Every value that the marks of some parts show.
pub(super) fn values(parts: &[TimePart]) -> impl Iterator<Item = f64> + '_ {
    parts.iter().flat_map(|p| [p.least, p.greatest]).flatten()
}

/// Marks of parts that hold no estimate but a value: `of` gives it.
pub(super) fn points(
    series: &RunSeries,
    parts: &[TimePart],
    of: impl Fn(&TimePart) -> Option<Reading>,
) -> Vec<Point> {
    let mut before = f64::NEG_INFINITY;
    let mut points = Vec::new();
    for part in parts {
        let Some(y) = of(part) else {
            continue;
        };
        points.push(Point {
            x: Reading::exact(part.at_s + series.part_s / 2.0),
            y,
            n: Some(part.n),
            label: String::new(),
            after_gap: is_gap(series, before, part.at_s),
        });
        before = part.at_s;
    }
    points
}

/// Some part between two is missing.
pub(super) fn is_gap(series: &RunSeries, before: f64, at_s: f64) -> bool {
    before.is_finite() && at_s - before > 1.5 * series.part_s
}

/// An estimate as it is drawn; a description has no bounds.
pub(super) fn reading(estimated: Estimated) -> Reading {
    match (estimated.low, estimated.high) {
        (None, None) => Reading::exact(estimated.value),
        (low, high) => Reading::estimate(estimated.value, low, high),
    }
}

/// The same where it is surely an estimate: both sides open is what is known of it.
pub(super) fn estimate(estimated: Estimated) -> Reading {
    Reading::estimate(estimated.value, estimated.low, estimated.high)
}

/// From the least to the greatest value of each part.
pub(super) fn extremes(series: &RunSeries, parts: &[TimePart]) -> Band {
    let reach = |part: &TimePart| {
        Some(Reach {
            x: part.at_s + series.part_s / 2.0,
            y: Bounds {
                low: Some(part.least?),
                high: Some(part.greatest?),
            },
        })
    };
    Band {
        label: "least to greatest".to_owned(),
        reaches: parts.iter().filter_map(reach).collect(),
    }
}

/// A line of points, and how many values are behind all of them.
pub(super) fn line(label: &str, points: Vec<Point>) -> Series {
    Series {
        label: label.to_owned(),
        n: Some(points.iter().filter_map(|p| p.n).sum()),
        marks: Marks::Line(points),
        ..Series::default()
    }
}

/// Points on their own.
pub(super) fn dots(label: &str, points: Vec<Point>) -> Series {
    Series {
        marks: Marks::Points(points.clone()),
        ..line(label, points)
    }
}

/// How the time is divided.
pub(super) fn said_of_parts(series: &RunSeries) -> String {
    format!(
        "Time is divided into parts of {}; least and greatest of each are kept exactly.",
        span(series.part_s)
    )
}

/// `12,000 gaps`.
pub(super) fn said_of_count(parts: &[TimePart], noun: &str) -> String {
    let n = parts.iter().map(|p| p.n).sum();
    format!("{} {noun}", count(n))
}
