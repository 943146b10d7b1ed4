//! Flags of `search` that are neither keys of the plan, nor part of what a search is, nor those of every command that
//! measures.

use infermeter_core::keys;
use std::path::PathBuf;

keys! {
    /// What to do with the search.
    pub struct SearchArgs {
        resume: Option<PathBuf> = None, General, "DIR",
            "Continue the search in this directory; it knows the other flags"
            .example("runs/search-a");
    }
}
