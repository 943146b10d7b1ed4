//! `infermeter compare`: sides in turn over rounds, or saved runs side by side.

mod saved;
mod sides;

use crate::cli::Given;
use crate::cli::tables::CompareArgs;
use crate::compare::Compared;
use crate::page::Delivery;
use crate::several::{self, Before, Several};
use crate::show::Shown;
use anyhow::{Context, Result, bail};
use infermeter_analysis::{Axis, Claim, CompareSpec, MOST_PRIMARY};
use infermeter_core::plan::Plan;
use infermeter_core::units::Span;
use infermeter_protocol::{
    BeforeRun, Compare, CompareFlags, DEFAULT_ROUNDS, Intensity, ProtocolSpec,
};
use infermeter_session::load::Load;
use infermeter_session::redact::redact_url;
use sides::{Side, Words};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// Length of a run where nothing is said.
const WINDOW: Span = Span::seconds(60);

/// Runs the subcommand.
///
/// # Errors
/// Before anything was measured: a wrong plan, sides that cannot be compared, a target that cannot be used.
pub(crate) fn compare(given: &Given) -> Result<u8> {
    let args: CompareArgs = given.read()?;
    let flags: CompareFlags = given.read()?;
    match Words::of(given)? {
        Words::Paths(paths) => saved::compare(
            &paths,
            &flags,
            &Delivery::printed(
                Shown::json_if(given.flags.iter().any(|flag| flag.key == "json")),
                given,
            ),
        ),
        Words::Targets(targets) => match &args.resume {
            Some(_) if !targets.is_empty() => {
                bail!("--resume: the comparison knows its sides; give no target")
            }
            Some(directory) => resume(given, &args, directory),
            None => begin(given, &args, &flags, &targets),
        },
    }
}

/// A new comparison.
fn begin(
    given: &Given,
    args: &CompareArgs,
    flags: &CompareFlags,
    targets: &[String],
) -> Result<u8> {
    let config = args.config.as_deref();
    let settle = |plan: &mut Plan| settled(plan, flags);
    let sides = sides::of(given, config, flags, targets, &settle)?;
    let compare = Compare {
        asked: asked(&sides, flags)?,
        rounds: 0,
        pilot: flags.pilot as usize,
        order: flags.order,
        seed: sides[0].plan.seed,
        loads: loads(flags),
        before: BeforeRun {
            restart: flags.restart_command.clone(),
            pause: flags.pause,
        },
    };
    let least = compare.asked.least_rounds(compare.loads.len());
    let compare = Compare {
        rounds: flags
            .rounds
            .map_or(least.max(DEFAULT_ROUNDS), |rounds| rounds as usize),
        ..compare
    };
    measure(planned(sides, flags.force)?, compare, None)
}

/// One that goes on.
fn resume(given: &Given, args: &CompareArgs, directory: &std::path::Path) -> Result<u8> {
    let kept = several::kept(directory, "compare", given)?;
    let ProtocolSpec::Compare(compare) = &kept.asked.protocol else {
        bail!("{} holds no comparison", directory.display());
    };
    let flags: CompareFlags = given.read()?;
    let sides = sides::again(
        given,
        args.config.as_deref(),
        &flags,
        &kept.asked,
        &compare.asked.sides,
    )?;
    measure(planned(sides, true)?, compare.clone(), Some(directory))
}

fn measure(
    planned: Vec<(Plan, Load)>,
    compare: Compare,
    resume: Option<&std::path::Path>,
) -> Result<u8> {
    let targets = planned
        .iter()
        .map(|(plan, _)| plan.target.clone())
        .collect();
    let before = before(&compare, targets);
    let shown = Shown::json_if(planned.first().is_some_and(|(plan, _)| plan.json));
    let several = Several {
        planned,
        spec: ProtocolSpec::Compare(compare.clone()),
        resume,
        before,
        shown,
    };
    several::measure(several, &compare, &Compared::default())
}

/// Brings the plan of a side to the first load.
fn settled(plan: &mut Plan, flags: &CompareFlags) -> Result<()> {
    if let Some(rates) = &flags.rates {
        let other = [
            ("--rate", plan.rate.is_some()),
            ("--rate-profile", plan.rate_profile.is_some()),
            ("--concurrency", plan.concurrency.is_some()),
            ("--trace", plan.trace.is_some()),
        ];
        if let Some((flag, _)) = other.iter().find(|(_, given)| *given) {
            bail!("{flag} does not go with --rates: give one of them");
        }
        plan.rate = rates.values().first().copied();
    }
    let has_end = plan.duration.is_some() || plan.requests.is_some() || plan.trace.is_some();
    if !has_end && plan.workload_file.is_none() {
        plan.duration = Some(WINDOW);
    }
    Ok(())
}

fn loads(flags: &CompareFlags) -> Vec<Option<Intensity>> {
    match &flags.rates {
        Some(rates) => {
            let rates = rates.values().iter();
            rates.map(|rate| Some(Intensity::Rate(*rate))).collect()
        }
        None => vec![None],
    }
}

/// What is asked of the rounds.
fn asked(sides: &[Side], flags: &CompareFlags) -> Result<CompareSpec> {
    Ok(CompareSpec {
        sides: sides.iter().map(|side| side.name.clone()).collect(),
        primary: primary(&flags.primary, &sides[0].plan)?,
        margin: flags.margin,
        claims: claims(
            &sides.iter().map(|side| &side.plan).collect::<Vec<_>>(),
            flags,
        ),
    })
}

/// The primary family.
fn primary(declared: &[Axis], plan: &Plan) -> Result<Vec<Axis>> {
    if declared.is_empty() {
        let streams = !plan.no_stream && plan.endpoint.generates();
        return Ok(Axis::default_primary(plan.concurrency.is_none(), streams));
    }
    if declared.len() > MOST_PRIMARY {
        bail!(
            "--primary: {} figures are more than {MOST_PRIMARY}: each further one takes power from the others",
            declared.len()
        );
    }
    let twice = (1..declared.len()).find(|at| declared[..*at].contains(&declared[*at]));
    match twice {
        Some(at) => bail!("--primary: {} stands there twice", declared[at]),
        None => Ok(declared.to_vec()),
    }
}

/// What must be seen: what was declared, else what the plans imply.
fn claims(plans: &[&Plan], flags: &CompareFlags) -> Vec<Claim> {
    let of_side = |other: usize| -> Vec<Claim> {
        match flags.treatment.is_empty() {
            true => Claim::implied([plans[0], plans[other]], 0, other),
            false => {
                let declared = flags.treatment.iter();
                declared.map(|t| Claim::declared(*t, 0, other)).collect()
            }
        }
    };
    (1..plans.len()).flat_map(of_side).collect()
}

/// The plans, each with its first load. Sides are sent the same, or it was said that they may not be.
fn planned(sides: Vec<Side>, force: bool) -> Result<Vec<(Plan, Load)>> {
    let mut planned: Vec<(Plan, Load)> = Vec::new();
    for side in sides {
        let load = Load::from_plan(&side.plan, side.plan.salt.unwrap_or(0))
            .with_context(|| format!("side {}", side.name))?;
        if let Some((_, first)) = planned.first()
            && !force
            && !is_same(first, &load)
        {
            bail!(
                "side {} would be sent other requests than the first, or at other instants: what decides them \
                 has to be equal. --force compares all the same, and labels the result",
                side.name
            );
        }
        planned.push((side.plan, load));
    }
    Ok(planned)
}

fn is_same(first: &Load, other: &Load) -> bool {
    let hashes = |load: &Load| (load.workload.hash(), load.schedule_hash());
    hashes(first) == hashes(other)
}

/// The pause and the restart before each run.
fn before(compare: &Compare, targets: Vec<String>) -> Option<Before<'static>> {
    let BeforeRun { restart, pause } = compare.before.clone();
    if restart.is_none() && pause.is_none() {
        return None;
    }
    let sides = compare.asked.sides.clone();
    Some(Box::new(move |order| {
        if let Some(pause) = pause.filter(|_| order.number > 1) {
            sleep(Duration::from_nanos(pause.ns().unsigned_abs()));
        }
        match &restart {
            Some(command) => restarted(
                command,
                &sides[order.at.variant],
                &targets[order.at.variant],
            ),
            None => Ok(()),
        }
    }))
}

fn restarted(command: &str, side: &str, target: &str) -> Result<()> {
    let mut shell = Command::new("sh");
    // Standard output holds the result, and nothing else.
    shell
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    shell
        .env("INFERMETER_SIDE", side)
        .env("INFERMETER_TARGET", redact_url(target));
    let status = shell
        .status()
        .context("--restart-command: sh cannot be started")?;
    match status.success() {
        true => Ok(()),
        false => bail!("--restart-command: it failed for side {side} ({status})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_has_each_figure_once_and_at_most_six() {
        let family = |names: &[&str]| {
            let axes: Vec<Axis> = names.iter().map(|name| name.parse().expect(name)).collect();
            primary(&axes, &Plan::defaults())
        };
        let default = family(&[]).expect("a default");
        let names: Vec<String> = default.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["ttft.p50", "ttft.p90", "tpot.mean", "e2e.mean"]);
        let twice = family(&["ttft.p50", "ttft.p50"])
            .expect_err("twice")
            .to_string();
        assert!(twice.contains("twice"), "{twice}");
        let seven = [
            "ttft.p50", "ttft.p90", "ttft.p99", "e2e.p50", "e2e.p90", "e2e.p99", "itl.p50",
        ];
        let many = family(&seven).expect_err("seven").to_string();
        assert!(many.contains("7 figures are more than 6"), "{many}");
    }

    #[test]
    fn a_restart_that_fails_is_named() {
        restarted("test \"$INFERMETER_SIDE\" = B", "B", "http://b").expect("it is told the side");
        let error = restarted("exit 3", "B", "http://b")
            .expect_err("it fails")
            .to_string();
        assert!(error.contains("side B"), "{error}");
    }
}
