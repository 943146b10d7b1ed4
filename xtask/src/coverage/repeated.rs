//! Student's t over the p99 of five runs at 85 % load.

use super::Scale;
use super::engine::{Extent, Simulator};
use super::percentile::{LEVEL, REQUESTS, TRUTH_RUNS, truths};
use super::replicate::replicate;
use super::server::slotted;
use super::table::{Table, Target};
use anyhow::Result;
use infermeter_stats::{Quantile, RunFigure, SampleSeries, over_runs};

/// Share of the capacity.
const LOAD: f64 = 0.85;

/// Runs of one interval.
const RUNS: u64 = 5;

/// Runs the rows.
pub fn run(scale: Scale, table: &mut Table) -> Result<()> {
    let slots = |seed| {
        let served = slotted(seed, REQUESTS, LOAD);
        [served.ttft_s, served.e2e_s]
    };
    rows(scale, table, "64 slots", 1_000, slots);
    let simulator = Simulator::new(None)?;
    let engine = |seed| {
        let run = simulator.run(seed, Extent::Requests(REQUESTS as u64), LOAD);
        [run.ttft_s, run.e2e_s]
    };
    rows(scale, table, "engine simulator", 400, engine);
    Ok(())
}

fn rows(
    scale: Scale,
    table: &mut Table,
    server: &str,
    repetitions: u64,
    one: impl Fn(u64) -> [Vec<f64>; 2] + Sync,
) {
    let truths = truths(scale.of_truth(TRUTH_RUNS), &one);
    let covered = replicate(scale.of(repetitions), |repetition| {
        let mut figures = [Vec::new(), Vec::new()];
        for run in 0..RUNS {
            let series = one(repetition * RUNS + run);
            for (figures, series) in figures.iter_mut().zip(&series) {
                figures.extend(p99(series));
            }
        }
        [0, 1].map(|at| interval_covers(&figures[at], truths[at]))
    });
    for (at, name) in ["TTFT", "E2E"].into_iter().enumerate() {
        let closed: Vec<bool> = covered.iter().map(|row| row[at]).collect();
        let hits = closed.iter().filter(|covered| **covered).count();
        let figure = format!("five runs' {name} p99 at 85 %, {server}");
        table.share(&figure, hits, closed.len(), Target::AtLeast(0.85));
    }
}

/// The p99 of one run. Its tail is not judged here: the table is about the interval itself.
fn p99(series: &[f64]) -> Option<RunFigure> {
    let series = SampleSeries::new(series).ok()?;
    Some(RunFigure {
        value: series.value(Quantile::P99),
        effective_tail: None,
    })
}

fn interval_covers(figures: &[RunFigure], truth: f64) -> bool {
    over_runs(figures, LEVEL).is_ok_and(|over| over.interval.contains(truth))
}
