//! Linux system calls behind a safe interface: stamped receive, event loop, timers, affinity,
//! limits, signals, how the clock is kept; and NVIDIA's library for management. No protocol, no policy.
//!
//! Invariant: `raw` (with its three files) is the only module of the workspace with unsafe code.

pub mod affinity;
mod cmsg;
pub mod discipline;
pub mod essential;
pub mod limits;
pub mod nvml;
pub mod poll;
mod raw;
pub mod schedstat;
pub mod signals;
pub mod socket;
pub mod stamp;
pub mod stdin;
pub mod taken;
pub mod timer;
pub mod uring;
