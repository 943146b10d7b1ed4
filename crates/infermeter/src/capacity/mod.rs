//! Runs at several rates as the levels of a capacity plan.

mod gather;
mod values;

pub(crate) use gather::{Gathered, gather};
pub use values::{Headroom, Rates};
