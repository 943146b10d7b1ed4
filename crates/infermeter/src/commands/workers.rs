//! `infermeter run --workers`: processes of this program share a load, and what they measure becomes one run.
//!
//! The parent starts them, shows how they get on, waits, merges and shows; it measures nothing itself. Invariant: what workers have measured
//! is merged and shown, whatever became of one of them.

use super::gate::Gating;
use super::measuring::{MeasuredRun, Measuring};
use super::ranks::attended;
use super::run_shown::Showing;
use crate::cli::Given;
use crate::cli::tables::{MeasureArgs, RunArgs};
use crate::show::Terminal;
use crate::{exit, output, page, several, values};
use anyhow::{Context, Result, anyhow, bail};
use infermeter_core::clock::realtime_ns;
use infermeter_core::key::Keyed;
use infermeter_core::plan::Plan;
use infermeter_core::run::RunState;
use infermeter_core::schedule::Slice;
use infermeter_record::{RunDirectory, read_manifest};
use infermeter_session::experiment::Experiment;
use infermeter_session::load::Load;
use infermeter_session::observer::{Observer, Unobserved};
use infermeter_session::ranked::{
    Attending, Gathered, Reporting, WorkerEnd, WorkerTold, Workers, WorkersAsked, gather,
    has_begun, rank_directories,
};
use infermeter_session::run_id;
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
use serde_json::Value;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Most bytes of a plan on standard input.
const MOST_PLAN: u64 = 16 << 20;

/// Keys of a plan, beside those that say how a result is shown, that are heard where nothing is measured any more.
const HEARD: [&str; 1] = ["strict"];

/// Measures with so many workers, and shows what they measured as one run.
///
/// # Errors
/// When nothing could be measured; else the verdict and the exit code tell.
pub(super) fn measure(
    count: u32,
    asked: &RunArgs,
    load: &Load,
    showing: &Showing<'_>,
) -> Result<u8> {
    let plan = showing.plan;
    for slice in Slice::all(count) {
        load.cut(slice).context("--workers")?;
    }
    reads_no_pipe(plan)?;
    let experiment = Experiment::of(plan)?;
    let host = several::host()?;
    let whole = directory(plan)?;
    let started = Workers::start(
        &host,
        &WorkersAsked {
            count,
            plan,
            experiment: &experiment,
            directory: &whole,
            timeout: asked.rendezvous_timeout,
            without_missing: asked.without_missing,
        },
    );
    let ends = started.and_then(|workers| waited(workers, &whole, plan));
    if has_begun(&whole) {
        // What was measured is shown, whatever came then.
        if let Err(error) = ends {
            output::note(&format!("note: {error:#}"));
        }
        return show(&whole, showing);
    }
    // No request has a row: what is there would only be in the way.
    let _ = fs::remove_dir_all(&whole);
    Err(WorkerEnd::error_of(&ends?))
}

/// The directory of the whole, made.
fn directory(plan: &Plan) -> Result<PathBuf> {
    let directory = match &plan.out {
        Some(path) => path.clone(),
        None => run_id::default_directory(realtime_ns(), &run_id::random_run_id()?),
    };
    Ok(RunDirectory::create(&directory)?.path().to_owned())
}

/// Waits for the workers, shows how they get on together, and says of each that began and did not come to its end why.
fn waited(workers: Workers, whole: &Path, plan: &Plan) -> Result<Vec<WorkerEnd>> {
    let terminal = Terminal::of(plan);
    terminal.note(&workers.on_cores());
    workers.wait(&terminal, &mut |end| {
        // Before the start it ends the run, and is its error.
        if !end.is_whole() && has_begun(whole) {
            let (rank, why) = (end.slice.index(), end.why());
            output::note(&format!("worker {rank}: {why}"));
        }
    })
}

/// Merges what is in the directory of the whole, and shows it.
fn show(whole: &Path, showing: &Showing<'_>) -> Result<u8> {
    let Gathered { ended, unusable } = gather(whole)?;
    for one in unusable {
        output::note(&format!("note: nothing of {one}"));
    }
    showing.ended(ended, whole)
}

/// Each worker opens the files of a plan for itself: what comes through a pipe is there once.
fn reads_no_pipe(plan: &Plan) -> Result<()> {
    let piped = |value: &Value| value.as_str() == Some("/dev/stdin");
    let values = values::map_of(plan);
    match values.iter().find(|(_, value)| piped(value)) {
        Some((key, _)) => bail!(
            "--workers: --{key} - is standard input, which only one process can read: give a file"
        ),
        None => Ok(()),
    }
}

/// Merges once more what the workers in a directory have left there, and shows it: of one that was killed as far as its
/// journal goes.
///
/// # Errors
/// When nothing is there, and for flags that ask for another measurement.
pub(super) fn resume(whole: &Path, given: &Given, args: &MeasureArgs) -> Result<u8> {
    let first = rank_directories(whole)?.into_iter().next();
    let first = first.ok_or_else(|| {
        let whole = whole.display();
        anyhow!("--resume: no worker of {whole} has measured anything: run again")
    })?;
    let kept = read_manifest(&first)?.plan;
    if args.config.is_some() {
        bail!("--resume: --config says what is measured, and that was done already: leave it out");
    }
    let plan = shown_as(&kept, given, whole)?;
    page::check(plan.html.as_deref())?;
    let gating = Gating::of(given)?;
    gating
        .as_ref()
        .map_or(Ok(()), |gating| gating.check(&plan))?;
    let showing = Showing {
        plan: &plan,
        shown: args.shown(plan.json),
        gating: gating.as_ref(),
    };
    show(whole, &showing)
}

/// The plan that was measured, with what the flags say of how it is shown.
///
/// # Errors
/// For a flag that says something else.
fn shown_as(kept: &Plan, given: &Given, whole: &Path) -> Result<Plan> {
    let mut values = values::map_of(kept);
    // The page was written with the result before, and is not written over.
    values.insert("html".to_owned(), Value::Null);
    for flag in &given.flags {
        let Some(key) = Plan::KEYS.iter().find(|key| key.name == flag.key) else {
            continue;
        };
        let shows = key.showing && key.name != "out";
        if !shows && !HEARD.contains(&key.name) {
            bail!(
                "--resume: {} says what is measured, and {} was measured already: its records are merged and shown, \
                 nothing else",
                flag.written,
                whole.display()
            );
        }
        let value = values::read::<Plan>(key, flag.value.clone());
        let value = value.with_context(|| flag.written.clone())?;
        values.insert(key.name.to_owned(), value);
    }
    Ok(serde_json::from_value(Value::Object(values))?)
}

/// Is one of the workers: measures its part, tells its parent how that goes, and says only what goes wrong.
///
/// # Errors
/// When its part cannot be measured; its parent reads why.
pub(super) fn be_one(told: &str) -> Result<u8> {
    let told: WorkerTold = serde_json::from_str(told).context("--as-worker")?;
    follow(told.parent)?;
    let mut text = String::new();
    let stdin = std::io::stdin();
    stdin
        .lock()
        .take(MOST_PLAN)
        .read_to_string(&mut text)
        .context("--as-worker: standard input")?;
    let plan: Plan = serde_json::from_str(&text).context("--as-worker: standard input")?;
    let experiment = Experiment::of(&plan)?;
    let load = Load::of(&experiment, plan.salt.unwrap_or(0))?;
    let host = several::host()?;
    let observer: Box<dyn Observer> = match plan.quiet {
        true => Box::new(Unobserved),
        false => Box::new(Reporting::to(std::io::stdout())),
    };
    let measuring = |shared| Measuring {
        plan: &plan,
        host: &host,
        observer: &*observer,
        exposed: None,
        into: Some(told.directory.clone()),
        shared: Some(shared),
    };
    let (_, measured) = attended(Attending::of_worker(&told, &experiment), |attendance| {
        measuring(attendance.shared()).measured(load)
    })?;
    let interrupted = |run: MeasuredRun| {
        let state = run.ended.judged.manifest.state;
        run.ended
            .unwritten
            .map_or(Ok(state == RunState::Interrupted), Err)
    };
    match measured.map_or(Ok(true), interrupted)? {
        true => Ok(exit::INTERRUPTED),
        false => Ok(exit::OK),
    }
}

/// Has this process stop as after Ctrl-C when the one that started it is gone.
fn follow(parent: u32) -> Result<()> {
    // A sandbox may forbid it: then the load goes on to its end.
    let _ = set_parent_process_death_signal(Some(Signal::INT));
    let own = getppid().map(Pid::as_raw_pid);
    if own.is_none_or(|own| u32::try_from(own) != Ok(parent)) {
        bail!("--as-worker: process {parent}, which started it, is gone");
    }
    Ok(())
}
