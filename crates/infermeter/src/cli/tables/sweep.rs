//! Flags of `sweep` that are neither keys of the plan nor part of what a sweep is.

use infermeter_core::keys;
use std::path::PathBuf;

keys! {
    /// What to do with the plan and the sweep.
    pub struct SweepArgs {
        config: Option<PathBuf> = None, General, "FILE",
            "Plan file, TOML or YAML, with the same names as the flags; flags win"
            .common().example("plan.toml");
        resume: Option<PathBuf> = None, General, "DIR",
            "Continue the sweep in this directory; it knows the other flags"
            .example("runs/sweep-a");
    }
}
