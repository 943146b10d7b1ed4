//! A gate over runs that are on disk: both sides read, their workloads compared, the criteria judged.
//!
//! Two groups of runs, the rounds of a comparison, or the levels of two sweeps. Measures nothing and prints nothing;
//! what decides is [`infermeter_analysis::Gate`]. Invariant: runs of another workload are refused, or named, and
//! runs that an experiment has measured for different things are never taken as one group.

mod of_history;
mod paired;
mod places;
mod side;

use crate::differences::{self, MayDiffer, Whose};
use crate::directories::is_experiment;
use crate::history::is_history;
use crate::kept_experiment;
use crate::redact::redact;
use anyhow::{Context, Result, bail};
use infermeter_analysis::{Gate, GateFigures, Gated, Summary, unlike};
use infermeter_core::gate::FailIf;
use infermeter_core::plan::Plan;
use infermeter_protocol::ProtocolSpec;
use infermeter_record::read_manifest;
use side::{Side, SideRun};
use std::path::{Path, PathBuf};

/// Whose the values of a difference are.
const BOTH_SIDES: Whose<'static> = [" in the baseline", " here"];

/// What a gate is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct GateSpec {
    /// What is not accepted.
    pub criteria: Vec<FailIf>,
    /// The baseline: a run, an experiment, a directory of these, a file that lists them, or the folder of a history;
    /// none for a comparison, whose first side it is.
    pub baseline: Option<PathBuf>,
    /// Another workload is named rather than refused.
    pub force: bool,
}

/// Judges `candidate`: a run, an experiment, or what else a baseline may be.
///
/// # Errors
/// Where a side has no run, its files cannot be read, or it has another workload.
pub fn gate(candidate: &Path, spec: &GateSpec) -> Result<Gated> {
    let candidate = places::around(candidate);
    match protocol(candidate)? {
        Some(ProtocolSpec::Compare(compare)) => paired::rounds(candidate, &compare, spec),
        Some(ProtocolSpec::Sweep(_)) => paired::levels(candidate, spec),
        Some(ProtocolSpec::Repeat { .. } | ProtocolSpec::Search(_)) | None => {
            groups(candidate, spec)
        }
    }
}

/// What decides over the runs of a directory; absent where it holds no experiment.
fn protocol(path: &Path) -> Result<Option<ProtocolSpec>> {
    match is_experiment(path) {
        true => Ok(Some(kept_experiment::asked(path)?.protocol)),
        false => Ok(None),
    }
}

impl GateSpec {
    fn baseline(&self) -> Result<&Path> {
        match &self.baseline {
            Some(path) => Ok(places::around(path)),
            None => bail!(
                "nothing to hold it against: give --baseline, as in --baseline runs/before; only a comparison \
                 brings its own, which is its first side"
            ),
        }
    }
}

/// Two groups of runs.
fn groups(candidate: &Path, spec: &GateSpec) -> Result<Gated> {
    let baseline = spec.baseline()?;
    if is_history(baseline) {
        return of_history::gate(candidate, baseline, spec);
    }
    let after = Side::open(candidate, &spec.criteria)?;
    let before = Side::open(baseline, &spec.criteria).context("--baseline")?;
    let server = MayDiffer::Server;
    let other = differences::of_plans(before.plan(), after.plan(), server, BOTH_SIDES);
    refuse(&other, spec.force)?;
    let figures = |side: &Side| -> Vec<GateFigures> {
        side.runs.iter().map(|run| run.figures.clone()).collect()
    };
    let gate = Gate::of(&spec.criteria, &figures(&before), &figures(&after));
    Ok(Gated {
        other_workload: other,
        ..gated(gate, &before.runs, &after.runs)
    })
}

/// A gate with what is known of its runs.
fn gated(gate: Gate, before: &[SideRun], after: &[SideRun]) -> Gated {
    let summaries = |runs: &'_ [SideRun]| -> Vec<Summary> {
        runs.iter().map(|run| run.summary.clone()).collect()
    };
    let (of_before, of_after) = (summaries(before), summaries(after));
    Gated {
        gate,
        unlike: unlike(
            &of_before.iter().collect::<Vec<_>>(),
            &of_after.iter().collect::<Vec<_>>(),
        ),
        other_workload: Vec::new(),
        history: None,
        baseline: before.iter().map(SideRun::label).collect(),
        candidate: after.iter().map(SideRun::label).collect(),
        alone: Vec::new(),
        comparison: None,
    }
}

/// Says before anything is measured what is wrong with a baseline of runs of a plan.
///
/// # Errors
/// Where it cannot be read, is none, or is of another workload.
pub fn comparable(spec: &GateSpec, plan: &Plan) -> Result<()> {
    let baseline = spec.baseline()?;
    if is_history(baseline) {
        return of_history::comparable(baseline, plan).context("--baseline");
    }
    for directory in places::directories(baseline).context("--baseline")? {
        side::is_group(&directory).context("--baseline")?;
        let Some(run) = places::first_run(&directory) else {
            continue;
        };
        let manifest = read_manifest(&run).context("--baseline")?;
        let (then, now) = (&manifest.plan, redact(plan));
        let differences = differences::of_plans(then, &now, MayDiffer::Server, BOTH_SIDES);
        refuse(&differences, spec.force)?;
    }
    Ok(())
}

/// The same of a sweep over these plans.
///
/// # Errors
/// Where the baseline is no sweep, or one of another workload.
pub fn comparable_sweep(spec: &GateSpec, plans: &[Plan]) -> Result<()> {
    let then = paired::swept(spec.baseline()?).context("--baseline")?;
    let now: Vec<Plan> = plans.iter().map(redact).collect();
    refuse(&paired::other_plans(&then.variants, &now), spec.force)
}

fn refuse(differences: &[String], force: bool) -> Result<()> {
    if differences.is_empty() || force {
        return Ok(());
    }
    bail!(
        "the baseline is of another workload: {}. Measure it with the same plan, or give --force, \
         which compares all the same and says so",
        differences::named(differences)
    )
}

#[cfg(test)]
mod tests;
