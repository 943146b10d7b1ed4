//! `infermeter coldstart`: how long a server takes from its command to its first answer, and to steady speed.
//!
//! The starts are the library's. Invariant: nothing is printed while an instant is awaited.

use super::coldstart_output::ColdStartOutput;
use crate::cli::Given;
use crate::cli::tables::{ColdstartArgs, NOT_STARTED, ServedArgs};
use crate::layers::{self, Resolved};
use crate::page::Delivery;
use crate::show::{self, Shown, Terminal};
use crate::{exit, output, page, print_config, several, validate};
use anyhow::{Context, Result, bail};
use infermeter_analysis::cold_start::{ColdRepeat, ColdStart};
use infermeter_core::number::counted;
use infermeter_core::plan::Plan;
use infermeter_core::units::Span;
use infermeter_report::{ColdStartView, Document, Format, Notes, cold_repeat_line, of_cold_start};
use infermeter_session::coldstart::{
    Caches, ColdAsked, ColdSeen, ColdStarts, Going, IdleSpec, default_folder, kept,
};
use infermeter_session::experiment::Experiment;
use infermeter_session::redact::{redact_command, redact_url};
use infermeter_session::serve::phases::Patterns;
use infermeter_session::serve::process::ServeSpec;
use infermeter_session::tiling;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Starts where nobody says how many.
const REPEAT: u32 = 5;
/// The requests of the light load: short, so that there are many.
const WORKLOAD: &str = "fixed:128,32";
/// The first time without requests of a server that is to go cold.
const FIRST_IDLE: Span = Span::seconds(60);
/// File of the result, in the folder of the starts.
const FILE: &str = "result.json";

/// Keys of a load: the light load is what it is.
const LOADS: [&str; 10] = [
    "rate",
    "rate-profile",
    "concurrency",
    "trace",
    "clients",
    "duration",
    "requests",
    "warmup",
    "sessions",
    "workload-file",
];

/// Runs the subcommand.
///
/// # Errors
/// For a wrong plan, a folder that cannot be written, a server that answers already or cannot be stopped.
pub(crate) fn coldstart(given: &Given) -> Result<u8> {
    let (args, served): (ColdstartArgs, ServedArgs) = (given.read()?, given.read()?);
    let mut resolved = layers::resolve(given, args.config.as_deref())?;
    let repeat = complete(&mut resolved, &args)?;
    if args.print_config {
        output::print(&print_config::print_config(&resolved));
        return Ok(exit::OK);
    }
    let plan = &resolved.plan;
    let experiment = Experiment::of(plan)?;
    let folder = folder(plan, &args)?;
    page::check(plan.html.as_deref())?;
    let asked = asked(plan, &args, &served, &experiment, &folder, repeat)?;
    // Signals are counted from here on.
    let _host = several::host()?;
    let begun = asked.begin()?;
    if !plan.quiet {
        announce(&asked);
    }
    let observer = Terminal::of(plan);
    let quiet = plan.quiet;
    let mut tell = |start: &ColdRepeat| {
        if !quiet {
            output::note(&cold_repeat_line(start));
        }
    };
    let seen = begun.measure(&observer, &mut tell)?;
    if seen.repeats.is_empty() {
        return Ok(exit::INTERRUPTED);
    }
    finish(plan, &asked, seen)
}

/// A plan that could be run: the load is ours. Returns the number of starts.
fn complete(resolved: &mut Resolved, args: &ColdstartArgs) -> Result<u32> {
    if let Some(key) = LOADS.into_iter().find(|key| resolved.given(key)) {
        bail!("--{key}: coldstart sends one request at a time, for --settle: leave it out");
    }
    if let Some(key) = NOT_STARTED.into_iter().find(|key| resolved.given(key)) {
        bail!("`{key}` is not for coldstart: leave it out of the plan file");
    }
    if args.serve.is_none() && !args.idle_until_cold && args.idle.is_none() {
        bail!(
            "what is started? Give --serve 'COMMAND', or --idle-until-cold for a server that scales to zero by itself"
        );
    }
    let repeat = resolved.plan.repeat.take().unwrap_or(REPEAT);
    if !resolved.given("workload") {
        resolved.plan.workload = WORKLOAD.parse().context("the light load")?;
    }
    let plan = &mut resolved.plan;
    plan.concurrency = Some(1);
    plan.requests = Some(1);
    tiling::settle(plan)?;
    validate::validate(resolved)?;
    Ok(repeat)
}

fn folder(plan: &Plan, args: &ColdstartArgs) -> Result<PathBuf> {
    match (&args.resume, &plan.out) {
        (Some(_), Some(_)) => {
            bail!("--resume and --out exclude each other: it goes on where it was")
        }
        (Some(folder), None) | (None, Some(folder)) => Ok(folder.clone()),
        (None, None) => default_folder(),
    }
}

fn asked<'a>(
    plan: &Plan,
    args: &ColdstartArgs,
    served: &ServedArgs,
    experiment: &'a Experiment,
    folder: &'a Path,
    repeat: u32,
) -> Result<ColdStarts<'a>> {
    let caches = Caches {
        state: args.cache,
        directories: args.cache_dir.clone(),
        files: args.cache_file.clone(),
        before: args.before.clone(),
        starts: folder.to_owned(),
    };
    caches.check()?;
    let kept = kept_asked(plan, args, served);
    let idle = match (args.idle_until_cold, args.idle) {
        (true, first) => IdleSpec::UntilCold {
            first: first.unwrap_or(FIRST_IDLE).min(args.idle_most),
            most: args.idle_most,
        },
        (false, Some(span)) => IdleSpec::For(span),
        (false, None) => IdleSpec::None,
    };
    Ok(ColdStarts {
        experiment,
        serve: args.serve.clone().map(|command| ServeSpec {
            command,
            stop: served.stop.clone(),
            grace: served.stop_timeout,
        }),
        caches,
        repeat,
        start_timeout: served.start_timeout,
        settle: args.settle,
        idle,
        health: served.health()?,
        patterns: Patterns::of(&served.phase)?,
        folder,
        asked: kept,
        resumes: match args.resume {
            Some(_) => Going::On,
            None => Going::New,
        },
    })
}

/// What is asked, as it is kept.
fn kept_asked(plan: &Plan, args: &ColdstartArgs, served: &ServedArgs) -> ColdAsked {
    ColdAsked {
        serve: args.serve.as_deref().map(redact_command),
        target: redact_url(&plan.target),
        cache: args.cache,
        settle: args.settle,
        idle: args.idle,
        workload: plan.workload.to_string(),
        model: plan.model.clone(),
        endpoint: word(plan.endpoint),
        cache_dir: args.cache_dir.clone(),
        cache_file: args.cache_file.clone(),
        before: args.before.as_deref().map(redact_command),
        idle_until_cold: args.idle_until_cold,
        idle_most: args.idle_until_cold.then_some(args.idle_most),
        health: served.health.clone(),
        start_timeout: Some(served.start_timeout),
        phases: served.phase.clone(),
    }
}

/// A value as it is written.
fn word(value: impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

fn announce(asked: &ColdStarts<'_>) {
    let starts = counted(u64::from(asked.repeat), "start");
    let what = match &asked.serve {
        Some(serve) => format!("of `{}`", redact_command(&serve.command)),
        None => "behind idle times".to_owned(),
    };
    output::note(&format!(
        "{starts} {what}, each with {} of light load behind its first answer, into {}",
        asked.settle,
        asked.folder.display()
    ));
}

/// Writes the result, and shows it.
fn finish(plan: &Plan, asked: &ColdStarts<'_>, seen: ColdSeen) -> Result<u8> {
    let whole = ColdStart::of(seen.repeats);
    let told = ColdStartOutput::of(&asked.asked, &whole);
    let text = format!("{:#}\n", serde_json::to_value(&told)?);
    page::put(&asked.folder.join(FILE), text.as_bytes())?;
    let document = |notes: Notes| document(&asked.asked, &whole, notes);
    let shown = Shown::json_if(plan.json);
    match (shown, plan.quiet) {
        (Shown::Document(Format::Terminal), true) => {
            output::print(&format!("{}\n", told.answer()));
        }
        _ => shown.print(|| document(show::notes(plan.notes)), || &told),
    }
    if shown != Shown::Json {
        let place = format!("Logs and records in {}", asked.folder.display());
        shown.print_place(plan.quiet, &place);
    }
    page::write(plan.html.as_deref(), Some(asked.folder), || {
        document(Notes::Told)
    })?;
    if seen.interrupted && !plan.quiet {
        output::note(&format!(
            "Interrupted: the same flags with --resume {} go on",
            asked.folder.display()
        ));
    }
    let interrupted = match seen.interrupted {
        true => exit::INTERRUPTED,
        false => exit::OK,
    };
    Ok(exit::gravest(&[interrupted, code(&whole, plan.strict)]))
}

/// Shows starts that are on disk; the answer is the exit code.
///
/// # Errors
/// When they cannot be read.
pub(super) fn report(
    folder: &Path,
    delivery: &Delivery<'_>,
    notes: Notes,
    strict: bool,
) -> Result<u8> {
    let kept = kept(folder)?;
    if kept.damaged > 0 {
        let damaged = counted(kept.damaged as u64, "line");
        output::note(&format!("note: {damaged} cannot be read, and are left out"));
    }
    let whole = ColdStart::of(kept.repeats);
    let told = ColdStartOutput::of(&kept.asked, &whole);
    let document = |_| document(&kept.asked, &whole, notes);
    delivery.deliver(Some(folder), document, || &told)?;
    Ok(code(&whole, strict))
}

fn document(asked: &ColdAsked, whole: &ColdStart, notes: Notes) -> Document {
    let load = format!(
        "one request at a time for {} behind the first answer, {}",
        asked.settle, asked.workload
    );
    let cache = asked.cache.map(word);
    Document {
        notes,
        ..of_cold_start(&ColdStartView {
            whole,
            target: &asked.target,
            serve: asked.serve.as_deref(),
            cache: cache.as_deref(),
            load: &load,
        })
    }
}

fn code(whole: &ColdStart, strict: bool) -> u8 {
    let answered = match whole.nothing_answered() {
        true => exit::TARGET,
        false => exit::OK,
    };
    exit::gravest(&[answered, exit::of_verdict(whole.verdict, strict)])
}
