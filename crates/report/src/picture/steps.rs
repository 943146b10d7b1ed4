//! The response to steps of the rate, over time: attainment with the rate and the replicas.

use super::Pictured;
use super::timed::chart;
use crate::chart::{Axis, Chart, Marks, Point, Reading, Series, Unit};
use crate::number::figure;
use infermeter_analysis::{StepPart, StepResponse, StepsSummary};

/// The chart; `None` of a rate without steps.
pub(super) fn chart_of(of: &Pictured<'_>) -> Option<Chart> {
    let steps = of.summary.steps.as_ref()?;
    let y = Axis::linear("share", Unit::Share).holding(0.0).holding(1.0);
    let mut chart = chart(
        "step-response",
        "Attainment, rate and replicas over time",
        of,
        y,
    );
    chart.series = [attainment(steps), rate(steps), replicas(steps)]
        .into_iter()
        .flatten()
        .collect();
    chart.said.push(
        "Share of the requests due in each part of a step that meet every objective that counts, with its 95 % interval \
         (Clopper-Pearson, requests as independent). Rate and replicas as shares of their most."
            .to_owned(),
    );
    Some(chart)
}

fn attainment(steps: &StepsSummary) -> Option<Series> {
    let points = steps.steps.iter().flat_map(|step| {
        let point = |part: &StepPart| {
            let share = part.attainment?;
            Some(Point {
                n: Some(part.n as u64),
                ..Point::of(
                    Reading::exact(part.at_s + step.part_s / 2.0),
                    Reading::estimate(share.value, share.low, share.high),
                )
            })
        };
        step.parts.iter().filter_map(point).collect::<Vec<Point>>()
    });
    let points: Vec<Point> = points.collect();
    let label = "requests that meet the objectives".to_owned();
    (!points.is_empty()).then(|| series(label, Marks::Line(points)))
}

fn rate(steps: &StepsSummary) -> Option<Series> {
    let most = steps.steps.iter().map(|step| step.rate).fold(0.0, f64::max);
    let at = |at_s: f64, step: &StepResponse| Point::at(at_s, step.rate / most);
    let last = steps.steps.last().map(|step| at(step.to_s, step));
    let points = steps.steps.iter().map(|step| at(step.from_s, step));
    let points = points.chain(last).collect();
    let label = format!("rate, of {}/s", figure(most));
    (most > 0.0).then(|| series(label, Marks::Step(points)))
}

fn replicas(steps: &StepsSummary) -> Option<Series> {
    let read = steps.replicas.as_ref()?;
    let most = read.most.filter(|most| *most > 0.0)?;
    let points = read.points.iter();
    let points = points.map(|point| Point::at(point.at_s, point.replicas / most));
    let label = format!("replicas, of {}", figure(most));
    Some(series(label, Marks::Line(points.collect())))
}

fn series(label: String, marks: Marks) -> Series {
    Series {
        label,
        marks,
        ..Series::default()
    }
}
