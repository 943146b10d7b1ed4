//! What charts over time are made from: equal parts of the run's time, and what fell into each.
//!
//! Only charts rest on these. Reported figures are exact order statistics of the whole sample
//! ([`crate::readings`]). Invariants: least and greatest value of each part are exact; parts of a run that are
//! merged in order give what the whole gives.

pub mod axis;
pub mod in_parts;
pub mod load;
pub mod pass;
pub mod spread;
pub mod spreads;
