//! The parts of the time to the first token, one behind the other.

use super::over_time::from;
use crate::by_class::class_name;
use crate::chart::{Axis, Chart, Marks, Reading, Series, Span, Unit};
use crate::spans::name;
use infermeter_analysis::{SpansGroup, SpansSummary, Summary};
use infermeter_core::number::counted;

/// Classes that have a row.
const MOST_CLASSES: usize = 12;

/// The chart; `None` where no request was taken apart.
pub(super) fn chart(summary: &Summary) -> Option<Chart> {
    let spans = summary.spans.as_ref().filter(|s| !s.groups.is_empty())?;
    let rows = rows(spans);
    let names = rows.iter().map(|group| label(group)).collect();
    let x = Axis::linear("mean TTFT", Unit::Milliseconds).holding(0.0);
    let mut chart = Chart::new(
        "ttft-parts",
        "Where the time to the first token went",
        x,
        Axis::categories("requests", names),
    );
    for (place, part) in spans.parts.iter().enumerate() {
        let span = |(row, group): (usize, &&SpansGroup)| {
            // A part below 0 has no place on the axis: the table shows it.
            let length = |place: usize| group.parts.get(place).map_or(0.0, |p| p.ms.value.max(0.0));
            let before: f64 = (0..place).map(length).sum();
            (length(place) > 0.0).then(|| Span {
                row,
                from: Reading::exact(before),
                to: Reading::exact(before + length(place)),
            })
        };
        let marks: Vec<Span> = rows.iter().enumerate().filter_map(span).collect();
        if !marks.is_empty() {
            chart.series.push(Series {
                label: name(part),
                marks: Marks::Spans(marks),
                ..Series::default()
            });
        }
    }
    chart.said.push(format!(
        "Means of TTFT {} over {} whose spans tell its parts, and over those of a class, of a load at the send, and of \
         a place among all TTFTs.",
        from(spans.origin),
        counted(spans.joined, "completed measured request"),
    ));
    Some(chart)
}

/// The groups that have a row: of the classes the first few.
fn rows(spans: &SpansSummary) -> Vec<&SpansGroup> {
    let mut classes = 0;
    let shown = spans.groups.iter().filter(|group| {
        classes += usize::from(group.by == "class");
        group.by != "class" || classes <= MOST_CLASSES
    });
    shown.collect()
}

fn label(group: &SpansGroup) -> String {
    match &*group.by {
        "class" => format!("class {}", class_name(&group.label)),
        "in_flight" => format!("{} others in flight", group.label),
        "ttft" => format!("TTFT {}", group.label),
        _ => "all".to_owned(),
    }
}
