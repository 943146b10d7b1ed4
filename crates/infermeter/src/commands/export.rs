//! `infermeter export DIR --format NAME`: a result as another tool's files.
//!
//! Measures nothing. Every figure comes from the record. Invariant: what a format does not carry is named on standard
//! error.

use super::gate::Gating;
use crate::cli::Given;
use crate::cli::tables::ExportArgs;
use crate::export::Place;
use crate::{exit, output};
use anyhow::{Context, Result, bail};
use infermeter_analysis::Gated;
use infermeter_core::clock::Offset;
use infermeter_core::text::inert;
use infermeter_exchange::export::{Asked, Export, ExportFormat, ExportedRun, Runs};
use infermeter_protocol::Coordinates;
use infermeter_record::MANIFEST_FILE;
use infermeter_session::book::{Book, Read};
use infermeter_session::directories::{is_experiment, runs_at};
use infermeter_session::kept::KeptRun;
use infermeter_session::kept_experiment;
use infermeter_session::run_id::timestamp;
use infermeter_session::runs::{RunEntry, run_name};
use std::path::{Path, PathBuf};

/// Longest line about what is left out, bytes.
const MOST_NOTE: usize = 2_000;

/// Most runs of a folder.
const MOST_RUNS: usize = 10_000;

/// A run that is to be exported.
struct Wanted {
    path: PathBuf,
    name: String,
    variant: Option<usize>,
}

/// Runs the subcommand.
///
/// # Errors
/// When the directory holds no run, the format does not take so many, or a file cannot be written.
pub(crate) fn export(given: &Given) -> Result<u8> {
    let args: ExportArgs = given.read()?;
    if args.list {
        output::print(&list());
        return Ok(exit::OK);
    }
    let Some(directory) = &args.run_dir else {
        bail!("DIR is missing: name the directory of a run or of an experiment");
    };
    let Some(format) = args.format.map(|to| to.0) else {
        let names = ExportFormat::ALL.map(ExportFormat::name);
        bail!("--format is missing: one of {}", names.join(", "));
    };
    if format != ExportFormat::Junit && !args.fail_if.is_empty() {
        bail!(
            "--fail-if: {} carries no answers; junit does",
            format.name()
        );
    }
    let mut place = Place::of(format, args.out.as_deref(), args.force)?;
    let runs = runs(directory)?;
    fits(format, &runs, directory)?;
    let gated = gated(&args, directory)?;
    let asked = Asked {
        gated: gated.as_ref(),
        strict: args.strict,
    };
    let mut export = Export::begin(format, asked);
    for run in &runs {
        let of = || format!("{}", run.path.display());
        one(run, &args, &mut export, &mut place).with_context(of)?;
    }
    let losses = export.end(&mut place)?;
    place.commit()?;
    output::note(&format!("{} leaves out:", format.name()));
    for loss in losses {
        output::note(&format!("  {}", inert(&loss, MOST_NOTE)));
    }
    Ok(exit::OK)
}

fn one(
    wanted: &Wanted,
    args: &ExportArgs,
    export: &mut Export<'_>,
    place: &mut Place,
) -> Result<()> {
    let mut kept = KeptRun::open(&wanted.path)?;
    if !args.slo.is_empty() {
        kept.manifest.plan.slo = args.slo.clone();
    }
    let whole = kept.whole()?;
    let manifest = &whole.judged.manifest;
    let origin = manifest.begun_ns();
    let real_time = |at: Offset| origin.map(|origin| timestamp(origin.saturating_add(at.0)));
    let run = ExportedRun {
        name: wanted.name.clone(),
        directory: wanted.path.display().to_string(),
        variant: wanted.variant,
        real_time: &real_time,
        manifest,
        summary: &whole.judged.summary,
        verdict: whole.judged.verdict,
        collected: &whole.collected,
        records: &whole.records,
    };
    Ok(export.run(&run, place)?)
}

/// The runs of a directory: itself, those of its experiment, or those in it.
fn runs(directory: &Path) -> Result<Vec<Wanted>> {
    let name = |path: &Path| {
        let name = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let name = name
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        name.unwrap_or_else(|| path.display().to_string())
    };
    if is_experiment(directory) {
        return of_experiment(directory, &name(directory));
    }
    let found = runs_at(directory)?;
    if found.len() > MOST_RUNS {
        bail!("{} holds more than {MOST_RUNS} runs", directory.display());
    }
    let wanted = found.into_iter().map(|path| Wanted {
        name: name(&path),
        path,
        variant: None,
    });
    Ok(wanted.collect())
}

/// The runs that the ledger has.
fn of_experiment(directory: &Path, name: &str) -> Result<Vec<Wanted>> {
    let variants = kept_experiment::asked(directory)?.variants.len();
    let read: Read<Coordinates, RunEntry> = Book::read(directory)?;
    let mut runs = Vec::new();
    for line in &read.ended {
        let own = run_name(line.number);
        let path = directory.join(&own);
        match path.join(MANIFEST_FILE).is_file() {
            true => runs.push(Wanted {
                path,
                name: format!("{name}/{own}"),
                variant: (variants > 1).then_some(line.at.variant),
            }),
            false => output::note(&format!("left out: {} is not there", path.display())),
        }
    }
    if runs.is_empty() {
        bail!("{} has no run that ended", directory.display());
    }
    Ok(runs)
}

/// Whether a format takes so many runs.
fn fits(format: ExportFormat, runs: &[Wanted], directory: &Path) -> Result<()> {
    if format.runs() == Runs::Several || runs.len() == 1 {
        return Ok(());
    }
    let several = ExportFormat::ALL
        .into_iter()
        .filter(|f| f.runs() == Runs::Several);
    let several: Vec<&str> = several.map(ExportFormat::name).collect();
    let paths: Vec<String> = runs
        .iter()
        .map(|run| run.path.display().to_string())
        .collect();
    let shown = paths.len().min(8);
    let more = match paths.len() - shown {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    bail!(
        "{} holds one run, and {} has {}: name one of {}{more}; several go into {}",
        format.name(),
        directory.display(),
        runs.len(),
        paths[..shown].join(", "),
        several.join(", ")
    )
}

fn gated(args: &ExportArgs, directory: &Path) -> Result<Option<Gated>> {
    if args.fail_if.is_empty() {
        return Ok(None);
    }
    let gating = Gating::against(args.fail_if.clone(), args.baseline.clone());
    gating.judge(directory).map(Some)
}

/// The formats, a line each.
fn list() -> String {
    let line = |format: ExportFormat| {
        let runs = match format.runs() {
            Runs::One => "one run",
            Runs::Several => "any runs",
        };
        format!("{:11} {runs:9} {}\n", format.name(), format.about())
    };
    ExportFormat::ALL.map(line).concat()
}
