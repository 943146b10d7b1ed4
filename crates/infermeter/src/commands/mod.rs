//! The subcommands, one file each.

pub mod audit;
pub mod calibrate;
pub mod make;
pub mod mock;
mod repeat;
pub mod report;
pub mod run;
pub mod workload;
