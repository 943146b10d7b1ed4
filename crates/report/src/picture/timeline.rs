//! Requests as rows of what they waited for.

use super::Pictured;
use super::timed;
use crate::by_class::class_name;
use crate::chart::{Axis, Chart, Marks, Reading, Series, Span};
use infermeter_analysis::series::{Picked, RequestBar, Stamp};
use infermeter_core::number::counted;
use infermeter_core::record::{Outcome, Reason};

/// The stages of a request, in order.
const STAGES: [(&str, StageOf); 5] = [
    ("waiting to be sent", waiting),
    ("connecting", connecting),
    ("until the first token", first_token),
    ("decoding", decoding),
    ("without a token until it failed", failing),
];

/// A stage of a request, where it came to it.
type StageOf = fn(&RequestBar) -> Option<Stage>;

/// From one instant to another.
struct Stage {
    from: Reading,
    to: Reading,
}

/// The timeline.
pub(super) fn chart(of: &Pictured<'_>) -> Chart {
    let requests = &of.series.requests;
    let names = requests.bars.iter().map(|bar| name(bar, of)).collect();
    let mut chart = timed::chart(
        "requests",
        "Requests one by one",
        of,
        Axis::categories("request", names),
    );
    chart.x.holds.clear();
    chart.shades.clear();
    let rows = || requests.bars.iter().enumerate();
    for (label, stage) in STAGES {
        let span = |(row, bar)| {
            let Stage { from, to } = stage(bar)?;
            Some(Span { row, from, to })
        };
        let spans: Vec<Span> = rows().filter_map(span).collect();
        if !spans.is_empty() {
            chart.series.push(Series {
                label: label.to_owned(),
                n: Some(spans.len() as u64),
                marks: Marks::Spans(spans),
                ..Series::default()
            });
        }
    }
    let slowest = requests.bars.iter().filter(|b| b.picked == Picked::Slowest);
    let slowest = slowest.count() as u64;
    chart.said.push(format!(
        "{} of {}: the {slowest} that took longest (*), and an even sample of all in the order in which they \
         were due, whatever became of them.",
        requests.bars.len(),
        counted(requests.of, "measured request"),
    ));
    chart.said.push(
        "Where a chunk shared its read with later bytes, it came between the ends of the bar at its border."
            .to_owned(),
    );
    chart
}

/// `#17 chat *`.
fn name(bar: &RequestBar, of: &Pictured<'_>) -> String {
    let classes = &of.manifest.classes;
    let class = classes
        .get(usize::from(bar.class))
        .filter(|_| classes.len() > 1);
    let class = class.map_or_else(String::new, |name| format!(" {}", class_name(name)));
    let why = match (bar.outcome, bar.reason) {
        (Outcome::Completed, _) => String::new(),
        (outcome, reason) => {
            format!(
                " {}",
                reason
                    .map_or(outcome.as_str(), Reason::as_str)
                    .replace('_', " ")
            )
        }
    };
    let mark = match bar.picked {
        Picked::Slowest => " *",
        Picked::Even => "",
    };
    format!("#{}{class}{why}{mark}", bar.id)
}

fn between(from: Reading, to: Reading) -> Option<Stage> {
    (to.value > from.value).then_some(Stage { from, to })
}

fn stamp(stamp: Stamp) -> Reading {
    match stamp.least_s < stamp.at_s {
        true => Reading::censored(stamp.at_s, Some(stamp.least_s), Some(stamp.at_s)),
        false => Reading::exact(stamp.at_s),
    }
}

fn waiting(bar: &RequestBar) -> Option<Stage> {
    between(Reading::exact(bar.due_s), Reading::exact(bar.sent_s?))
}

fn connecting(bar: &RequestBar) -> Option<Stage> {
    between(
        Reading::exact(bar.sent_s?),
        Reading::exact(bar.connected_s?),
    )
}

/// When the request itself could go out.
fn ready(bar: &RequestBar) -> Option<Reading> {
    bar.connected_s.or(bar.sent_s).map(Reading::exact)
}

fn first_token(bar: &RequestBar) -> Option<Stage> {
    between(ready(bar)?, stamp(bar.first?))
}

fn decoding(bar: &RequestBar) -> Option<Stage> {
    between(stamp(bar.first?), stamp(bar.last?))
}

fn failing(bar: &RequestBar) -> Option<Stage> {
    match bar.first {
        Some(_) => None,
        None => between(ready(bar)?, Reading::exact(bar.closed_s?)),
    }
}
