//! The highest rate that meets all objectives, with few requests.

pub mod rule;
