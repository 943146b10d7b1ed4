//! Flags of `compare` that say neither what is measured nor what is asked of it.

use infermeter_core::keys;
use std::path::PathBuf;

keys! {
    /// What to do with the sides.
    pub struct CompareArgs {
        config: Option<PathBuf> = None, General, "FILE",
            "Plan file, TOML or YAML, with the same names as the flags, and a table [[side]] for each side; \
             flags win"
            .common().example("plan.toml");
        resume: Option<PathBuf> = None, General, "DIR",
            "Continue the comparison in this directory; it knows the other flags"
            .example("runs/compare-a");
    }
}
