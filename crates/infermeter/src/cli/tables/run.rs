//! Flags of `run` that are no keys of the plan.

use super::Inconclusive;
use crate::show::Shown;
use infermeter_core::gate::FailIf;
use infermeter_core::key::Rule;
use infermeter_core::key::When::Given;
use infermeter_core::keys;
use std::path::PathBuf;

const WITH_BASELINE: &[Rule] = &[Rule::needs(&[Given("baseline")], "")];
const WITH_FAIL_IF: &[Rule] = &[Rule::needs(&[Given("fail-if")], "")];

keys! {
    /// What to do with the plan.
    pub struct RunArgs {
        config: Option<PathBuf> = None, General, "FILE",
            "Plan file, TOML or YAML, with the same names as the flags; flags win"
            .common().example("plan.toml");
        print_config: bool = false, General, "",
            "Print the resolved plan with the origin of each value, and stop";
        dry_run: bool = false, General, "",
            "Say what would be sent in every phase, and stop; in the form of --format"
            .common();
        format: Option<Shown> = None, General, "FORMAT",
            "Print the result as terminal, markdown, html or json (as --json does)"
            .absent("terminal").example("markdown")
            .rules(&[Rule::excludes(&[Given("json")], "")]);
        resume: Option<PathBuf> = None, General, "DIR",
            "Continue the runs of --repeat or --until in this directory; it knows the other flags"
            .example("runs/repeated");
        fail_if: Vec<FailIf> = Vec::new(), General, "CRITERION",
            "What is not accepted beside a baseline: 'ttft.p99>+5%', 'error_rate>1%'"
            .example("ttft.p99>+5%").rules(WITH_BASELINE);
        baseline: Option<PathBuf> = None, General, "DIR|FILE",
            "With --fail-if: the run, the experiment, or the file of these that the result is held against"
            .example("runs/baseline")
            .rules(&[Rule::needs(&[Given("fail-if")], "")]);
        inconclusive: Option<Inconclusive> = None, General, "AS",
            "With --fail-if: count an inconclusive gate as pass or fail instead of ending with 5"
            .example("fail").rules(WITH_FAIL_IF);
        force: bool = false, General, "",
            "With --fail-if: compare with a baseline of another workload all the same, and say so"
            .rules(WITH_FAIL_IF);
    }
}
