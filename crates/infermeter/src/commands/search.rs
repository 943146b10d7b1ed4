//! `infermeter search`: the highest rate that meets the objectives.

use crate::cli::Given;
use crate::cli::tables::{MeasureArgs, SearchArgs};
use crate::layers::{self, Resolved};
use crate::search::Searched;
use crate::several::{self, Several};
use crate::{exit, input, output, print_config, validate};
use anyhow::{Result, bail};
use infermeter_core::units::Span;
use infermeter_protocol::{ProtocolSpec, Search, SearchSpec};
use infermeter_session::experiment::Experiment;
use infermeter_session::load::Load;
use infermeter_session::{found, tiling};

/// Keys that the search sets itself, for each run.
const OWN: [&str; 7] = [
    "rate",
    "rate-profile",
    "concurrency",
    "trace",
    "duration",
    "requests",
    "warmup",
];

/// Window of the plan that the runs are made from; each has its own.
const WINDOW: Span = Span::seconds(20);

/// Runs the subcommand.
///
/// # Errors
/// Before anything was measured: a wrong plan, no objective, a target that cannot be used.
pub(crate) fn search(given: &Given) -> Result<u8> {
    let SearchArgs { resume } = given.read()?;
    let args: MeasureArgs = given.read()?;
    let config = args.config.as_deref();
    if let Some(flag) = given.flags.iter().find(|flag| OWN.contains(&flag.key)) {
        bail!(
            "--{} does not go with a search, which sets rate and length of each run: bound the rates with \
             --from and --to, or measure one load with `infermeter run`",
            flag.key
        );
    }
    let (spec, mut resolved) = match &resume {
        None => (given.read::<SearchSpec>()?, layers::resolve(given, config)?),
        Some(directory) => {
            let kept = several::kept(directory, "search", given)?;
            let ProtocolSpec::Search(spec) = &kept.asked.protocol else {
                bail!("{} holds no search", directory.display());
            };
            let spec = given.read_over(spec)?;
            (spec, layers::resolve_over(&kept.plan, given, config)?)
        }
    };
    if args.print_config {
        output::print(&print_config::print_config(&resolved));
        output::print(&print_config::of_flags("search", &spec));
        return Ok(exit::OK);
    }
    settle(&mut resolved, &spec)?;
    input::of_plan(&mut resolved.plan, config)?;
    validate::validate(&resolved)?;
    let plan = resolved.plan;
    let plans = [plan.clone()];
    let protocol = Search::of(&spec, &plans)?;
    let experiment = Experiment::of(&plan)?;
    found::template(&experiment.requests)?;
    let load = Load::of(&experiment, plan.salt.unwrap_or(0))?;
    let shown = args.shown(plan.json);
    let several = Several {
        planned: vec![(plan, load)],
        spec: ProtocolSpec::Search(spec),
        resume: resume.as_deref(),
        before: None,
        gating: None,
        dry_run: args.dry_run,
        shown,
    };
    several::measure(several, &protocol, &Searched)
}

/// Brings the plan to the first rate. What a plan file says of the pace is no part of a search either.
fn settle(resolved: &mut Resolved, spec: &SearchSpec) -> Result<()> {
    let plan = &mut resolved.plan;
    if plan.trace.is_some() || plan.rate_profile.is_some() {
        bail!("a search sets the rate of each run: leave out `trace` and `rate-profile`");
    }
    (plan.rate, plan.concurrency) = (Some(spec.from), None);
    (plan.duration, plan.requests) = (Some(WINDOW), None);
    tiling::settle(plan)
}
