//! `infermeter report DIR`: recompute and print everything from the record of a run, or from those of an
//! experiment's runs; of a calibration that was cut off, the rungs that are there; of a history, its trends; of cold starts,
//! those that are there.

use super::beside::beside;
use super::{coldstart, history};
use crate::cli::tables::ReportArgs;
use crate::compare::Compared;
use crate::page::Delivery;
use crate::search::Searched;
use crate::several::{self, Reported};
use crate::show::{self, Shown};
use crate::sweep::Swept;
use crate::together::Repeated;
use crate::{exit, output};
use anyhow::{Result, bail};
use infermeter_core::plan::Deadlines;
use infermeter_core::run::RunManifest;
use infermeter_core::slo::Slo;
use infermeter_protocol::{ProtocolSpec, Repeat, Search, Sweep};
use infermeter_record::write_manifest;
use infermeter_session::book::AskedRuns;
use infermeter_session::calibrate::climb::{self, KeptLadder};
use infermeter_session::coldstart::is_coldstart;
use infermeter_session::directories::is_experiment;
use infermeter_session::history::is_history;
use infermeter_session::kept::KeptRun;
use infermeter_session::kept_experiment::KeptExperiment;
use std::iter;
use std::path::{Path, PathBuf};

/// Runs the subcommand.
///
/// # Errors
/// When the directory holds neither a run nor an experiment, or its files cannot be read.
pub(crate) fn report(args: &ReportArgs, delivery: &Delivery<'_>) -> Result<u8> {
    if args.series && !delivery.is_json() {
        bail!("--series adds a member to the JSON of a run: write --json as well");
    }
    if is_history(&args.run_dir) {
        return history::trend_of(&args.run_dir, delivery);
    }
    if is_coldstart(&args.run_dir) {
        return coldstart::report(
            &args.run_dir,
            delivery,
            show::notes(args.notes),
            args.strict,
        );
    }
    let asked = Asked::of(args);
    if !args.beside.is_empty() {
        let others = args.beside.iter().map(PathBuf::as_path);
        let all: Vec<&Path> = iter::once(args.run_dir.as_path()).chain(others).collect();
        beside(&all, &|manifest| asked.put_into(manifest), delivery)?;
        return Ok(exit::OK);
    }
    match is_experiment(&args.run_dir) {
        true if args.series => bail!(
            "--series is of one run, and {} holds several: name one of its directories",
            args.run_dir.display()
        ),
        true => match climb::kept(&args.run_dir)? {
            Some(ladder) => calibration(&ladder, args, delivery),
            None => experiment(args, &asked, delivery),
        },
        false => run(args, &asked, delivery),
    }
}

fn run(args: &ReportArgs, asked: &Asked, delivery: &Delivery<'_>) -> Result<u8> {
    let mut kept = KeptRun::open(&args.run_dir)?;
    let plan = &kept.manifest.plan;
    let own_plan =
        asked.is_none() && plan.strict >= args.strict && plan.publication >= args.publication;
    asked.put_into(&mut kept.manifest);
    let judged = match args.series || delivery.draws() {
        true => kept.pictured()?,
        false => kept.judge(None)?,
    };
    if own_plan && let Err(error) = write_manifest(&args.run_dir, &judged.manifest) {
        // An archive may be read-only: the report is no worse for that.
        output::note(&format!("note: run.json is left as it was: {error}"));
    }
    let notes = show::notes(args.notes);
    let document = |form: Shown| show::of_run(&judged, form.view(args.full), notes);
    delivery.deliver(Some(&args.run_dir), document, || {
        let mut output = show::output_of_run(&judged);
        output.series = judged.series.as_ref().filter(|_| args.series);
        output
    })?;
    Ok(show::exit_code(&judged, args.strict))
}

/// The rungs that are there, and those that are missing.
fn calibration(ladder: &KeptLadder, args: &ReportArgs, delivery: &Delivery<'_>) -> Result<u8> {
    let document = |_| {
        let stopped = ladder.stopped.as_deref();
        infermeter_report::of_rungs(&ladder.rungs, &ladder.missing, stopped)
    };
    delivery.deliver(Some(&args.run_dir), document, || ladder)?;
    Ok(match ladder.missing.is_empty() {
        true => exit::OK,
        false => exit::INTERRUPTED,
    })
}

/// Every run that is there, what they say, and what is missing.
fn experiment(args: &ReportArgs, asked: &Asked, delivery: &Delivery<'_>) -> Result<u8> {
    let kept = KeptExperiment::open(&args.run_dir, &|manifest| asked.put_into(manifest))?;
    let reported = Reported {
        directory: &args.run_dir,
        kept,
        delivery,
        notes: show::notes(args.notes),
        strict: args.strict,
    };
    let AskedRuns { variants, protocol } = &reported.kept.asked;
    match protocol {
        ProtocolSpec::Compare(compare) => several::report(&reported, compare, &Compared::default()),
        ProtocolSpec::Repeat { requests } => {
            let protocol = Repeat::of(&variants[0], *requests)?;
            several::report(&reported, &protocol, &Repeated)
        }
        ProtocolSpec::Sweep(spec) => {
            let protocol = Sweep::of(spec, variants)?;
            several::report(&reported, &protocol, &Swept)
        }
        ProtocolSpec::Search(spec) => {
            let protocol = Search::of(spec, variants)?;
            several::report(&reported, &protocol, &Searched)
        }
    }
}

/// What is judged instead of what a run was measured for.
struct Asked {
    objectives: Vec<Slo>,
    fluidity: Option<Deadlines>,
    strict: bool,
    publication: bool,
}

impl Asked {
    fn of(args: &ReportArgs) -> Self {
        Self {
            objectives: args.slo.clone(),
            fluidity: args.fluidity,
            strict: args.strict,
            publication: args.publication,
        }
    }

    fn is_none(&self) -> bool {
        self.objectives.is_empty() && self.fluidity.is_none()
    }

    fn put_into(&self, manifest: &mut RunManifest) {
        let plan = &mut manifest.plan;
        plan.fluidity = self.fluidity.or(plan.fluidity);
        if !self.objectives.is_empty() {
            plan.slo = self.objectives.clone();
        }
        plan.strict |= self.strict;
        plan.publication |= self.publication;
    }
}
