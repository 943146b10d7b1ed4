//! `infermeter run`: measure a server.

use super::gate::Gating;
use super::measuring::Measuring;
use super::run_shown::Showing;
use super::{ranks, repeat, workers};
use crate::cli::Given;
use crate::cli::tables::{MeasureArgs, RunArgs};
use crate::dry_run::DryRun;
use crate::live_page::LivePage;
use crate::show::Terminal;
use crate::{exit, input, layers, output, page, print_config, several, validate};
use anyhow::{Result, bail};
use infermeter_core::plan::Plan;
use infermeter_session::experiment::Experiment;
use infermeter_session::found;
use infermeter_session::load::Load;
use infermeter_session::ranked;
use infermeter_session::tiling;

/// Runs the subcommand.
///
/// # Errors
/// Before anything was measured: a wrong plan, a target that cannot be used, a directory that
/// cannot be written. Afterwards the verdict and the exit code tell.
pub fn run(given: &Given) -> Result<u8> {
    let asked: RunArgs = given.read()?;
    if let Some(told) = &asked.as_worker {
        return workers::be_one(told);
    }
    let args: MeasureArgs = given.read()?;
    let config = args.config.as_deref();
    let mut resolved = match &asked.resume {
        None => layers::resolve(given, config)?,
        Some(directory) if ranked::is_of_ranks(directory) => {
            return workers::resume(directory, given, &args);
        }
        Some(directory) => {
            let kept = several::kept(directory, "run", given)?;
            layers::resolve_over(&kept.plan, given, config)?
        }
    };
    tiling::settle(&mut resolved.plan)?;
    if args.print_config {
        output::print(&print_config::print_config(&resolved));
        return Ok(exit::OK);
    }
    validate::validate(&resolved)?;
    input::of_plan(&mut resolved.plan, config)?;
    let plan = &resolved.plan;
    goes_with_ranks(plan, &asked)?;
    let experiment = Experiment::of(plan)?;
    found::template(&experiment.requests)?;
    let gating = Gating::of(given)?;
    gating
        .as_ref()
        .map_or(Ok(()), |gating| gating.check(plan))?;
    let load = Load::of(&experiment, plan.salt.unwrap_or(0))?;
    validate::lengths_used(&resolved, load.workload.trace_facts())?;
    let criteria = gating.as_ref().map_or(&[][..], Gating::criteria);
    validate::classes_asked(plan, criteria, load.workload.classes())?;
    let showing = Showing {
        plan,
        shown: args.shown(plan.json),
        gating: gating.as_ref(),
    };
    if args.dry_run {
        let dry_run = DryRun::new(plan, &load);
        let print = showing.shown;
        print.print(|| dry_run.document(plan), || &dry_run);
        return Ok(exit::OK);
    }
    if plan.repeat.is_some() || plan.until.is_some() {
        let (resume, gating) = (asked.resume.as_deref(), gating.clone());
        return repeat::run(plan, load, resume, gating, showing.shown);
    }
    page::check(plan.html.as_deref())?;
    match (&asked.workers, &asked.rendezvous) {
        (Some(count), _) => workers::measure(*count, &asked, &load, &showing),
        (None, Some(place)) => ranks::measure(place, &asked, load, &showing),
        (None, None) => once(load, &showing),
    }
}

/// Measures once in this process, and shows it.
fn once(load: Load, showing: &Showing<'_>) -> Result<u8> {
    let plan = showing.plan;
    let live_page = LivePage::of(plan)?;
    let (host, observer) = (several::host()?, Terminal::of(plan));
    let measuring = Measuring {
        plan,
        host: &host,
        observer: &observer,
        exposed: live_page.exposed(),
        into: plan.out.clone(),
        shared: None,
    };
    let code = match measuring.measured(load)? {
        None => exit::INTERRUPTED,
        Some(run) => showing.ended(run.ended, &run.directory)?,
    };
    Ok(live_page.end(code))
}

/// Looks whether a plan can be measured by several processes, where that is asked for. (Of flags the table says the
/// same; a plan file has keys.)
///
/// # Errors
/// Naming the key that does not go with them.
fn goes_with_ranks(plan: &Plan, asked: &RunArgs) -> Result<()> {
    let flag = match (asked.workers, &asked.rendezvous) {
        (Some(_), _) => "--workers",
        (None, Some(_)) => "--rendezvous",
        (None, None) => return Ok(()),
    };
    let several = plan.repeat.is_some() || plan.until.is_some();
    if several {
        bail!(
            "{flag} and `repeat` or `until` of the plan file exclude each other: ranks measure one run together; \
             repeat the command"
        );
    }
    let alone = match (plan.live && asked.workers.is_none(), &plan.expose) {
        (true, _) => "live",
        (false, Some(_)) => "expose",
        (false, None) => return Ok(()),
    };
    bail!(
        "{flag} and `{alone}` of the plan file exclude each other: it shows one process, and each has a part of the load \
         alone"
    )
}
