//! The infermeter command: flags, plan files, printing, exit codes, one file per subcommand.
//!
//! arguments -> plan -> session (measures) -> report. Not here: how anything is measured.

mod ahead;
mod audit;
mod calibrate;
mod capacity;
pub mod cli;
pub mod commands;
mod compare;
pub mod dry_run;
pub mod exit;
mod export;
mod input;
mod inspect;
mod items;
mod launch;
mod layers;
mod live_page;
pub mod output;
mod page;
mod picture;
pub mod print_config;
mod progress;
mod questions;
mod schema;
mod screen;
mod search;
mod several;
mod show;
mod sweep;
mod together;
mod told;
mod truth_table;
mod validate;
mod values;
