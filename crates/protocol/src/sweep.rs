//! What happens as the load grows: levels of load, each decided on its own, and what they say together.
//!
//! Levels are given, or found: doubling to beyond what the server can take, then halving gaps where the
//! objectives end and where the curve bends. Each level has one run. One that is undecided where the answer lies
//! gets longer ones, up to a number of looks that is fixed before the first run. Invariant: the same points give
//! the same step, and no curve has more runs than `max_runs`.

mod answer;
mod levels;
mod spec;
mod steps;

pub use levels::Levels;
pub use spec::SweepSpec;

use crate::{Coordinates, Intensity, Length, OfRuns, Protocol, RunPoint, RunSeen, SpecError, Step};
use infermeter_analysis::highest_rate::Probe;
use infermeter_analysis::{
    Level, LevelLooks, LevelRun, SloStatus, SweepAnswer, is_overloaded, run_status,
};
use infermeter_core::finding::Verdict;
use infermeter_core::plan::{Plan, Warmup};
use infermeter_core::slo::Slo;

/// Runs after the load was taken away, at most.
const RECOVERY_RUNS: usize = 3;

/// How often the load is doubled beyond the first level that the server cannot take, on the way to the
/// breaking point.
const BREAKING_DOUBLINGS: usize = 4;

/// The same beyond the highest of levels that were given, which may lie far below.
const DOUBLINGS_BEYOND_GIVEN: usize = 12;

/// A sweep over one or more plans.
#[derive(Debug, Clone)]
pub struct Sweep {
    spec: SweepSpec,
    variants: usize,
    /// The first level of those that are found.
    start: f64,
    objectives: Vec<Slo>,
}

impl Sweep {
    /// What is asked for, over these plans.
    ///
    /// # Errors
    /// Where it contradicts itself.
    pub fn of(spec: &SweepSpec, variants: &[Plan]) -> Result<Self, SpecError> {
        let wrong = |why: &str| SpecError(why.to_owned());
        let first = variants.first().ok_or_else(|| wrong("there is no plan"))?;
        let levels = spec.concurrencies.as_ref().map(Levels::values);
        let whole = |slots: &f64| slots.fract() == 0.0 && *slots <= f64::from(u32::MAX);
        if levels.is_some_and(|levels| !levels.iter().all(whole)) {
            return Err(wrong(
                "--concurrencies: requests in flight are whole numbers",
            ));
        }
        if spec.looks < spec.replicates {
            return Err(SpecError(format!(
                "--looks {} is below --replicates {}: raise it",
                spec.looks, spec.replicates
            )));
        }
        if spec.sustain.is_some() && spec.is_closed() {
            return Err(wrong(
                "--sustain needs rates: a closed loop slows down with its server",
            ));
        }
        Ok(Self {
            spec: spec.clone(),
            variants: variants.len(),
            start: first.rate.unwrap_or(1.0),
            objectives: first.slo.clone(),
        })
    }

    /// What is asked for.
    pub fn spec(&self) -> &SweepSpec {
        &self.spec
    }

    /// There are objectives; else it is asked what the server holds.
    pub fn has_objectives(&self) -> bool {
        !self.objectives.is_empty()
    }

    /// The levels that were given, ascending.
    pub fn given(&self) -> Option<&[f64]> {
        let levels = self
            .spec
            .rates
            .as_ref()
            .or(self.spec.concurrencies.as_ref());
        levels.map(Levels::values)
    }

    /// What a run says of its load.
    pub fn status_of(&self, point: &RunPoint) -> SloStatus {
        run_status(&point.seen.summary, point.seen.verdict)
    }

    /// The looks at each level.
    pub fn looks(&self) -> LevelLooks {
        LevelLooks {
            replicates: self.spec.replicates as usize,
            most: self.spec.looks as usize,
        }
    }

    fn load(&self, value: f64) -> Intensity {
        match self.spec.is_closed() {
            true => Intensity::Concurrency(value as u32),
            false => Intensity::Rate(value),
        }
    }

    /// The run number `index` of a level.
    fn at(&self, variant: usize, value: f64, index: usize) -> Coordinates {
        Coordinates {
            variant,
            length: self.length(index),
            ..Coordinates::at(self.load(value))
        }
    }

    /// How long the run number `index` of a level is; absent: as the plan says.
    fn length(&self, index: usize) -> Option<Length> {
        match self.looks().times(index) {
            1 => None,
            times => Some(Length::Times(times)),
        }
    }

    fn curve<'a>(&'a self, variant: usize, points: &'a [RunPoint]) -> Curve<'a> {
        let of = |kind: Kind| -> Vec<&RunPoint> {
            let own = points.iter().filter(|p| p.at.variant == variant);
            own.filter(|point| kind_of(&point.at) == kind).collect()
        };
        let (on_levels, sustained, recovery) =
            (of(Kind::Level), of(Kind::Sustained), of(Kind::Recovery));
        let mut levels: Vec<(f64, Vec<&RunPoint>)> = Vec::new();
        for point in &on_levels {
            let value = value_of(&point.at);
            match levels.iter_mut().find(|(load, _)| *load == value) {
                Some((_, runs)) => runs.push(point),
                None => levels.push((value, vec![point])),
            }
        }
        levels.sort_by(|a, b| a.0.total_cmp(&b.0));
        let levels = levels
            .into_iter()
            .map(|(load, runs)| self.measured(load, &runs));
        Curve {
            sweep: self,
            variant,
            levels: levels.collect(),
            runs: on_levels.len(),
            sustained,
            recovery,
        }
    }

    fn measured(&self, load: f64, points: &[&RunPoint]) -> Measured {
        let looks = self.looks();
        let level = level(load, points, looks);
        // What the server cannot take once is not asked of it again.
        let is_begun = !level.overloaded && level.runs < looks.replicates;
        let left = match (is_begun, level.status) {
            (true, _) | (false, SloStatus::Undecided) => looks.most.saturating_sub(level.runs),
            (false, SloStatus::Met | SloStatus::Missed) => 0,
        };
        let told = points.iter().filter(|point| !is_spoilt(point));
        Measured {
            probes: told
                .map(|point| Probe::of(&point.seen.summary, load))
                .collect(),
            is_begun,
            left,
            level,
        }
    }
}

fn level(load: f64, points: &[&RunPoint], looks: LevelLooks) -> Level {
    let runs: Vec<LevelRun<'_>> = points
        .iter()
        .map(|point| LevelRun {
            summary: &point.seen.summary,
            verdict: point.seen.verdict,
        })
        .collect();
    Level::of(load, &runs, looks)
}

/// The client itself spoilt it: it says nothing of the server.
fn is_spoilt(point: &RunPoint) -> bool {
    point.seen.verdict == Verdict::Invalid && !is_overloaded(&point.seen.summary)
}

/// What a run of a sweep is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Level,
    Sustained,
    Recovery,
}

fn kind_of(at: &Coordinates) -> Kind {
    match (at.length, at.warmup) {
        (Some(Length::Time(_) | Length::Requests(_)), _) => Kind::Sustained,
        (None, Some(Warmup::NONE)) => Kind::Recovery,
        (None | Some(Length::Times(_)), _) => Kind::Level,
    }
}

fn value_of(at: &Coordinates) -> f64 {
    match at.load {
        Some(Intensity::Rate(rate)) => rate,
        Some(Intensity::Concurrency(slots)) => f64::from(slots),
        None => 0.0,
    }
}

/// A level, and what may still come of it.
struct Measured {
    level: Level,
    /// What its runs say of the law of margins.
    probes: Vec<Probe>,
    /// It has fewer runs than every level gets.
    is_begun: bool,
    /// Runs that it may still get.
    left: usize,
}

/// What is there of one plan.
struct Curve<'a> {
    sweep: &'a Sweep,
    variant: usize,
    /// By ascending load.
    levels: Vec<Measured>,
    /// Runs on levels.
    runs: usize,
    sustained: Vec<&'a RunPoint>,
    recovery: Vec<&'a RunPoint>,
}

impl Protocol for Sweep {
    type At = Coordinates;
    type Seen = RunSeen;
    type Answer = SweepAnswer;

    /// A run that was cut short ends them all, as in [`crate::Repeat`].
    fn next(&self, points: &[RunPoint]) -> Step<Coordinates, SweepAnswer> {
        let whole = points.last().is_none_or(|last| last.seen.is_whole());
        let mut curves = (0..self.variants).map(|variant| self.curve(variant, points));
        match curves.find_map(|curve| curve.next()).filter(|_| whole) {
            Some(at) => Step::Measure(at),
            None => Step::Stop(self.so_far(points)),
        }
    }
}

impl OfRuns for Sweep {
    fn ahead(&self, points: &[RunPoint]) -> Vec<Coordinates> {
        let whole: Vec<RunPoint> = points
            .iter()
            .take_while(|point| point.seen.is_whole())
            .cloned()
            .collect();
        let curves = (0..self.variants).map(|variant| self.curve(variant, &whole));
        curves.flat_map(|curve| curve.ahead()).collect()
    }

    fn so_far(&self, points: &[RunPoint]) -> SweepAnswer {
        let curves = (0..self.variants).map(|variant| self.curve(variant, points));
        SweepAnswer {
            curves: curves.map(|curve| curve.answer()).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
