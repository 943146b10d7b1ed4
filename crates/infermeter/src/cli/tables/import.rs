//! Flags of `import`.

use infermeter_core::key::Form;
use infermeter_core::keys;
use std::path::PathBuf;

keys! {
    /// Flags of `import`.
    pub struct ImportArgs {
        file: PathBuf = PathBuf::new(), General, "FILE",
            "A result of another tool that lists single requests"
            .form(Form::Required).example("result.json");
        out: Option<PathBuf> = None, General, "DIR",
            "Directory of the run; of several results one for each below it"
            .common().aliases(&["-o"]).absent("below runs/, by time and id").example("runs/theirs");
        map: Option<PathBuf> = None, General, "FILE",
            "Mapping file (TOML) for results of tools that are not known, as for audit"
            .example("map.toml");
    }
}
