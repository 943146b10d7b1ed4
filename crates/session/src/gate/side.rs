//! The runs of one side of a gate, each judged with the measures of the criteria.
//!
//! Invariant: runs that are held against others as one group were sent the same work, and are of no experiment that
//! measures several things.

use super::places::directories;
use crate::differences::{self, MayDiffer};
use crate::directories::is_experiment;
use crate::kept::KeptRun;
use crate::kept_experiment::{self, KeptExperiment};
use anyhow::{Result, bail};
use infermeter_analysis::{GateFigures, GateRun, SloLine, Summary};
use infermeter_core::finding::Verdict;
use infermeter_core::gate::FailIf;
use infermeter_core::plan::Plan;
use infermeter_core::run::RunManifest;
use infermeter_protocol::{Kept, ProtocolSpec, RunSeen};
use infermeter_record::read_manifest;
use std::path::{Path, PathBuf};

/// The runs of one side.
#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) runs: Vec<SideRun>,
}

/// A run, with its figure of each criterion.
#[derive(Debug)]
pub(super) struct SideRun {
    pub(super) figures: GateFigures,
    pub(super) summary: Summary,
    directory: PathBuf,
    verdict: Verdict,
    plan: Plan,
}

impl Side {
    /// The runs that a path stands for, as one group.
    pub(super) fn open(path: &Path, criteria: &[FailIf]) -> Result<Self> {
        let mut side = Self::default();
        for directory in directories(path)? {
            side.read(&directory, criteria)?;
        }
        if side.runs.is_empty() {
            bail!("{} has no run that has ended", path.display());
        }
        side.one_group(path)?;
        Ok(side)
    }

    /// The plan that stands for a group.
    pub(super) fn plan(&self) -> &Plan {
        &self.runs[0].plan
    }

    /// The ids of its runs.
    pub(super) fn run_ids(&self) -> Result<Vec<String>> {
        let ids = self
            .runs
            .iter()
            .map(|run| Ok(read_manifest(&run.directory)?.run_id));
        ids.collect()
    }

    fn one_group(&self, path: &Path) -> Result<()> {
        let first = self.plan();
        let differs = self.runs.iter().find_map(|run| {
            let all = differences::of_plans(first, &run.plan, MayDiffer::Server, ["", ""]);
            all.into_iter().next()
        });
        match differs {
            None => Ok(()),
            Some(difference) => bail!(
                "{} holds runs that are not of one kind ({difference}): list the directories of those that \
                 are meant in a file, a line each, and give that",
                path.display()
            ),
        }
    }

    fn read(&mut self, directory: &Path, criteria: &[FailIf]) -> Result<()> {
        is_group(directory)?;
        if is_experiment(directory) {
            let kept = open_asking(directory, criteria)?;
            for point in kept.points {
                self.runs.push(SideRun::of(point.seen, criteria)?);
            }
            return Ok(());
        }
        let mut kept = KeptRun::open(directory)?;
        ask(&mut kept.manifest.plan, criteria);
        let seen = kept.judge(None)?.seen(directory, Kept::Whole);
        self.runs.push(SideRun::of(seen, criteria)?);
        Ok(())
    }
}

impl SideRun {
    /// A run that was judged with the measures of the criteria.
    pub(super) fn of(seen: RunSeen, criteria: &[FailIf]) -> Result<Self> {
        Ok(Self {
            figures: figures(&seen.summary.slo, criteria.len()),
            // As it was measured: the runs of an experiment may differ in their loads.
            plan: read_manifest(&seen.place.directory)?.plan,
            directory: seen.place.directory,
            verdict: seen.verdict,
            summary: seen.summary,
        })
    }

    pub(super) fn label(&self) -> GateRun {
        GateRun {
            directory: self.directory.clone(),
            verdict: self.verdict,
        }
    }
}

/// The runs of other experiments differ by what is asked: by side, or by load.
pub(super) fn is_group(directory: &Path) -> Result<()> {
    if !is_experiment(directory) {
        return Ok(());
    }
    let asked = kept_experiment::asked(directory)?;
    let advice = match asked.protocol {
        ProtocolSpec::Repeat { .. } => return Ok(()),
        ProtocolSpec::Compare(_) => {
            "a comparison, whose first side is a baseline itself: `infermeter gate` judges it without --baseline"
        }
        ProtocolSpec::Sweep(_) => "a sweep, which only another sweep is held against",
        ProtocolSpec::Search(_) => "a search, whose runs differ in their rates",
    };
    bail!(
        "{} is {advice}. List the directories of the runs that are meant in a file, a line each, and give that",
        directory.display()
    )
}

/// The runs of an experiment, judged with the measures of the criteria.
pub(super) fn open_asking(directory: &Path, criteria: &[FailIf]) -> Result<KeptExperiment> {
    KeptExperiment::open(directory, &|manifest: &mut RunManifest| {
        ask(&mut manifest.plan, criteria);
    })
}

/// Adds the criteria's measures to the objectives that a run is judged by, with limits that nothing misses.
fn ask(plan: &mut Plan, criteria: &[FailIf]) {
    // The measures must not give deadlines to those that leave them to the plan.
    plan.fluidity = plan.deadlines();
    plan.slo
        .extend(criteria.iter().map(|c| c.of.clone().without_limit()));
}

/// The figures of the last lines, which are the criteria's. A percentile that the run does not support is none.
fn figures(lines: &[SloLine], criteria: usize) -> GateFigures {
    let own = &lines[lines.len().saturating_sub(criteria)..];
    own.iter().map(SloLine::figure).collect()
}
