//! The chart of a figure over time: every run with its interval, the levels, the changes.
//!
//! Invariants: a run that is not used is drawn apart from the others; where a change lies is drawn as a range.

use super::TrendView;
use crate::chart::{
    Across, Axis, Chart, Marks, Point, Range, Reading, Rule, Series, Shade, ShadeKind, Unit,
};
use crate::number::spaced;
use infermeter_analysis::{TrendFigure, TrendLevel, TrendPoint};
use infermeter_core::number::counted;

const DAY: f64 = 86_400.0;
/// Days from which the axis is in days: below, a tick would be a fraction of one.
const IN_DAYS: f64 = 3.0;

/// A chart for each figure; `nth` of how many plans.
pub(super) fn charts(plan: &TrendView<'_>, nth: Option<usize>) -> Vec<Chart> {
    let charts = plan
        .trend
        .figures
        .iter()
        .map(|figure| chart(figure, plan, nth));
    charts.collect()
}

fn chart(figure: &TrendFigure, plan: &TrendView<'_>, nth: Option<usize>) -> Chart {
    let slug = slug(&figure.name, nth);
    let since = plan.of.runs.first().map_or("", |run| run.begun);
    // Up to hours as every time axis, in the unit that fits.
    let (unit, second) = match span(plan) >= IN_DAYS * DAY {
        true => (Unit::Of("days".to_owned()), 1.0 / DAY),
        false => (Unit::Seconds, 1.0),
    };
    let x = Axis::linear(format!("time since {since}"), unit);
    let mut chart = Chart::new(slug, format!("{} over time", figure.name), x, y(figure));
    let when = |run: usize| {
        plan.of
            .runs
            .get(run)
            .map_or(0.0, |run| run.seconds * second)
    };
    let points = |points: &[TrendPoint]| -> Vec<Point> {
        let drawn = points.iter().map(|point| of(point, when(point.run)));
        drawn.flatten().collect()
    };
    let levels = figure
        .levels
        .iter()
        .filter_map(|level| ends(level, &when))
        .flatten()
        .collect();
    chart.series = vec![
        Series {
            label: "median of a level".to_owned(),
            marks: Marks::Line(levels),
            ..Series::default()
        },
        Series {
            label: "run with its own interval".to_owned(),
            n: Some(figure.points.len() as u64),
            marks: Marks::Points(points(&figure.points)),
            ..Series::default()
        },
        Series {
            label: "Invalid or cut off: not used".to_owned(),
            n: Some(figure.unused.len() as u64),
            marks: Marks::Points(points(&figure.unused)),
            ..Series::default()
        },
    ];
    chart.series.retain(|series| series.n != Some(0));
    chart.said.extend(not_drawn(figure));
    for change in &figure.changes {
        chart.rules.push(Rule {
            across: Across::X,
            // Between the last run of one level and the first of the next.
            at: 0.5 * (when(change.before) + when(change.at)),
            label: match change.change {
                Some(size) => super::signed(size, figure),
                None => super::between(change, figure),
            },
        });
        chart.shades.push(Shade {
            kind: ShadeKind::Phase,
            x: Range::new(when(change.earliest.saturating_sub(1)), when(change.latest)),
            label: String::new(),
        });
    }
    chart.said.push(spaced(
        "A point is a run, its bar the 95 % interval of that run alone; runs of one experiment are one point, their \
         median. Lines are medians of levels. A change lies in its shade with 95 % confidence.",
    ));
    chart
}

/// How many runs have no place in the chart, where there are any.
fn not_drawn(figure: &TrendFigure) -> Option<String> {
    let failed = figure.points.iter().filter(|point| point.value.is_none());
    let failed = failed.count() as u64;
    (failed > 0).then(|| {
        format!(
            "Not drawn: {} among failures, which are above all others.",
            counted(failed, "run")
        )
    })
}

/// Seconds from the first run to the last.
fn span(plan: &TrendView<'_>) -> f64 {
    let seconds = plan.of.runs.iter().map(|run| run.seconds);
    seconds.fold(0.0, f64::max)
}

/// Letters, digits and dashes.
fn slug(name: &str, nth: Option<usize>) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = name.chars().map(plain).collect();
    let name = name.trim_matches('-');
    nth.map_or_else(
        || format!("trend-{name}"),
        |nth| format!("trend-{nth}-{name}"),
    )
}

fn y(figure: &TrendFigure) -> Axis {
    let unit = match figure.unit.as_ref() {
        "ms" => Unit::Milliseconds,
        "1/s" => Unit::Of("per second".to_owned()),
        _ => Unit::Share,
    };
    Axis::linear(figure.name.clone(), unit)
}

/// None among the failures: they have no height.
fn of(point: &TrendPoint, x: f64) -> Option<Point> {
    let value = point.value?;
    let y = match (point.low, point.high) {
        (None, None) => Reading::exact(value),
        (low, high) => Reading::estimate(value, low, high),
    };
    Some(Point::of(Reading::exact(x), y))
}

/// Both ends of a level; no line joins it to the one before.
fn ends(level: &TrendLevel, when: &impl Fn(usize) -> f64) -> Option<[Point; 2]> {
    let median = level.median?;
    let at = |run: usize| {
        let y = Reading::estimate(median, level.low, level.high);
        Point::of(Reading::exact(when(run)), y)
    };
    let first = Point {
        after_gap: true,
        n: Some(level.n as u64),
        ..at(level.from)
    };
    Some([first, at(level.to)])
}
