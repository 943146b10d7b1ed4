//! The other side and the ground under this one: engine identity, feature probes, host facts.
//!
//! Everything here happens before the clock starts or after the load. What is unknown stays unknown.

pub mod counters;
pub mod features;
pub mod host;
pub mod target;
