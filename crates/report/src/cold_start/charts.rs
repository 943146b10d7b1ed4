//! Charts of starts: when each instant was reached, and the time to first token since the start.
//!
//! Invariant: every start is a mark of its own; the median over starts stands beside them with its interval.

use crate::chart::{Axis, Chart, Marks, Point, Reading, Series, Unit};
use crate::number::spaced;
use infermeter_analysis::cold_start::{ColdAnswer, ColdInstant, ColdRepeat, ColdStart};

/// Most answers of a start that are drawn.
const MOST_POINTS: usize = 500;

pub(super) fn charts(whole: &ColdStart) -> Vec<Chart> {
    vec![instants(whole), ttft(whole)]
}

fn instants(whole: &ColdStart) -> Chart {
    let names: Vec<String> = whole
        .instants
        .iter()
        .map(|figure| figure.instant.label().to_owned())
        .collect();
    let x = Axis::linear("time since the start", Unit::Milliseconds).holding(0.0);
    let y = Axis::categories("", names);
    let mut chart = Chart::new("cold-instants", "When each instant was reached", x, y);
    let starts = whole.repeats.iter().filter(|repeat| repeat.is_counted());
    let place = |instant: ColdInstant| whole.instants.iter().position(|f| f.instant == instant);
    let each = starts.flat_map(|repeat| &repeat.reached).filter_map(|at| {
        let row = place(at.instant)? as f64;
        let x = Reading::censored(at.at_ms, at.earliest_ms, at.latest_ms.or(Some(at.at_ms)));
        Some(Point::of(x, Reading::exact(row)))
    });
    let each: Vec<Point> = each.collect();
    let medians = whole.instants.iter().enumerate().map(|(row, figure)| {
        let figure = &figure.figure;
        let x = Reading::estimate(figure.median_ms, figure.low_ms, figure.high_ms);
        Point {
            n: Some(figure.n),
            ..Point::of(x, Reading::exact(row as f64))
        }
    });
    chart.series = vec![
        Series {
            label: "start".to_owned(),
            n: Some(whole.starts),
            marks: Marks::Points(each),
            ..Series::default()
        },
        Series {
            label: "median over starts".to_owned(),
            marks: Marks::Points(medians.collect()),
            ..Series::default()
        },
    ];
    chart.said.push(spaced(
        "A start's bar is from the look before an instant to the instant; of steady speed, the 95 % interval of the change. \
         A median's bar is its interval over starts.",
    ));
    chart
}

fn ttft(whole: &ColdStart) -> Chart {
    let x = Axis::linear("time since the start", Unit::Milliseconds).holding(0.0);
    let y = Axis::linear("TTFT", Unit::Milliseconds).holding(0.0);
    let mut chart = Chart::new("cold-ttft", "TTFT under the light load", x, y);
    let starts = whole.repeats.iter().filter(|repeat| repeat.is_counted());
    chart.series = starts
        .map(|repeat| Series {
            label: format!("start {}", repeat.number),
            n: Some(repeat.answers.len() as u64),
            marks: Marks::Line(points(repeat)),
            ..Series::default()
        })
        .collect();
    chart.said.push(spaced(&format!(
        "One request at a time. Of a start with more than {MOST_POINTS} answers, only some are drawn, evenly spread."
    )));
    chart
}

fn points(repeat: &ColdRepeat) -> Vec<Point> {
    let each = repeat.answers.len().div_ceil(MOST_POINTS).max(1);
    let drawn = repeat.answers.iter().step_by(each);
    let point = |answer: &ColdAnswer| Some(Point::at(answer.sent_ms, answer.ttft_ms()?));
    drawn.filter_map(point).collect()
}
