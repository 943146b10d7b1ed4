//! `infermeter compare`: sides in turn over rounds, or saved runs side by side.

mod saved;
pub(crate) mod sides;

use super::gate::Gating;
use crate::cli::Given;
use crate::cli::tables::{CompareArgs, MeasureArgs};
use crate::compare::Compared;
use crate::layers::{self, Resolved};
use crate::page::Delivery;
use crate::several::{self, Before, Several};
use crate::{exit, output, print_config, show};
use anyhow::{Context, Result, bail};
use infermeter_analysis::{Axis, Claim, CompareSpec, MOST_PRIMARY};
use infermeter_core::key::Keyed;
use infermeter_core::plan::{Plan, ReferenceKind};
use infermeter_core::units::Span;
use infermeter_protocol::{
    BeforeRun, Compare, CompareFlags, DEFAULT_ROUNDS, Intensity, ProtocolSpec,
};
use infermeter_session::load::Load;
use infermeter_session::redact::redact_url;
use saved::Look;
use sides::{Side, Words};
use std::path::Path;
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
    let CompareArgs { resume } = given.read()?;
    let asked = AskedOfCompare {
        given,
        args: given.read()?,
        flags: given.read()?,
        gating: Gating::of_rounds(given)?,
        json: given.flags.iter().any(|flag| flag.key == "json"),
    };
    match Words::of(given)? {
        Words::Paths(paths) => asked.saved(&paths),
        Words::Targets(targets) => match &resume {
            Some(_) if !targets.is_empty() => {
                bail!("--resume: the comparison knows its sides; give no target")
            }
            Some(directory) => asked.resume(directory),
            None => asked.begin(&targets),
        },
    }
}

/// What can be given with saved runs beside what is asked of them.
const OF_SAVED: [&str; 7] = [
    "target",
    "more-targets",
    "format",
    "json",
    "html",
    "notes",
    "strict",
];

/// What a comparison declares before its first run, and saved runs of no comparison are asked.
const ASKING: [&str; 4] = ["primary", "margin", "treatment", "force"];

/// The command line, read.
struct AskedOfCompare<'a> {
    given: &'a Given,
    args: MeasureArgs,
    flags: CompareFlags,
    gating: Option<Gating>,
    json: bool,
}

impl AskedOfCompare<'_> {
    fn config(&self) -> Option<&Path> {
        self.args.config.as_deref()
    }

    /// What is on disk.
    fn saved(&self, paths: &[String]) -> Result<u8> {
        let mut flags = self.given.flags.iter();
        let other = flags.find(|flag| !OF_SAVED.contains(&flag.key) && !ASKING.contains(&flag.key));
        match other.map(|flag| (flag.key, &flag.written)) {
            None => {}
            Some(("fail-if" | "inconclusive", written)) => bail!(
                "{written} goes with targets; of saved runs `infermeter gate` judges: a comparison by itself, \
                 others against --baseline"
            ),
            Some((_, written)) => bail!("{written} goes with targets; saved runs are only read"),
        }
        let asking = self
            .given
            .flags
            .iter()
            .find(|flag| ASKING.contains(&flag.key));
        saved::compare(
            paths,
            &Look {
                flags: &self.flags,
                asking: asking.map(|flag| flag.written.as_str()),
                delivery: Delivery::printed(self.args.shown(self.json), self.given),
                notes: show::notes(self.has("notes")),
                strict: self.has("strict"),
            },
        )
    }

    fn has(&self, key: &str) -> bool {
        self.given.flags.iter().any(|flag| flag.key == key)
    }

    /// A new comparison.
    fn begin(&self, targets: &[String]) -> Result<u8> {
        let flags = &self.flags;
        let settle = |plan: &mut Plan| settled(plan, flags);
        let sides = sides::of(self.given, self.config(), flags, targets, &settle)?;
        if self.args.print_config {
            let common = layers::resolve_with_sides(self.given, self.config())?;
            return Ok(self.print_config(&common.resolved, &sides));
        }
        if flags.answers {
            of_the_same_prompts(&sides)?;
        }
        let compare = protocol(&sides, flags)?;
        self.measure(planned(sides, flags.force)?, compare, None)
    }

    /// One that goes on.
    fn resume(&self, directory: &Path) -> Result<u8> {
        let kept = several::kept(directory, "compare", self.given)?;
        let ProtocolSpec::Compare(compare) = &kept.asked.protocol else {
            bail!("{} holds no comparison", directory.display());
        };
        let declared =
            |key: &str| key != "side" && CompareFlags::KEYS.iter().any(|k| k.name == key);
        if let Some(flag) = self.given.flags.iter().find(|flag| declared(flag.key)) {
            bail!(
                "{}: the comparison in {} has declared it before its first run; leave it out",
                flag.written,
                directory.display()
            );
        }
        let (flags, names) = (&self.flags, &compare.asked.sides);
        let sides = sides::again(self.given, self.config(), flags, &kept.asked, names)?;
        if self.args.print_config {
            let common = layers::resolve_side_over(&kept.plan, self.given, self.config())?;
            return Ok(self.print_config(&common, &sides));
        }
        self.measure(planned(sides, true)?, compare.clone(), Some(directory))
    }

    fn print_config(&self, common: &Resolved, sides: &[Side]) -> u8 {
        output::print(&print_config::print_config(common));
        output::print(&print_config::of_flags("compare", &self.flags));
        output::print(&print_config::of_sides(sides));
        exit::OK
    }

    fn measure(
        &self,
        planned: Vec<(Plan, Load)>,
        compare: Compare,
        resume: Option<&Path>,
    ) -> Result<u8> {
        let targets = planned
            .iter()
            .map(|(plan, _)| plan.target.clone())
            .collect();
        let several = Several {
            before: before(&compare, targets),
            shown: self
                .args
                .shown(planned.first().is_some_and(|(plan, _)| plan.json)),
            planned,
            spec: ProtocolSpec::Compare(compare.clone()),
            resume,
            gating: self.gating.clone(),
            dry_run: self.args.dry_run,
        };
        several::measure(several, &compare, &Compared::default())
    }
}

fn protocol(sides: &[Side], flags: &CompareFlags) -> Result<Compare> {
    let (asked, loads) = (asked(sides, flags)?, loads(flags));
    let rounds = match flags.rounds {
        Some(rounds) => rounds as usize,
        None => asked.least_rounds(loads.len()).max(DEFAULT_ROUNDS),
    };
    Ok(Compare {
        asked,
        rounds,
        pilot: flags.pilot as usize,
        order: flags.order,
        seed: sides[0].plan.seed,
        loads,
        before: BeforeRun {
            restart: flags.restart_command.clone(),
            pause: flags.pause,
        },
    })
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
    if flags.answers && plan.reference.is_none() {
        plan.reference = Some(ReferenceKind::default());
    }
    let has_end = plan.duration.is_some() || plan.requests.is_some() || plan.trace.is_some();
    if !has_end && plan.workload_file.is_none() {
        plan.duration = Some(WINDOW);
    }
    Ok(())
}

/// Answers can be compared: the sides are sent the same prompts. Those of one server are not, for its prefix cache.
fn of_the_same_prompts(sides: &[Side]) -> Result<()> {
    let salt = |side: &Side| side.plan.salt;
    match sides
        .iter()
        .skip(1)
        .find(|side| salt(side) != salt(&sides[0]))
    {
        Some(side) => bail!(
            "--answers: side {} has a server of another side, and gets prompts with a salt of its own; \
             `infermeter run {} --reference solo` asks one server twice",
            side.name,
            redact_url(&side.plan.target)
        ),
        None => Ok(()),
    }
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
    let plans: Vec<&Plan> = sides.iter().map(|side| &side.plan).collect();
    Ok(CompareSpec {
        sides: sides.iter().map(|side| side.name.clone()).collect(),
        primary: primary(&flags.primary, &plans)?,
        margin: flags.margin,
        claims: claims(&plans, flags),
    })
}

/// The primary family: every side has what its figures need.
pub(super) fn primary(declared: &[Axis], plans: &[&Plan]) -> Result<Vec<Axis>> {
    if declared.is_empty() {
        let plan = plans[0];
        let streams = !plan.no_stream && plan.endpoint.generates();
        return Ok(Axis::default_primary(plan.concurrency.is_none(), streams));
    }
    if declared.len() > MOST_PRIMARY {
        bail!(
            "--primary: {} figures are more than {MOST_PRIMARY}: each further one takes power from the others",
            declared.len()
        );
    }
    for (axis, plan) in declared
        .iter()
        .flat_map(|axis| plans.iter().map(move |plan| (axis, plan)))
    {
        if let Some(flag) = axis.lacks(plan) {
            bail!(
                "--primary: {axis} needs {flag}, and {} has none",
                plan.target
            );
        }
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
            primary(&axes, &[&Plan::defaults()])
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
