//! The charts of a comparison: the change of each figure with its interval.
//!
//! Invariant: shares, whose change is a difference, are in no chart of ratios.

use super::Told;
use crate::chart::{
    Across, Axis, Chart, Marks, Point, Range, Reading, Rule, Series, Shade, ShadeKind, Unit,
};
use crate::number::{percent, spaced};
use infermeter_analysis::{ComparedChange, ComparedLoad, PairedChange, Scale};

/// A change that can be drawn.
struct Drawn<'a> {
    change: &'a ComparedChange,
    found: &'a PairedChange,
}

/// The ratios at a load, one row a figure; `nth` of how many loads.
pub(super) fn ratios(told: &Told<'_>, load: &ComparedLoad, nth: Option<usize>) -> Chart {
    let drawn = load.changes.iter().filter_map(|change| {
        let found = change.change.as_ref()?;
        (found.scale == Scale::Ratio).then_some(Drawn { change, found })
    });
    let drawn: Vec<Drawn<'_>> = drawn.collect();
    let mut rows: Vec<String> = Vec::new();
    for one in &drawn {
        let name = one.change.axis.to_string();
        if !rows.contains(&name) {
            rows.push(name);
        }
    }
    let slug = nth.map_or_else(|| "ratios".to_owned(), |nth| format!("ratios-{nth}"));
    let title = told.heading("Change of each figure", load);
    let first = told.name(0);
    let x = Axis::linear(format!("change against {first}"), Unit::Change).holding(1.0);
    let mut chart = Chart::new(slug, title, x, Axis::categories("", rows.clone()));
    let sides = told.found.asked.sides.len();
    for side in 1..sides {
        for primary in [true, false] {
            let of_it = drawn
                .iter()
                .filter(|one| one.change.side == side && one.change.decision.is_some() == primary);
            let points = of_it.map(|one| point(one, &rows, side, sides));
            let what = if primary { "tested" } else { "exploratory" };
            chart.series.push(Series {
                label: format!("{}, {what}", told.name(side)),
                marks: Marks::Points(points.collect()),
                ..Series::default()
            });
        }
    }
    chart
        .series
        .retain(|series| series.marks != Marks::default());
    chart.rules.push(Rule {
        across: Across::X,
        at: 1.0,
        label: "no change".to_owned(),
    });
    let margin = told.found.asked.margin;
    if margin > 0.0 {
        chart.shades.push(Shade {
            kind: ShadeKind::Phase,
            x: Range::new(1.0 - margin, 1.0 + margin),
            label: String::new(),
        });
    }
    chart.said.push(spaced(&format!(
        "Hodges and Lehmann's estimates over rounds with 95 % intervals; n counts rounds. Shaded: within the margin of \
         {}. Exploratory intervals are not adjusted and decide nothing.",
        percent(margin)
    )));
    chart
}

/// In the row of its figure, several sides below each other.
fn point(one: &Drawn<'_>, rows: &[String], side: usize, sides: usize) -> Point {
    let name = one.change.axis.to_string();
    let row = rows.iter().position(|row| *row == name).unwrap_or(0);
    let beside = (side as f64 - sides as f64 / 2.0) * 0.6 / sides as f64;
    let found = one.found;
    let x = Reading::estimate(found.estimate, found.low, found.high);
    Point {
        n: Some(found.pairs as u64),
        ..Point::of(x, Reading::exact(row as f64 + beside))
    }
}
