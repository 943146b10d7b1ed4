//! Flags of `sweep` that are neither keys of the plan, nor part of what a sweep is, nor those of every command that
//! measures.

use infermeter_core::keys;
use std::path::PathBuf;

keys! {
    /// What to do with the sweep.
    pub struct SweepArgs {
        resume: Option<PathBuf> = None, General, "DIR",
            "Continue the sweep in this directory; it knows the other flags"
            .example("runs/sweep-a");
    }
}
