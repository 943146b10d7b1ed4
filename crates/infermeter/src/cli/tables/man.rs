//! Arguments of `man`.

use infermeter_core::key::Form;
use infermeter_core::keys;
use std::path::PathBuf;

keys! {
    /// Arguments of `man`.
    pub struct ManArgs {
        command: Vec<String> = Vec::new(), General, "COMMAND",
            "The command whose page is printed, as in history add; without it, the program's own page"
            .form(Form::Positional).example("run");
        dir: Option<PathBuf> = None, General, "DIR",
            "Write every page into this folder, as infermeter-run.1 and so on"
            .example("man1");
    }
}
