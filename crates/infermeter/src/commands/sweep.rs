//! `infermeter sweep`: levels of load, and what they say together.

use super::gate::Gating;
use crate::cli::Given;
use crate::cli::tables::{MeasureArgs, SweepArgs};
use crate::layers::{self, Resolved};
use crate::several::{self, Before, Several};
use crate::sweep::Swept;
use crate::{exit, input, output, print_config, validate, values};
use anyhow::{Context, Result, anyhow, bail};
use infermeter_core::plan::Plan;
use infermeter_core::units::Span;
use infermeter_protocol::{ProtocolSpec, Sweep, SweepSpec};
use infermeter_session::experiment::Experiment;
use infermeter_session::load::Load;
use infermeter_session::redact::{HIDDEN, redact_url};
use infermeter_session::reset::Reset;
use infermeter_session::{found, tiling};

/// Length of a level where nothing is said.
const LEVEL: Span = Span::seconds(60);

/// Runs the subcommand.
///
/// # Errors
/// Before anything was measured: a wrong plan, levels that make no sense, a target that cannot be used.
pub(crate) fn sweep(given: &Given) -> Result<u8> {
    let SweepArgs { resume } = given.read()?;
    let args: MeasureArgs = given.read()?;
    let config = args.config.as_deref();
    let (spec, mut resolved) = match &resume {
        None => (given.read::<SweepSpec>()?, layers::resolve(given, config)?),
        Some(directory) => {
            let kept = several::kept(directory, "sweep", given)?;
            let ProtocolSpec::Sweep(spec) = &kept.asked.protocol else {
                bail!("{} holds no sweep", directory.display());
            };
            let spec = given.read_over(spec)?;
            (spec, layers::resolve_over(&kept.plan, given, config)?)
        }
    };
    if args.print_config {
        output::print(&print_config::print_config(&resolved));
        output::print(&print_config::of_flags("sweep", &redacted(&spec)));
        return Ok(exit::OK);
    }
    hooks_known(&spec)?;
    settle(&mut resolved.plan, &spec, given)?;
    input::of_plan(&mut resolved.plan, config)?;
    let planned = planned(&resolved, &spec)?;
    let plans: Vec<Plan> = planned.iter().map(|(plan, _)| plan.clone()).collect();
    let protocol = Sweep::of(&spec, &plans)?;
    let gating = Gating::of(given)?;
    gating
        .as_ref()
        .map_or(Ok(()), |gating| gating.check_sweep(&plans))?;
    let several = Several {
        planned,
        spec: ProtocolSpec::Sweep(redacted(&spec)),
        resume: resume.as_deref(),
        before: before(&spec, &plans[0])?,
        gating,
        dry_run: args.dry_run,
        shown: args.shown(plans[0].json),
    };
    several::measure(several, &protocol, &Swept)
}

/// What is kept of it, and shown.
fn redacted(spec: &SweepSpec) -> SweepSpec {
    SweepSpec {
        reset_url: spec.reset_url.as_deref().map(redact_url),
        ..spec.clone()
    }
}

/// A secret of a hook is not kept.
fn hooks_known(spec: &SweepSpec) -> Result<()> {
    match &spec.reset_url {
        Some(url) if url.contains(HIDDEN) => bail!(
            "--resume: --reset-url held a secret, which an experiment does not keep: give it again"
        ),
        _ => Ok(()),
    }
}

/// Brings the plan to the first level. What sets the pace otherwise makes no sweep.
fn settle(plan: &mut Plan, spec: &SweepSpec, given: &Given) -> Result<()> {
    let asked = |key: &str| given.flags.iter().any(|flag| flag.key == key);
    let other = [
        ("--rate-profile", plan.rate_profile.is_some()),
        ("--trace", plan.trace.is_some()),
        ("--concurrency", asked("concurrency")),
        (
            "--rate",
            asked("rate") && (spec.rates.is_some() || spec.is_closed()),
        ),
    ];
    if let Some((flag, _)) = other.iter().find(|(_, given)| *given) {
        bail!("{flag} does not go with a sweep of levels: give --rates or --concurrencies alone");
    }
    let levels = spec.rates.as_ref().or(spec.concurrencies.as_ref());
    let first = levels.and_then(|levels| levels.values().first().copied());
    (plan.rate, plan.concurrency) = match (spec.is_closed(), first) {
        (true, first) => (None, first.map(|slots| slots as u32)),
        (false, Some(rate)) => (Some(rate), None),
        (false, None) => (Some(plan.rate.unwrap_or(1.0)), None),
    };
    tiling::settle(plan)?;
    if plan.duration.is_none() && plan.requests.is_none() {
        plan.duration = Some(LEVEL);
    }
    Ok(())
}

/// The plans, checked, each with its first load: one, or one for each combination of what is varied.
fn planned(resolved: &Resolved, spec: &SweepSpec) -> Result<Vec<(Plan, Load)>> {
    let plans = combinations(&resolved.plan, &spec.vary)?;
    let checked = plans.into_iter().map(|plan| {
        let one = Resolved {
            plan,
            origins: resolved.origins.clone(),
        };
        validate::validate(&one)?;
        let experiment = Experiment::of(&one.plan)?;
        found::template(&experiment.requests)?;
        let load = Load::of(&experiment, one.plan.salt.unwrap_or(0))?;
        validate::lengths_used(&one, load.workload.trace_facts())?;
        Ok((one.plan, load))
    });
    checked.collect()
}

/// Keys whose values are no axis of a sweep, beside those that only show a result.
const NO_AXIS: [&str; 3] = ["target", "more-targets", "strict"];

/// Keys that say how much is sent, which the levels do.
const PACE: [&str; 4] = ["rate", "rate-profile", "concurrency", "trace"];

/// One value of a key that is varied.
struct Choice {
    key: &'static str,
    value: serde_json::Value,
}

/// The plans of all combinations, the last key's values next to each other.
fn combinations(plan: &Plan, vary: &[String]) -> Result<Vec<Plan>> {
    let mut axes: Vec<Vec<Choice>> = Vec::new();
    for written in vary {
        let choice =
            choice(written).with_context(|| format!("--vary {}", values::shown(written)))?;
        match axes.iter_mut().find(|axis| axis[0].key == choice.key) {
            Some(axis) if axis.iter().any(|c| c.value == choice.value) => {
                bail!("--vary {}: it stands there twice", values::shown(written))
            }
            Some(axis) => axis.push(choice),
            None => axes.push(vec![choice]),
        }
    }
    let mut all = vec![values::map_of(plan)];
    for axis in &axes {
        let further = all.iter().flat_map(|map| {
            axis.iter().map(|choice| {
                let mut map = map.clone();
                map.insert(choice.key.to_owned(), choice.value.clone());
                map
            })
        });
        all = further.collect();
    }
    let plans = all
        .into_iter()
        .map(|map| serde_json::from_value(map.into()));
    plans
        .collect::<Result<_, _>>()
        .map_err(|error| anyhow!("--vary: {error}"))
}

fn choice(written: &str) -> Result<Choice> {
    let Some((name, value)) = written.split_once('=') else {
        bail!("write KEY=VALUE, as in workload=fixed:1000,100");
    };
    let name = name.trim().trim_start_matches('-');
    let key = layers::key(name)?;
    if PACE.contains(&key.name) {
        bail!(
            "{} is not an axis of a sweep; its levels are given by --rates or --concurrencies",
            key.name
        );
    }
    if key.showing || NO_AXIS.contains(&key.name) {
        bail!(
            "{} is not an axis of a sweep: it is the same for all of its runs",
            key.name
        );
    }
    Ok(Choice {
        value: values::read::<Plan>(key, value.into())?,
        key: key.name,
    })
}

fn before<'a>(spec: &SweepSpec, plan: &Plan) -> Result<Option<Before<'a>>> {
    let reset = match (&spec.reset_url, &spec.reset_command) {
        (Some(url), _) => Reset::Url(url.clone()),
        (None, Some(command)) => Reset::Command(command.clone()),
        (None, None) => return Ok(None),
    };
    let trust = Experiment::of(plan)?.target.trust;
    Ok(Some(Box::new(move |order| match order.number {
        1 => Ok(()),
        _ => reset.run(&trust),
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varied(vary: &[&str]) -> Result<Vec<Plan>> {
        let vary: Vec<String> = vary.iter().map(|text| (*text).to_owned()).collect();
        combinations(&Plan::defaults(), &vary)
    }

    #[test]
    fn every_combination_is_a_plan() {
        let plans = varied(&[
            "workload=fixed:16,5",
            "prefix=hit:0.5",
            "--workload=fixed:20,5",
            "prefix=bust",
        ]);
        let plans = plans.expect("plans");
        let said: Vec<String> = plans
            .iter()
            .map(|plan| {
                let map = values::map_of(plan);
                format!("{} {}", map["workload"], map["prefix"])
            })
            .collect();
        assert_eq!(said.len(), 4);
        assert!(
            said[0].contains("fixed:16,5") && said[1].contains("fixed:16,5"),
            "{said:?}"
        );
        assert!(
            said[2].contains("fixed:20,5") && said[3].contains("bust"),
            "{said:?}"
        );
        assert_eq!(varied(&[]).expect("one").len(), 1);
    }

    #[test]
    fn what_is_no_axis_is_refused() {
        let refused = |vary: &[&str], word: &str| {
            let error = format!("{:#}", varied(vary).expect_err(word));
            assert!(error.contains(word), "{error}");
        };
        refused(&["workload"], "write KEY=VALUE");
        refused(&["wrkload=chat"], "did you mean `workload`");
        refused(&["rate=5"], "--rates");
        refused(&["out=x"], "the same for all");
        refused(&["seed=many"], "`many` is not a whole number");
        refused(&["seed=2", "seed=2"], "twice");
    }
}
