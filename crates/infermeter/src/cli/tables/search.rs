//! Flags of `search` that are neither keys of the plan nor part of what a search is.

use infermeter_core::keys;
use std::path::PathBuf;

keys! {
    /// What to do with the plan and the search.
    pub struct SearchArgs {
        config: Option<PathBuf> = None, General, "FILE",
            "Plan file, TOML or YAML, with the same names as the flags; flags win"
            .common().example("plan.toml");
        resume: Option<PathBuf> = None, General, "DIR",
            "Continue the search in this directory; it knows the other flags"
            .example("runs/search-a");
    }
}
