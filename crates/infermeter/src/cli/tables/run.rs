//! Flags of `run` that are no keys of the plan.

use infermeter_core::keys;
use std::path::PathBuf;

keys! {
    /// What to do with the plan.
    pub struct RunArgs {
        config: Option<PathBuf> = None, General, "FILE",
            "Plan file, TOML or YAML, with the same names as the flags; flags win"
            .common().example("plan.toml");
        print_config: bool = false, General, "",
            "Print the resolved plan with the origin of each value, and stop";
        dry_run: bool = false, General, "",
            "Say what would be sent in every phase, and stop; with --json as JSON"
            .common();
        resume: Option<PathBuf> = None, General, "DIR",
            "Go on with the runs of --repeat or --until in this directory; it knows the other flags"
            .example("runs/repeated");
    }
}
