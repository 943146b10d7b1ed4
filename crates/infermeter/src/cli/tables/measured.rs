//! The flags of every command that measures a plan and are no part of the plan: what to do with it, and how the result
//! is shown.

use crate::show::Shown;
use infermeter_core::key::Rule;
use infermeter_core::key::When::Given;
use infermeter_core::keys;
use std::path::PathBuf;

keys! {
    /// What to do with the plan.
    pub struct MeasureArgs {
        config: Option<PathBuf> = None, General, "FILE",
            "Plan file, TOML or YAML, with the same names as the flags; flags win"
            .common().example("plan.toml");
        print_config: bool = false, General, "",
            "Print the resolved plan with the origin of each value, and stop";
        dry_run: bool = false, General, "",
            "Say what would be sent, and stop; in the form of --format"
            .common();
        format: Option<Shown> = None, General, "FORMAT",
            "Print the result as terminal, markdown, html or json (as --json does)"
            .absent("terminal").example("markdown")
            .rules(&[Rule::excludes(&[Given("json")], "")]);
    }
}

impl MeasureArgs {
    /// The form asked for, by a plan that asks for JSON or not.
    pub(crate) fn shown(&self, json: bool) -> Shown {
        self.format.unwrap_or(Shown::json_if(json))
    }
}
