//! `infermeter gate RUNS --baseline DIR`: whether runs are worse than a baseline by more than is accepted; and
//! `--fail-if` of what has just been measured.

use crate::cli::tables::{GateArgs, Inconclusive, RunArgs};
use crate::show::Shown;
use crate::{exit, output};
use anyhow::{Result, bail};
use infermeter_analysis::{GateAnswer, Gated};
use infermeter_core::plan::Plan;
use infermeter_session::gate::{self, GateSpec};
use serde_json::Value;
use std::path::Path;

/// Runs the subcommand.
///
/// # Errors
/// Where a side has no runs, cannot be read, or has another workload.
pub(crate) fn gate(args: &GateArgs, shown: Shown) -> Result<u8> {
    if args.fail_if.is_empty() {
        bail!(
            "nothing is asked: write what is not accepted, as in --fail-if 'ttft.p99>+5%' --fail-if \
             'error_rate>1%'"
        );
    }
    let spec = GateSpec {
        criteria: args.fail_if.clone(),
        baseline: args.baseline.clone(),
        force: args.force,
    };
    let gated = gate::gate(&args.runs, &spec)?;
    shown.print(|| infermeter_report::of_gate(&gated), || json(&gated));
    Ok(code(&gated, args.inconclusive, args.strict))
}

/// The gate of what a command measures.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gating {
    spec: GateSpec,
    inconclusive: Option<Inconclusive>,
}

impl Gating {
    /// What `--fail-if` asks of a run; `None` where it asks nothing.
    pub fn of(args: &RunArgs) -> Option<Self> {
        let baseline = args.baseline.clone()?;
        Some(Self {
            spec: GateSpec {
                criteria: args.fail_if.clone(),
                baseline,
                force: args.force,
            },
            inconclusive: args.inconclusive,
        })
    }

    /// What can be said before anything is measured.
    ///
    /// # Errors
    /// Where there is no baseline, or one of another workload.
    pub fn check(&self, plan: &Plan) -> Result<()> {
        gate::comparable(&self.spec, plan)
    }

    /// Judges what was measured into `directory`, which is on disk.
    ///
    /// # Errors
    /// As for the subcommand.
    pub fn judge(&self, directory: &Path) -> Result<Gated> {
        gate::gate(directory, &self.spec)
    }

    /// Prints a gate below what was measured; in lines on standard error where that is quiet.
    pub fn print(&self, gated: &Gated, shown: Shown, quiet: bool) {
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

/// A gate as JSON.
pub fn json(gated: &Gated) -> Value {
    serde_json::to_value(gated).unwrap_or_default()
}

fn code(gated: &Gated, inconclusive: Option<Inconclusive>, strict: bool) -> u8 {
    let verdict = exit::of_verdict(gated.verdict(), strict);
    exit::gravest(&[verdict, of_answer(gated.gate.answer, inconclusive)])
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
