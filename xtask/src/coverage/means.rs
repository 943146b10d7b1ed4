//! Intervals of means of request latencies, where they are printed: on the logarithmic scale, from an
//! effective sample size of ten on.

use super::Scale;
use super::engine::{Extent, Simulator};
use super::percentile::LEVEL;
use super::replicate::replicate;
use super::table::{Table, Target};
use anyhow::Result;
use infermeter_stats::summarise;

/// Runs of each row, and of the truth behind it.
const REPETITIONS: u64 = 1_000;
const TRUTH_RUNS: u64 = 200;

/// Seeds of the runs that the truth comes from.
const TRUTH: u64 = 1 << 40;

/// Runs the rows.
pub fn run(scale: Scale, table: &mut Table) -> Result<()> {
    let simulator = Simulator::new(Some(64))?;
    for load in [0.3, 0.6] {
        let one = |seed, seconds| {
            let run = simulator.run(seed, Extent::Seconds(seconds), load);
            [run.ttft_s, run.e2e_s]
        };
        let truths = {
            let runs = replicate(scale.of_truth(TRUTH_RUNS), |i| one(TRUTH + i, 120));
            [0, 1].map(|at| {
                let all: Vec<f64> = runs.iter().flat_map(|run| run[at].clone()).collect();
                all.iter().sum::<f64>() / all.len() as f64
            })
        };
        for seconds in [15, 60, 300] {
            let found = replicate(scale.of(REPETITIONS), |seed| {
                let series = one(seed, seconds);
                [0, 1].map(|at| holds(&series[at], truths[at]))
            });
            for (at, name) in ["TTFT", "E2E"].into_iter().enumerate() {
                let printed: Vec<bool> = found.iter().filter_map(|run| run[at]).collect();
                let hits = printed.iter().filter(|held| **held).count();
                let percent = load * 100.0;
                let figure = format!("mean {name}, {percent:.0} % load, {seconds} s");
                table.share(&figure, hits, printed.len(), Target::AtLeast(0.9));
            }
        }
    }
    Ok(())
}

/// Whether the interval holds the truth; `None` where the mean is not printed.
fn holds(series: &[f64], truth: f64) -> Option<bool> {
    let summary = summarise(series, LEVEL).ok()?;
    let printed = summary.mean_needs().is_none();
    printed.then(|| summary.mean_interval.contains(truth))
}
