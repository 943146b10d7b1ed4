//! Coverage of the default interval of a p99 at 60 % load.

use super::Scale;
use super::engine::{Extent, Simulator};
use super::replicate::replicate;
use super::server::{single, slotted};
use super::table::{Table, Target};
use anyhow::Result;
use infermeter_stats::{Quantile, SampleSeries, order_statistic};

/// Requests of a run.
pub const REQUESTS: usize = 10_000;

/// Share of the capacity.
const LOAD: f64 = 0.6;

/// Runs whose intervals are looked at, and runs that the truth comes from.
pub const REPETITIONS: u64 = 2_000;
pub const TRUTH_RUNS: u64 = 500;

/// Nominal coverage.
pub const LEVEL: f64 = 0.95;

/// Seeds of the runs that the truth comes from.
const TRUTH: u64 = 1 << 40;

/// A quantile of many runs together, with seeds of their own.
pub fn truth(runs: u64, q: Quantile, one: &(impl Fn(u64) -> Vec<f64> + Sync)) -> f64 {
    quantile(replicate(runs, |i| one(TRUTH + i)).concat(), q)
}

/// The p99 of both series of many runs together.
pub fn truths(runs: u64, one: &(impl Fn(u64) -> [Vec<f64>; 2] + Sync)) -> [f64; 2] {
    let mut all = [Vec::new(), Vec::new()];
    for series in replicate(runs, |i| one(TRUTH + i)) {
        all.iter_mut()
            .zip(&series)
            .for_each(|(all, one)| all.extend(one));
    }
    all.map(|all| quantile(all, Quantile::P99))
}

fn quantile(mut values: Vec<f64>, q: Quantile) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    order_statistic(&values, q).unwrap_or(f64::NAN)
}

/// Whether the default interval of a series holds the truth.
fn covers(series: &[f64], truth: f64) -> bool {
    let estimate = SampleSeries::new(series).and_then(|s| s.estimate(Quantile::P99, LEVEL));
    estimate.is_ok_and(|e| e.interval.contains(truth))
}

/// Runs the rows.
pub fn run(scale: Scale, table: &mut Table) -> Result<()> {
    on_slots(scale, table);
    on_the_engine(scale, table)?;
    let known = 100.0_f64.ln() / (1.0 - LOAD);
    let covered = replicate(scale.of(REPETITIONS), |seed| {
        covers(&single(seed, REQUESTS, LOAD), known)
    });
    let hits = covered.iter().filter(|c| **c).count();
    let figure = "p99 of a single server (the hard case)";
    table.share(figure, hits, covered.len(), Target::AtLeast(0.88));
    Ok(())
}

fn on_slots(scale: Scale, table: &mut Table) {
    let one = |seed| {
        let served = slotted(seed, REQUESTS, LOAD);
        [served.ttft_s, served.e2e_s]
    };
    pairs(scale, table, "64 slots", one);
}

fn on_the_engine(scale: Scale, table: &mut Table) -> Result<()> {
    let simulator = Simulator::new(None)?;
    let one = |seed| {
        let run = simulator.run(seed, Extent::Requests(REQUESTS as u64), LOAD);
        [run.ttft_s, run.e2e_s]
    };
    pairs(scale, table, "engine simulator", one);
    Ok(())
}

/// Rows of TTFT and E2E of one server.
fn pairs(scale: Scale, table: &mut Table, server: &str, one: impl Fn(u64) -> [Vec<f64>; 2] + Sync) {
    let truths = truths(scale.of_truth(TRUTH_RUNS), &one);
    let covered = replicate(scale.of(REPETITIONS), |seed| {
        let series = one(seed);
        [0, 1].map(|at| covers(&series[at], truths[at]))
    });
    for (at, name) in ["TTFT", "E2E"].into_iter().enumerate() {
        let hits = covered.iter().filter(|row| row[at]).count();
        let figure = format!("{name} p99, {server}");
        table.share(&figure, hits, covered.len(), Target::AtLeast(0.93));
    }
}
