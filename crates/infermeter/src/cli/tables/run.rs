//! Flags of `run` that are neither keys of the plan nor those of every command that measures.

use infermeter_core::keys;
use std::path::PathBuf;

keys! {
    /// What to do with the runs.
    pub struct RunArgs {
        resume: Option<PathBuf> = None, General, "DIR",
            "Continue the runs of --repeat or --until in this directory; it knows the other flags"
            .example("runs/repeated");
    }
}
