//! The flags that say how a result is shown: the same for every command that shows one.

use crate::show::Shown;
use infermeter_core::key::Rule;
use infermeter_core::key::When::Given;
use infermeter_core::keys;
use infermeter_report::Format;

keys! {
    /// How a result is shown.
    pub struct ShowArgs {
        format: Option<Shown> = None, General, "FORMAT",
            "Show the result as terminal, markdown, html or json"
            .absent("terminal").example("markdown")
            .rules(&[Rule::excludes(&[Given("json"), Given("markdown")], "")]);
        json: bool = false, General, "", "--format json: the typed values, for programs"
            .rules(&[Rule::excludes(&[Given("markdown")], "")]);
        markdown: bool = false, General, "", "--format markdown: for an issue or a pull request";
    }
}

impl ShowArgs {
    /// The form asked for.
    pub fn shown(&self) -> Shown {
        match (self.format, self.markdown) {
            (Some(shown), _) => shown,
            (None, true) => Shown::Document(Format::Markdown),
            (None, false) => Shown::json_if(self.json),
        }
    }
}
