//! A gate against a history: the runs since the last change of what is judged.
//!
//! Invariants: one run of each occasion, since runs that were measured together are alike; what is judged is no part
//! of its own baseline; Invalid runs are never in it.

use super::side::Side;
use super::{BOTH_SIDES, gated};
use crate::differences::{self, MayDiffer};
use crate::history::{Entry, History, KeptPlan, short};
use crate::redact::redact;
use anyhow::{Context, Result, bail};
use infermeter_analysis::{Gate, GateFigures, GateRun, Gated, SloFigure, Trend};
use infermeter_core::gate::{FailIf, Threshold};
use infermeter_core::number::counted;
use infermeter_core::plan::Plan;
use infermeter_core::slo::Measure;
use infermeter_core::text::listed;
use std::path::Path;

/// Most runs of a baseline: what the test of two groups takes.
const MOST: usize = 60;

/// Judges `candidate` against the history in `folder`.
pub(super) fn gate(candidate: &Path, folder: &Path, spec: &super::GateSpec) -> Result<Gated> {
    let after = Side::open(candidate, &spec.criteria)?;
    let history = History::read(folder).context("--baseline")?;
    let mut plan = plan_of(&history, folder, after.plan()).context("--baseline")?;
    let own = after.run_ids()?;
    plan.runs.retain(|run| !own.contains(&run.run_id));
    let since = Since::of(&plan, &spec.criteria);
    let before: Result<Vec<GateFigures>> = since
        .runs
        .iter()
        .map(|run| figures(run, &spec.criteria))
        .collect();
    let here: Vec<GateFigures> = after.runs.iter().map(|run| run.figures.clone()).collect();
    let gate = Gate::of(&spec.criteria, &before?, &here);
    Ok(Gated {
        history: Some(since.said(folder) + &damaged(&history, folder)),
        baseline: since
            .runs
            .iter()
            .map(|run| GateRun {
                directory: run.from.clone(),
                verdict: run.verdict,
            })
            .collect(),
        ..gated(gate, &[], &after.runs)
    })
}

/// Says before anything is measured whether the history in `folder` has runs of this plan.
pub(super) fn comparable(folder: &Path, plan: &Plan) -> Result<()> {
    plan_of(&History::read(folder)?, folder, &redact(plan)).map(drop)
}

/// What of the history was not read: runs that may have belonged to the baseline.
fn damaged(history: &History, folder: &Path) -> String {
    match history.damaged.len() {
        0 => String::new(),
        lines => format!(
            " {} of it {} damaged and not read: `infermeter history list {}` says why.",
            counted(lines as u64, "line"),
            if lines == 1 { "is" } else { "are" },
            folder.display()
        ),
    }
}

/// The runs of the same work; of several servers those of the same one.
fn plan_of(history: &History, folder: &Path, plan: &Plan) -> Result<KeptPlan> {
    let differs = |kept: &KeptPlan| -> Vec<String> {
        let own = kept.runs.first().map(|run| &run.plan);
        own.map_or_else(Vec::new, |own| {
            differences::of_plans(own, plan, MayDiffer::Server, BOTH_SIDES)
        })
    };
    let mut same: Vec<&KeptPlan> = history
        .plans
        .iter()
        .filter(|kept| differs(kept).is_empty())
        .collect();
    if same.len() > 1 {
        let here = |kept: &&KeptPlan| kept.runs.iter().any(|run| run.plan.target == plan.target);
        same.retain(here);
    }
    match same[..] {
        [one] => Ok(one.clone()),
        [] => {
            let nearest = history.plans.iter().map(differs).min_by_key(Vec::len);
            let how = nearest.filter(|how| !how.is_empty());
            bail!(
                "{} has no runs of this plan{}",
                folder.display(),
                how.map_or_else(String::new, |how| format!(
                    "; the nearest differs: {}",
                    differences::named(&how)
                ))
            )
        }
        _ => bail!(
            "{} has runs of this plan under several names of the server ({}): measure one of them",
            folder.display(),
            listed(
                &same
                    .iter()
                    .filter_map(|kept| Some(kept.runs.first()?.server.clone()))
                    .collect::<Vec<_>>()
            )
        ),
    }
}

/// The runs since the last change.
struct Since<'a> {
    runs: Vec<&'a Entry>,
    /// The first run behind it, where there was one.
    change: Option<&'a Entry>,
    changed: String,
}

impl<'a> Since<'a> {
    fn of(plan: &'a KeptPlan, criteria: &[FailIf]) -> Self {
        let figures: Vec<Measure> = criteria
            .iter()
            .map(|criterion| criterion.of.clone())
            .collect();
        let occasions = plan.occasions();
        let trend: Trend = plan.trend(&figures);
        let last = trend
            .figures
            .iter()
            .filter_map(|figure| Some((figure.changes.last()?.at, &figure.name)));
        let last = last.max();
        let first = last.map_or(0, |(at, _)| at);
        // The last of an occasion: a server is warm by then.
        let used = occasions[first.min(occasions.len())..]
            .iter()
            .filter_map(|o| o.used().last().copied());
        let mut runs: Vec<&Entry> = used.collect();
        runs.drain(..runs.len().saturating_sub(MOST));
        Self {
            runs,
            change: last.and_then(|(at, _)| occasions.get(at)?.runs.first().copied()),
            changed: last.map_or_else(String::new, |(_, name)| name.clone()),
        }
    }

    fn said(&self, folder: &Path) -> String {
        let runs = counted(self.runs.len() as u64, "run");
        let folder = folder.display();
        match self.change {
            Some(change) => format!(
                "{runs} of {folder} since {}, when {} changed last.",
                change.begun, self.changed
            ),
            None => format!("{runs} of {folder}, without a change among them."),
        }
    }
}

/// The figures of a run, for each criterion.
fn figures(run: &Entry, criteria: &[FailIf]) -> Result<GateFigures> {
    criteria.iter().map(|criterion| {
        let name = criterion.of.to_string();
        let is_level = matches!(criterion.threshold, Threshold::Level(_));
        match run.figures.get(&name) {
            Some(figure) => Ok(figure.clone()),
            // The baseline plays no part.
            None if is_level => Ok(SloFigure::default()),
            None => bail!(
                "the history keeps no {name} of run {}: it has {}. `infermeter history add --figure '{name}'` keeps \
                 it of runs that are added from now on",
                short(&run.run_id),
                listed(&run.figures.keys().cloned().collect::<Vec<_>>())
            ),
        }
    }).collect()
}
