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
        begun: Option<String> = None, General, "TIME",
            "When its first request was sent, for a file that does not say it; UTC where no offset is given"
            .absent("as the file says; else it has no date").example("2026-11-20T09:30:00Z");
        map: Option<PathBuf> = None, General, "FILE",
            "Mapping file (TOML) for results of tools that are not known, as for audit"
            .example("map.toml");
    }
}
