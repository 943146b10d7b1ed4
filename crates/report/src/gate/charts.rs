//! The chart of a gate: how much worse each criterion came out, with its interval, and what is not accepted.

use super::{label, mark};
use crate::chart::{Across, Axis, Chart, Marks, Point, Reading, Rule, Series, Unit};
use infermeter_analysis::{GateForm, GateLine};

/// A row a criterion.
pub(super) fn worse_by(lines: &[GateLine]) -> Chart {
    let names = lines
        .iter()
        .map(|line| format!("{} {}", mark(line.answer).symbol(), label(line)));
    let x = Axis::linear("worse by", Unit::Share).holding(0.0);
    let y = Axis::categories("", names.collect());
    let mut chart = Chart::new("gate", "Worse by, against what is not accepted", x, y);
    let rows = || lines.iter().enumerate();
    let found = rows().filter_map(|(row, line)| {
        let x = Reading::estimate(line.worse?, line.at_least, line.at_most);
        Some(Point {
            n: Some(line.candidate_runs as u64),
            ..Point::of(x, Reading::exact(row as f64))
        })
    });
    chart.series.push(Series {
        label: "here, against the baseline".to_owned(),
        marks: Marks::Points(found.collect()),
        ..Series::default()
    });
    let limits = rows().map(|(row, line)| Point::at(line.threshold, row as f64));
    chart.series.push(Series {
        label: "not accepted from here on".to_owned(),
        marks: Marks::Points(limits.collect()),
        ..Series::default()
    });
    let mut rules = vec![rule(0.0, "no change")];
    if let Some(first) = lines.first()
        && lines.iter().all(|line| line.threshold == first.threshold)
    {
        rules.push(rule(first.threshold, "not accepted"));
    }
    chart.rules = rules;
    chart.said.push(
        "Below 0 it is better. Intervals are bounds of 95 % confidence on each side; n counts runs, rounds or levels \
         here. ✓ passes, ✗ fails, ? is inconclusive."
            .to_owned(),
    );
    if lines.iter().any(|line| line.form == GateForm::Level) {
        let level = "A criterion on a level, as error_rate>1%, shows the level itself.";
        chart.said.push(level.to_owned());
    }
    chart
}

fn rule(at: f64, label: &str) -> Rule {
    Rule {
        across: Across::X,
        at,
        label: label.to_owned(),
    }
}
