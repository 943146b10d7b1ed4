//! Flags of `merge`.

use infermeter_core::key::Form;
use infermeter_core::keys;
use std::path::PathBuf;

keys! {
    /// Flags of `merge`.
    pub struct MergeArgs {
        parts: Vec<PathBuf> = Vec::new(), General, "DIR",
            "Directories that the ranks of one run wrote, or one that holds them: that of run --workers, or a \
             rendezvous"
            .form(Form::Required).example("ranks/0");
        out: Option<PathBuf> = None, General, "DIR",
            "Directory of the merged run; of a directory with a folder ranks it may be left out"
            .common().aliases(&["-o"]).absent("the one that holds ranks").example("runs/whole");
        force: bool = false, General, "",
            "Merge what is not of one run all the same: another plan, id or version, a part twice; a finding says so";
        full: bool = false, General, "", "Print every figure of every metric below the summary";
        notes: bool = false, General, "",
            "Print findings that do not weigh in full, below the figures, instead of their names";
        strict: bool = false, General, "", "Exit 3 for Questionable, too";
    }
}
