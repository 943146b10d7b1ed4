//! A run of a monitor in a line, and what changed in another.
//!
//! Decides nothing. Invariant: a figure has its interval wherever one is known, and a change stands with the runs on
//! both sides.

use crate::number::{in_unit, interval, p_value, plus, signed_percent, significant, spaced};
use infermeter_analysis::{SloFigure, SloStatus};
use infermeter_core::finding::Verdict;
use infermeter_core::number::counted;
use std::collections::BTreeMap;

/// Facts that are named beside a change.
const NAMED: usize = 3;

/// What is said of a run.
#[derive(Debug, Clone, Copy)]
pub struct MonitoredView<'a> {
    /// Whether it can be trusted.
    pub verdict: Verdict,
    /// Why not quite.
    pub findings: &'a [String],
    /// Requests that were measured.
    pub requests: u64,
    /// Its figures, by name.
    pub figures: &'a BTreeMap<String, SloFigure>,
    /// Those that are shown, in order.
    pub shown: &'a [String],
    /// The answer to its objectives.
    pub objectives: Option<SloStatus>,
}

/// What is said of a change of a figure.
#[derive(Debug, Clone, Copy)]
pub struct ChangeView<'a> {
    /// The figure.
    pub figure: &'a str,
    /// `ms`, `1/s`, or empty for a share.
    pub unit: &'a str,
    /// Medians of the levels before and since; absent among the failures.
    pub levels: [Option<f64>; 2],
    /// Runs of both.
    pub runs: [usize; 2],
    /// By how much, and the bounds of that.
    pub change: Option<f64>,
    /// Lower bound.
    pub at_least: Option<f64>,
    /// Upper bound.
    pub at_most: Option<f64>,
    /// When the first run of the new level began.
    pub since: &'a str,
    /// The chance of that without a change.
    pub p_value: f64,
    /// What else changed.
    pub beside: &'a [String],
}

/// `Valid, 120 requests: ttft.p50 24.1 ms [23.8 ms, 24.6 ms], error_rate 0 % [0 %, 2.5 %]`.
pub fn monitored_line(view: &MonitoredView<'_>) -> String {
    let figures = view.shown.iter().filter_map(|name| {
        let figure = view.figures.get(name)?;
        Some(format!("{name} {}", figure_text(figure)))
    });
    let figures: Vec<String> = figures.collect();
    let mut line = format!(
        "{}, {}",
        view.verdict.as_str(),
        counted(view.requests, "request")
    );
    line.push_str(match figures.is_empty() {
        true => ": none of the figures",
        false => ": ",
    });
    line.push_str(&figures.join(", "));
    line.push_str(match view.objectives {
        None => "",
        Some(SloStatus::Met) => "; objectives met",
        Some(SloStatus::Undecided) => "; objectives undecided",
        Some(SloStatus::Missed) => "; an objective missed",
    });
    if view.verdict != Verdict::Valid && !view.findings.is_empty() {
        line.push_str(&format!(" ({})", view.findings.join(", ")));
    }
    spaced(&line)
}

/// The value with its interval; the interval alone where the sample carries no value.
fn figure_text(figure: &SloFigure) -> String {
    let written = |value: f64| in_unit(value, &figure.unit);
    let bounds = (figure.low.is_some() || figure.high.is_some())
        .then(|| interval(figure.low.map(written), figure.high.map(written)));
    let value = figure.value.map(written);
    match (value, bounds) {
        _ if figure.infinite => "among failures".to_owned(),
        (Some(value), Some(bounds)) => format!("{value} {bounds}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "-".to_owned(),
    }
}

/// `ttft.p50 24.1 ms -> 31.0 ms (+28.6 % [+25 %, +33 %]) since 2026-11-30T17:00:00Z; 9 runs before, 7 since; p < 0.001`.
pub fn change_line(view: &ChangeView<'_>) -> String {
    let level = |level: Option<f64>| match level {
        Some(value) => in_unit(value, view.unit),
        None => "among failures".to_owned(),
    };
    let [before, after] = view.levels.map(level);
    let mut line = format!("{} {before} -> {after}", view.figure);
    if let Some(change) = view.change {
        let end = |end: Option<f64>, open: &str| {
            end.map_or_else(|| open.to_owned(), |end| signed(end, view.unit))
        };
        line.push_str(&format!(
            " ({} [{}, {}])",
            signed(change, view.unit),
            end(view.at_least, "-∞"),
            end(view.at_most, "∞")
        ));
    }
    let [runs_before, runs_after] = view.runs;
    line.push_str(&format!(
        " since {}; {} before, {runs_after} since; p {}",
        view.since,
        counted(runs_before as u64, "run"),
        p_value(view.p_value)
    ));
    for beside in view.beside.iter().take(NAMED) {
        line.push_str(&format!("; at the same time {beside}"));
    }
    let more = view.beside.len().saturating_sub(NAMED);
    if more > 0 {
        line.push_str(&format!("; and {more} more"));
    }
    spaced(&line)
}

/// A change in per cent; of shares in points.
fn signed(change: f64, unit: &str) -> String {
    match unit.is_empty() {
        true => plus(change, &significant(change * 100.0)) + " pp",
        false => signed_percent(change),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_a_line() {
        let figure = |unit: &str, value: f64| SloFigure {
            unit: unit.to_owned().into(),
            value: Some(value),
            low: Some(value * 0.9),
            high: Some(value * 1.2),
            ..SloFigure::default()
        };
        let figures = BTreeMap::from([
            ("error_rate".to_owned(), figure("", 0.0)),
            ("ttft.p50".to_owned(), figure("ms", 24.1)),
        ]);
        let shown = ["ttft.p50", "ttft.p99", "error_rate"].map(str::to_owned);
        let view = MonitoredView {
            verdict: Verdict::Valid,
            findings: &[],
            requests: 120,
            figures: &figures,
            shown: &shown,
            objectives: None,
        };
        assert_eq!(
            monitored_line(&view),
            "Valid, 120 requests: ttft.p50 24.1 ms [21.7 ms, 28.9 ms], error_rate 0 % [0 %, 0 %]"
        );
        let none = MonitoredView {
            verdict: Verdict::Invalid,
            findings: &["low-completion".to_owned()],
            shown: &shown[1..2],
            objectives: Some(SloStatus::Missed),
            ..view
        };
        assert_eq!(
            monitored_line(&none),
            "Invalid, 120 requests: none of the figures; an objective missed (low-completion)"
        );
    }

    #[test]
    fn a_change_is_a_line() {
        let beside = ["server.version: 1, then 2".to_owned()];
        let view = ChangeView {
            figure: "ttft.p50",
            unit: "ms",
            levels: [Some(24.1), Some(31.0)],
            runs: [9, 7],
            change: Some(0.286),
            at_least: Some(0.25),
            at_most: None,
            since: "2026-11-30T17:00:00Z",
            p_value: 0.0005,
            beside: &beside,
        };
        assert_eq!(
            change_line(&view),
            "ttft.p50 24.1 ms -> 31.0 ms (+28.6 % [+25.0 %, ∞]) since 2026-11-30T17:00:00Z; 9 runs before, 7 since; \
             p < 0.001; at the same time server.version: 1, then 2"
        );
        let failing = ChangeView {
            levels: [Some(24.1), None],
            change: None,
            beside: &[],
            ..view
        };
        assert!(change_line(&failing).starts_with("ttft.p50 24.1 ms -> among failures since"));
    }
}
