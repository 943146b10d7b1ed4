//! A history: its runs, what is kept of one, and the figures of a plan over time with their changes.
//!
//! Invariant: a figure has its interval wherever one is known, and a change stands with its uncertainty, in place
//! and in size.

mod chart;

use crate::document::{Block, Cell, Column, Document, Entries, Mark, Section, Table, Tone};
use crate::number::{in_unit, interval, p_value, percent, plus, signed_percent, significant};
use infermeter_analysis::{SloFigure, Trend, TrendChange, TrendFigure, TrendLevel};
use infermeter_core::finding::Verdict;
use infermeter_core::number::counted;
use std::collections::BTreeMap;

/// What is said in place of a value that lies among the failed requests.
const AMONG_FAILURES: &str = "among failures";

/// Changes that are named beside one of a figure.
const NAMED: usize = 6;

/// A run of a history.
#[derive(Debug, Clone, Copy)]
pub struct HistoryRun<'a> {
    /// The beginning of its id.
    pub id: &'a str,
    /// When it began.
    pub begun: &'a str,
    /// Seconds since the first run of its plan.
    pub seconds: f64,
    /// Whether it can be trusted.
    pub verdict: Verdict,
    /// Its figures.
    pub figures: &'a BTreeMap<String, SloFigure>,
}

/// Runs of one plan.
#[derive(Debug, Clone)]
pub struct HistoryView<'a> {
    /// What `--plan` takes.
    pub id: &'a str,
    /// What was measured.
    pub about: String,
    /// Its runs, the oldest first.
    pub runs: Vec<HistoryRun<'a>>,
}

/// The same with what is found in it.
#[derive(Debug, Clone)]
pub struct TrendView<'a> {
    /// The runs: those that were measured together are one.
    pub of: HistoryView<'a>,
    /// What is found.
    pub trend: &'a Trend,
}

/// What is told of a history; `damaged` are lines of its file that cannot be believed.
pub fn of_history(folder: &str, plans: &[HistoryView<'_>], damaged: &[(usize, &str)]) -> Document {
    let runs: usize = plans.iter().map(|plan| plan.runs.len()).sum();
    let title = format!(
        "{folder}: {} of {}",
        counted(runs as u64, "run"),
        counted(plans.len() as u64, "plan")
    );
    let mut document = Document::titled(title);
    document.push(damaged_lines(damaged));
    for plan in plans {
        let heading = format!("{}: {}", plan.id, plan.about);
        document.push(Section::new(heading).with(runs_table(plan)));
    }
    document
}

fn damaged_lines(damaged: &[(usize, &str)]) -> Section {
    let mut entries = Entries::default();
    for (line, why) in damaged {
        entries.add(format!("line {line}"), *why);
    }
    Section::new("Damaged: not read, and left as it is").with(entries)
}

fn runs_table(plan: &HistoryView<'_>) -> Table {
    let figures = [
        "ttft.p50",
        "ttft.p99",
        "e2e.p50",
        "output_throughput",
        "error_rate",
    ];
    let mut columns = vec![Column::left("begun"), Column::left("verdict")];
    columns.extend(figures.map(Column::right));
    let mut table = Table::new("", columns);
    for run in plan.runs.iter().rev() {
        let mut cells = vec![Cell::of(run.begun), Cell::of(run.verdict.as_str())];
        cells.extend(figures.map(|name| briefly(run.figures.get(name))));
        table.row(run.id, cells);
    }
    table
}

/// The value alone; where the sample does not carry one, what is known of it.
fn briefly(figure: Option<&SloFigure>) -> Cell {
    let cell = kept(figure);
    Cell {
        interval: cell.interval.clone().filter(|_| cell.value.is_none()),
        ..cell
    }
}

fn kept(figure: Option<&SloFigure>) -> Cell {
    let Some(figure) = figure else {
        return Cell::noted("-");
    };
    let written = |value: f64| in_unit(value, &figure.unit);
    let bounds = (figure.low.is_some() || figure.high.is_some())
        .then(|| interval(figure.low.map(written), figure.high.map(written)));
    match (figure.value, bounds) {
        _ if figure.infinite => Cell::noted(AMONG_FAILURES),
        (Some(value), interval) => Cell {
            interval,
            ..Cell::of(written(value))
        },
        (None, Some(bounds)) => Cell::within(bounds),
        (None, None) => Cell::noted("-"),
    }
}

/// What is kept of one run: `about` are facts by their names.
pub fn of_history_run(run: &HistoryRun<'_>, about: &[(&str, String)]) -> Document {
    let mut document = Document::titled(format!("{}, {}", run.id, run.begun));
    let mut facts = Entries::default();
    facts.add("verdict", run.verdict.as_str());
    for (name, fact) in about {
        facts.maybe(*name, Some(fact.clone()).filter(|fact| !fact.is_empty()));
    }
    document.push(Section::new("Run").with(facts));
    let mut table = Table::new("", vec![Column::left("value"), Column::right("n")]);
    for (name, figure) in run.figures {
        table.row(
            name,
            vec![kept(Some(figure)), Cell::of(figure.n.to_string())],
        );
    }
    document.push(Section::new("Figures; failures count as the slowest").with(table));
    document
}

/// What is told of figures over time.
pub fn of_trends(folder: &str, plans: &[TrendView<'_>], damaged: &[(usize, &str)]) -> Document {
    let changes: usize = plans.iter().map(|plan| changes_of(plan.trend)).sum();
    let found = match changes {
        0 => "no change".to_owned(),
        n => counted(n as u64, "change"),
    };
    let mut document = Document::titled(format!("{folder}: {found}"));
    document.push(damaged_lines(damaged));
    for (nth, plan) in plans.iter().enumerate() {
        let heading = format!("{}: {}", plan.of.id, plan.of.about);
        let section = Section::new(heading)
            .with(figures_table(plan.trend))
            .with(Block::Text(Tone::Aside, basis(plan.trend)));
        document.push(section);
        document.push(Section::new("Changes").with(changes_list(plan)));
        let charts = chart::charts(plan, (plans.len() > 1).then_some(nth + 1));
        let section = Section::new("Over time");
        document.push(charts.into_iter().fold(section, Section::with));
    }
    document
}

fn changes_of(trend: &Trend) -> usize {
    trend
        .figures
        .iter()
        .map(|figure| figure.changes.len())
        .sum()
}

fn figures_table(trend: &Trend) -> Table {
    let mut columns = vec![Column::left("now")];
    columns.extend(["runs", "noise", "changes"].map(Column::right));
    columns.push(Column::left("finds"));
    let mut table = Table::new("", columns);
    for figure in &trend.figures {
        let now = figure
            .levels
            .last()
            .map_or_else(|| Cell::noted("-"), |now| level(now, figure));
        let found = match figure.points.len() < figure.least {
            true => Cell::noted(format!("needs {}", counted(figure.least as u64, "run"))),
            false => Cell::of(figure.changes.len().to_string()),
        };
        table.row(
            &figure.name,
            vec![
                now,
                Cell::of(figure.points.len().to_string()),
                Cell::or_dash(figure.noise.map(|noise| size(noise, figure))),
                found,
                Cell::or_dash(finds(figure)),
            ],
        );
    }
    table
}

fn level(level: &TrendLevel, figure: &TrendFigure) -> Cell {
    let written = |value: f64| in_unit(value, &figure.unit);
    match level.median {
        None => Cell::noted(AMONG_FAILURES),
        Some(median) => Cell {
            interval: Some(interval(level.low.map(written), level.high.map(written))),
            ..Cell::of(written(median))
        },
    }
}

/// `5 % after 4 runs`.
fn finds(figure: &TrendFigure) -> Option<String> {
    let change = size(figure.asked_change, figure);
    figure.noise?;
    Some(match figure.runs_to_find {
        Some(runs) => format!("{change} after {}", counted(runs as u64, "more run")),
        None => format!("{change} not within 50 more runs"),
    })
}

/// A share of 1 in per cent, or in points.
fn size(size: f64, figure: &TrendFigure) -> String {
    match is_share(figure) {
        true => format!("{} pp", significant(size * 100.0)),
        false => percent(size),
    }
}

fn is_share(figure: &TrendFigure) -> bool {
    figure.unit.is_empty()
}

fn signed(size: f64, figure: &TrendFigure) -> String {
    match is_share(figure) {
        true => plus(size, &significant(size * 100.0)) + " pp",
        false => signed_percent(size),
    }
}

fn basis(trend: &Trend) -> String {
    if trend.figures.is_empty() {
        return "No run that may be used has any of the figures.".to_owned();
    }
    format!(
        "Medians over the runs since the last change, with 95 % intervals. Noise: the spread between runs without a \
         change. Changes: by ranks; all figures together raise a false alarm in {} of histories without one. Finds: \
         the chance is 80 %.",
        percent(trend.error)
    )
}

/// Every change, the last first.
fn changes_list(plan: &TrendView<'_>) -> Entries {
    let figures = plan.trend.figures.iter();
    let mut all: Vec<(&TrendChange, &TrendFigure)> = figures
        .flat_map(|figure| figure.changes.iter().map(move |change| (change, figure)))
        .collect();
    all.sort_by_key(|(change, _)| std::cmp::Reverse(change.at));
    let mut entries = Entries::default();
    for (change, figure) in all {
        let text = told(change, figure, plan);
        match change.worse {
            true => entries.marked(Mark::Missed, &figure.name, text),
            false => entries.marked(Mark::Met, &figure.name, text),
        }
        for beside in change.beside.iter().take(NAMED) {
            entries.more(format!("at the same time {beside}"));
        }
    }
    entries
}

fn told(change: &TrendChange, figure: &TrendFigure, plan: &TrendView<'_>) -> String {
    let begun = |run: usize| plan.of.runs.get(run).map_or("", |run| run.begun);
    let by = match change.change {
        Some(size) => format!("{} {}", signed(size, figure), interval_of(change, figure)),
        None => between(change, figure),
    };
    let at = match change.earliest == change.latest {
        true => String::new(),
        false => format!(
            ", between {} and {}",
            begun(change.earliest),
            begun(change.latest)
        ),
    };
    let word = if change.worse { "worse" } else { "better" };
    let id = plan.of.runs.get(change.at).map_or("", |run| run.id);
    format!(
        "{by} ({word}) from run {id}, {}{at}; p {}",
        begun(change.at),
        p_value(change.p_value)
    )
}

/// A change that has no ratio: from or to the failures, or 0.
fn between(change: &TrendChange, figure: &TrendFigure) -> String {
    let stands = |level: Option<&TrendLevel>| match level.and_then(|level| level.median) {
        Some(median) => in_unit(median, &figure.unit),
        None => "failures".to_owned(),
    };
    let before = figure.levels.iter().find(|level| level.to == change.before);
    let after = figure.levels.iter().find(|level| level.from == change.at);
    format!("from {} to {}", stands(before), stands(after))
}

fn interval_of(change: &TrendChange, figure: &TrendFigure) -> String {
    let end = |end: Option<f64>, open: &str| {
        end.map_or_else(|| open.to_owned(), |end| signed(end, figure))
    };
    format!(
        "[{}, {}]",
        end(change.at_least, "-∞"),
        end(change.at_most, "∞")
    )
}

#[cfg(test)]
mod tests;
