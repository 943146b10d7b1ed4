//! JSON Schema of types that are written as text, which no derive can describe. All else is described by its type
//! and by the comments of its fields, tables of keys by their entries.
//!
//! Invariant: what such a type writes has the form that is said.

/// Describes types that are written as text of this form.
#[macro_export]
macro_rules! text_schema {
    ($pattern:literal => $($type:ty),+ $(,)?) => {$(
        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    )+};
}
