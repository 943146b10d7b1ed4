//! Flags of `audit`.

use infermeter_core::key::Form;
use infermeter_core::keys;
use std::path::PathBuf;

keys! {
    /// Flags of `audit`.
    pub struct AuditArgs {
        paths: Vec<PathBuf> = Vec::new(), General, "PATHS",
            "Result files, run directories, or directories of results; several are compared, the \
             first with each of the others"
            .form(Form::Required).example("result.json");
        map: Option<PathBuf> = None, General, "FILE",
            "Mapping file (TOML) for results of tools that are not known"
            .example("map.toml");
        state: Vec<String> = Vec::new(), General, "NAME=VALUE",
            "Fact of the set-up that the results do not say, as in gpu-model=H100"
            .example("gpu-model=H100");
        strict: bool = false, General, "", "Exit 3 for a failed check of severity warning, too";
    }
}
