//! Runs as a protocol asks for them: each with its own seeds, salt, warm-up and record.
//!
//! Decides nothing and prints nothing. Invariant: every run's record is complete and can be reported on its
//! own; a run that left no record leaves no directory.

use crate::aside::set_aside;
use crate::drive::{Bench, Order};
use crate::experiment::Experiment;
use crate::failure::Failure;
use crate::finish::{Ended, finish, unfinished};
use crate::measure::{Measure, Site};
use crate::ranked::Shared;
use crate::run_id::{RunIdentity, default_directory};
use anyhow::{Context, Result};
use infermeter_core::clock::realtime_ns;
use infermeter_core::finding::Verdict;
use infermeter_core::number::counted;
use infermeter_core::plan::Plan;
use infermeter_core::run::RunState;
use infermeter_core::seed::splitmix64;
use infermeter_core::units::Span;
use infermeter_protocol::{Coordinates, Intensity, Kept, Length, RunSeen};
use infermeter_record::{JournalRecords, RunDirectory};
use infermeter_sys::signals;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Measures runs of one plan, or of several that are compared.
pub struct Runs<'a, M> {
    measure: M,
    variants: &'a [Plan],
    into: Into,
    /// A server that is gone after a run has said what it was asked.
    death_tells: bool,
    /// What the run shares with other processes, where it does.
    shared: Option<Shared>,
    last: Option<Ended>,
}

/// Where runs go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Into {
    /// One run, where its plan says; absent: below `runs/`, by time and id.
    Alone(Option<PathBuf>),
    /// Numbered, into the directory of an experiment.
    Experiment(PathBuf),
}

/// What the ledger keeps of a run: the rest is in its directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunEntry {
    /// Its id.
    pub run_id: String,
    /// How it ended.
    pub state: RunState,
    /// Whether it can be trusted.
    pub verdict: Verdict,
    /// All of it is on disk.
    pub complete: bool,
}

impl<'a, M: Measure> Runs<'a, M> {
    /// Measures `variants` with `measure`.
    pub fn new(measure: M, variants: &'a [Plan], into: Into) -> Self {
        Self {
            measure,
            variants,
            into,
            death_tells: false,
            shared: None,
            last: None,
        }
    }

    /// A part of a run that other processes measure with this one, under one id and with one salt.
    #[must_use]
    pub fn shared(self, shared: Option<Shared>) -> Self {
        Self { shared, ..self }
    }

    /// Whether the load is meant to break the server: then a run that it did not survive counts.
    #[must_use]
    pub fn to_the_breaking_point(self, death_tells: bool) -> Self {
        Self {
            death_tells,
            ..self
        }
    }

    /// The last run in full, for who shows it.
    pub fn take_last(&mut self) -> Option<Ended> {
        self.last.take()
    }

    fn directory(&self, number: usize, identity: &RunIdentity) -> PathBuf {
        match &self.into {
            Into::Alone(Some(path)) => path.clone(),
            Into::Alone(None) => default_directory(realtime_ns(), &identity.id),
            Into::Experiment(path) => path.join(run_name(number)),
        }
    }

    fn plan(&self, order: Order<'_, Coordinates>) -> Result<Plan> {
        let variant = self.variants.get(order.at.variant);
        let plan = variant.context("a protocol asked for a plan that there is not")?;
        Ok(match &self.into {
            Into::Alone(_) => plan.clone(),
            Into::Experiment(path) => Plan {
                out: Some(path.join(run_name(order.number))),
                ..plan_of(plan, order)
            },
        })
    }

    fn run(&mut self, order: Order<'_, Coordinates>) -> Result<RunSeen> {
        let plan = self.plan(order)?;
        let experiment = Experiment::of(&plan)?;
        let (identity, part) = match &self.shared {
            None => (RunIdentity::fresh(plan.salt)?, None),
            Some(Shared { identity, part }) => (identity.clone(), Some(part.clone())),
        };
        let directory = self.directory(order.number, &identity);
        let directory = RunDirectory::create(&directory)?;
        let site = Site {
            plan,
            identity,
            directory: directory.path().to_owned(),
            part,
        };
        let measured = self.measure.measure(&experiment, &site);
        let measured = measured.map_err(|error| left_behind(error, &site.directory))?;
        let until = experiment.judge.until.as_ref();
        let ended = finish(measured, &site.directory, until)?;
        let seen = ended.seen(&site.directory);
        self.last = Some(ended);
        self.survived(&experiment, order.number, &seen)?;
        Ok(seen)
    }

    /// A run that ended in the death of its server says nothing of a load that a server can take: its record is
    /// set aside, and whoever goes on measures it again.
    fn survived(&self, experiment: &Experiment, number: usize, seen: &RunSeen) -> Result<()> {
        let Into::Experiment(path) = &self.into else {
            return Ok(());
        };
        let failed = seen.summary.requests.measured.failed;
        if self.death_tells || failed == 0 || !seen.is_whole() {
            return Ok(());
        }
        let Err(error) = self.measure.look_again(experiment) else {
            return Ok(());
        };
        let aside = set_aside(path, &|found| found == number)?;
        let aside = aside.first().map_or_else(String::new, |aside| {
            format!("; the record of that run is in {}", aside.display())
        });
        Err(Failure::target(format!(
            "the server died while it was measured, and {} failed: {error:#}{aside}",
            counted(failed, "request")
        ))
        .into())
    }
}

impl<M: Measure> Bench for Runs<'_, M> {
    type At = Coordinates;
    type Seen = RunSeen;
    type Entry = RunEntry;

    fn measure(&mut self, order: Order<'_, Coordinates>) -> Result<RunSeen> {
        let number = order.number;
        let ran = self.run(order);
        match self.into {
            Into::Alone(_) => ran,
            Into::Experiment(_) => ran.with_context(|| format!("run {number}")),
        }
    }

    fn entry(&self, seen: &RunSeen) -> RunEntry {
        RunEntry::of(seen)
    }

    fn is_stopped(&self) -> bool {
        signals::count() > 0
    }
}

impl RunEntry {
    pub(crate) fn of(seen: &RunSeen) -> Self {
        Self {
            run_id: seen.place.run_id.clone(),
            state: seen.state,
            verdict: seen.verdict,
            complete: seen.kept == Kept::Whole,
        }
    }
}

impl Ended {
    /// What a protocol sees of it.
    pub fn seen(&self, directory: &Path) -> RunSeen {
        let kept = match &self.unwritten {
            None => Kept::Whole,
            Some(error) => Kept::InPart {
                why: format!("{error:#}"),
            },
        };
        self.judged.seen(directory, kept)
    }
}

/// The name of a run in the directory of its experiment.
pub fn run_name(number: usize) -> String {
    format!("run-{number:02}")
}

/// The plan of a run: at its coordinates, with seeds of its own. Runs of different plans at one load, of the
/// same length and replicate, have the same seeds: they are compared. What the plan measures without any
/// coordinates is the first run of its repetition.
pub(crate) fn plan_of(plan: &Plan, order: Order<'_, Coordinates>) -> Plan {
    let (seeds, own) = (plan.seeds(), number_of(order));
    let of = |seed: u64| match own {
        0 => seed,
        own => splitmix64(seed ^ splitmix64(own.wrapping_add(1))),
    };
    let mut plan = Plan {
        workload_seed: Some(of(seeds.workload)),
        schedule_seed: Some(of(seeds.schedule)),
        salt: plan.salt.map(|salt| salt.wrapping_add(own)),
        warmup: order.at.warmup.or(plan.warmup),
        ..plan.clone()
    };
    if let Some(load) = order.at.load {
        plan.rate_profile = None;
        (plan.rate, plan.concurrency) = match load {
            Intensity::Rate(rate) => (Some(rate), None),
            Intensity::Concurrency(slots) => (None, Some(slots)),
        };
    }
    if let Some(length) = order.at.length {
        (plan.duration, plan.requests) = match length {
            Length::Time(time) => (Some(time), None),
            Length::Requests(requests) => (None, Some(requests)),
            Length::Times(times) => (
                plan.duration
                    .map(|time| Span(time.ns().saturating_mul(i64::from(times)))),
                plan.requests
                    .map(|requests| requests.saturating_mul(u64::from(times))),
            ),
        };
    }
    plan
}

/// Tells the runs of one plan apart: its replicate, mixed with where it is measured.
fn number_of(order: Order<'_, Coordinates>) -> u64 {
    let load = order.at.load.map(|load| match load {
        Intensity::Rate(rate) => rate.to_bits(),
        Intensity::Concurrency(slots) => u64::from(slots),
    });
    let length = order.at.length.map(|length| match length {
        Length::Time(time) => time.ns() as u64,
        Length::Requests(requests) => requests,
        Length::Times(times) => u64::from(times),
    });
    let places = [load, length].into_iter().flatten();
    let place = places.fold(0, |mixed, part| splitmix64(mixed ^ splitmix64(part)));
    (order.replicate as u64).wrapping_add(place)
}

/// What a run that could not go on has left behind.
fn left_behind(error: anyhow::Error, directory: &Path) -> anyhow::Error {
    if JournalRecords::open(directory).is_ok_and(|records| !records.is_empty()) {
        return unfinished(&error, directory);
    }
    // Nothing was measured: an empty directory would only be in the way.
    let _ = std::fs::remove_dir_all(directory);
    error
}

#[cfg(test)]
mod compare_tests;
#[cfg(test)]
mod gate_tests;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod search_tests;
#[cfg(test)]
mod sweep_tests;
#[cfg(test)]
mod tests;
