//! The chart of an audit: what each dimension's checks answered.

use super::share;
use crate::chart::{Axis, Chart, Marks, Reading, Series, Span, Unit};
use infermeter_audit::{Audit, DimensionScore};

/// An answer, and how many checks of a dimension gave it.
type Answered = (&'static str, fn(&DimensionScore) -> usize);

const ANSWERS: [Answered; 3] = [
    ("passed", |score| score.passes),
    ("failed", |score| score.fails),
    ("cannot tell", |score| score.cannot_tell),
];

/// A row a dimension to which any check applies, with its answers behind each other.
pub(super) fn scores(audit: &Audit) -> Chart {
    let asked = |score: &&DimensionScore| ANSWERS.iter().any(|(_, of)| of(score) > 0);
    let rows: Vec<&DimensionScore> = audit.dimensions.iter().filter(asked).collect();
    let names = rows.iter().map(|score| name(score)).collect();
    let x = Axis::linear("checks that apply", Unit::Number).holding(0.0);
    let mut chart = Chart::new(
        "scores",
        "What the checks answered",
        x,
        Axis::categories("", names),
    );
    for (i, (label, of)) in ANSWERS.iter().enumerate() {
        let before = |score: &DimensionScore| {
            ANSWERS[..i].iter().map(|(_, of)| of(score)).sum::<usize>() as f64
        };
        let spans = rows.iter().enumerate().filter(|(_, score)| of(score) > 0);
        let spans = spans.map(|(row, score)| Span {
            row,
            from: Reading::exact(before(score)),
            to: Reading::exact(before(score) + of(score) as f64),
        });
        chart.series.push(Series {
            label: (*label).to_owned(),
            n: Some(rows.iter().map(|score| of(score) as u64).sum()),
            marks: Marks::Spans(spans.collect()),
            ..Series::default()
        });
    }
    chart
        .series
        .retain(|series| series.marks != Marks::Spans(Vec::new()));
    chart.said.push(
        "Behind a dimension: its grade, and the share of the answered checks that passed."
            .to_owned(),
    );
    chart
}

/// `Load generation: B, 83 %`.
fn name(score: &DimensionScore) -> String {
    let grade = score
        .grade
        .map_or_else(|| "no grade".to_owned(), String::from);
    match score.score {
        Some(found) => format!(
            "{}: {grade}, {}",
            score.label,
            share(found).replace(crate::number::JOIN, " ")
        ),
        None => format!("{}: {grade}", score.label),
    }
}
