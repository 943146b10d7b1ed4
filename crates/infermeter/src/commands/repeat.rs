//! `run --repeat` and `run --until`: several runs of one plan, in the directory of an experiment.

use super::host;
use crate::show::{Shown, Terminal};
use crate::together::{self, Runs};
use crate::{exit, output};
use anyhow::{Context, Result, bail};
use infermeter_core::clock::realtime_ns;
use infermeter_core::plan::Plan;
use infermeter_protocol::{Coordinates, Repeat, RunPoint, RunSeen, Together};
use infermeter_report::Format;
use infermeter_session::drive::{Driven, End, drive};
use infermeter_session::kept_experiment::{self, KeptExperiment, Resumed};
use infermeter_session::live::Live;
use infermeter_session::load::Load;
use infermeter_session::run_id;
use infermeter_session::runs::{self, Into};
use std::path::{Path, PathBuf};
use std::slice;

/// Measures the runs that are not there yet, and shows what all of them say.
///
/// # Errors
/// When a run cannot be started or its files cannot be written; the runs before it stay.
pub fn run(plan: &Plan, load: Load, resume: Option<&Path>, shown: Shown) -> Result<u8> {
    let protocol = Repeat::of(plan, load.expected_requests())?;
    let header = kept_experiment::header(plan, &load)?;
    let directory = directory(plan, resume)?;
    let host = host()?;
    let Resumed { mut book, points } = match resume {
        Some(_) => kept_experiment::resume(&directory, &header, &protocol)?,
        None => Resumed {
            book: kept_experiment::create(&directory, &header)?,
            points: Vec::new(),
        },
    };
    announce(plan, &protocol, &points);
    let observer = Terminal::new(plan.quiet);
    let live = Live::new(&host, &observer);
    let live = match points.is_empty() {
        true => live.with_load(load),
        // The next run has seeds of its own.
        false => live,
    };
    let into = Into::Experiment(directory.clone());
    let mut bench = runs::Runs::new(live, slice::from_ref(plan), into);
    let mut tell = |points: &[RunPoint]| together::tell(plan, &protocol, points);
    let driven = drive(&protocol, &mut bench, &mut book, points, &mut tell)?;
    drop(book);
    if !driven.points.is_empty() {
        return finish(plan, &protocol, &directory, driven, shown);
    }
    if resume.is_none() {
        // Nothing was measured: an empty directory would only be in the way.
        let _ = std::fs::remove_dir_all(&directory);
    }
    match driven.end {
        End::Failed(error) => Err(error),
        End::Answered(_) | End::Interrupted => Ok(exit::INTERRUPTED),
    }
}

fn directory(plan: &Plan, resume: Option<&Path>) -> Result<PathBuf> {
    match (resume, &plan.out) {
        (Some(_), Some(_)) => {
            bail!("--resume and --out exclude each other: it goes on where it was")
        }
        (Some(path), None) => Ok(path.to_owned()),
        (None, Some(path)) => Ok(path.clone()),
        (None, None) => {
            let id = run_id::random_run_id()?;
            Ok(run_id::default_directory(realtime_ns(), &id))
        }
    }
}

/// Says before the first run how many there may be, and which are there already.
fn announce(plan: &Plan, protocol: &Repeat, points: &[RunPoint]) {
    if plan.quiet {
        return;
    }
    if let Some((until, looks)) = protocol.until() {
        let looks: Vec<String> = looks.iter().map(usize::to_string).collect();
        output::note(&format!(
            "{until}: at most {} runs; a look after each while requests are independent, else after {} \
             runs",
            protocol.most(),
            looks.join(", ")
        ));
    }
    for line in together::all_run_lines(protocol, points) {
        output::note(&line);
    }
}

/// Writes `repeat.json` and prints.
fn finish(
    plan: &Plan,
    protocol: &Repeat,
    directory: &Path,
    driven: Driven<Coordinates, RunSeen, Together>,
    shown: Shown,
) -> Result<u8> {
    let Driven { points, end } = driven;
    let (together, failed) = match end {
        End::Answered(together) => (together, None),
        End::Interrupted => (protocol.together(&points), Some(Ok(exit::INTERRUPTED))),
        End::Failed(error) => (protocol.together(&points), Some(Err(error))),
    };
    let missing = match &failed {
        Some(_) => KeptExperiment::open(directory, &|_| {})?.missing,
        None => Vec::new(),
    };
    let runs = Runs {
        protocol,
        points: &points,
        missing: &missing,
        together: &together,
    };
    let value = runs.json();
    let path = directory.join("repeat.json");
    std::fs::write(&path, format!("{value:#}\n"))
        .with_context(|| format!("cannot write {}", path.display()))?;
    let terminal = shown == Shown::Document(Format::Terminal);
    if terminal && plan.quiet {
        output::print(&format!("{}\n", together.verdict.as_str()));
    } else {
        let space = |wanted: bool| {
            if wanted {
                output::print("\n")
            }
        };
        space(terminal);
        shown.print(|| runs.document(), || value);
        space(terminal);
    }
    if shown != Shown::Json {
        shown.print_place(plan.quiet, &format!("Records in {}", directory.display()));
    }
    failed.unwrap_or_else(|| Ok(runs.code(plan.strict)))
}
