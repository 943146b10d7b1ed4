//! Arguments of `schema`.

use infermeter_core::key::{Form, ValueKind};
use infermeter_core::{key_values, keys};
use serde::{Deserialize, Serialize};

/// A file with a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SchemaOf {
    /// Plan files of `run`.
    Plan,
}

key_values!(ValueKind::OneOf(&["plan"]) => SchemaOf);

keys! {
    /// Arguments of `schema`.
    pub struct SchemaArgs {
        file: SchemaOf = SchemaOf::Plan, General, "FILE",
            "The file: plan"
            .form(Form::Required).example("plan");
    }
}
