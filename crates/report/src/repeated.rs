//! Repeated runs: verdict and findings, what was asked to be pinned down, and each figure over the
//! runs.

mod charts;

use crate::document::{Block, Cell, Column, Document, Entries, Judgement, Section, Table, Tone};
use crate::number::{JOIN, interval, significant, spaced, time};
use infermeter_analysis::{
    PrecisionLook, PrecisionMethod, PrecisionState, Repeated, RepeatedFigure, Summary,
};
use infermeter_core::finding::{Finding, Verdict};
use infermeter_core::number::counted;

/// What is told of repeated runs.
pub fn of_repeated(
    repeated: &Repeated,
    looks: &[PrecisionLook],
    verdict: Verdict,
    findings: &[Finding],
) -> Document {
    let mut document = Document::titled(format!("{} runs of one plan", repeated.runs));
    document.verdict = Some(Judgement::of(verdict, findings));
    if let Some(last) = looks.last() {
        document.push(precision(last));
    }
    let heading = format!(
        "Figures over {}: mean over runs [{:.0} % interval]",
        counted(repeated.runs as u64, "run"),
        repeated.confidence_level * 100.0
    );
    document.push(
        Section::new(heading)
            .with(table(repeated))
            .with(absent(repeated)),
    );
    let charts = charts::charts(repeated).into_iter();
    document.push(charts.fold(Section::new("Run by run"), Section::with));
    document
}

fn table(repeated: &Repeated) -> Table {
    let columns = ["std", "min", "max", "CV", "runs"].map(Column::right);
    let columns = [vec![Column::left("mean")], columns.to_vec()].concat();
    let mut table = Table::new("", columns);
    for figure in &repeated.figures {
        add_row(&mut table, figure);
    }
    table
}

fn add_row(table: &mut Table, figure: &RepeatedFigure) {
    let Some(over) = &figure.over else {
        return;
    };
    let write = significant;
    let mean = Cell {
        interval: Some(interval(
            over.mean.low.map(write),
            over.mean.high.map(write),
        )),
        ..Cell::of(write(over.mean.value))
    };
    let percent = over.cv.map(|cv| format!("{}{JOIN}%", write(cv * 100.0)));
    let label = format!("{} {}", figure.name, figure.unit);
    let cells = vec![
        mean,
        Cell::or_dash(over.std.map(write)),
        Cell::of(write(over.min)),
        Cell::of(write(over.max)),
        Cell::or_dash(percent),
        Cell::of(over.n.to_string()),
    ];
    table.row(label.trim_end(), cells);
}

/// The figures that no run has.
fn absent(repeated: &Repeated) -> Block {
    let absent = repeated
        .figures
        .iter()
        .filter(|figure| figure.over.is_none());
    let names: Vec<&str> = absent.map(|figure| figure.name.as_str()).collect();
    let text = match names.is_empty() {
        true => String::new(),
        false => format!("No run supports {}.", names.join(", ")),
    };
    Block::Text(Tone::Plain, text)
}

/// One line for a run that has ended.
pub fn run_line(number: usize, most: usize, verdict: Verdict, repeated: &Repeated) -> String {
    spaced(&format!(
        "Run {number} of {most}: {}; {}",
        verdict.as_str(),
        last_figures(repeated)
    ))
}

/// Some figures of the last run.
fn last_figures(repeated: &Repeated) -> String {
    let of = |name: &str| -> Option<String> {
        let figure = repeated.figure(name)?;
        let value = (*figure.runs.last()?)?;
        let shown = match figure.unit.as_ref() {
            "ms" => time(value),
            _ => significant(value),
        };
        Some(format!("{name} {shown}"))
    };
    let names = ["ttft.p50", "ttft.p99", "itl.p50", "output_tokens_per_s"];
    let figures: Vec<String> = names.into_iter().filter_map(of).collect();
    figures.join(", ")
}

/// What a run that has ended shows, in a line.
pub fn run_figures(summary: &Summary, verdict: Verdict) -> String {
    let alone = Repeated::of(&[(summary.clone(), verdict)]);
    spaced(&format!("{}; {}", verdict.as_str(), last_figures(&alone)))
}

/// What a look found, and what it means for the runs to come, in a line.
pub fn look_line(look: &PrecisionLook) -> String {
    spaced(&found(look))
}

fn found(look: &PrecisionLook) -> String {
    let by = match look.method {
        PrecisionMethod::ConfidenceSequence => "confidence sequence over all requests",
        PrecisionMethod::PlannedLooks => "planned looks at runs",
    };
    let width = match (look.value, look.relative) {
        (Some(value), Some(relative)) => {
            format!("{} +-{}%", time(value), significant(relative * 100.0))
        }
        (Some(value), None) => format!("{} with an open interval", time(value)),
        (None, _) => "nothing to say yet".to_owned(),
    };
    let state = match look.state {
        PrecisionState::Reached => "reached".to_owned(),
        PrecisionState::NotReached => "not reached".to_owned(),
        PrecisionState::Continue => match look.expected_runs {
            Some(runs) => format!("{runs} runs expected"),
            None => "going on".to_owned(),
        },
    };
    format!(
        "{}: {width} after {} ({by}): {state}",
        look.asked,
        counted(look.runs as u64, "run")
    )
}

fn precision(last: &PrecisionLook) -> Section {
    let mut section = Section::new("Precision").with(Block::Text(Tone::Plain, found(last)));
    if let Some(value) = last.value {
        let range = interval(last.low.map(time), last.high.map(time));
        let mut entries = Entries::default();
        entries.add(
            "Interval",
            format!("{} {range}, of joint coverage over all looks", time(value)),
        );
        section.push(entries);
    }
    section
}
