//! What lies in a folder of results: experiments, runs, and what is damaged.

use crate::document::{Cell, Column, Document, Entries, Section, Table};
use crate::number::{percent, significant, time};
use infermeter_analysis::{CellGrade, Percentile, Summary};
use infermeter_core::finding::Verdict;
use infermeter_core::number::counted;

/// A folder of results, newest first.
#[derive(Debug, Clone, Default)]
pub struct ListView<'a> {
    /// The folder.
    pub folder: String,
    /// Its experiments.
    pub experiments: Vec<ListedExperiment<'a>>,
    /// Its runs.
    pub runs: Vec<ListedRun<'a>>,
    /// What is there and cannot be read, with why.
    pub damaged: Vec<Damaged<'a>>,
}

/// An experiment.
#[derive(Debug, Clone, Copy)]
pub struct ListedExperiment<'a> {
    /// Its directory.
    pub name: &'a str,
    /// When it began.
    pub begun: &'a str,
    /// The command that measured it.
    pub command: &'a str,
    /// Runs that have ended.
    pub runs: usize,
    /// The gravest verdict on these; absent where none has ended.
    pub verdict: Option<Verdict>,
    /// Its answer in a line; absent where it has none yet.
    pub answer: Option<&'a str>,
}

/// A run.
#[derive(Debug, Clone, Copy)]
pub struct ListedRun<'a> {
    /// Its directory.
    pub name: &'a str,
    /// When it began.
    pub begun: &'a str,
    /// Its verdict; absent where it was never judged.
    pub verdict: Option<Verdict>,
    /// What it was sent to.
    pub target: &'a str,
    /// Requests per second or slots.
    pub load: &'a str,
    /// Its figures; absent as above.
    pub summary: Option<&'a Summary>,
}

/// Something that cannot be read.
#[derive(Debug, Clone, Copy)]
pub struct Damaged<'a> {
    /// Its directory.
    pub name: &'a str,
    /// Why.
    pub why: &'a str,
}

/// What is told of a folder.
pub fn of_list(view: &ListView<'_>) -> Document {
    let found = [
        counted(view.experiments.len() as u64, "experiment"),
        counted(view.runs.len() as u64, "run"),
    ];
    let mut document = Document::titled(format!("{}: {}", view.folder, found.join(", ")));
    let mut damaged = Entries::default();
    for Damaged { name, why } in &view.damaged {
        damaged.add(*name, *why);
    }
    document.push(Section::new("Damaged").with(damaged));
    let mut experiments = Entries::default();
    for experiment in &view.experiments {
        experiments.add(experiment.name, about(experiment));
        if let Some(answer) = experiment.answer {
            experiments.more(answer);
        }
    }
    document.push(Section::new("Experiments").with(experiments));
    document.push(Section::new("Runs; TTFT from the headline origin").with(runs(&view.runs)));
    document
}

fn about(experiment: &ListedExperiment<'_>) -> String {
    let verdict = experiment.verdict.map_or_else(
        || "no run has ended".to_owned(),
        |verdict| {
            format!(
                "{}; at worst {}",
                counted_runs(experiment.runs),
                verdict.as_str()
            )
        },
    );
    format!("{}, {}, {verdict}", experiment.begun, experiment.command)
}

fn counted_runs(runs: usize) -> String {
    counted(runs as u64, "run")
}

fn runs(all: &[ListedRun<'_>]) -> Table {
    let columns = vec![
        Column::left("begun").going(1),
        Column::left("verdict"),
        Column::left("target").going(0),
        Column::left("load"),
        Column::right("done").going(2),
        Column::right("TTFT p50"),
        Column::right("p99"),
        Column::right("tokens/s"),
    ];
    let mut table = Table::new("", columns);
    for run in all {
        let verdict = run.verdict.map_or("not judged", Verdict::as_str);
        let mut cells = vec![
            Cell::of(run.begun),
            Cell::of(verdict),
            Cell::of(run.target),
            Cell::of(run.load),
        ];
        cells.extend(figures(run.summary));
        table.row(run.name, cells);
    }
    table
}

/// How much completed, TTFT, and what came out.
fn figures(summary: Option<&Summary>) -> Vec<Cell> {
    let Some(summary) = summary else {
        return vec![Cell::noted("-"); 4];
    };
    let measured = &summary.requests.measured;
    let done = measured.completed as f64 / measured.total as f64;
    let ttft = summary.latency.ttft.from(summary.headline_origin);
    let at = |p: f64| {
        let cell = ttft.and_then(|ttft| ttft.cell(Percentile::new(p)?));
        match cell {
            Some(cell) if cell.grade != CellGrade::Unsupported => {
                Cell::or_dash(cell.value.map(time))
            }
            Some(cell) => Cell::or_dash(cell.low.map(|low| format!("≥ {}", time(low)))),
            None => Cell::noted("-"),
        }
    };
    let output = summary.throughput.as_ref();
    let output = output.and_then(|throughput| throughput.output_tokens.as_ref());
    vec![
        Cell::or_dash((measured.total > 0).then(|| percent(done))),
        at(50.0),
        at(99.0),
        Cell::or_dash(output.map(|rate| significant(rate.per_s))),
    ]
}
