//! Gates over pairs: the rounds of a comparison, whose first side is the baseline, and the levels of two sweeps.
//!
//! A round's runs were sent the same requests; those of a level were sent the same load with seeds of their own.
//! Invariant: a level that the baseline's server could not take is no pair, and one that only the candidate's could
//! not take is counted as lost.

use super::side::{SideRun, open_asking};
use super::{BOTH_SIDES, GateSpec, gated, refuse};
use crate::book::AskedRuns;
use crate::differences::{self, MayDiffer};
use crate::directories::is_experiment;
use crate::kept_experiment::{self, setups};
use anyhow::{Context, Result, bail};
use infermeter_analysis::{
    Gate, GateFigures, GateForm, GatePair, GatePairs, Gated, SloFigure, is_overloaded,
};
use infermeter_core::gate::FailIf;
use infermeter_core::plan::Plan;
use infermeter_protocol::{Compare, Coordinates, Intensity, ProtocolSpec, RunPoint};
use std::path::Path;

/// The rounds of a comparison.
pub(super) fn rounds(directory: &Path, compare: &Compare, spec: &GateSpec) -> Result<Gated> {
    if let Some(baseline) = &spec.baseline {
        bail!(
            "{} is a comparison: its first side, {}, is the baseline. Leave out --baseline {}",
            directory.display(),
            compare.asked.sides[0],
            baseline.display()
        );
    }
    let points = open_asking(directory, &spec.criteria)?.points;
    let comparison = compare.compared(&points, &setups(&points).unwrap_or_default());
    let rounds = Rounds {
        compare,
        runs: placed(points, &spec.criteria)?,
    };
    let gate = Gate::of_pairs(&spec.criteria, &rounds.groups());
    let (before, after): (Vec<Placed>, Vec<Placed>) =
        rounds.runs.into_iter().partition(|run| run.at.variant == 0);
    if before.is_empty() || after.is_empty() {
        bail!("{} has no whole round", directory.display());
    }
    Ok(Gated {
        comparison: Some(comparison.verdict),
        ..gated(gate, &runs(before), &runs(after))
    })
}

/// A run, and where it was measured.
struct Placed {
    at: Coordinates,
    replicate: usize,
    run: SideRun,
}

/// The runs that ended as planned.
fn placed(points: Vec<RunPoint>, criteria: &[FailIf]) -> Result<Vec<Placed>> {
    let whole = points.into_iter().filter(|point| point.seen.is_whole());
    whole
        .map(|point| {
            Ok(Placed {
                at: point.at,
                replicate: point.replicate,
                run: SideRun::of(point.seen, criteria)?,
            })
        })
        .collect()
}

fn runs(placed: Vec<Placed>) -> Vec<SideRun> {
    placed.into_iter().map(|placed| placed.run).collect()
}

/// The runs of a comparison.
struct Rounds<'a> {
    compare: &'a Compare,
    runs: Vec<Placed>,
}

impl Rounds<'_> {
    /// Every other side at every load.
    fn groups(&self) -> Vec<GatePairs> {
        let others = 1..self.compare.asked.sides.len();
        let loads = &self.compare.loads;
        others
            .flat_map(|side| loads.iter().map(move |load| self.group(side, *load)))
            .collect()
    }

    fn group(&self, side: usize, load: Option<Intensity>) -> GatePairs {
        let pair = |round| {
            Some(GatePair {
                baseline: self.figures(0, load, round)?,
                candidate: self.figures(side, load, round)?,
            })
        };
        let name =
            (self.compare.asked.sides.len() > 2).then(|| self.compare.asked.sides[side].clone());
        let at = load.filter(|_| self.compare.loads.len() > 1);
        let of: Vec<String> = name
            .into_iter()
            .chain(at.map(|at| format!("at {at}")))
            .collect();
        GatePairs {
            of: of.join(" ").into(),
            form: GateForm::PairedRounds,
            pairs: (0..self.compare.rounds).filter_map(pair).collect(),
            lost: 0,
        }
    }

    fn figures(&self, side: usize, load: Option<Intensity>, round: usize) -> Option<GateFigures> {
        let mut runs = self.runs.iter();
        let found = runs.find(|placed| {
            (placed.at.variant, placed.at.load, placed.replicate) == (side, load, round)
        });
        Some(found?.run.figures.clone())
    }
}

/// A sweep against another one.
pub(super) fn levels(directory: &Path, spec: &GateSpec) -> Result<Gated> {
    let baseline = spec.baseline()?;
    let then = swept(baseline).context("--baseline")?;
    let other = other_plans(&then.variants, &swept(directory)?.variants);
    refuse(&other, spec.force)?;
    let before = Levels::open(baseline, &spec.criteria).context("--baseline")?;
    let after = Levels::open(directory, &spec.criteria)?;
    let pairs = before.against(&after);
    let gate = Gate::of_pairs(&spec.criteria, std::slice::from_ref(&pairs));
    let alone = before
        .alone(&after, "in the baseline alone")
        .chain(after.alone(&before, "here alone"));
    let alone = alone.collect();
    Ok(Gated {
        other_workload: other,
        alone,
        ..gated(gate, &runs(before.runs), &runs(after.runs))
    })
}

/// What a sweep asks for.
pub(super) fn swept(directory: &Path) -> Result<AskedRuns> {
    let asked = is_experiment(directory).then(|| kept_experiment::asked(directory));
    match asked.transpose()? {
        Some(asked) if matches!(asked.protocol, ProtocolSpec::Sweep(_)) => Ok(asked),
        _ => bail!(
            "{} is no sweep, and a sweep is held against one at the same levels",
            directory.display()
        ),
    }
}

/// How the work of two sweeps differs beyond their levels.
pub(super) fn other_plans(then: &[Plan], now: &[Plan]) -> Vec<String> {
    if then.len() != now.len() {
        return vec![format!(
            "it has {} curves in the baseline and {} here",
            then.len(),
            now.len()
        )];
    }
    let without_level = |plan: &Plan| Plan {
        rate: None,
        concurrency: None,
        ..plan.clone()
    };
    let mut all: Vec<String> = Vec::new();
    for (then, now) in then.iter().zip(now) {
        let (then, now) = (without_level(then), without_level(now));
        all.extend(differences::of_plans(
            &then,
            &now,
            MayDiffer::Server,
            BOTH_SIDES,
        ));
    }
    all.dedup();
    all
}

/// The runs of a sweep on its levels.
struct Levels {
    runs: Vec<Placed>,
}

impl Levels {
    fn open(directory: &Path, criteria: &[FailIf]) -> Result<Self> {
        let mut runs = placed(open_asking(directory, criteria)?.points, criteria)?;
        // Sustained runs have a length of their own, those after the breaking point no warm-up.
        runs.retain(|placed| placed.at.length.is_none() && placed.at.warmup.is_none());
        match runs.is_empty() {
            true => bail!("{} has no level that was measured", directory.display()),
            false => Ok(Self { runs }),
        }
    }

    fn at(&self, at: Coordinates) -> Vec<&SideRun> {
        let own = self.runs.iter().filter(|placed| placed.at == at);
        own.map(|placed| &placed.run).collect()
    }

    /// In the order of measuring.
    fn all(&self) -> Vec<Coordinates> {
        let mut all: Vec<Coordinates> = Vec::new();
        for placed in &self.runs {
            if !all.contains(&placed.at) {
                all.push(placed.at);
            }
        }
        all
    }

    fn is_held(&self, at: Coordinates) -> bool {
        !self.at(at).iter().any(|run| is_overloaded(&run.summary))
    }

    /// The levels that both have and the first holds.
    fn against(&self, after: &Self) -> GatePairs {
        let held = self.all().into_iter().filter(|at| self.is_held(*at));
        let both: Vec<Coordinates> = held.filter(|at| !after.at(*at).is_empty()).collect();
        let pair = |at: &Coordinates| GatePair {
            baseline: together(&self.at(*at)),
            candidate: together(&after.at(*at)),
        };
        GatePairs {
            of: "".into(),
            form: GateForm::PairedLevels,
            pairs: both.iter().map(pair).collect(),
            lost: both.iter().filter(|at| !after.is_held(**at)).count(),
        }
    }

    fn alone<'a>(&'a self, other: &'a Self, whose: &'a str) -> impl Iterator<Item = String> + 'a {
        let all = self.all().into_iter();
        let alone = all.filter(|at| other.at(*at).is_empty());
        alone.filter_map(move |at| Some(format!("{}: {whose}", at.load?)))
    }
}

/// The figures of one level over its runs; one that some run lacks is none.
fn together(runs: &[&SideRun]) -> GateFigures {
    let criteria = runs.first().map_or(0, |run| run.figures.len());
    let of = |index: usize| -> Option<SloFigure> {
        let figures = runs.iter().filter_map(|run| run.figures.get(index));
        let figures: Vec<&SloFigure> = figures.collect();
        let values: Option<Vec<f64>> = figures.iter().map(|figure| figure.value).collect();
        let samples: Option<Vec<f64>> = figures.iter().map(|figure| figure.effective_n).collect();
        Some(SloFigure {
            value: values.map(|values| values.iter().sum::<f64>() / values.len() as f64),
            effective_n: samples.map(|samples| samples.iter().sum()),
            ..(*figures.first()?).clone()
        })
    };
    (0..criteria).filter_map(of).collect()
}
