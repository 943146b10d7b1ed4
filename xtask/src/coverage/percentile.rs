//! Coverage of the default interval of a p99 at 60 % load.

use super::Scale;
use super::replicate::replicate;
use super::server::{single, slotted};
use super::table::{Table, Target};
use infermeter_stats::{Quantile, SampleSeries, order_statistic};

/// Requests of a run.
const REQUESTS: usize = 10_000;

/// Nominal coverage.
const LEVEL: f64 = 0.95;

/// Seeds of the runs that the truth comes from.
const TRUTH: u64 = 1 << 40;

/// The p99 of many runs together.
pub fn truth(runs: u64, one: impl Fn(u64) -> Vec<f64> + Sync) -> f64 {
    let mut all = replicate(runs, |i| one(TRUTH + i)).concat();
    all.sort_unstable_by(f64::total_cmp);
    order_statistic(&all, Quantile::P99).unwrap_or(f64::NAN)
}

/// Whether the default interval of a series holds the truth.
pub fn covers(series: &[f64], truth: f64) -> bool {
    let estimate = SampleSeries::new(series).and_then(|s| s.estimate(Quantile::P99, LEVEL));
    estimate.is_ok_and(|e| e.interval.contains(truth))
}

/// Runs the rows.
pub fn run(scale: Scale, table: &mut Table) {
    let repetitions = scale.of(2_000);
    for load in [0.6] {
        let ttft = truth(scale.of(1_000), |seed| slotted(seed, REQUESTS, load).ttft_s);
        let e2e = truth(scale.of(1_000), |seed| slotted(seed, REQUESTS, load).e2e_s);
        let covered = replicate(repetitions, |seed| {
            let served = slotted(seed, REQUESTS, load);
            [covers(&served.ttft_s, ttft), covers(&served.e2e_s, e2e)]
        });
        for (at, name) in ["TTFT", "E2E"].into_iter().enumerate() {
            let hits = covered.iter().filter(|row| row[at]).count();
            let figure = format!("{name} p99, 64 slots");
            table.share(&figure, hits, covered.len(), Target::AtLeast(0.93));
        }
    }
    let load = 0.6;
    let known = 100.0_f64.ln() / (1.0 - load);
    let covered = replicate(repetitions, |seed| covers(&single(seed, REQUESTS, load), known));
    let hits = covered.iter().filter(|c| **c).count();
    let figure = "p99 of a single server (the hard case)";
    table.share(figure, hits, covered.len(), Target::AtLeast(0.88));
}
