//! What is in a trace or a dataset: gathered row by row, computed, shown.
//!
//! It sends nothing. Invariant: the figures describe the rows that a run would use, after every
//! option; what was left out is told beside them.

mod chart;
mod figures;
mod gather;
mod text;

pub use figures::{Arrivals, Class, Figures, Lengths, Sessions};
pub use gather::Gathered;
pub use text::{Ink, text};
