//! Flags of `gate`, and of what is held against a baseline elsewhere.

use infermeter_core::gate::FailIf;
use infermeter_core::key::{Form, ValueKind};
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

keys! {
    /// Flags of `gate`.
    pub struct GateArgs {
        runs: PathBuf = PathBuf::new(), General, "RUNS",
            "What is judged: a run's directory, an experiment's, or a directory of these"
            .form(Form::Required).example("runs/candidate");
        baseline: PathBuf = PathBuf::new(), General, "DIR|FILE",
            "What it is held against: the same, or a file that lists directories of runs, a line each"
            .form(Form::RequiredFlag).example("runs/baseline");
        fail_if: Vec<FailIf> = Vec::new(), General, "CRITERION",
            "What is not accepted: a change for the worse, as in 'ttft.p99>+5%', or a level of a share, as \
             in 'error_rate>1%'"
            .common().example("ttft.p99>+5%");
        inconclusive: Option<Inconclusive> = None, General, "AS",
            "Count an inconclusive gate as pass or fail instead of ending with 5"
            .example("fail");
        force: bool = false, General, "",
            "Compare with a baseline of another workload all the same, and say so";
        strict: bool = false, General, "", "Exit 3 for a Questionable run, too";
    }
}
