//! Objectives with tick, cross or question mark, and goodput.

use crate::number::{TimeUnit, interval, rate, share};
use crate::style::{Role, Style};
use infermeter_analysis::{Cell, SloLine, SloStatus, Summary};

/// One line per objective; none without objectives.
pub(crate) fn lines(summary: &Summary, style: Style) -> Vec<String> {
    if summary.slo.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![style.heading("Objectives (failures count as misses)")];
    let widest = summary.slo.iter().map(|l| l.objective.chars().count());
    let widest = widest.max().unwrap_or(0);
    for line in &summary.slo {
        let objective = format!("{:<widest$}", line.objective);
        lines.push(format!(
            "  {} {objective}  {}",
            mark(line.status, style),
            measured(line)
        ));
    }
    if summary.slo.iter().any(|line| line.cell.is_none()) {
        let text = "unknown: an objective has no sample";
        lines.extend(style.entry("Goodput", text));
    }
    if let Some(goodput) = &summary.goodput {
        let met = format!(
            "{} of the requests meet them all",
            share(&goodput.attainment)
        );
        let text = match &goodput.requests {
            Some(requests) => format!("{}; {met}", rate(requests, "requests/s")),
            None => met,
        };
        lines.extend(style.entry("Goodput", &text));
    }
    lines
}

/// The objectives that are not met, a line each.
pub fn not_met(summary: &Summary) -> Vec<String> {
    let not_met = summary
        .slo
        .iter()
        .filter(|line| line.status != SloStatus::Met);
    not_met
        .map(|line| {
            let how = match line.status {
                SloStatus::Missed => "missed",
                _ => "undecided",
            };
            format!("objective {how}: {}: {}", line.objective, measured(line))
        })
        .collect()
}

fn mark(status: SloStatus, style: Style) -> String {
    match status {
        SloStatus::Met => style.paint(Role::Good, "✓"),
        SloStatus::Missed => style.paint(Role::Bad, "✗"),
        SloStatus::Undecided => style.paint(Role::Bad, "?"),
    }
}

fn measured(line: &SloLine) -> String {
    let Some(cell) = &line.cell else {
        return "no sample of this metric".to_owned();
    };
    let undecided = line.status == SloStatus::Undecided;
    let mut text = match cell.needed.filter(|_| undecided) {
        Some(needed) => format!(
            "undecided: {} needs {} observations (have {}), {} holds the limit",
            line.percentile,
            crate::number::short_count(needed),
            crate::number::short_count(cell.n),
            range(cell)
        ),
        None => format!("{} {}", line.percentile, with_interval(line, cell)),
    };
    if let Some(attainment) = &line.attainment {
        let met = crate::number::percent(attainment.value);
        text += &format!("; {met} of the requests within");
    }
    if line.straddles && !undecided {
        text += "; interval straddles the limit";
    }
    text
}

/// The interval alone, of a percentile that is no figure: `[612, ∞) ms`.
fn range(cell: &Cell) -> String {
    let unit = TimeUnit::fitting(cell.low.or(cell.high).unwrap_or_default());
    let write = |ms: f64| unit.write(ms);
    let bounds = interval(cell.low.map(write), cell.high.map(write));
    format!("{bounds} {}", unit.symbol())
}

/// The percentile in a unit that fits. The sample's own order statistic is shown even where the sample
/// does not support it, if it was decided.
fn with_interval(line: &SloLine, cell: &Cell) -> String {
    let Some(value) = line.judged_ms.or(cell.value) else {
        return "lies among the failures".to_owned();
    };
    let unit = TimeUnit::fitting(value);
    let write = |ms: f64| unit.write(ms);
    let range = interval(cell.low.map(write), cell.high.map(write));
    format!("{} {range} {}", write(value), unit.symbol())
}
