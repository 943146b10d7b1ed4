//! Requests in flight, and those that failed, over time.

use super::Pictured;
use super::timed::{chart, said_of_parts};
use crate::chart::{
    Axis, Band, Bar, Bounds, Chart, Marks, Point, Range, Reach, Reading, Series, Unit,
};
use infermeter_analysis::series::{LoadPart, RunSeries};
use infermeter_core::number::counted;

/// Both charts.
pub(super) fn charts(of: &Pictured<'_>) -> Vec<Chart> {
    let y = Axis::linear("requests in flight", Unit::Number).holding(0.0);
    let mut in_flight = chart("in-flight-over-time", "Requests in flight", of, y);
    in_flight.series = client_load(of.series).into_iter().collect();
    in_flight.said.push(
        "Requests between send and close, of every phase and outcome: the time average of each part, and \
         fewest to most. Counted from the records, not estimated."
            .to_owned(),
    );
    let beside = crate::ranks::beside(of.summary);
    in_flight
        .said
        .extend(beside.map(|beside| format!("Counted {beside}.")));
    in_flight.said.push(said_of_parts(of.series));
    vec![in_flight, failures(of)]
}

/// The load as the client saw it.
pub(super) fn client_load(series: &RunSeries) -> Option<Series> {
    let middle = |part: &LoadPart| part.at_s + series.part_s / 2.0;
    let points = series.in_flight.iter();
    let points: Vec<Point> = points
        .map(|part| Point::at(middle(part), part.mean))
        .collect();
    let reach = |part: &LoadPart| Reach {
        x: middle(part),
        y: Bounds {
            low: Some(part.least as f64),
            high: Some(part.most as f64),
        },
    };
    (!points.is_empty()).then(|| Series {
        label: "in flight by the client's records".to_owned(),
        marks: Marks::Line(points),
        band: Some(Band {
            label: "fewest to most".to_owned(),
            reaches: series.in_flight.iter().map(reach).collect(),
        }),
        ..Series::default()
    })
}

fn failures(of: &Pictured<'_>) -> Chart {
    let series = of.series;
    let y = Axis::linear("failed requests", Unit::Number).holding(0.0);
    let mut chart = chart("failures-over-time", "Failed requests", of, y);
    let failed = series.ttft.iter().filter(|part| part.failed > 0);
    let bars: Vec<Bar> = failed
        .map(|part| Bar {
            x: Range::new(part.at_s, part.at_s + series.part_s),
            y: Reading::exact(part.failed as f64),
            n: Some(part.n + part.failed),
        })
        .collect();
    let n = series.ttft.iter().map(|part| part.failed).sum();
    chart.said.push(format!(
        "{} of warm-up and window failed, counted by the instant when they were due.",
        counted(n, "request")
    ));
    chart.series.push(Series {
        label: "failed".to_owned(),
        n: Some(n),
        marks: Marks::Bars(bars),
        ..Series::default()
    });
    chart
}
