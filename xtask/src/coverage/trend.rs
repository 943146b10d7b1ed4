//! Trends: how often a change is found in a history without one, how many runs it takes to find a planted one, and
//! how often its place lies in the interval that is given for it.
//!
//! Runs are figures with a lognormal spread between them: what a run measures is not simulated here.

use super::Scale;
use super::random::Random;
use super::replicate::replicate;
use super::table::{Table, Target};
use anyhow::Result;
use infermeter_stats::{ChangePoints, change_points};

/// Histories of each row.
const REPETITIONS: u64 = 400;

/// A chance of a false alarm of 5 % over six figures.
const OF_SIX: f64 = 0.05 / 6.0;

/// A history.
#[derive(Debug, Clone, Copy)]
struct Case {
    /// Runs before the change.
    before: usize,
    /// Runs behind it.
    after: usize,
    /// Standard deviation between runs.
    noise: f64,
    /// By how much the level rises.
    rise: f64,
    /// Correlation of neighbours.
    correlation: f64,
    /// One run in so many is 20 % slower; 0 for none.
    outlier_in: u64,
    error: f64,
}

const STEADY: Case = Case {
    before: 20,
    after: 20,
    noise: 0.02,
    rise: 0.0,
    correlation: 0.0,
    outlier_in: 0,
    error: 0.05,
};

impl Case {
    fn found(&self, seed: u64) -> ChangePoints {
        let mut random = Random::new(seed);
        let fresh = (1.0 - self.correlation * self.correlation).sqrt();
        let mut last = random.normal();
        let mut values = Vec::with_capacity(self.before + self.after);
        for run in 0..self.before + self.after {
            let rise = if run < self.before {
                0.0
            } else {
                self.rise.ln_1p()
            };
            let far = self.outlier_in > 0 && random.uniform() * self.outlier_in as f64 <= 1.0;
            values.push(self.noise * last + rise + if far { 0.2 } else { 0.0 });
            last = self.correlation * last + fresh * random.normal();
        }
        change_points(&values, self.error).expect("values are finite")
    }

    /// A change was found, at the planted place or within two runs of it.
    fn is_found(&self, seed: u64) -> bool {
        let changes = self.found(seed).changes;
        changes
            .iter()
            .any(|change| change.at.abs_diff(self.before) <= 2)
    }
}

/// A history whose level goes up by this and down again, so many times in all, between runs of these numbers.
struct Steps {
    lengths: &'static [usize],
    noise: f64,
    rise: f64,
    correlation: f64,
}

impl Steps {
    /// As many changes are found as there are, each within two runs of its place.
    fn are_found(&self, seed: u64) -> bool {
        let mut random = Random::new(seed);
        let fresh = (1.0 - self.correlation * self.correlation).sqrt();
        let mut last = random.normal();
        let mut values = Vec::new();
        let mut places = Vec::new();
        for (nth, length) in self.lengths.iter().enumerate() {
            let level = if nth % 2 == 1 { self.rise.ln_1p() } else { 0.0 };
            for _ in 0..*length {
                values.push(level + self.noise * last);
                last = self.correlation * last + fresh * random.normal();
            }
            places.push(values.len());
        }
        places.pop();
        let found = change_points(&values, OF_SIX).expect("values are finite");
        found.changes.len() == places.len()
            && (found.changes.iter().zip(places)).all(|(change, at)| change.at.abs_diff(at) <= 2)
    }
}

/// Runs the rows.
pub fn run(scale: Scale, table: &mut Table) -> Result<()> {
    quiet(scale, table);
    planted(scale, table);
    several(scale, table);
    places(scale, table);
    Ok(())
}

fn quiet(scale: Scale, table: &mut Table) {
    let drifting = |correlation, runs| Case {
        correlation,
        before: runs,
        after: 0,
        ..STEADY
    };
    for (figure, target, case) in [
        (
            "false alarm, 20 independent runs",
            0.07,
            Case {
                before: 20,
                after: 0,
                ..STEADY
            },
        ),
        ("the same, 40 runs", 0.06, STEADY),
        (
            "the same, 100 runs",
            0.07,
            Case {
                before: 100,
                after: 0,
                ..STEADY
            },
        ),
        (
            "40 runs, one in ten 20 % slower",
            0.07,
            Case {
                outlier_in: 10,
                ..STEADY
            },
        ),
        (
            "40 runs, neighbours correlated by 0.3",
            0.10,
            drifting(0.3, 40),
        ),
        ("40 runs, by 0.5", 0.15, drifting(0.5, 40)),
        ("40 runs, by 0.7", 0.15, drifting(0.7, 40)),
        ("100 runs, by 0.5", 0.15, drifting(0.5, 100)),
        ("100 runs, by 0.7", 0.15, drifting(0.7, 100)),
        (
            "one of six figures, 40 runs",
            0.02,
            Case {
                error: OF_SIX,
                ..STEADY
            },
        ),
    ] {
        let found = replicate(scale.of(REPETITIONS), |seed| {
            !case.found(seed).changes.is_empty()
        });
        let hits = found.iter().filter(|found| **found).count();
        table.share(figure, hits, found.len(), Target::AtMost(target));
    }
}

fn planted(scale: Scale, table: &mut Table) {
    let rise = |rise, noise, before, after| Case {
        before,
        after,
        noise,
        rise,
        error: OF_SIX,
        ..STEADY
    };
    for (figure, target, case) in [
        (
            "5 % after 20 runs found in 5, s_d 1 %",
            Target::None,
            rise(0.05, 0.01, 20, 5),
        ),
        (
            "the same in 4, s_d 2 %",
            Target::None,
            rise(0.05, 0.02, 20, 4),
        ),
        (
            "the same in 5, s_d 2 %",
            Target::None,
            rise(0.05, 0.02, 20, 5),
        ),
        (
            "the same in 8, s_d 2 %",
            Target::AtLeast(0.7),
            rise(0.05, 0.02, 20, 8),
        ),
        (
            "the same in 20, s_d 4 %",
            Target::None,
            rise(0.05, 0.04, 20, 20),
        ),
        (
            "the same in 30 after 60, s_d 4 %",
            Target::None,
            rise(0.05, 0.04, 60, 30),
        ),
        (
            "10 % after 20 runs found in 5, s_d 2 %",
            Target::None,
            rise(0.10, 0.02, 20, 5),
        ),
        (
            "10 % after 20 runs found in 8, s_d 4 %",
            Target::None,
            rise(0.10, 0.04, 20, 8),
        ),
        (
            "10 % after 5 runs found in 5, s_d 2 %",
            Target::None,
            rise(0.10, 0.02, 5, 5),
        ),
        (
            "10 % after 40 runs found in 10, s_d 2 %, correlated by 0.5",
            Target::None,
            Case {
                correlation: 0.5,
                ..rise(0.10, 0.02, 40, 10)
            },
        ),
    ] {
        let found = replicate(scale.of(REPETITIONS), |seed| case.is_found(seed));
        let hits = found.iter().filter(|found| **found).count();
        table.share(figure, hits, found.len(), target);
    }
}

/// Changes that undo each other: over the whole history they cancel out.
fn several(scale: Scale, table: &mut Table) {
    let steps = |lengths, rise, noise| Steps {
        lengths,
        noise,
        rise,
        correlation: 0.0,
    };
    for (figure, steps) in [
        (
            "5 % up and down, 20 runs each, s_d 1 %: both found",
            steps(&[20, 20, 20], 0.05, 0.01),
        ),
        ("the same, s_d 2 %", steps(&[20, 20, 20], 0.05, 0.02)),
        (
            "the same, 40, 15 and 40 runs, s_d 2 %",
            steps(&[40, 15, 40], 0.05, 0.02),
        ),
        (
            "10 % up and down, 40, 10 and 40 runs, s_d 2 %",
            steps(&[40, 10, 40], 0.10, 0.02),
        ),
        (
            "the same, neighbours correlated by 0.5",
            Steps {
                correlation: 0.5,
                ..steps(&[40, 10, 40], 0.10, 0.02)
            },
        ),
        (
            "5 % up, down and up, 20 runs each, s_d 1 %: all three found",
            steps(&[20, 20, 20, 20], 0.05, 0.01),
        ),
        ("the same, s_d 2 %", steps(&[20, 20, 20, 20], 0.05, 0.02)),
        (
            "10 % up, down and up, 10 runs each, s_d 2 %",
            steps(&[10, 10, 10, 10], 0.10, 0.02),
        ),
        (
            "10 % up, down and up, 40, 15, 15 and 40 runs, s_d 2 %",
            steps(&[40, 15, 15, 40], 0.10, 0.02),
        ),
    ] {
        let found = replicate(scale.of(REPETITIONS), |seed| steps.are_found(seed));
        let hits = found.iter().filter(|found| **found).count();
        table.share(figure, hits, found.len(), Target::None);
    }
}

fn places(scale: Scale, table: &mut Table) {
    for (figure, rise, correlation) in [
        (
            "place of a change of 5 %, s_d 2 %, in its interval",
            0.05,
            0.0,
        ),
        ("the same of 3 %", 0.03, 0.0),
        ("the same of 5 %, correlated by 0.5", 0.05, 0.5),
    ] {
        let case = Case {
            rise,
            correlation,
            ..STEADY
        };
        let found = replicate(scale.of(REPETITIONS), |seed| {
            let [change] = case.found(seed).changes[..] else {
                return None;
            };
            Some((change.earliest..=change.latest).contains(&case.before))
        });
        let told: Vec<bool> = found.into_iter().flatten().collect();
        let hits = told.iter().filter(|inside| **inside).count();
        table.share(figure, hits, told.len().max(1), Target::AtLeast(0.9));
    }
}
