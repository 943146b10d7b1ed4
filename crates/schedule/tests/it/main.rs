//! Tests of the schedule crate through its public interface.

mod phases;
mod refusals;
mod replay;
mod statistics;
