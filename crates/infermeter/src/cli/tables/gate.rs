//! Flags of `gate`, and of what is held against a baseline elsewhere.

use infermeter_core::gate::FailIf;
use infermeter_core::key::When::Given;
use infermeter_core::key::{Form, Rule, ValueKind};
use infermeter_core::{key_values, keys};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What an inconclusive gate counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Inconclusive {
    /// Passed.
    Pass,
    /// Failed.
    Fail,
}

key_values!(ValueKind::OneOf(&["pass", "fail"]) => Inconclusive);

const WITH_FAIL_IF: &[Rule] = &[Rule::needs(&[Given("fail-if")], "")];

keys! {
    /// Flags of `gate` alone.
    pub struct GateArgs {
        runs: PathBuf = PathBuf::new(), General, "RUNS",
            "What is judged: a run's directory, an experiment's, or a directory of runs"
            .form(Form::Required).example("runs/candidate");
        strict: bool = false, General, "", "Exit 3 for a Questionable run, too";
    }
}

keys! {
    /// What is not accepted, of whatever a command has measured or reads.
    pub struct FailIfArgs {
        fail_if: Vec<FailIf> = Vec::new(), General, "CRITERION",
            "What is not accepted: a change for the worse, as in 'ttft.p99>+5%', or a level of a share, as \
             in 'error_rate>1%'"
            .common().example("ttft.p99>+5%");
        inconclusive: Option<Inconclusive> = None, General, "AS",
            "With --fail-if: count an inconclusive gate as pass or fail instead of ending with 5"
            .example("fail").rules(WITH_FAIL_IF);
    }
}

keys! {
    /// What it is held against, where that is measured already.
    pub struct BaselineArgs {
        baseline: Option<PathBuf> = None, General, "DIR|FILE",
            "With --fail-if: what it is held against: a run, an experiment, a directory of these, a file that \
             lists directories, a line each, or the folder of a history"
            .example("runs/baseline").rules(WITH_FAIL_IF);
        force: bool = false, General, "",
            "With --fail-if: compare with a baseline of another workload all the same, and say so"
            .rules(WITH_FAIL_IF);
    }
}
