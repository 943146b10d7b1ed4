//! ITL by time blocks in windows of 15, 60 and 300 s, at the percentiles that every run prints.
//!
//! Short windows are the hard case: the load's own ups and downs last as long as answers do.

use super::Scale;
use super::engine::{Extent, Simulator};
use super::percentile::LEVEL;
use super::replicate::replicate;
use super::table::{Table, Target};
use anyhow::Result;
use infermeter_stats::{BlockSeries, Interval, Quantile, order_statistic};

/// Runs of each row, and of the truth behind it.
const REPETITIONS: u64 = 300;
const TRUTH_RUNS: u64 = 60;

/// Seconds of a run of the truth.
const TRUTH_SECONDS: i64 = 120;

/// Seeds of the runs that the truth comes from.
const TRUTH: u64 = 1 << 40;

/// Length of a block, as `analysis` has it.
const BLOCK_NS: i64 = 1_000_000_000;

/// Windows, seconds.
const WINDOWS: [i64; 3] = [15, 60, 300];

/// The percentiles, and the least share of intervals that hold.
const PERCENTILES: [(f64, Target); 4] = [
    (0.5, Target::AtLeast(0.9)),
    (0.75, Target::AtLeast(0.9)),
    (0.9, Target::AtLeast(0.9)),
    (0.99, Target::None),
];

/// Runs the rows.
pub fn run(scale: Scale, table: &mut Table) -> Result<()> {
    let small = Simulator::new(Some(64))?;
    for load in [0.3, 0.6, 0.85] {
        rows(scale, table, &small, "64 sequences", load, &WINDOWS)?;
    }
    let large = Simulator::new(None)?;
    for load in [0.1, 0.6] {
        rows(scale, table, &large, "512 sequences", load, &WINDOWS[..1])?;
    }
    Ok(())
}

fn rows(
    scale: Scale,
    table: &mut Table,
    simulator: &Simulator,
    name: &str,
    load: f64,
    windows: &[i64],
) -> Result<()> {
    let quantiles: Vec<(Quantile, Target)> = PERCENTILES
        .into_iter()
        .map(|(p, target)| Ok((Quantile::new(p)?, target)))
        .collect::<Result<_>>()?;
    let extent = Extent::Seconds(TRUTH_SECONDS);
    let runs = replicate(scale.of_truth(TRUTH_RUNS), |i| {
        simulator.gaps(TRUTH + i, extent, load).0
    });
    let mut all = runs.concat();
    all.sort_unstable_by(f64::total_cmp);
    for seconds in windows {
        let found = replicate(scale.of(REPETITIONS), |seed| {
            let (values, at_ns) = simulator.gaps(seed, Extent::Seconds(*seconds), load);
            intervals(&values, &at_ns, &quantiles)
        });
        for (at, (q, target)) in quantiles.iter().enumerate() {
            let truth = order_statistic(&all, *q).unwrap_or(f64::NAN);
            let known = found.iter().filter_map(|run| run.get(at));
            let hits = known.filter(|interval| interval.contains(truth)).count();
            let percent = load * 100.0;
            let figure = format!("ITL {q}, {name}, {percent:.0} % load, {seconds} s");
            table.share(&figure, hits, found.len(), *target);
        }
    }
    Ok(())
}

fn intervals(values: &[f64], at_ns: &[i64], quantiles: &[(Quantile, Target)]) -> Vec<Interval> {
    let Ok(series) = BlockSeries::new(values, at_ns, BLOCK_NS) else {
        return Vec::new();
    };
    let of = |q: &Quantile| Some(series.estimate(*q, LEVEL).ok()?.interval);
    quantiles.iter().filter_map(|(q, _)| of(q)).collect()
}
