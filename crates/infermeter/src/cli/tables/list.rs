//! Arguments of `list`.

use infermeter_core::key::Form;
use infermeter_core::keys;
use std::path::PathBuf;

keys! {
    /// Arguments of `list`.
    pub struct ListArgs {
        folder: PathBuf = PathBuf::from("runs"), General, "DIR",
            "Folder of runs and experiments; of an experiment its runs"
            .form(Form::Positional).example("runs");
    }
}
