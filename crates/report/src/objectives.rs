//! Objectives with tick, cross or question mark, and goodput.

use crate::document::{Entries, Mark, Section};
use crate::number::{JOIN, TimeUnit, interval, rate, share, short_count, spaced};
use infermeter_analysis::{Cell, SloLine, SloStatus, Summary};

/// One line per objective; none without objectives.
pub(crate) fn section(summary: &Summary) -> Section {
    let mut section = Section::new("Objectives (failures count as misses)");
    let mut lines = Entries::default();
    for line in &summary.slo {
        lines.marked(mark(line.status), &line.objective, measured(line));
    }
    section.push(lines);
    let mut goodput = Entries::default();
    if summary.slo.iter().any(|line| line.cell.is_none()) {
        goodput.add("Goodput", "unknown: an objective has no sample");
    }
    if let Some(found) = &summary.goodput {
        let met = format!("{} of the requests meet them all", share(&found.attainment));
        let rate = found
            .requests
            .as_ref()
            .map(|requests| rate(requests, "requests/s"));
        let rate = rate.map_or_else(String::new, |rate| format!("{rate}; "));
        goodput.add("Goodput", rate + &met);
    }
    section.with(goodput)
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
            let said = format!("objective {how}: {}: {}", line.objective, measured(line));
            spaced(&said)
        })
        .collect()
}

fn mark(status: SloStatus) -> Mark {
    match status {
        SloStatus::Met => Mark::Met,
        SloStatus::Missed => Mark::Missed,
        SloStatus::Undecided => Mark::Undecided,
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
            short_count(needed),
            short_count(cell.n),
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
    format!("{bounds}{JOIN}{}", unit.symbol())
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
    format!("{} {range}{JOIN}{}", write(value), unit.symbol())
}
