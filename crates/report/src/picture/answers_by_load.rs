//! Whether answers were answers, by load, and how long each load let them wait.
//!
//! Invariant: both charts have the same bands, so that accuracy stands beside latency.

use crate::answers::band;
use crate::chart::{Axis, Bar, Chart, Marks, Point, Range, Reading, Series, Unit};
use infermeter_analysis::answers::AnswersSummary;
use infermeter_analysis::{Share, Summary};
use infermeter_core::number::count;

/// Shares of sound answers and right canaries, and TTFT; nothing where there are fewer than two bands.
pub(super) fn charts(summary: &Summary) -> Vec<Chart> {
    let Some(answers) = summary.answers.as_ref().filter(|a| a.levels.len() > 1) else {
        return Vec::new();
    };
    let mut charts = vec![accuracy(answers)];
    charts.extend(waits(answers));
    charts
}

fn bands(answers: &AnswersSummary) -> Axis {
    let names = answers.levels.iter().map(band).collect();
    Axis::categories("requests in flight at the send", names)
}

fn accuracy(answers: &AnswersSummary) -> Chart {
    let y = Axis::linear("share of the answers", Unit::Share).holding(1.0);
    let mut chart = Chart::new(
        "answers-by-load",
        "Sound answers by load",
        bands(answers),
        y,
    );
    let sound = answers.levels.iter().enumerate();
    let sound = sound.map(|(place, level)| point(place, &without(&level.corrupted)));
    chart.series.push(line("sound", sound.collect()));
    let right = answers.levels.iter().enumerate();
    let right = right.filter_map(|(place, level)| Some(point(place, level.right.as_ref()?)));
    let right: Vec<Point> = right.collect();
    if !right.is_empty() {
        chart.series.push(line("canaries right", right));
    }
    chart.said.push(format!(
        "{} checked answers of completed measured requests, by the number of requests in flight when they were sent, their \
         own included. Intervals are 95 % (Clopper-Pearson).",
        count(answers.checked)
    ));
    chart.counted = "n counts answers.".to_owned();
    chart
}

/// The share of those that do not count.
fn without(share: &Share) -> Share {
    Share {
        value: 1.0 - share.value,
        low: share.high.map(|high| 1.0 - high),
        high: share.low.map(|low| 1.0 - low),
        count: share.n - share.count,
        ..*share
    }
}

fn point(place: usize, share: &Share) -> Point {
    Point {
        n: Some(share.n as u64),
        ..Point::of(
            Reading::exact(place as f64),
            Reading::estimate(share.value, share.low, share.high),
        )
    }
}

fn line(label: &str, points: Vec<Point>) -> Series {
    Series {
        label: label.to_owned(),
        marks: Marks::Line(points),
        ..Series::default()
    }
}

fn waits(answers: &AnswersSummary) -> Option<Chart> {
    let bars: Vec<Bar> = answers
        .levels
        .iter()
        .enumerate()
        .filter_map(|(place, level)| {
            Some(Bar {
                x: Range::of_category(place),
                y: Reading::exact(level.ttft_p50_ms?),
                n: Some(level.checked),
            })
        })
        .collect();
    let y = Axis::linear("TTFT p50", Unit::Milliseconds).holding(0.0);
    let slug = "answers-ttft-by-load";
    let mut chart = Chart::new(slug, "TTFT of the same answers", bands(answers), y);
    chart
        .said
        .push("Medians from the send, of the checked answers of each band.".to_owned());
    chart.counted = "n counts answers.".to_owned();
    let any = !bars.is_empty();
    chart.series.push(Series {
        label: "TTFT p50".to_owned(),
        marks: Marks::Bars(bars),
        ..Series::default()
    });
    any.then_some(chart)
}
