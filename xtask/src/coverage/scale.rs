//! A load of a million requests a second, cut for 64 ranks: the union of the parts, what the arrivals of one rank are
//! like, and what ranks that begin too early or too late make of the arrivals of all.
//!
//! In virtual time: nothing is sent. docs/src/at-scale.md keeps the figures. Invariant: parts are cut by the code that
//! cuts them in a run.

use super::Scale;
use super::random::Random;
use super::replicate::replicate;
use super::table::{Table, Target};
use anyhow::{Context, Result, bail, ensure};
use infermeter_core::schedule::{OpenSchedule, Schedule, Slice};
use infermeter_core::units::Span;
use infermeter_schedule::{ArrivalProcess, OpenParams, Rate, WarmupRule, open_schedule};
use infermeter_stats::{batch_mean_interval, coefficient_of_variation, index_of_dispersion};
use std::array;
use std::ops::Range;

/// The load.
const RATE: f64 = 1e6;
const RANKS: u32 = 64;
/// Seconds of it, of which both ends are left out: there a late rank is missing.
const SECONDS: i64 = 3;
const LOOKED_AT_NS: Range<i64> = 200_000_000..2_800_000_000;
/// Replicates of each row.
const REPETITIONS: u64 = 100;
/// Windows in which arrivals are counted, milliseconds.
const WINDOWS_MS: [i64; 3] = [1, 10, 100];
/// The window of the peak.
const PEAK: usize = 1;
/// A rank begins uniformly within so much of the agreed instant, milliseconds.
const ERRORS_MS: [i64; 4] = [0, 1, 10, 100];
const MS: i64 = 1_000_000;
/// How far the simulation may be from the formula, relatively: several standard errors of the means.
const NEAR: f64 = 0.1;
/// The table of random starts.
const STARTS: u64 = 0x5ca1_e000;

/// Processes, by the names of their rows.
const PROCESSES: [(&str, ArrivalProcess); 2] = [
    ("Poisson", ArrivalProcess::Poisson),
    ("gamma, CV 3", ArrivalProcess::Gamma { cv: 3.0 }),
];

/// How variable arrivals are.
#[derive(Debug, Clone, Copy)]
struct Arrivals {
    cv_of_gaps: f64,
    dispersion: [f64; WINDOWS_MS.len()],
}

/// The same of all ranks with starts that are off.
#[derive(Debug, Clone, Copy)]
struct Shifted {
    dispersion: [f64; WINDOWS_MS.len()],
    /// The fullest window beside the mean one, less 1.
    peak: f64,
}

/// One replicate.
#[derive(Debug, Clone, Copy)]
struct Seen {
    whole: Arrivals,
    rank: Arrivals,
    shifted: [Shifted; ERRORS_MS.len()],
}

/// Runs the rows, and prints two tables more behind them.
///
/// # Errors
/// When a load cannot be made or cut.
pub fn run(scale: Scale, table: &mut Table) -> Result<()> {
    union(table)?;
    let mut all = Vec::new();
    for (name, process) in PROCESSES {
        let seen = replicate(scale.of(REPETITIONS), |seed| seen(process, seed));
        let seen = seen.into_iter().collect::<Result<Vec<Seen>>>()?;
        against_formula(table, name, &seen);
        all.push((name, seen));
    }
    println!("\n| arrivals | CV of gaps | dispersion, 1 ms | 10 ms | 100 ms |");
    println!("|---|---|---|---|---|");
    for (name, seen) in &all {
        arrivals_row(&format!("{name}, all"), seen, |seen| seen.whole);
        arrivals_row(&format!("{name}, one of 64 ranks"), seen, |seen| seen.rank);
    }
    println!(
        "\n| arrivals | starts off by up to | dispersion, 1 ms | 10 ms | 100 ms | peak of 10 ms above the mean |"
    );
    println!("|---|---|---|---|---|---|");
    for (name, seen) in &all {
        for (index, error) in ERRORS_MS.iter().enumerate() {
            shifted_row(&format!("{name} | {error} ms"), seen, index);
        }
    }
    Ok(())
}

/// The parts together are the whole, and equal in size.
fn union(table: &mut Table) -> Result<()> {
    let whole = load(ArrivalProcess::Poisson, 1)?;
    let parts = parts(&whole)?;
    let mut found = vec![None; whole.arrivals.len()];
    let mut twice = 0;
    for part in &parts {
        for (index, at) in part.arrivals.iter().enumerate() {
            let id = usize::try_from(part.ids.id(index))?;
            let place = found.get_mut(id).context("an id beyond the whole")?;
            twice += usize::from(place.replace(*at).is_some());
        }
    }
    let right = found.iter().zip(&whole.arrivals);
    let right = right.filter(|(found, at)| **found == Some(**at)).count();
    let share = "1 M/s in 64 parts: requests that are in one part, at their instant";
    table.share(
        share,
        right.saturating_sub(twice),
        found.len(),
        Target::AtLeast(1.0),
    );
    let mean = found.len() as f64 / f64::from(RANKS);
    let far = parts
        .iter()
        .map(|part| (part.arrivals.len() as f64 / mean - 1.0).abs());
    let far = far.fold(0.0, f64::max);
    let figure = "1 M/s in 64 parts: farthest share of a rank from 1/64, of it";
    table.value(figure, far, parts.len(), Target::AtMost(0.001));
    Ok(())
}

fn load(process: ArrivalProcess, seed: u64) -> Result<OpenSchedule> {
    let params = OpenParams {
        process,
        rate: Rate::Constant(RATE),
        warmup: WarmupRule::NONE,
        duration: Some(Span::seconds(SECONDS)),
        requests: None,
        drain_max: Span(0),
    };
    Ok(open_schedule(&params, seed)?)
}

fn parts(whole: &OpenSchedule) -> Result<Vec<OpenSchedule>> {
    let whole = Schedule::Open(whole.clone());
    let part = |slice| match whole.cut(slice)? {
        Schedule::Open(open) => Ok(open),
        Schedule::Closed(_) => bail!("a part of an open loop is one"),
    };
    Slice::all(RANKS).map(part).collect()
}

fn seen(process: ArrivalProcess, seed: u64) -> Result<Seen> {
    let whole = load(process, seed)?;
    let parts: Vec<Vec<i64>> = parts(&whole)?
        .iter()
        .map(|part| part.arrivals.iter().map(|at| at.0).collect())
        .collect();
    let all: Vec<i64> = whole.arrivals.iter().map(|at| at.0).collect();
    let ranks = parts.iter().map(|part| arrivals(part));
    let ranks = ranks.collect::<Result<Vec<Arrivals>>>()?;
    let mut starts = Random::new(STARTS + seed);
    let off: Vec<f64> = parts.iter().map(|_| 2.0 * starts.uniform() - 1.0).collect();
    let mut shifted = Vec::new();
    for error in ERRORS_MS {
        let all = parts.iter().zip(&off).flat_map(|(part, off)| {
            let by = (off * (error * MS) as f64) as i64;
            part.iter().map(move |at| at + by)
        });
        let all: Vec<i64> = all.collect();
        shifted.push(Shifted {
            dispersion: dispersion(&all)?,
            peak: peak(&all, WINDOWS_MS[PEAK] * MS),
        });
    }
    Ok(Seen {
        whole: arrivals(&all)?,
        rank: Arrivals {
            cv_of_gaps: mean(ranks.iter().map(|rank| rank.cv_of_gaps)),
            dispersion: array::from_fn(|window| {
                mean(ranks.iter().map(|rank| rank.dispersion[window]))
            }),
        },
        shifted: array::from_fn(|index| shifted[index]),
    })
}

/// Of arrivals in order.
fn arrivals(at_ns: &[i64]) -> Result<Arrivals> {
    let gaps: Vec<f64> = at_ns
        .windows(2)
        .map(|pair| (pair[1] - pair[0]) as f64)
        .collect();
    let cv = coefficient_of_variation(&gaps)?.context("no gaps")?;
    Ok(Arrivals {
        cv_of_gaps: cv.value,
        dispersion: dispersion(at_ns)?,
    })
}

fn dispersion(at_ns: &[i64]) -> Result<[f64; WINDOWS_MS.len()]> {
    let mut found = [0.0; WINDOWS_MS.len()];
    for (found, window) in found.iter_mut().zip(WINDOWS_MS) {
        let index = index_of_dispersion(at_ns, window * MS, LOOKED_AT_NS)?;
        *found = index.context("no arrivals")?.value;
    }
    ensure!(found.iter().all(|value| value.is_finite()), "not a number");
    Ok(found)
}

/// The fullest window beside the mean one, less 1.
fn peak(at_ns: &[i64], window_ns: i64) -> f64 {
    let windows = (LOOKED_AT_NS.end - LOOKED_AT_NS.start) / window_ns;
    let mut counts = vec![0_u32; windows as usize];
    for at in at_ns.iter().filter(|at| LOOKED_AT_NS.contains(at)) {
        if let Some(count) = counts.get_mut(((at - LOOKED_AT_NS.start) / window_ns) as usize) {
            *count += 1;
        }
    }
    let most = counts.iter().copied().max().unwrap_or(0);
    f64::from(most) / mean(counts.iter().copied().map(f64::from)) - 1.0
}

/// What of the ups and downs that ranks have in common is left in a window, where each start is off uniformly by up to
/// `error`: the mean overlap of two windows, the distance of which has a triangular density.
fn left(window: f64, error: f64) -> f64 {
    if error == 0.0 {
        1.0
    } else if window >= 2.0 * error {
        1.0 - 2.0 * error / (3.0 * window)
    } else {
        window / (2.0 * error) - window * window / (12.0 * error * error)
    }
}

/// The dispersion that the ranks' own and that of the whole let expect, of so many windows: what they have in common
/// around their mean is taken off, as in any sample.
fn expected(seen: &[Seen], window: usize, error_ms: i64) -> f64 {
    let of = |of: fn(&Seen) -> Arrivals| mean(seen.iter().map(|seen| of(seen).dispersion[window]));
    let (whole, rank) = (of(|seen| seen.whole), of(|seen| seen.rank));
    let at = |window: f64| rank + (whole - rank) * left(window, error_ms as f64);
    let (span, window) = (
        (LOOKED_AT_NS.end - LOOKED_AT_NS.start) / MS,
        WINDOWS_MS[window],
    );
    let windows = (span / window) as f64;
    (at(window as f64) - at(span as f64) / windows) * windows / (windows - 1.0)
}

/// The simulation is what the formula of the page says.
fn against_formula(table: &mut Table, name: &str, seen: &[Seen]) {
    let mut far = 0.0_f64;
    for (index, error) in ERRORS_MS.into_iter().enumerate() {
        for window in 0..WINDOWS_MS.len() {
            let found = mean(
                seen.iter()
                    .map(|seen| seen.shifted[index].dispersion[window]),
            );
            far = far.max((found / expected(seen, window, error) - 1.0).abs());
        }
    }
    let figure = format!("{name}, starts off: farthest dispersion from the formula, of it");
    table.value(&figure, far, seen.len(), Target::AtMost(NEAR));
}

fn arrivals_row(name: &str, seen: &[Seen], of: fn(&Seen) -> Arrivals) {
    let cells =
        (0..WINDOWS_MS.len()).map(|window| with_interval(seen, |seen| of(seen).dispersion[window]));
    let cells: Vec<String> = cells.collect();
    let cv = with_interval(seen, |seen| of(seen).cv_of_gaps);
    println!("| {name} | {cv} | {} |", cells.join(" | "));
}

fn shifted_row(name: &str, seen: &[Seen], index: usize) {
    let cells = (0..WINDOWS_MS.len())
        .map(|window| with_interval(seen, |seen| seen.shifted[index].dispersion[window]));
    let cells: Vec<String> = cells.collect();
    let peak = with_interval(seen, |seen| 100.0 * seen.shifted[index].peak);
    println!("| {name} | {} | {peak} % |", cells.join(" | "));
}

/// A mean over replicates, and its 95 % interval.
fn with_interval(seen: &[Seen], of: impl Fn(&Seen) -> f64) -> String {
    let values: Vec<f64> = seen.iter().map(of).collect();
    let mean = mean(values.iter().copied());
    let interval = batch_mean_interval(mean, &values, 0.95);
    match (interval.low, interval.high) {
        (Some(low), Some(high)) => format!("{mean:.3} ({low:.3}..{high:.3})"),
        _ => format!("{mean:.3}"),
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0_u32), |(sum, n), value| (sum + value, n + 1));
    sum / f64::from(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_goes_from_all_to_nothing() {
        let check = |window: f64, error: f64, expect: f64| {
            let found = left(window, error);
            assert!((found - expect).abs() < 1e-9, "{found}");
        };
        check(10.0, 0.0, 1.0);
        check(10.0, 1.0, 1.0 - 2.0 / 30.0);
        // Both branches meet.
        check(2.0, 1.0, 2.0 / 3.0);
        check(2.0 - 1e-12, 1.0, 2.0 / 3.0);
        check(10.0, 10.0, 0.5 - 1.0 / 12.0);
        assert!(left(1.0, 1_000.0) < 0.001);
    }

    #[test]
    fn a_peak_is_that_of_a_window() {
        let start = LOOKED_AT_NS.start;
        let mut at: Vec<i64> = (0..260).map(|window| start + window * 10 * MS).collect();
        assert_eq!(peak(&at, 10 * MS), 0.0);
        at.push(start + 5);
        assert!((peak(&at, 10 * MS) - (2.0 / (261.0 / 260.0) - 1.0)).abs() < 1e-12);
    }
}
