//! A monitor, which looks after every run: how often it is told of a change where there is none, and after how many
//! runs it is told of a planted one.
//!
//! Runs are one of six figures with a lognormal spread between them: what a run measures is not simulated here.

use super::Scale;
use super::random::Random;
use super::replicate::replicate;
use super::table::{Table, Target};
use anyhow::Result;
use infermeter_stats::change_points;

/// Series of each row.
const REPETITIONS: u64 = 400;
/// The chance of a change of a history, and of one that is told, of one of six figures.
const ERRORS: [f64; 2] = [0.05 / 6.0, 0.005 / 6.0];
/// Runs after a change that are waited for, and those by which it is asked whether it was told.
const MOST: usize = 20;
const WITHIN: [usize; 4] = [5, 8, 12, 20];

/// A series that is looked at as it grows.
#[derive(Debug, Clone, Copy)]
struct Case {
    /// Runs before the change.
    before: usize,
    /// Standard deviation between runs.
    noise: f64,
    /// By how much the level rises.
    rise: f64,
    /// Correlation of neighbours.
    correlation: f64,
}

impl Case {
    /// The number of runs at which the first change is told, of `runs`, where the first look is after `first`.
    fn told(&self, seed: u64, first: usize, runs: usize) -> Option<usize> {
        let mut random = Random::new(seed);
        let fresh = (1.0 - self.correlation * self.correlation).sqrt();
        let mut last = random.normal();
        let values: Vec<f64> = (0..runs)
            .map(|run| {
                let rise = if run < self.before {
                    0.0
                } else {
                    self.rise.ln_1p()
                };
                let value = self.noise * last + rise;
                last = self.correlation * last + fresh * random.normal();
                value
            })
            .collect();
        (first..=runs).find(|looked| is_told(&values[..*looked]))
    }
}

fn is_told(values: &[f64]) -> bool {
    let [found, told] = ERRORS;
    let found = change_points(values, found).expect("values are finite");
    found.changes.iter().any(|change| change.p_value <= told)
}

/// Runs the rows.
pub fn run(scale: Scale, table: &mut Table) -> Result<()> {
    for (figure, runs, correlation, target) in [
        ("any alarm of one of six figures, 100 looks", 100, 0.0, 0.02),
        ("the same, neighbours correlated by 0.5", 100, 0.5, 0.05),
    ] {
        let case = Case {
            before: runs,
            noise: 0.02,
            rise: 0.0,
            correlation,
        };
        let told = replicate(scale.of(REPETITIONS), |seed| case.told(seed, 1, runs));
        let hits = told.iter().flatten().count();
        table.share(figure, hits, told.len(), Target::AtMost(target));
    }
    for (figure, before, rise, noise) in [
        ("5 % after 20 runs, s_d 1 %", 20, 0.05, 0.01),
        ("10 % after 20 runs, s_d 2 %", 20, 0.10, 0.02),
        ("20 % after 20 runs, s_d 2 %", 20, 0.20, 0.02),
        ("20 % after 60 runs, s_d 2 %", 60, 0.20, 0.02),
        ("20 % after 144 runs, s_d 4 %", 144, 0.20, 0.04),
    ] {
        let case = Case {
            before,
            noise,
            rise,
            correlation: 0.0,
        };
        let told = replicate(scale.of(REPETITIONS), |seed| {
            case.told(seed, before + 1, before + MOST)
        });
        for within in WITHIN {
            let soon = |at: &usize| *at <= before + within;
            let hits = told.iter().flatten().filter(|at| soon(at)).count();
            let row = format!("{figure}, told within {within}");
            table.share(&row, hits, told.len(), Target::None);
        }
    }
    Ok(())
}
