//! The checklist on anyone's results: importers, facts, checks, scores.
//!
//! bytes -> [`import::read`] -> [`facts::Facts`] -> [`audit()`] -> [`Audit`]
//!
//! Does no IO, renders nothing, and knows no server. Invariants: what a file does not say is
//! absent; names are translated by definition; a check without its fact cannot tell; no number
//! printed is NaN.

mod audit;
mod check;
mod checks;
mod client_cost;
mod csv;
pub mod evidence;
pub mod facts;
mod format;
#[doc(hidden)]
pub mod fuzzing;
pub mod import;
mod json;
mod lenient;
mod limits;
pub mod metering;
mod number;
mod shape;
pub mod vocabulary;

pub use audit::{
    Audit, DimensionScore, FORMAT_VERSION, FormatTranslations, Kind, Outcome, Side, Source,
    Translated, audit,
};
pub use check::{Dimension, Scope};
pub use format::Format;

/// All checks, in the order of the checklist.
pub fn declared() -> impl Iterator<Item = infermeter_core::finding::Check> {
    checks::all().map(|check| check.declared())
}
