//! `infermeter run`: measure a server.

use super::repeat;
use crate::cli::Given;
use crate::cli::tables::RunArgs;
use crate::dry_run::DryRun;
use crate::show::{self, Shown, Terminal};
use crate::{exit, input, layers, output, print_config, several, validate};
use anyhow::Result;
use infermeter_core::plan::Plan;
use infermeter_core::run::RunState;
use infermeter_protocol::Once;
use infermeter_session::book::Book;
use infermeter_session::drive::{End, drive};
use infermeter_session::judged::Judged;
use infermeter_session::live::Live;
use infermeter_session::load::Load;
use infermeter_session::runs::{Into, Runs};
use infermeter_session::{found, tiling};
use std::path::Path;
use std::slice;

/// Runs the subcommand.
///
/// # Errors
/// Before anything was measured: a wrong plan, a target that cannot be used, a directory that
/// cannot be written. Afterwards the verdict and the exit code tell.
pub fn run(given: &Given) -> Result<u8> {
    let args: RunArgs = given.read()?;
    let mut resolved = match &args.resume {
        None => layers::resolve(given, args.config.as_deref())?,
        Some(directory) => {
            let kept = several::kept(directory, "run", given)?;
            layers::resolve_over(&kept.plan, given, args.config.as_deref())?
        }
    };
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
    let load = Load::from_plan(plan, plan.salt.unwrap_or(0))?;
    validate::lengths_used(&resolved, load.workload.trace_facts())?;
    if args.dry_run {
        let dry_run = DryRun::new(plan, &load);
        Shown::json_if(plan.json).print(|| dry_run.document(plan), || dry_run.json());
        return Ok(exit::OK);
    }
    match repeated {
        true => repeat::run(plan, load, args.resume.as_deref()),
        false => once(plan, load),
    }
}

/// Measures once, and shows it.
fn once(plan: &Plan, load: Load) -> Result<u8> {
    let host = several::host()?;
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
    show(plan, &ended.judged);
    match ended.unwritten {
        Some(error) => Err(error),
        None => {
            show_place(plan, point.seen.state, &point.seen.place.directory);
            Ok(show::exit_code(&ended.judged, plan.strict))
        }
    }
}

fn show(plan: &Plan, judged: &Judged) {
    let form = Shown::json_if(plan.json);
    if plan.quiet && form != Shown::Json {
        output::print(&format!("{}\n", judged.verdict.as_str()));
        for line in infermeter_report::not_met(&judged.summary) {
            output::note(&line);
        }
        return;
    }
    let document = || show::of_run(judged, show::view(plan.full));
    form.print(document, || show::json_of_run(judged));
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
