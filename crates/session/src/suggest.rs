//! "Did you mean": the nearest known name, where one is near enough.

pub use infermeter_core::text::closest;
