//! `infermeter gate RUNS --baseline DIR`: whether runs are worse than a baseline by more than is accepted; and
//! `--fail-if` of what has just been measured.

use crate::cli::Given;
use crate::cli::tables::{BaselineArgs, FailIfArgs, GateArgs, Inconclusive};
use crate::page::{Delivery, PAGE};
use crate::show::Shown;
use crate::{exit, output};
use anyhow::{Result, bail};
use infermeter_analysis::{GateAnswer, Gated};
use infermeter_core::gate::FailIf;
use infermeter_core::plan::Plan;
use infermeter_core::run::FORMAT_VERSION;
use infermeter_report::Document;
use infermeter_session::gate::{self, GateSpec};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Runs the subcommand.
///
/// # Errors
/// Where a side has no runs, cannot be read, or has another workload.
pub(crate) fn gate(given: &Given, delivery: &Delivery<'_>) -> Result<u8> {
    let args: GateArgs = given.read()?;
    let asked: FailIfArgs = given.read()?;
    if asked.fail_if.is_empty() {
        bail!(
            "nothing is asked: write what is not accepted, as in --fail-if 'ttft.p99>+5%' --fail-if \
             'error_rate>1%'"
        );
    }
    let gating = Gating::of_both(asked, given.read()?);
    let gated = gating.judge(&args.runs)?;
    let document = |_| infermeter_report::of_gate(&gated);
    delivery.deliver(None, document, || json(&gated))?;
    let verdict = exit::of_verdict(gated.verdict(), args.strict);
    Ok(exit::gravest(&[verdict, gating.code(&gated)]))
}

/// The gate of what a command measures.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gating {
    spec: GateSpec,
    inconclusive: Option<Inconclusive>,
}

impl Gating {
    fn of_both(asked: FailIfArgs, held_against: BaselineArgs) -> Self {
        Self {
            spec: GateSpec {
                criteria: asked.fail_if,
                baseline: held_against.baseline,
                force: held_against.force,
            },
            inconclusive: asked.inconclusive,
        }
    }

    /// These criteria, against that baseline; of a comparison against its first side.
    pub fn against(criteria: Vec<FailIf>, baseline: Option<PathBuf>) -> Self {
        Self {
            spec: GateSpec {
                criteria,
                baseline,
                force: false,
            },
            inconclusive: None,
        }
    }

    /// What `--fail-if` asks against `--baseline`; `None` where it asks nothing.
    ///
    /// # Errors
    /// Where there is no baseline.
    pub fn of(given: &Given) -> Result<Option<Self>> {
        let asked: FailIfArgs = given.read()?;
        let held_against: BaselineArgs = given.read()?;
        match (asked.fail_if.is_empty(), &held_against.baseline) {
            (true, _) => Ok(None),
            (false, None) => bail!(
                "--fail-if needs --baseline: what the result is held against, as in --baseline runs/before"
            ),
            (false, Some(_)) => Ok(Some(Self::of_both(asked, held_against))),
        }
    }

    /// The same of a comparison, which brings its baseline: its first side.
    ///
    /// # Errors
    /// Where a flag is wrong.
    pub fn of_rounds(given: &Given) -> Result<Option<Self>> {
        let asked: FailIfArgs = given.read()?;
        let some = !asked.fail_if.is_empty();
        Ok(some.then(|| Self::of_both(asked, BaselineArgs::defaults())))
    }

    /// What is not accepted.
    pub fn criteria(&self) -> &[FailIf] {
        &self.spec.criteria
    }

    /// What can be said before runs of a plan are measured.
    ///
    /// # Errors
    /// Where the baseline cannot be read, or is of another workload.
    pub fn check(&self, plan: &Plan) -> Result<()> {
        gate::comparable(&self.spec, plan)
    }

    /// The same of a sweep over these plans.
    ///
    /// # Errors
    /// As [`Self::check`], and where the baseline is no sweep.
    pub fn check_sweep(&self, plans: &[Plan]) -> Result<()> {
        gate::comparable_sweep(&self.spec, plans)
    }

    /// Judges what was measured into `directory`, which is on disk.
    ///
    /// # Errors
    /// As for the subcommand.
    pub fn judge(&self, directory: &Path) -> Result<Gated> {
        gate::gate(directory, &self.spec)
    }

    /// Prints a gate below what was measured; in lines on standard error where that is quiet. A page has it inside.
    pub fn print(&self, gated: &Gated, shown: Shown, quiet: bool) {
        if shown == PAGE {
            return;
        }
        if quiet {
            for line in infermeter_report::gate_lines(gated) {
                output::note(&line);
            }
            return;
        }
        output::print("\n");
        shown.print(|| infermeter_report::of_gate(gated), || json(gated));
        output::print("\n");
    }

    /// The exit code. What the runs' verdicts mean is decided by the command that measured them.
    pub fn code(&self, gated: &Gated) -> u8 {
        of_answer(gated.gate.answer, self.inconclusive)
    }
}

/// What was measured as it is shown: a page with the gate that decided over it.
pub(crate) fn in_page(document: Document, gated: Option<&Gated>, shown: Shown) -> Document {
    match gated.filter(|_| shown == PAGE) {
        Some(gated) => infermeter_report::with_gate(document, gated),
        None => document,
    }
}

/// A gate for programs.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct GateOutput<'a> {
    /// Version of the format.
    format_version: u32,
    /// What was judged.
    #[serde(flatten)]
    gated: &'a Gated,
}

/// A gate as JSON.
pub fn json(gated: &Gated) -> Value {
    let output = GateOutput {
        format_version: FORMAT_VERSION,
        gated,
    };
    serde_json::to_value(output).unwrap_or_default()
}

fn of_answer(answer: GateAnswer, inconclusive: Option<Inconclusive>) -> u8 {
    match (answer, inconclusive) {
        (GateAnswer::Pass, _) | (GateAnswer::Inconclusive, Some(Inconclusive::Pass)) => exit::OK,
        (GateAnswer::Fail, _) | (GateAnswer::Inconclusive, Some(Inconclusive::Fail)) => {
            exit::MISSED
        }
        (GateAnswer::Inconclusive, None) => exit::UNDECIDED,
    }
}
