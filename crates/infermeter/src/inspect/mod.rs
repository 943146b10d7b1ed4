//! What is in a trace or a dataset: gathered row by row, computed, shown.
//!
//! It sends nothing. Invariant: the figures describe the rows that a run would use, after every
//! option; what was left out is told beside them.

mod document;
mod figures;
mod gather;

pub use document::document;
pub use figures::Figures;
pub use gather::Gathered;
