//! Measuring as a library: a host is claimed once, a target is made ready once, experiments are measured on
//! it, and what has ended is on disk before the next thing begins.
//!
//! plan -> experiment -> workload and schedule -> target -> run -> record -> summary -> findings
//!
//! Not here: flags, plan files, printing, exit codes. This crate prints nothing; who watches is an
//! [`observer::Observer`]. Invariant: what decides over several runs is a protocol, measured by whatever
//! implements [`measure::Measure`].

pub mod altered;
mod answers;
mod api_key;
mod aside;
mod begun;
pub mod bench;
mod beside;
pub mod book;
pub mod bundle;
mod cache_probe;
pub mod calibrate;
pub mod clients;
pub mod coldstart;
pub mod dataset_file;
pub mod differences;
pub mod directories;
pub mod doctor;
pub mod drive;
mod environment;
pub mod experiment;
pub mod expose;
pub mod failure;
pub mod finish;
pub mod fleet;
pub mod found;
pub mod gate;
mod gpu_metrics;
pub mod history;
pub mod host;
mod journal;
pub mod judged;
pub mod kept;
pub mod kept_experiment;
pub mod ledger_line;
pub mod live;
pub mod load;
pub mod make;
pub mod measure;
pub mod merge;
pub mod mock_child;
pub mod mock_settings;
pub mod monitor;
pub mod observed;
pub mod observer;
pub mod outlook;
mod place;
mod proxy;
pub mod ranked;
pub mod receiving;
pub mod redact;
mod replicas;
pub mod reset;
pub mod run_id;
pub mod runs;
pub mod secrets;
mod sent;
mod sent_before;
pub mod serve;
mod server_metrics;
mod settle;
mod spans;
pub mod target;
pub mod tiling;
pub mod trace_options;
mod unusable;
pub mod verify;
pub mod virtually;
pub mod ways;
