//! What one run near saturation can know of TTFT: the server with slots at 85 % load, at the highest
//! percentile up to p99 that is printed where the series is flagged as correlated.
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

/// Percentiles of the table of latencies, the highest first.
const PRINTED: [Quantile; 4] = [Quantile::P99, Quantile::P95, Quantile::P90, Quantile::P50];

/// Runs the rows.
pub fn run(scale: Scale, table: &mut Table) -> Result<()> {
    let one = |seed| slotted(seed, REQUESTS, LOAD).ttft_s;
    let truths = PRINTED.map(|q| truth(scale.of_truth(TRUTH_RUNS), q, &one));
    let lengths = [300, 1_000, 3_000, REQUESTS];
    let found = replicate(scale.of(REPETITIONS), |seed| {
        let series = one(seed);
        lengths.map(|n| holds(&series[..n], &truths))
    });
    for (at, n) in lengths.into_iter().enumerate() {
        let said: Vec<[bool; 2]> = found.iter().filter_map(|run| run[at]).collect();
        let rows = [
            ("interval", Target::None),
            ("plausible range", Target::AtLeast(0.9)),
        ];
        for (which, (name, target)) in rows.into_iter().enumerate() {
            let hits = said.iter().filter(|run| run[which]).count();
            let figure = format!("{name} of TTFT of one run of {n} at 85 %, 64 slots");
            table.share(&figure, hits, said.len(), target);
        }
    }
    Ok(())
}

/// Whether interval and plausible range hold the truth; `None` where nothing is said.
fn holds(series: &[f64], truths: &[f64; 4]) -> Option<[bool; 2]> {
    let series = SampleSeries::new(series)
        .ok()
        .filter(SampleSeries::correlated)?;
    PRINTED.iter().zip(truths).find_map(|(q, truth)| {
        let estimate = series.estimate(*q, LEVEL).ok()?;
        let range = estimate.plausible(true)?;
        estimate.grade.is_supported().then(|| {
            [
                estimate.interval.contains(*truth),
                range.holds(estimate.value, *truth),
            ]
        })
    })
}
