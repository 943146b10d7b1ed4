//! Calibration: the client's own error, measured against the simulator's truth.
//!
//! ladder -> rungs -> measure -> join -> errors -> limits -> certificate. The client is
//! that of every run, in this process; the simulator is a process of its own, on other cores.
//!
//! Not here: the checks that compare a run with the certificate (`analysis`), network and NIC,
//! which no simulator on this host has.
//!
//! Invariant: a rung that something else spoilt is never blamed on the client, nor counted for it.

pub(crate) mod bystanders;
pub mod cite;
pub mod climb;
#[cfg(any(test, feature = "fixture"))]
pub mod fixture;
mod join;
pub mod ladder;
pub mod limits;
pub mod measure;
mod rung;
pub mod spec;
mod spoil;
mod spread;
pub mod store;
