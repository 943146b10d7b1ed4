//! What one run near saturation can know of the p99 of TTFT: the server with slots at 85 % load.
//!
//! The interval has no target here: it cannot know how other runs come out. The plausible range is
//! held to saying so.

use super::Scale;
use super::percentile::{LEVEL, REPETITIONS, REQUESTS, TRUTH_RUNS, truth};
use super::replicate::replicate;
use super::server::slotted;
use super::table::{Table, Target};
use anyhow::Result;
use infermeter_stats::{Quantile, SampleSeries};

/// Share of the capacity.
const LOAD: f64 = 0.85;

/// Runs the rows.
pub fn run(scale: Scale, table: &mut Table) -> Result<()> {
    let one = |seed| slotted(seed, REQUESTS, LOAD).ttft_s;
    let truth = truth(scale.of_truth(TRUTH_RUNS), Quantile::P99, &one);
    let lengths = [1_000, 3_000, REQUESTS];
    let found = replicate(scale.of(REPETITIONS), |seed| {
        let series = one(seed);
        lengths.map(|n| holds(&series[..n], truth).unwrap_or([false; 2]))
    });
    for (at, n) in lengths.into_iter().enumerate() {
        // At 1,000 the tail is so thin that the percentile is not printed at all.
        let target = if n > 1_000 {
            Target::AtLeast(0.9)
        } else {
            Target::None
        };
        let rows = [("interval", Target::None), ("plausible range", target)];
        for (which, (name, target)) in rows.into_iter().enumerate() {
            let hits = found.iter().filter(|run| run[at][which]).count();
            let figure = format!("{name} of TTFT p99 of one run of {n} at 85 %, 64 slots");
            table.share(&figure, hits, found.len(), target);
        }
    }
    Ok(())
}

/// Whether interval and plausible range hold the truth.
fn holds(series: &[f64], truth: f64) -> Option<[bool; 2]> {
    let series = SampleSeries::new(series).ok()?;
    let estimate = series.estimate(Quantile::P99, LEVEL).ok()?;
    let range = estimate.plausible(series.correlated())?;
    Some([
        estimate.interval.contains(truth),
        range.holds(estimate.value, truth),
    ])
}
