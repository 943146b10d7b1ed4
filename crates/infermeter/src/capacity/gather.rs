//! From directories to runs at several rates.
//!
//! Measures nothing. Invariant: the runs differ in their rate alone, or they are refused; what is left out is
//! named.

use anyhow::{Context, Result, bail};
use infermeter_analysis::Summary;
use infermeter_analysis::capacity::Level;
use infermeter_core::finding::Verdict;
use infermeter_core::plan::Plan;
use infermeter_core::run::RunState;
use infermeter_core::slo::Slo;
use infermeter_record::ParquetRecords;
use infermeter_session::differences::{self, MayDiffer};
use infermeter_session::directories::runs_at;
use infermeter_session::fleet::SeenRun;
use infermeter_session::kept::KeptRun;
use std::path::{Path, PathBuf};

/// Runs that belong together.
#[derive(Debug, Default)]
pub struct Gathered {
    /// They, by rate.
    pub runs: Vec<SeenRun>,
    /// What was left out, and why.
    pub left_out: Vec<String>,
    plan: Option<Plan>,
}

/// Reads and judges the runs below `paths`, by `slo` or else by their own objectives.
///
/// # Errors
/// Where there are none, they cannot be read, they have no objective, or they do not belong together.
pub(crate) fn gather(paths: &[PathBuf], slo: &[Slo]) -> Result<Gathered> {
    let mut gathered = Gathered::default();
    for path in paths {
        for directory in runs_at(path)? {
            gathered.take(&directory, slo)?;
        }
    }
    match &gathered.plan {
        None => bail!("no run can be used{}", gathered.named()),
        Some(plan) if plan.slo.is_empty() => {
            bail!("the runs have no objective: give one or more, as in --slo 'ttft.p99<500ms'")
        }
        Some(_) => {}
    }
    gathered.runs.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    Ok(gathered)
}

impl Gathered {
    /// The runs as levels, ascending.
    pub fn levels(&self) -> Vec<Level> {
        let level = |runs: &[SeenRun]| {
            let summaries: Vec<&Summary> = runs.iter().map(SeenRun::summary).collect();
            Level::of(runs[0].rate, &summaries)
        };
        self.runs
            .chunk_by(|a, b| a.rate == b.rate)
            .map(level)
            .collect()
    }

    /// The objectives that they were judged by.
    pub(crate) fn objectives(&self) -> Vec<String> {
        let slo = self.plan.iter().flat_map(|plan| &plan.slo);
        slo.map(ToString::to_string).collect()
    }

    /// Accelerators, where the runs say so.
    pub(crate) fn gpus(&self) -> Option<u32> {
        self.plan.as_ref()?.gpus
    }

    /// The price of an accelerator for an hour, where the runs say so.
    pub(crate) fn gpu_hour(&self) -> Option<f64> {
        self.plan.as_ref()?.gpu_hour
    }

    /// The price of a kilowatt-hour, where the runs say so.
    pub(crate) fn kwh(&self) -> Option<f64> {
        self.plan.as_ref()?.kwh
    }

    fn take(&mut self, directory: &Path, slo: &[Slo]) -> Result<()> {
        let named = || format!("{}", directory.display());
        let mut kept = KeptRun::open(directory).with_context(named)?;
        let plan = &mut kept.manifest.plan;
        if !slo.is_empty() {
            plan.slo = slo.to_vec();
        }
        let Some(rate) = rate_of(plan) else {
            bail!(
                "{}: a capacity plan needs runs at one rate each, as `run --rate R` makes them",
                named()
            );
        };
        if kept.manifest.state != RunState::Finished {
            self.left_out.push(format!(
                "{} did not end as planned and is left out",
                named()
            ));
            return Ok(());
        }
        let judged = kept.judge(None).with_context(named)?;
        if judged.verdict == Verdict::Invalid {
            let why = format!(
                "the run at {rate} requests/s ({}) is Invalid and left out",
                named()
            );
            self.left_out.push(why);
            return Ok(());
        }
        let plan = &judged.manifest.plan;
        match &self.plan {
            None => self.plan = Some(plan.clone()),
            Some(first) => belongs(first, plan).with_context(named)?,
        }
        let records = ParquetRecords::open(directory).with_context(named)?;
        self.runs
            .push(SeenRun::read(rate, judged, &records).with_context(named)?);
        Ok(())
    }

    fn named(&self) -> String {
        match self.left_out.is_empty() {
            true => String::new(),
            false => format!(": {}", self.left_out.join("; ")),
        }
    }
}

/// The one rate of an open loop.
fn rate_of(plan: &Plan) -> Option<f64> {
    let other = plan.rate_profile.is_some() || plan.trace.is_some() || plan.clients.is_some();
    plan.rate.filter(|_| !other)
}

/// The run is of the same workload on the same target as the first.
fn belongs(first: &Plan, other: &Plan) -> Result<()> {
    let whose = [" in the first run", " here"];
    let said = differences::of_plans(first, other, MayDiffer::Level, whose);
    match said.is_empty() {
        true => Ok(()),
        false => bail!(
            "another workload, which says nothing of this one: {}",
            differences::named(&said)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_workload_is_named() {
        let first = Plan::defaults();
        let mut other = Plan {
            rate: Some(5.0),
            seed: 9,
            ..Plan::defaults()
        };
        assert!(belongs(&first, &other).is_ok());
        other.model = Some("other".to_owned());
        let said = belongs(&first, &other).expect_err("another").to_string();
        assert!(
            said.contains("model is null in the first run and \"other\" here"),
            "{said}"
        );
    }
}
