//! A gate over runs that are on disk: both sides read, their workloads compared, the criteria judged.
//!
//! Measures nothing and prints nothing; what decides is [`infermeter_analysis::Gate`]. Invariant: runs of another
//! workload are refused, or named.

use crate::kept::KeptRun;
use crate::kept_experiment::{KeptExperiment, is_experiment};
use crate::redact::redact;
use anyhow::{Context, Result, bail};
use infermeter_analysis::{Gate, GateFigures, GateRun, Gated, SloFigure, SloLine, Summary, unlike};
use infermeter_core::finding::Verdict;
use infermeter_core::gate::FailIf;
use infermeter_core::plan::Plan;
use infermeter_core::run::RunManifest;
use infermeter_core::text::inert;
use infermeter_record::read_manifest;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Keys of the plan that say nothing of the work that a server is given: where it is, how often it is asked,
/// what is looked for, what is said of it.
const NOT_WORK: [&str; 41] = [
    "target",
    "more-targets",
    "out",
    "json",
    "html",
    "quiet",
    "full",
    "seed",
    "workload-seed",
    "schedule-seed",
    "salt",
    "repeat",
    "until",
    "slo",
    "percentile",
    "fluidity",
    "strict",
    "publication",
    "hardware",
    "model-info",
    "engine-info",
    "engine",
    "gpus",
    "api-key-file",
    "header",
    "proxy",
    "tls-ca",
    "tls-insecure",
    "threads",
    "max-connections",
    "server-metrics",
    "server-metrics-interval",
    "no-probe",
    "probe-timeout",
    "probe-response-cache",
    "save-responses",
    "connect-timeout",
    "label",
    "quantization",
    "io",
    "audit-send",
];
/// Differences that a message names.
const NAMED: usize = 3;
/// Whose the values of a difference are.
const BOTH_SIDES: [&str; 2] = [" in the baseline", " here"];

/// Most directories that a list may name.
const MOST_LISTED: usize = 1_000;

/// What a gate is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct GateSpec {
    /// What is not accepted.
    pub criteria: Vec<FailIf>,
    /// The baseline: a run, an experiment, a directory of these, or a file that lists them.
    pub baseline: PathBuf,
    /// Another workload is named rather than refused.
    pub force: bool,
}

/// Judges the runs of `candidate`: a run, an experiment, or what else a baseline may be.
///
/// # Errors
/// Where a side has no run, its files cannot be read, or it has another workload.
pub fn gate(candidate: &Path, spec: &GateSpec) -> Result<Gated> {
    let after = Side::open(candidate, &spec.criteria)?;
    let before = Side::open(&spec.baseline, &spec.criteria).context("--baseline")?;
    let other = other_workload(&before, &after);
    refuse(&other, spec.force)?;
    let figures = |side: &Side| -> Vec<GateFigures> {
        side.runs.iter().map(|run| run.figures.clone()).collect()
    };
    let summaries =
        |side: &Side| -> Vec<Summary> { side.runs.iter().map(|run| run.summary.clone()).collect() };
    let (of_before, of_after) = (summaries(&before), summaries(&after));
    Ok(Gated {
        gate: Gate::of(&spec.criteria, &figures(&before), &figures(&after)),
        unlike: unlike(
            &of_before.iter().collect::<Vec<_>>(),
            &of_after.iter().collect::<Vec<_>>(),
        ),
        other_workload: other,
        baseline: before.labels(),
        candidate: after.labels(),
    })
}

/// Says before anything is measured what is wrong with a baseline of a plan.
///
/// # Errors
/// Where it cannot be read, is none, or is of another workload.
pub fn comparable(spec: &GateSpec, plan: &Plan) -> Result<()> {
    for directory in directories(&spec.baseline).context("--baseline")? {
        let Some(run) = first_run(&directory) else {
            continue;
        };
        let manifest = read_manifest(&run).context("--baseline")?;
        let differences = plan_differences(&manifest.plan, &redact(plan), BOTH_SIDES);
        refuse(&differences, spec.force)?;
    }
    Ok(())
}

/// The directory of a run, or of an experiment's first.
fn first_run(directory: &Path) -> Option<PathBuf> {
    if !is_experiment(directory) {
        return Some(directory.to_owned());
    }
    let entries = fs::read_dir(directory).ok()?.flatten();
    let mut runs: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    runs.retain(|path| path.join("run.json").exists());
    runs.sort();
    runs.into_iter().next()
}

fn refuse(differences: &[String], force: bool) -> Result<()> {
    if differences.is_empty() || force {
        return Ok(());
    }
    let more = match differences.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    bail!(
        "the baseline is of another workload: {}{more}. Measure it with the same plan, or give --force, \
         which compares all the same and says so",
        differences[..differences.len().min(NAMED)].join("; ")
    )
}

/// The runs of one side.
#[derive(Debug, Default)]
struct Side {
    runs: Vec<SideRun>,
}

#[derive(Debug)]
struct SideRun {
    directory: PathBuf,
    verdict: Verdict,
    summary: Summary,
    figures: GateFigures,
    plan: Plan,
}

impl Side {
    fn open(path: &Path, criteria: &[FailIf]) -> Result<Self> {
        let mut side = Self::default();
        let directories = directories(path)?;
        for directory in &directories {
            side.read(directory, criteria)?;
        }
        if side.runs.is_empty() {
            bail!("{} has no run that has ended", path.display());
        }
        side.one_group(path)?;
        Ok(side)
    }

    /// Runs that are held against others as one group were sent the same work; those of one experiment, which
    /// may be a comparison, to one server.
    fn one_group(&self, path: &Path) -> Result<()> {
        let first = &self.runs[0].plan;
        let differs = |run: &SideRun| -> Option<String> {
            if is_experiment(path) && run.plan.target != first.target {
                let [one, other] = [first, &run.plan].map(|plan| inert(&plan.target, 80));
                return Some(format!("target is {one} and {other}"));
            }
            plan_differences(first, &run.plan, ["", ""])
                .into_iter()
                .next()
        };
        match self.runs.iter().find_map(differs) {
            None => Ok(()),
            Some(difference) => bail!(
                "{} holds runs that are not of one kind ({difference}): list the directories of those that \
                 are meant in a file, a line each, and give that",
                path.display()
            ),
        }
    }

    fn read(&mut self, directory: &Path, criteria: &[FailIf]) -> Result<()> {
        let ask = |manifest: &mut RunManifest| ask(&mut manifest.plan, criteria);
        if is_experiment(directory) {
            let kept = KeptExperiment::open(directory, &ask)?;
            for point in kept.points {
                let seen = point.seen;
                // As it was measured: the runs of an experiment may differ in their loads.
                let plan = read_manifest(&seen.place.directory)?.plan;
                self.runs.push(SideRun {
                    figures: figures(&seen.summary.slo, criteria.len()),
                    directory: seen.place.directory,
                    verdict: seen.verdict,
                    summary: seen.summary,
                    plan,
                });
            }
            return Ok(());
        }
        let mut kept = KeptRun::open(directory)?;
        let plan = kept.manifest.plan.clone();
        ask(&mut kept.manifest);
        let judged = kept.judge(None)?;
        self.runs.push(SideRun {
            figures: figures(&judged.summary.slo, criteria.len()),
            directory: directory.to_owned(),
            verdict: judged.verdict,
            summary: judged.summary,
            plan,
        });
        Ok(())
    }

    fn labels(&self) -> Vec<GateRun> {
        let label = |run: &SideRun| GateRun {
            directory: run.directory.clone(),
            verdict: run.verdict,
        };
        self.runs.iter().map(label).collect()
    }
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
    let figure = |line: &SloLine| SloFigure {
        value: match &line.cell {
            Some(cell) => cell.value,
            None => line.measured.value,
        },
        ..line.measured.clone()
    };
    own.iter().map(figure).collect()
}

/// The directories of runs and experiments that a path stands for.
fn directories(path: &Path) -> Result<Vec<PathBuf>> {
    let found = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    if !found.is_dir() {
        return listed(path);
    }
    if is_run(path) {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut inside: Vec<PathBuf> = Vec::new();
    for entry in entries {
        let entry = entry?.path();
        if entry.is_dir() && is_run(&entry) {
            inside.push(entry);
        }
    }
    inside.sort();
    match inside.is_empty() {
        true => bail!(
            "{} holds neither a run nor an experiment, nor a directory of these",
            path.display()
        ),
        false => Ok(inside),
    }
}

fn is_run(path: &Path) -> bool {
    is_experiment(path) || path.join("run.json").exists()
}

/// A file of a run's or an experiment's directory stands for that; any other lists directories, a line each.
fn listed(path: &Path) -> Result<Vec<PathBuf>> {
    let around = path.parent().unwrap_or(Path::new("."));
    let own = ["run.json", "repeat.json"].iter();
    if own
        .clone()
        .any(|name| path.file_name().is_some_and(|file| file == *name))
    {
        return directories(match around.as_os_str().is_empty() {
            true => Path::new("."),
            false => around,
        });
    }
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let lines = text.lines().map(str::trim);
    let named: Vec<&str> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    if named.is_empty() || named.len() > MOST_LISTED {
        bail!(
            "{} has to list 1 to {MOST_LISTED} directories of runs, a line each",
            path.display()
        );
    }
    let mut all = Vec::new();
    for line in named {
        let directory = around.join(line);
        if !is_run(&directory) {
            bail!(
                "{}: `{}` is neither a run nor an experiment",
                path.display(),
                inert(line, 200)
            );
        }
        all.push(directory);
    }
    Ok(all)
}

/// How the work of the two sides differs, by key: each side is one group, so its first run stands for it.
fn other_workload(before: &Side, after: &Side) -> Vec<String> {
    plan_differences(&before.runs[0].plan, &after.runs[0].plan, BOTH_SIDES)
}

/// The keys in which the work of two plans differs; `sides` say whose each value is.
fn plan_differences(before: &Plan, after: &Plan, sides: [&str; 2]) -> Vec<String> {
    let value = |plan: &Plan| serde_json::to_value(plan).unwrap_or_default();
    let (before, after) = (value(before), value(after));
    let keys = after.as_object().into_iter().flatten();
    let differing = keys.filter(|(key, value)| {
        !NOT_WORK.contains(&key.as_str()) && before[key.as_str()] != **value
    });
    let shown = |value: &Value| inert(&value.to_string(), 60);
    differing
        .map(|(key, value)| {
            let before = shown(&before[key.as_str()]);
            let [first, second] = sides;
            format!("{key} is {before}{first} and {}{second}", shown(value))
        })
        .collect()
}

#[cfg(test)]
mod tests;
