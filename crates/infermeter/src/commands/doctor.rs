//! `infermeter doctor [TARGET]`: whether this host and a target are fit for a measurement.
//!
//! Takes the flags of `run`, so that a command line of the one is one of the other. Invariant: it sends no load and
//! writes no file.

use crate::cli::Given;
use crate::cli::tables::{DoctorArgs, ShowArgs};
use crate::layers::{self, Resolved};
use crate::show::Terminal;
use crate::{exit, input, several, validate};
use anyhow::Result;
use infermeter_analysis::doctor::{Checkup, Status, Subject, checkup};
use infermeter_core::plan::Plan;
use infermeter_session::doctor::{host, target};
use infermeter_session::experiment::Experiment;
use infermeter_session::{found, tiling};

/// Runs the subcommand.
///
/// # Errors
/// For a wrong plan, and when a signal came; what is wrong with the host or the target is told.
pub(crate) fn doctor(given: &Given) -> Result<u8> {
    let args: DoctorArgs = given.read()?;
    let show: ShowArgs = given.read()?;
    let mut resolved = layers::resolve(given, args.config.as_deref())?;
    let asked = resolved.plan.concurrency;
    let named = !resolved.plan.target.is_empty();
    complete(&mut resolved)?;
    input::of_plan(&mut resolved.plan, args.config.as_deref())?;
    let plan = &resolved.plan;
    let experiment = Experiment::of(plan)?;
    found::template(&experiment.requests)?;
    let own = several::host()?;
    let seen = host(&own, &experiment, asked)?;
    let observer = Terminal::of(plan);
    let server = match named {
        true => Some(target(&own, &experiment, &observer)?),
        false => None,
    };
    let found = checkup(&seen, server.as_ref(), env!("CARGO_PKG_VERSION"));
    show.shown()
        .print(|| infermeter_report::of_checkup(&found), || &found);
    Ok(exit_code(&found, plan.strict))
}

/// A plan that could be run: what is asked here needs neither a load nor a target.
fn complete(resolved: &mut Resolved) -> Result<()> {
    let plan = &mut resolved.plan;
    if plan.target.is_empty() {
        "mock:fixed".clone_into(&mut plan.target);
    }
    if !has_load(plan) {
        plan.concurrency = Some(1);
    }
    if plan.duration.is_none() && plan.requests.is_none() {
        plan.requests = Some(1);
    }
    tiling::settle(plan)?;
    validate::validate(resolved)
}

fn has_load(plan: &Plan) -> bool {
    plan.peak_rate().is_some()
        || plan.clients.is_some()
        || plan.concurrency.is_some()
        || plan.is_replay()
}

/// A target that cannot be measured, a host that spoils what is measured, under `--strict` what may.
fn exit_code(checkup: &Checkup, strict: bool) -> u8 {
    if checkup.worst_of(Subject::Target) == Some(Status::Problem) {
        return exit::TARGET;
    }
    let accepted = match strict {
        true => Status::Unknown,
        false => Status::Warning,
    };
    match checkup.worst > accepted {
        true => exit::INVALID,
        false => exit::OK,
    }
}
