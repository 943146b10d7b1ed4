//! Flags of `metering`.

use infermeter_core::key::Form;
use infermeter_core::keys;
use std::path::PathBuf;

keys! {
    /// Flags of `metering`.
    pub struct MeteringArgs {
        truth: PathBuf = PathBuf::new(), General, "TRUTH",
            "Truth log of the simulator (JSON lines): what was served"
            .form(Form::Required).example("truth.jsonl");
        metered: PathBuf = PathBuf::new(), General, "METERED",
            "What the gateway metered: CSV with a header, JSON, or JSON lines"
            .form(Form::Required).example("spend.csv");
        map: Option<PathBuf> = None, General, "FILE",
            "Mapping file (TOML) that says which columns or members hold what"
            .example("map.toml");
        without_cut: bool = false, General, "",
            "Leave out requests whose answers were cut, where requests are joined by their ids";
    }
}
