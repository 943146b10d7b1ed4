//! Arguments of `schema`.

use infermeter_core::key::Form;
use infermeter_core::keys;

keys! {
    /// Arguments of `schema`.
    pub struct SchemaArgs {
        name: Option<String> = None, General, "NAME",
            "What to describe, as `run` or `run.json`; without it, what there is"
            .form(Form::Positional).example("run");
        format_version: Option<u32> = None, General, "N",
            "The version of the format that is meant; an error where this infermeter has another"
            .absent("the current one").example("1");
    }
}
