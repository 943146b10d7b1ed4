//! The infermeter command: flags, plan files, printing, exit codes, one file per subcommand.
//!
//! arguments -> plan -> session (measures) -> report. Not here: how anything is measured.

pub mod audit;
pub mod calibrate;
pub mod capacity;
pub mod cli;
pub mod commands;
pub mod dry_run;
pub mod exit;
pub mod input;
pub mod inspect;
mod items;
pub mod layers;
pub mod output;
pub mod print_config;
pub mod progress;
pub mod schema;
mod screen;
mod show;
mod together;
pub mod truth_table;
pub mod validate;
pub mod values;
