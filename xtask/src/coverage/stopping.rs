//! Stopping when an interval is narrow enough: does the final interval still hold the truth?
//!
//! Within a run by the confidence sequence, which is refused where the series is flagged as
//! correlated; over replicate runs by planned looks. Beside each the interval that never looked:
//! of the same runs at their full length or number.

use super::Scale;
use super::engine::{Extent, Simulator};
use super::percentile::{LEVEL, truth};
use super::random::Random;
use super::replicate::replicate;
use super::table::{Table, Target};
use anyhow::Result;
use infermeter_stats::{
    Interval, Look, LookPlan, Quantile, QuantileSequence, RunFigure, SampleSeries, over_runs,
    relative_half_width,
};

/// Sequences of each row, and planned sets of runs.
const SEQUENCES: u64 = 500;
const SETS: u64 = 200;

/// Runs that a truth comes from.
const TRUTH_RUNS: u64 = 300;

/// A look at every so many requests, to so many at most.
const LOOK_EVERY: usize = 500;
const MOST_REQUESTS: usize = 20_000;

/// Half-width, relative to the value, that ends a sequence.
const RELATIVE: f64 = 0.1;

/// Planned looks: first and greatest number of runs, looks, requests of a run, half-width.
const PLAN: (usize, usize, usize) = (3, 12, 4);
const RUN_REQUESTS: u64 = 3_000;
const RELATIVE_OF_RUNS: f64 = 0.02;

/// Runs the rows.
pub fn run(scale: Scale, table: &mut Table) -> Result<()> {
    independent(scale, table)?;
    let simulator = Simulator::new(None)?;
    for load in [0.6, 0.85] {
        within_a_run(&simulator, load, scale, table)?;
        over_planned_runs(&simulator, load, scale, table)?;
    }
    Ok(())
}

/// Lognormal values; the p99 is exp(z(0.99)).
fn independent(scale: Scale, table: &mut Table) -> Result<()> {
    let truth = 2.326_347_874_040_841_f64.exp();
    let sequence = QuantileSequence::new(Quantile::P99, LEVEL, MOST_REQUESTS / 2)?;
    let covered = replicate(scale.of(SEQUENCES), |seed| {
        let mut random = Random::new(seed);
        let values: Vec<f64> = (0..MOST_REQUESTS).map(|_| random.normal().exp()).collect();
        final_interval(&sequence, &values).is_none_or(|i| i.contains(truth))
    });
    let hits = covered.iter().filter(|c| **c).count();
    let figure = "p99 of independent values, stopped at +-10 %, sequence";
    table.share(figure, hits, covered.len(), Target::AtLeast(0.93));
    Ok(())
}

/// The interval at the first look that is narrow enough, else at the last.
fn final_interval(sequence: &QuantileSequence, values: &[f64]) -> Option<Interval> {
    let looks = (1..=values.len() / LOOK_EVERY).map(|look| look * LOOK_EVERY);
    let mut last = None;
    for n in looks {
        let mut sorted = values[..n].to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let interval = sequence.interval(&sorted).ok()?;
        let value = sorted[Quantile::P99.rank(n) - 1];
        last = Some(interval);
        if relative_half_width(&interval, value).is_some_and(|half| half <= RELATIVE) {
            return last;
        }
    }
    last
}

fn within_a_run(simulator: &Simulator, load: f64, scale: Scale, table: &mut Table) -> Result<()> {
    let extent = Extent::Requests(MOST_REQUESTS as u64 / 2);
    let one = |seed| simulator.run(seed, extent, load).e2e_s;
    let truth = truth(scale.of_truth(TRUTH_RUNS), Quantile::P99, &one);
    let sequence = QuantileSequence::new(Quantile::P99, LEVEL, MOST_REQUESTS / 2)?;
    let covered = replicate(scale.of(SEQUENCES), |seed| {
        let values = one(seed);
        let series = SampleSeries::new(&values).ok()?;
        let fixed = series.estimate(Quantile::P99, LEVEL).ok()?.interval;
        if series.correlated() {
            return None;
        }
        let stopped = final_interval(&sequence, &values)?;
        Some((stopped.contains(truth), fixed.contains(truth)))
    });
    pair(
        table,
        &format!("E2E p99, engine at {:.0} %, sequence", load * 100.0),
        &covered,
    );
    Ok(())
}

fn over_planned_runs(
    simulator: &Simulator,
    load: f64,
    scale: Scale,
    table: &mut Table,
) -> Result<()> {
    let (first, most, looks) = PLAN;
    let plan = LookPlan::new(first, most, looks, LEVEL)?;
    let one = |seed| {
        simulator
            .run(seed, Extent::Requests(RUN_REQUESTS), load)
            .e2e_s
    };
    let truth = truth(scale.of_truth(2 * TRUTH_RUNS), Quantile::P90, &one);
    let covered = replicate(scale.of(SETS), |set| {
        let runs = (0..most as u64).map(|run| p90(&one(set * most as u64 + run)));
        let figures: Vec<RunFigure> = runs.collect::<Option<_>>()?;
        let fixed = over_runs(&figures, LEVEL).ok()?.interval;
        let stopped = stopped_at(&plan, &figures)?;
        Some((stopped.contains(truth), fixed.contains(truth)))
    });
    pair(
        table,
        &format!("E2E p90, engine at {:.0} %, planned runs", load * 100.0),
        &covered,
    );
    Ok(())
}

/// The interval of the look that stops.
fn stopped_at(plan: &LookPlan, figures: &[RunFigure]) -> Option<Interval> {
    plan.runs().iter().find_map(|runs| {
        match plan.look(&figures[..*runs], RELATIVE_OF_RUNS).ok()?? {
            Look::Reached(over) | Look::NotReached(over) => Some(over.interval),
            Look::Continue { .. } => None,
        }
    })
}

/// The stopped interval's row, held to the one that never looked, and that one's row.
fn pair(table: &mut Table, name: &str, covered: &[Option<(bool, bool)>]) {
    let known: Vec<(bool, bool)> = covered.iter().flatten().copied().collect();
    if known.len() < covered.len() {
        let refused = covered.len() - known.len();
        let figure = format!("{name}: refused as correlated");
        table.share(&figure, refused, covered.len(), Target::None);
    }
    let fixed = known.iter().filter(|(_, fixed)| *fixed).count();
    let stopped = known.iter().filter(|(stopped, _)| *stopped).count();
    let share = fixed as f64 / known.len().max(1) as f64;
    table.share(
        &format!("{name}, all of it"),
        fixed,
        known.len(),
        Target::None,
    );
    table.share(
        &format!("{name}, stopped"),
        stopped,
        known.len(),
        Target::AtLeast(share),
    );
}

fn p90(series: &[f64]) -> Option<RunFigure> {
    let series = SampleSeries::new(series).ok()?;
    let tail = series.effective_n(Quantile::P90) * Quantile::P90.tail();
    Some(RunFigure {
        value: series.value(Quantile::P90),
        effective_tail: Some(tail),
    })
}
