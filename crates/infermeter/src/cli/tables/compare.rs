//! Flags of `compare` that say neither what is measured nor what is asked of it, and are not those of every command
//! that measures.

use infermeter_core::keys;
use std::path::PathBuf;

keys! {
    /// What to do with the sides.
    pub struct CompareArgs {
        resume: Option<PathBuf> = None, General, "DIR",
            "Continue the comparison in this directory; it knows the other flags"
            .example("runs/compare-a");
    }
}
