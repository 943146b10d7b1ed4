//! `infermeter run`: measure a server.

use super::gate::{self, Gating};
use super::repeat;
use crate::cli::Given;
use crate::cli::tables::RunArgs;
use crate::dry_run::DryRun;
use crate::show::{self, Shown, Terminal};
use crate::{exit, input, layers, output, print_config, validate};
use anyhow::{Context, Result, bail};
use infermeter_analysis::Gated;
use infermeter_core::clock::realtime_ns;
use infermeter_core::plan::Plan;
use infermeter_core::run::RunState;
use infermeter_protocol::Once;
use infermeter_session::book::Book;
use infermeter_session::drive::{End, drive};
use infermeter_session::host::Host;
use infermeter_session::judged::Judged;
use infermeter_session::live::Live;
use infermeter_session::load::Load;
use infermeter_session::runs::{Into, Runs};
use infermeter_session::{found, run_id, tiling};
use std::path::Path;
use std::slice;

/// Runs the subcommand.
///
/// # Errors
/// Before anything was measured: a wrong plan, a target that cannot be used, a directory that
/// cannot be written. Afterwards the verdict and the exit code tell.
pub fn run(given: &Given) -> Result<u8> {
    let args: RunArgs = given.read()?;
    let mut resolved = layers::resolve(given, args.config.as_deref())?;
    tiling::settle(&mut resolved.plan)?;
    if args.print_config {
        output::print(&print_config::print_config(&resolved));
        return Ok(exit::OK);
    }
    validate::validate(&resolved)?;
    input::of_plan(&mut resolved.plan, args.config.as_deref())?;
    found::template(&resolved.plan)?;
    let plan = &resolved.plan;
    let repeated = plan.repeat.is_some() || plan.until.is_some();
    if args.resume.is_some() && !repeated {
        bail!("--resume needs --repeat or --until: a single run has nothing to go on with");
    }
    let gating = Gating::of(&args);
    gating
        .as_ref()
        .map_or(Ok(()), |gating| gating.check(plan))?;
    let load = Load::from_plan(plan, plan.salt.unwrap_or(0))?;
    validate::lengths_used(&resolved, load.workload.trace_facts())?;
    validate::classes_asked(plan, load.workload.classes())?;
    if args.dry_run {
        let dry_run = DryRun::new(plan, &load);
        Shown::json_if(plan.json).print(|| dry_run.document(plan), || dry_run.json());
        return Ok(exit::OK);
    }
    match repeated {
        true => several(plan, load, args.resume.as_deref(), gating.as_ref()),
        false => once(plan, load, gating.as_ref()),
    }
}

/// Claims the host for this process, whose own program starts simulators.
pub(super) fn host() -> Result<Host> {
    let program = std::env::current_exe().context("own program not found")?;
    Host::claim(program)
}

/// Measures once, and shows it.
fn once(plan: &Plan, load: Load, gating: Option<&Gating>) -> Result<u8> {
    let host = host()?;
    let observer = Terminal::new(plan.quiet);
    let live = Live::new(&host, &observer).with_load(load);
    let mut runs = Runs::new(live, slice::from_ref(plan), Into::Alone(plan.out.clone()));
    let driven = drive(&Once, &mut runs, &mut Book::none(), Vec::new(), &mut |_| {})?;
    if let End::Failed(error) = driven.end {
        return Err(error);
    }
    let (Some(ended), Some(point)) = (runs.take_last(), driven.points.last()) else {
        return Ok(exit::INTERRUPTED);
    };
    let directory = &point.seen.place.directory;
    let gating = gating.filter(|_| ended.unwritten.is_none());
    let gated = gating.map(|gating| gating.judge(directory));
    let found = gated.as_ref().and_then(|gated| gated.as_ref().ok());
    show(plan, &ended.judged, found);
    if let Some(error) = ended.unwritten {
        return Err(error);
    }
    let mut codes = vec![show::exit_code(&ended.judged, plan.strict)];
    if let (Some(gating), Some(gated)) = (gating, found) {
        if !plan.json {
            gating.print(gated, Shown::json_if(false), plan.quiet);
        }
        codes.push(gating.code(gated));
    }
    show_place(plan, point.seen.state, directory);
    gated.transpose()?;
    Ok(exit::gravest(&codes))
}

/// Measures several times, and holds all runs together against a baseline where that is asked.
fn several(plan: &Plan, load: Load, resume: Option<&Path>, gating: Option<&Gating>) -> Result<u8> {
    let Some(gating) = gating else {
        return repeat::run(plan, load, resume);
    };
    let directory = match resume.or(plan.out.as_deref()) {
        Some(path) => path.to_owned(),
        None => run_id::default_directory(realtime_ns(), &run_id::random_run_id()?),
    };
    let out = resume.is_none().then(|| directory.clone());
    let code = repeat::run(
        &Plan {
            out,
            ..plan.clone()
        },
        load,
        resume,
    )?;
    let gated = gating.judge(&directory)?;
    gating.print(&gated, Shown::json_if(plan.json), plan.quiet || plan.json);
    Ok(exit::gravest(&[code, gating.code(&gated)]))
}

fn show(plan: &Plan, judged: &Judged, gated: Option<&Gated>) {
    let form = Shown::json_if(plan.json);
    if plan.quiet && form != Shown::Json {
        output::print(&format!("{}\n", judged.verdict.as_str()));
        for line in infermeter_report::not_met(&judged.summary) {
            output::note(&line);
        }
        return;
    }
    let document = || show::of_run(judged, show::view(plan.full));
    form.print(document, || {
        let mut value = show::json_of_run(judged);
        if let Some(gated) = gated {
            value["gate"] = gate::json(gated);
        }
        value
    });
    if form != Shown::Json {
        output::print("\n");
    }
}

fn show_place(plan: &Plan, state: RunState, directory: &Path) {
    let how = match (plan.quiet, state) {
        (true, _) => "",
        (false, RunState::Interrupted) => "Interrupted; record in ",
        (false, RunState::Running | RunState::Finished) => "Record in ",
    };
    let line = format!("{how}{}", directory.display());
    Shown::json_if(plan.json).print_place(plan.quiet, &line);
}
