//! `infermeter report SWEEP --beside OTHER`: several sweeps in one picture.
//!
//! Measures nothing and compares nothing: each sweep's answer is computed from its records and stands there under
//! the name of its directory.

use crate::page::Delivery;
use crate::sweep::{axis, names};
use anyhow::{Context, Result, bail};
use infermeter_analysis::{CurveAnswer, SweepAnswer};
use infermeter_core::run::RunManifest;
use infermeter_protocol::{OfRuns, ProtocolSpec, Sweep};
use infermeter_report::{Axis, NamedSweep, SweepView, of_sweeps};
use infermeter_session::kept_experiment::KeptExperiment;
use schemars::JsonSchema;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// A sweep that is on disk.
struct KeptSweep {
    directory: PathBuf,
    axis: Axis,
    names: Vec<String>,
    answer: SweepAnswer,
}

/// Shows them.
///
/// # Errors
/// When a directory holds no sweep, or none of whose runs has ended.
pub(super) fn beside(
    directories: &[&Path],
    asked: &dyn Fn(&mut RunManifest),
    delivery: &Delivery<'_>,
) -> Result<()> {
    let kept = directories.iter().map(|directory| {
        let named = || directory.display().to_string();
        KeptSweep::open(directory, asked).with_context(named)
    });
    let kept: Vec<KeptSweep> = kept.collect::<Result<_>>()?;
    let all: Vec<String> = kept.iter().map(KeptSweep::name).collect();
    let sweeps = kept.iter().zip(&all).map(|(kept, name)| NamedSweep {
        name,
        view: SweepView {
            answer: &kept.answer,
            axis: kept.axis,
            names: &kept.names,
            runs: Vec::new(),
        },
    });
    let sweeps: Vec<NamedSweep<'_>> = sweeps.collect();
    delivery.deliver(None, |_| of_sweeps(&sweeps), || output(&kept))
}

impl KeptSweep {
    fn open(directory: &Path, asked: &dyn Fn(&mut RunManifest)) -> Result<Self> {
        let kept = KeptExperiment::open(directory, &|manifest| asked(manifest))?;
        let ProtocolSpec::Sweep(spec) = &kept.asked.protocol else {
            bail!("is no sweep, and --beside shows sweeps");
        };
        let protocol = Sweep::of(spec, &kept.asked.variants)?;
        if kept.points.is_empty() {
            bail!("has no run that has ended");
        }
        Ok(Self {
            directory: directory.to_owned(),
            axis: axis(&protocol),
            names: names(&protocol, &kept.asked.variants),
            answer: protocol.so_far(&kept.points),
        })
    }

    /// The name of its directory.
    fn name(&self) -> String {
        let name = self
            .directory
            .file_name()
            .unwrap_or(self.directory.as_os_str());
        name.to_string_lossy().into_owned()
    }
}

/// Several sweeps for programs.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SweepsOutput<'a> {
    /// Version of the format.
    format_version: u32,
    /// Each of them.
    sweeps: Vec<SweepBeside<'a>>,
}

/// One of several sweeps.
#[derive(Debug, Serialize, JsonSchema)]
struct SweepBeside<'a> {
    /// Its directory.
    directory: &'a Path,
    /// What its levels are: `rate` (requests per second) or `concurrency` (slots).
    load: &'static str,
    /// What was varied, of each plan.
    names: &'a [String],
    /// The curve of each plan.
    curves: &'a [CurveAnswer],
}

impl<'a> SweepBeside<'a> {
    fn of(kept: &'a KeptSweep) -> Self {
        Self {
            directory: &kept.directory,
            load: match kept.axis {
                Axis::Rate => "rate",
                Axis::Concurrency => "concurrency",
            },
            names: &kept.names,
            curves: &kept.answer.curves,
        }
    }
}

fn output(all: &[KeptSweep]) -> SweepsOutput<'_> {
    SweepsOutput {
        format_version: infermeter_core::run::FORMAT_VERSION,
        sweeps: all.iter().map(SweepBeside::of).collect(),
    }
}
