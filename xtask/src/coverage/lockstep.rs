//! ITL p99 by time blocks, where all running streams get their tokens at the end of one step.

use super::Scale;
use super::engine::{Extent, Simulator};
use super::percentile::{LEVEL, truth};
use super::random::Random;
use super::replicate::replicate;
use super::table::{Table, Target};
use anyhow::Result;
use infermeter_stats::{BlockSeries, Quantile};

/// Repetitions of each row, and runs that the truth comes from.
const REPETITIONS: u64 = 1_000;
const TRUTH_RUNS: u64 = 300;

/// Streams, and steps of a run.
const STREAMS: usize = 64;
const STEPS: usize = 3_000;

/// Seconds of load on the engine.
const SECONDS: i64 = 300;

/// Length of a block, as `analysis` has it.
const BLOCK_NS: i64 = 1_000_000_000;

/// Gaps, seconds, with the instants at which they end.
type Gaps = (Vec<f64>, Vec<i64>);

/// Runs the rows.
pub fn run(scale: Scale, table: &mut Table) -> Result<()> {
    row(
        scale,
        table,
        "64 streams, slow level of step times",
        plain_steps,
    );
    let simulator = Simulator::new(Some(STREAMS as u32))?;
    row(
        scale,
        table,
        "engine simulator of 64 sequences, 60 % load",
        |seed| simulator.gaps(seed, Extent::Seconds(SECONDS), 0.6),
    );
    Ok(())
}

/// Steps of 40 ms whose logarithm has a level that wanders (AR(1), 0.9) under noise of its own.
fn plain_steps(seed: u64) -> Gaps {
    let mut random = Random::new(seed);
    let mut level = random.normal();
    let mut now_s = 0.0;
    let mut gaps = Gaps::default();
    for _ in 0..STEPS {
        level = 0.9 * level + (1.0_f64 - 0.81).sqrt() * random.normal();
        let step_s = 0.04 * (0.2 * level + 0.2 * random.normal()).exp();
        now_s += step_s;
        gaps.0.extend([step_s; STREAMS]);
        gaps.1.extend([(now_s * 1e9) as i64; STREAMS]);
    }
    gaps
}

fn row(scale: Scale, table: &mut Table, name: &str, one: impl Fn(u64) -> Gaps + Sync) {
    let truth = truth(scale.of_truth(TRUTH_RUNS), Quantile::P99, &|seed| {
        one(seed).0
    });
    let covered = replicate(scale.of(REPETITIONS), |seed| {
        let (values, at_ns) = one(seed);
        let series = BlockSeries::new(&values, &at_ns, BLOCK_NS);
        let estimate = series.and_then(|s| s.estimate(Quantile::P99, LEVEL));
        estimate.is_ok_and(|e| e.interval.contains(truth))
    });
    let hits = covered.iter().filter(|c| **c).count();
    let figure = format!("ITL p99 by time blocks, {name}");
    table.share(&figure, hits, covered.len(), Target::AtLeast(0.93));
}
