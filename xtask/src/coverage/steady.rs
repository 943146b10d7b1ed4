//! False and true answers about warm-up, drift and saturation, on the server with slots.

use super::Scale;
use super::replicate::replicate;
use super::server::{CAPACITY_PER_S, SLOTS, Served, slotted};
use super::table::{Table, Target};
use anyhow::Result;
use infermeter_stats::{
    DRIFT_ALPHA, Stability, Transient, drift, halves, queue_emptied, saturation, transient,
};
use std::ops::Range;

/// Runs of each row.
const REPETITIONS: u64 = 1_000;

/// Length of a run and of its declared warm-up, seconds.
const SECONDS: usize = 300;
const WARMUP: usize = 30;

/// Requests in flight more at the planted cold start, as a share of the slots (ten standard
/// deviations at 60 % load), and its length in seconds.
const COLD: (f64, usize) = (1.0, 60);

const SECOND_NS: i64 = 1_000_000_000;

/// Runs the rows.
pub fn run(scale: Scale, table: &mut Table) -> Result<()> {
    for load in [0.6, 0.85] {
        stationary(load, scale, table);
    }
    for (load, seconds) in [
        (0.7, 60),
        (0.7, 300),
        (0.98, 60),
        (1.02, 60),
        (1.2, 60),
        (1.2, 300),
    ] {
        saturated(load, seconds, scale, table);
    }
    Ok(())
}

/// Alarms on runs in which nothing happens, and finds of a planted cold start.
fn stationary(load: f64, scale: Scale, table: &mut Table) {
    let n = (load * CAPACITY_PER_S * SECONDS as f64) as usize;
    let answers = replicate(scale.of(REPETITIONS), |seed| {
        let served = slotted(seed, n, load);
        let at_ns = nanoseconds(&served.arrived_s);
        let drifts = drift(&served.e2e_s, &at_ns, DRIFT_ALPHA);
        let differ = halves(&served.e2e_s, &at_ns, DRIFT_ALPHA);
        let inside = in_flight(&served);
        let mut cold = inside.clone();
        cold[..COLD.1]
            .iter_mut()
            .for_each(|bin| *bin += COLD.0 * SLOTS as f64);
        [
            drifts.is_ok_and(|d| d.is_some_and(|d| d.is_significant())),
            differ.is_ok_and(|h| h.is_some_and(|h| h.significant)),
            has_transient(&inside),
            has_transient(&cold),
            matches!(transient(&[&cold], WARMUP), Ok(Transient::Steady)),
        ]
    });
    let rows = [
        ("false drift", Target::AtMost(0.02)),
        ("false difference of halves", Target::AtMost(0.02)),
        ("false start-up past the warm-up", Target::AtMost(0.02)),
        ("planted start-up found", Target::AtLeast(0.9)),
        // The rest is undecided: no steady part was seen.
        ("planted start-up called steady", Target::AtMost(0.02)),
    ];
    for (at, (name, target)) in rows.into_iter().enumerate() {
        let hits = answers.iter().filter(|row| row[at]).count();
        let figure = format!("{name}, {:.0} % load, {SECONDS} s", load * 100.0);
        table.share(&figure, hits, answers.len(), target);
    }
}

/// Answers about saturation.
fn saturated(load: f64, seconds: i64, scale: Scale, table: &mut Table) {
    let answers = replicate(scale.of(REPETITIONS), |seed| stability(seed, load, seconds));
    let share = |of: Stability| answers.iter().filter(|a| **a == of).count();
    let name = format!("{:.0} % load, {seconds} s", load * 100.0);
    let (stable, unstable) = if load < 0.9 {
        (Target::AtLeast(0.95), Target::AtMost(0.01))
    } else if load > 1.1 {
        (Target::AtMost(0.01), Target::AtLeast(0.95))
    } else {
        (Target::None, Target::None)
    };
    let n = answers.len();
    table.share(
        &format!("called stable, {name}"),
        share(Stability::Stable),
        n,
        stable,
    );
    table.share(
        &format!("called unstable, {name}"),
        share(Stability::Unstable),
        n,
        unstable,
    );
}

fn stability(seed: u64, load: f64, seconds: i64) -> Stability {
    let n = (load * CAPACITY_PER_S * (seconds as f64 + 30.0)) as usize;
    let served = slotted(seed, n, load);
    let window = 0..seconds * SECOND_NS;
    let stays: Vec<Range<i64>> = served
        .arrived_s
        .iter()
        .zip(&served.e2e_s)
        .map(|(at, stay)| (at * 1e9) as i64..((at + stay) * 1e9) as i64)
        .collect();
    let at_ns = nanoseconds(&served.arrived_s);
    let emptied = queue_emptied(&served.wait_s, &at_ns, window.clone(), 0.0).unwrap_or(None);
    saturation(&stays, window, emptied).map_or(Stability::Undecided, |s| s.stability)
}

fn has_transient(bins: &[f64]) -> bool {
    matches!(transient(&[bins], WARMUP), Ok(Transient::Until { .. }))
}

/// Requests in flight at the middle of each second, of those that arrived since the first.
fn in_flight(served: &Served) -> Vec<f64> {
    let mut bins = vec![0.0; SECONDS];
    for (at, stay) in served.arrived_s.iter().zip(&served.e2e_s) {
        let first = (at + 0.5).floor().max(0.0) as usize;
        let last = ((at + stay + 0.5).floor().max(0.0) as usize).min(SECONDS);
        bins.iter_mut()
            .take(last)
            .skip(first)
            .for_each(|bin| *bin += 1.0);
    }
    bins
}

fn nanoseconds(seconds: &[f64]) -> Vec<i64> {
    seconds.iter().map(|s| (s * 1e9) as i64).collect()
}
