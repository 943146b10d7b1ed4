//! Tests of the schedule crate through its public interface.

mod phases;
mod profiles;
mod refusals;
mod replay;
mod slices;
mod sources;
mod statistics;
mod support;
mod thinning;
