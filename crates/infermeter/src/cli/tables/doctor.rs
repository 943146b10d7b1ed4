//! Flags of `doctor` beside those of a plan.

use infermeter_core::keys;
use std::path::PathBuf;

keys! {
    /// Flags of `doctor` that are no keys of the plan.
    pub struct DoctorArgs {
        config: Option<PathBuf> = None, General, "FILE",
            "Plan file, TOML or YAML, with the same names as the flags; flags win"
            .common().example("plan.toml");
    }
}
